//! How fresh a read must be, as a client asks for it, and what a frontend made of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quorate::query;
use quorate::server::Services;
use quorate::session::{Answer, Backend, Consistency, Request, StatementContext};
use quorate_sql::{ClusterStatement, ModuleStatement};
use quorate_wire::{Column, Failure};

use super::context::Context;
use super::dice::Dice;
use super::mutation::Mutation;

/// Bounds of staleness that clients ask for, in milliseconds.
const STALENESS_MS: [u64; 5] = [0, 25, 100, 400, 1500];
/// With the defect, whatever was confirmed once is recent enough.
const FOREVER: Duration = Duration::from_secs(86_400);

/// A level of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Not before what the session has seen, here or on another frontend.
    Session,
    /// Not before anything that was acknowledged when it began.
    Linearizable,
    /// Not before what its session has seen, nor before what had been acknowledged so many
    /// milliseconds before it began.
    Bounded(u64),
    /// Any state that there was.
    Any,
}

impl Level {
    /// Chooses one: `all`, or those that histories without changes of the membership have.
    pub fn choose(dice: &Dice, all: bool) -> Self {
        let few = [Self::Session, Self::Linearizable, Self::Any];
        if !all {
            return *dice.pick(&few);
        }
        match dice.below(4) {
            3 => Self::Bounded(*dice.pick(&STALENESS_MS)),
            at => few[usize::try_from(at).expect("an index")],
        }
    }

    /// The statements that set it.
    pub fn settings(self) -> Vec<String> {
        let (name, staleness) = match self {
            Self::Session => ("session", None),
            Self::Linearizable => ("linearizable", None),
            Self::Bounded(ms) => ("bounded", Some(ms)),
            Self::Any => ("any", None),
        };
        let mut all = vec![format!("SET read_consistency = '{name}'")];
        all.extend(staleness.map(|ms| format!("SET max_staleness_ms = {ms}")));
        all
    }

    /// Whether it must show what the session has seen.
    pub fn keeps_token(self) -> bool {
        self != Self::Any
    }
}

/// The services of a frontend, watched: which state each answer is from.
pub struct Watching {
    /// The services.
    pub inner: Services,
    /// The world.
    pub context: Arc<Context>,
    /// The LSN of the newest answer of each session.
    pub answered: Arc<Mutex<BTreeMap<u64, u64>>>,
}

impl Watching {
    /// The defects: what a session may rely on is not looked at.
    fn spoil(&self, mut context: StatementContext) -> StatementContext {
        if self.context.has(Mutation::TokenIgnored) {
            context.token = 0;
        }
        if self.context.has(Mutation::BoundedNotRefreshed)
            && matches!(context.consistency, Consistency::Bounded { .. })
        {
            context.consistency = Consistency::Bounded { max_staleness: FOREVER };
        }
        context
    }
}

impl Backend for Watching {
    fn module(
        &self,
        context: StatementContext,
        request: Request,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        let (session, context) = (context.session_id, self.spoil(context));
        let answer = self.inner.module(context, request);
        async move {
            let answer = answer.await?;
            self.answered.lock().insert(session, answer.lsn);
            Ok(answer)
        }
        .boxed()
    }

    fn select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.inner.select(context, scope, sql)
    }

    fn describe_select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Vec<Column>, Failure>> {
        self.inner.describe_select(context, scope, sql)
    }

    fn cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.inner.cluster(context, statement)
    }

    fn lifecycle(
        &self,
        context: StatementContext,
        statement: ModuleStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.inner.lifecycle(context, statement)
    }
}
