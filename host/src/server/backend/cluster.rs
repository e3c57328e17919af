//! Statements about the frontends.

use quorate_sql::{ClusterStatement, FrontendKind as Kind};
use quorate_wire::{Body, Failure, Reply, Rows};

use super::Services;
use crate::session::{Answer, StatementContext};
use crate::types::{Frontend, FrontendKind, HostCommand, Lsn};

/// Most addresses in one statement.
const ADDRESSES_MAX: usize = 16;

impl Services {
    pub(super) async fn run_cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> Result<Answer, Failure> {
        match statement {
            ClusterStatement::AddFrontends { kind, addresses, .. } => {
                self.add(&context, kind, &addresses).await
            }
            ClusterStatement::ShowFrontends => self.show_frontends(context).await,
            ClusterStatement::ShowProc(path) => self.show_proc(context, &path).await,
            ClusterStatement::TransferLeader { to, .. } => self.transfer(&to).await,
            ClusterStatement::ShowConfig(filter) => {
                self.show_config(&context, filter.as_ref()).await
            }
            ClusterStatement::SetConfig(properties) => self.set_config(&context, properties).await,
            ClusterStatement::DropFrontends { .. } => Err(later("ALTER SYSTEM DROP")),
            ClusterStatement::ModifyFrontendHost { .. } => {
                Err(later("ALTER SYSTEM MODIFY FRONTEND HOST"))
            }
            ClusterStatement::CreateImage => {
                let taken = self.cluster.node().take_snapshot().await;
                let lsn = taken.map_err(|error| refused(error.to_string()))?;
                Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
            }
        }
    }

    async fn add(
        &self,
        context: &StatementContext,
        kind: Kind,
        addresses: &[String],
    ) -> Result<Answer, Failure> {
        if kind == Kind::Observer {
            return Err(later("ALTER SYSTEM ADD OBSERVER"));
        }
        if addresses.len() > ADDRESSES_MAX {
            return Err(refused(format!("at most {ADDRESSES_MAX} frontends in one statement")));
        }
        let frontends =
            addresses.iter().map(|address| frontend(address)).collect::<Result<Vec<_>, _>>()?;
        let mut lsn = Lsn(0);
        for frontend in frontends {
            let command = HostCommand::AddFrontend(frontend);
            lsn = self.cluster.run(&context.user, command, context.deadline).await?;
        }
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }

    async fn transfer(&self, to: &str) -> Result<Answer, Failure> {
        let (host, port) = split(to)?;
        let known = self
            .cluster
            .machine()
            .view()
            .frontends()
            .into_iter()
            .find(|(_, frontend)| frontend.host == host && frontend.edit_log_port == port);
        let (node, _) =
            known.ok_or_else(|| refused(format!("frontend does not exist[{host}:{port}]")))?;
        let moved = self.cluster.node().transfer_leader(node).await;
        moved.map_err(|error| refused(error.to_string()))?;
        Ok(self.here_done())
    }

    /// An answer that relies on what this frontend has applied.
    pub(super) fn here(&self, rows: Rows) -> Answer {
        let lsn = self.cluster.machine().lsn().0;
        Answer { reply: Reply::from(Body::Rows(rows)), lsn }
    }

    fn here_done(&self) -> Answer {
        Answer { reply: Reply::done(), lsn: self.cluster.machine().lsn().0 }
    }
}

fn frontend(address: &str) -> Result<Frontend, Failure> {
    let (host, port) = split(address)?;
    Ok(Frontend::new(FrontendKind::Follower, host, port))
}

/// Host and port of `host:port` or `[v6]:port`.
fn split(address: &str) -> Result<(String, u16), Failure> {
    let wrong = || refused("frontend host or port is wrong!".to_owned());
    let (host, port) = address.trim().rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || port == 0 || !host.chars().all(plain) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

fn later(what: &str) -> Failure {
    Failure::new(1235, "42000", format!("this version doesn't yet support '{what}'"))
}

pub(super) fn refused(message: String) -> Failure {
    Failure::new(1105, "HY000", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_with_starrocks_text() {
        for address in ["", "h", "h:", ":9010", "h:0", "h:70000", "h h:1", "h;:1"] {
            assert_eq!(split(address).unwrap_err().message, "frontend host or port is wrong!");
        }
        assert_eq!(split("fe-1.example:9010").unwrap(), ("fe-1.example".to_owned(), 9010));
        assert_eq!(split("[::1]:9010").unwrap(), ("::1".to_owned(), 9010));
    }
}
