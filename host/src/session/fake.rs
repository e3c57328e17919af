//! A backend for tests: a store of one counter that answers with what it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quorate_sql::{ClusterStatement, ModuleStatement};
use quorate_wire::{Column, ColumnType, Failure, Reply, SessionChange, Value};

use crate::query;
use crate::session::{Answer, Backend, Request, Sessions, Settings, StatementContext};

/// Statements it knows: `WRITE`, `WARN`, `HANG`, `USE`, and every query.
#[derive(Default)]
pub(crate) struct Fake {
    lsn: AtomicU64,
    pub contexts: Mutex<Vec<StatementContext>>,
    pub scopes: Mutex<Vec<query::Scope>>,
}

impl Fake {
    pub fn sessions(sessions_max: usize) -> (Arc<Self>, Arc<Sessions>) {
        let fake = Arc::new(Self::default());
        let settings = Settings {
            sessions_max,
            version: "8.0.33".to_owned(),
            current_version: "0.1.0 test".to_owned(),
        };
        (Arc::clone(&fake), Sessions::new(fake, settings))
    }

    /// The context of the last statement.
    pub fn last(&self) -> StatementContext {
        self.contexts.lock().last().cloned().expect("a statement came")
    }

    /// Whether a statement is waiting for nothing.
    pub fn hangs(&self) -> bool {
        self.contexts.lock().iter().any(|context| !context.cancel.is_cancelled())
    }

    fn answer(&self, reply: Reply) -> Result<Answer, Failure> {
        Ok(Answer { reply, lsn: self.lsn.load(Ordering::Relaxed) })
    }

    fn statement(&self, text: &str) -> Result<Answer, Failure> {
        if let Some(name) = text.strip_prefix("USE ") {
            let name = name.replace('`', "");
            return match name.as_str() {
                "missing" => Err(Failure::new(1049, "42000", "Unknown database 'missing'")),
                _ => self.answer(Reply::done().with_session(SessionChange::Database(name))),
            };
        }
        match text {
            "WRITE" => {
                self.lsn.fetch_add(1, Ordering::Relaxed);
                self.answer(Reply::affected(1))
            }
            "WARN" => self.answer(Reply::done().with_warning(1287, "odd")),
            _ => Err(Failure::new(1064, "42000", format!("cannot read '{text}'"))),
        }
    }
}

/// What a query answers: rows of its number when it begins so, one value of each type, or itself.
fn rows(sql: &str) -> Reply {
    if let Some(count) = sql.strip_prefix("SELECT rows ") {
        let count: i64 = count.parse().unwrap_or(0);
        let rows = (0..count).map(|n| vec![Value::Int(n), "x".repeat(1000).into()]).collect();
        return Reply::rows(vec![Column::new("n", ColumnType::Int), Column::text("t")], rows);
    }
    if sql == "SELECT types" {
        let columns = [
            ("i", ColumnType::Int, Value::Int(-7)),
            ("u", ColumnType::UInt, Value::UInt(u64::MAX)),
            ("d", ColumnType::Double, Value::Double(1.5)),
            ("n", ColumnType::Decimal, "12.50".into()),
            ("t", ColumnType::Text, "größe".into()),
            ("b", ColumnType::Bytes, Value::Bytes(vec![0, 255])),
            ("day", ColumnType::Date, "2024-02-29".into()),
            ("at", ColumnType::DateTime, "2024-02-29 01:02:03.5".into()),
            ("j", ColumnType::Json, "{\"a\":1}".into()),
            ("nothing", ColumnType::Int, Value::Null),
        ];
        let (names, values) =
            columns.into_iter().map(|(name, kind, value)| (Column::new(name, kind), value)).unzip();
        return Reply::rows(names, vec![values]);
    }
    Reply::rows(vec![Column::text("echo")], vec![vec![sql.into()]])
}

impl Backend for Fake {
    fn module(
        &self,
        context: StatementContext,
        request: Request,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.contexts.lock().push(context);
        async move {
            match request {
                Request::Text(text) if text == "HANG" => std::future::pending().await,
                Request::Text(text) => self.statement(&text),
                Request::Bytes(bytes) => self.answer(Reply::bytes(bytes)),
            }
        }
        .boxed()
    }

    fn select(
        &self,
        context: StatementContext,
        scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.contexts.lock().push(context);
        self.scopes.lock().push(scope);
        async move {
            match sql.as_str() {
                "SELECT hang" => std::future::pending().await,
                sql => self.answer(rows(sql)),
            }
        }
        .boxed()
    }

    fn describe_select(
        &self,
        context: StatementContext,
        _scope: query::Scope,
        sql: String,
    ) -> BoxFuture<'_, Result<Vec<Column>, Failure>> {
        self.contexts.lock().push(context);
        let columns = match sql.as_str() {
            "SELECT missing" => Err(Failure::new(1054, "42S22", "Unknown column 'missing'")),
            _ => Ok(vec![Column::text("echo")]),
        };
        async move { columns }.boxed()
    }

    fn cluster(
        &self,
        context: StatementContext,
        statement: ClusterStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.contexts.lock().push(context);
        async move {
            match &statement {
                ClusterStatement::ShowProc(what)
                | ClusterStatement::TransferLeader { to: what, .. }
                    if what == "hang" =>
                {
                    std::future::pending().await
                }
                statement => self.answer(rows(&format!("{statement:?}"))),
            }
        }
        .boxed()
    }

    fn lifecycle(
        &self,
        context: StatementContext,
        statement: ModuleStatement,
    ) -> BoxFuture<'_, Result<Answer, Failure>> {
        self.contexts.lock().push(context);
        async move { self.answer(rows(&format!("{statement:?}"))) }.boxed()
    }
}
