//! What the cluster offers to a session.

use std::time::Duration;

use futures_util::future::BoxFuture;
use quorate_sql::{ClusterStatement, ModuleStatement};
use quorate_wire::{Column, Failure, Reply};
use tokio::time::Instant;

use crate::query;

/// How fresh the state must be that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Not older than [`StatementContext::token`].
    Session,
    /// Not older than any write acknowledged before the statement began, on any frontend.
    Linearizable,
    /// Not older than the token, nor than this.
    Bounded {
        /// The greatest age.
        max_staleness: Duration,
    },
    /// Whatever this frontend has applied.
    Any,
}

/// Who sends a statement and within which bounds it is answered.
#[derive(Debug, Clone)]
pub struct StatementContext {
    /// Number of the session on this frontend; not unique in the cluster, nor over a restart.
    pub session_id: u64,
    /// The authenticated user.
    pub user: String,
    /// The current database.
    pub database: Option<String>,
    /// How fresh the state must be.
    pub consistency: Consistency,
    /// The LSN that the session must see.
    pub token: u64,
    /// When the client gets an answer at the latest. The session itself waits a little longer and
    /// then answers that the outcome is unknown, so a backend that can say more says it by then.
    pub deadline: Instant,
    /// Raised when nobody waits for the answer any more.
    pub cancel: query::Cancel,
}

/// A statement for the active module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A text in whatever language the module speaks.
    Text(String),
    /// Bytes that only client and module understand.
    Bytes(Vec<u8>),
}

/// What came of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For the client.
    pub reply: Reply,
    /// The applied LSN that the reply relies on. The session remembers the greatest one.
    pub lsn: u64,
}

/// The cluster, as a session sees it.
///
/// A future may be dropped before it is done, when the client has gone or the deadline has passed:
/// a command that was proposed by then is applied all the same. Retries are the backend's: a
/// session sends each statement once.
pub trait Backend: Send + Sync + 'static {
    /// Has the active module evaluate a statement, proposes what it decides, and waits until this
    /// frontend has applied it.
    fn module(
        &self,
        context: StatementContext,
        request: Request,
    ) -> BoxFuture<'_, Result<Answer, Failure>>;

    /// Answers a query.
    fn select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Answer, Failure>>;

    /// The columns that a query would answer with.
    fn describe_select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Vec<Column>, Failure>>;

    /// Changes or shows the frontends.
    fn cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>>;

    /// Changes or shows which module is active.
    fn lifecycle(
        &self,
        context: StatementContext,
        statement: ModuleStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>>;
}
