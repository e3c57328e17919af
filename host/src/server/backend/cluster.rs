//! Statements about the frontends.

use quorate_sql::{ClusterStatement, Property};
use quorate_wire::{Body, Column, Failure, Reply, Rows, Value, Warning};

use super::Services;
use crate::cluster::wall_clock_us;
use crate::config::KEYS;
use crate::session::{Answer, Consistency, StatementContext};

/// Below this much time to its deadline a listing does not wait for the leader.
const CONFIRM_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(1500);

impl Services {
    pub(super) async fn run_cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> Result<Answer, Failure> {
        match statement {
            ClusterStatement::AddFrontends { kind, addresses, force } => {
                self.add_frontends(context, kind, &addresses, force).await
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
            ClusterStatement::TransferLeader { to, force } => {
                self.transfer_leader(context, &to, force).await
            }
            ClusterStatement::ShowConfig(filter) => {
                let Rows { columns, rows } = configuration();
                let reply = crate::session::filtered(columns, rows, filter.as_ref())?;
                Ok(Answer { reply, lsn: context.token })
            }
            ClusterStatement::DropFrontends { kind, addresses, force } => {
                self.drop_frontends(context, kind, &addresses, force).await
            }
            ClusterStatement::ModifyFrontendHost { from, to } => {
                self.move_frontend(context, &from, &to).await
            }
            ClusterStatement::ModifyFrontendKind { address, kind, force } => {
                self.turn_frontend(context, &address, kind, force).await
            }
            ClusterStatement::CreateImage => {
                let taken = self.cluster.node().take_snapshot().await;
                let lsn = taken.map_err(|error| refused(error.to_string()))?;
                Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
            }
            ClusterStatement::SetConfig(properties) => Err(set_config(&properties)),
        }
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

fn refused(message: String) -> Failure {
    Failure::new(1105, "HY000", message)
}
