//! What sessions ask of this frontend, done with the layers below.
//!
//! One file per kind of statement; [`barrier`] decides what a read must wait for. Nothing that
//! blocks runs on the async threads: modules evaluate on threads of their own ([`evaluator`]), the
//! rest runs on tokio's blocking threads.

mod aliases;
mod barrier;
mod cluster;
mod configuration;
mod evaluator;
mod lifecycle;
mod membership;
mod module;
mod proc;
mod relations;
mod select;
mod show;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quorate_sql::{ClusterStatement, ModuleStatement};
use quorate_wire::{Column, Failure};

use crate::cluster::Cluster;
use crate::query;
use crate::rescue::shadow::Shadows;
use crate::session::{Answer, Backend, Request, StatementContext};

/// The services of one frontend, as sessions see them.
pub struct Services {
    cluster: Cluster,
    barrier: barrier::Barrier,
    evaluator: evaluator::Evaluator,
    /// Modules on trial; none without a disk.
    shadows: Option<Shadows>,
}

impl Services {
    /// Limits are those of the cluster's configuration in force.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(cluster: Cluster, shadows: Shadows) -> std::io::Result<Self> {
        Ok(Self::with(cluster, evaluator::Evaluator::start()?, Some(shadows)))
    }

    /// Evaluates where statements are awaited, without threads: for simulation.
    pub fn inline(cluster: Cluster) -> Self {
        Self::with(cluster, evaluator::Evaluator::Inline, None)
    }

    fn with(cluster: Cluster, evaluator: evaluator::Evaluator, shadows: Option<Shadows>) -> Self {
        let barrier = barrier::Barrier::new(cluster.clone());
        Self { cluster, barrier, evaluator, shadows }
    }
}

impl Services {
    /// Runs what reads the state on a blocking thread; in a simulation, which has none, at once.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if matches!(self.evaluator, evaluator::Evaluator::Inline) {
            return work();
        }
        blocking(work).await
    }
}

impl Backend for Services {
    fn module(
        &self,
        context: StatementContext,
        request: Request,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.run_module(context, request).boxed()
    }

    fn select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.run_select(context, scope, sql).boxed()
    }

    fn describe_select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Vec<Column>, Failure>> {
        self.run_describe(context, scope, sql).boxed()
    }

    fn cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.run_cluster(context, statement).boxed()
    }

    fn lifecycle(
        &self,
        context: StatementContext,
        statement: ModuleStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.run_lifecycle(context, statement).boxed()
    }
}

/// Runs `work` on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => {
            Err(Failure::new(1105, "HY000", "the statement hit a defect of this frontend"))
        }
        Err(_) => Err(Failure::new(1053, "08S01", "this frontend is shutting down")),
    }
}
