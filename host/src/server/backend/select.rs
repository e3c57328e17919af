//! SELECT over the module's relations and the host's.

use std::sync::Arc;

use quorate_wire::{Column, Failure, Reply};

use super::relations::Snapshot;
use super::{Services, blocking};
use crate::query;
use crate::session::{Answer, StatementContext};

/// Most rows of one result; more end the query with an error.
const ROWS_MAX: usize = 1_000_000;

impl Services {
    pub(super) async fn run_select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> Result<Answer, Failure> {
        let snapshot = self.snapshot(&context, &sql).await?;
        let limits = query::Limits {
            deadline: context.deadline.into_std(),
            memory_bytes: self.cluster.config().get().query_mem_limit,
            rows_max: ROWS_MAX,
        };
        let lsn = snapshot.lsn();
        let rows = blocking(move || {
            query::select(&sql, &scope, Arc::new(snapshot), &limits, &context.cancel)
        })
        .await?;
        Ok(Answer { reply: Reply::from(quorate_wire::Body::Rows(rows)), lsn })
    }

    pub(super) async fn run_describe(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> Result<Vec<Column>, Failure> {
        let snapshot = self.snapshot(&context, &sql).await?;
        blocking(move || query::describe(&sql, &scope, Arc::new(snapshot))).await
    }

    async fn snapshot(&self, context: &StatementContext, sql: &str) -> Result<Snapshot, Failure> {
        self.barrier.wait(context).await?;
        Snapshot::take(&self.cluster, context.deadline.into_std(), sql).await
    }
}
