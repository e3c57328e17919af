//! Statements about the frontends.

use quorate_sql::{ClusterStatement, FrontendKind as Kind, Property};
use quorate_wire::{Body, Column, Failure, Reply, Rows, Value, Warning};

use super::Services;
use crate::cluster::wall_clock_us;
use crate::config::KEYS;
use crate::session::{Answer, Consistency, StatementContext};
use crate::types::{Frontend, FrontendKind, HostCommand, Lsn};

/// Most addresses in one statement.
const ADDRESSES_MAX: usize = 16;
/// Below this much time to its deadline a listing does not wait for the leader.
const CONFIRM_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(1500);

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
            ClusterStatement::ShowProc(path) => match path.trim_end_matches('/') {
                "/frontends" => self.show_frontends(context).await,
                "" if path.starts_with('/') => Ok(self.here(proc_root())),
                _ if !path.starts_with('/') => {
                    Err(refused(format!("Path({path}) does not start with '/'")))
                }
                _ => Err(refused(format!("Cannot find path: {path}"))),
            },
            ClusterStatement::TransferLeader { to, .. } => self.transfer(&to).await,
            ClusterStatement::ShowConfig(filter) => {
                let Rows { columns, rows } = configuration();
                let reply = crate::session::filtered(columns, rows, filter.as_ref())?;
                Ok(Answer { reply, lsn: context.token })
            }
            ClusterStatement::DropFrontends { .. } => Err(later("ALTER SYSTEM DROP")),
            ClusterStatement::ModifyFrontendHost { .. } => {
                Err(later("ALTER SYSTEM MODIFY FRONTEND HOST"))
            }
            ClusterStatement::CreateImage => {
                let taken = self.cluster.node().take_snapshot().await;
                let lsn = taken.map_err(|error| refused(error.to_string()))?;
                Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
            }
            ClusterStatement::SetConfig(properties) => {
                match self.set_replicated(&context, &properties).await {
                    Some(set) => set,
                    None => Err(set_config(&properties)),
                }
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

    /// Linearizable when there is a quorum; without one, what this frontend knows, with a warning.
    async fn show_frontends(&self, mut context: StatementContext) -> Result<Answer, Failure> {
        context.consistency = Consistency::Linearizable;
        context.deadline = context.deadline.min(tokio::time::Instant::now() + CONFIRM_TIMEOUT);
        let confirmed = self.barrier.wait(&context).await;
        let rows = self.cluster.frontends(wall_clock_us()).await;
        let mut answer = self.here(rows);
        if let Err(failure) = confirmed {
            let message = format!("may be out of date: {}", failure.message);
            answer.reply.warnings.push(Warning { code: failure.code, message });
        }
        Ok(answer)
    }

    /// An answer that relies on what this frontend has applied.
    fn here(&self, rows: Rows) -> Answer {
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

fn proc_root() -> Rows {
    let rows = vec![vec![Value::from("frontends")]];
    Rows { columns: vec![Column::text("name")], rows }
}

fn configuration() -> Rows {
    let names = ["Key", "AliasNames", "Value", "Type", "IsMutable", "Comment"];
    let rows = KEYS.iter().map(|key| {
        [key.name, "[]", key.default, "string", "false", key.help].map(Value::from).to_vec()
    });
    Rows { columns: names.map(Column::text).to_vec(), rows: rows.collect() }
}

fn set_config(properties: &[Property]) -> Failure {
    let keys: Vec<_> = properties.iter().map(|property| property.key.as_str()).collect();
    refused(format!(
        "no configuration key can be changed while the frontend runs: {}; set it in fe.conf",
        keys.join(", ")
    ))
}

fn later(what: &str) -> Failure {
    Failure::new(1235, "42000", format!("this version doesn't yet support '{what}'"))
}

fn refused(message: String) -> Failure {
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
