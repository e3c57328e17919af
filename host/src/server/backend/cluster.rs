//! Statements about the frontends.

use quorate_sql::ClusterStatement;
use quorate_wire::{Body, Failure, Reply, Rows};

use super::Services;
use crate::session::{Answer, StatementContext};
use crate::types::Epoch;

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
            ClusterStatement::DropFrontends { kind, addresses, force } => {
                self.drop_frontends(context, kind, &addresses, force).await
            }
            ClusterStatement::ModifyFrontendHost { from, to } => {
                self.move_frontend(context, &from, &to).await
            }
            ClusterStatement::ModifyFrontendKind { address, kind, force } => {
                self.turn_frontend(context, &address, kind, force).await
            }
            ClusterStatement::TransferLeader { to, force } => {
                self.transfer_leader(context, &to, force).await
            }
            ClusterStatement::ShowFrontends => self.show_frontends(context).await,
            ClusterStatement::ShowProc(path) => self.show_proc(context, &path).await,
            ClusterStatement::ShowConfig(filter) => {
                self.show_config(&context, filter.as_ref()).await
            }
            ClusterStatement::SetConfig(properties) => self.set_config(&context, properties).await,
            ClusterStatement::SetEngineEpoch(epoch) => {
                self.barrier.wait(&context).await?;
                let (user, to) = (&context.user, Epoch(epoch));
                let lsn = self.cluster.change_epoch(user, to, context.deadline).await?;
                Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
            }
            ClusterStatement::CreateImage => {
                self.cluster.machine().usable()?;
                let taken = self.cluster.node().take_snapshot().await;
                let lsn = taken.map_err(|error| refused(error.to_string()))?;
                Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
            }
        }
    }

    /// An answer that relies on what this frontend has applied.
    pub(super) fn here(&self, rows: Rows) -> Answer {
        let lsn = self.cluster.machine().lsn().0;
        Answer { reply: Reply::from(Body::Rows(rows)), lsn }
    }
}

pub(super) fn refused(message: String) -> Failure {
    Failure::new(1105, "HY000", message)
}
