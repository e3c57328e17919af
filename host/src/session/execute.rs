//! The way of a statement: whose it is, and who answers it.

use std::time::{Duration, Instant};

use quorate_sql::{
    ClusterStatement, HostStatement, ModuleStatement, ParseError, SessionStatement, host_statement,
    is_query, quote_ident,
};
use quorate_wire::{Body, Failure, Reply, Value};

use crate::session::running::{Effect, Running};
use crate::session::{Answer, Request, Session, variables};

/// Who answers a statement.
enum Owner {
    Session(SessionStatement),
    Cluster(ClusterStatement),
    Lifecycle(ModuleStatement),
    Query,
    Module,
}

impl Owner {
    fn of(sql: &str) -> Result<Self, Failure> {
        if sql.chars().all(|c| c.is_whitespace() || c == ';') {
            return Err(Failure::new(1065, "42000", "Query was empty"));
        }
        Ok(match host_statement(sql).map_err(syntax)? {
            Some(HostStatement::Session(statement)) => Self::Session(statement),
            Some(HostStatement::Cluster(statement)) => Self::Cluster(statement),
            Some(HostStatement::Module(statement)) => Self::Lifecycle(statement),
            None if is_query(sql) => Self::Query,
            None => Self::Module,
        })
    }

    /// What may come of it if nobody waits for it any more.
    fn effect(&self) -> Effect {
        match self {
            Self::Query
            | Self::Cluster(
                ClusterStatement::ShowFrontends
                | ClusterStatement::ShowProc(_)
                | ClusterStatement::ShowConfig(_),
            )
            | Self::Lifecycle(
                ModuleStatement::List
                | ModuleStatement::Show(_)
                | ModuleStatement::History
                | ModuleStatement::ExplainActivate(_)
                | ModuleStatement::ExplainRollback(_),
            ) => Effect::None,
            Self::Session(_) | Self::Cluster(_) | Self::Lifecycle(_) | Self::Module => {
                Effect::Possible
            }
        }
    }

    /// Whether it is about the statement before, whose warnings must stay.
    fn looks_back(&self) -> bool {
        matches!(
            self,
            Self::Session(
                SessionStatement::ShowWarnings(_)
                    | SessionStatement::ShowErrors(_)
                    | SessionStatement::CountWarnings
                    | SessionStatement::CountErrors
            )
        )
    }
}

/// A parser's complaint as an answer.
pub(super) fn syntax(error: ParseError) -> Failure {
    Failure::new(error.errno(), error.sqlstate(), error.to_string())
}

impl Session {
    /// Answers one statement.
    ///
    /// When the future is dropped, the backend is told to cancel; a change that was proposed by
    /// then takes effect all the same.
    ///
    /// # Errors
    /// Whatever the client is to be told: 1064 for a text nobody understands, 1317 after `KILL`,
    /// 3024 past `query_timeout`, and all that backend and module refuse.
    pub async fn execute(&mut self, sql: &str) -> Result<Reply, Failure> {
        let began = Instant::now();
        let owner = Owner::of(sql);
        let looks_back = owner.as_ref().is_ok_and(Owner::looks_back);
        let result = match owner {
            Ok(owner) => {
                let running = self.begin(sql, &owner);
                self.answer_owned(owner, sql, &running).await
            }
            Err(failure) => Err(failure),
        };
        self.sessions.note(began, result.is_err());
        if !looks_back || result.is_err() {
            self.record(&result);
        }
        result
    }

    /// Answers bytes that only client and module understand.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn execute_bytes(&mut self, request: Vec<u8>) -> Result<Reply, Failure> {
        let began = Instant::now();
        let running = self.begin("", &Owner::Module);
        let result = self.ask_module(Request::Bytes(request), &running).await;
        self.sessions.note(began, result.is_err());
        self.record(&result);
        result
    }

    /// Changes the current database, `catalog.database` included, by the module's own `USE`.
    ///
    /// # Errors
    /// What the module says of the name.
    pub async fn use_database(&mut self, name: &str) -> Result<Reply, Failure> {
        let parts: Vec<String> = name.split('.').map(quote_ident).collect();
        self.execute(&format!("USE {}", parts.join("."))).await
    }

    pub(super) fn record(&mut self, result: &Result<Reply, Failure>) {
        self.diagnostics.record(result);
        let count = |count: usize| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        self.store("warning_count", count(self.diagnostics.count()));
        self.store("error_count", count(self.diagnostics.error_count()));
        self.last_query_id = query_id();
    }

    fn begin(&self, sql: &str, owner: &Owner) -> Running {
        let seconds = variables::unsigned(&self.values, "query_timeout");
        let mut timeout = Duration::from_secs(seconds);
        let limit_ms = variables::unsigned(&self.values, "max_execution_time");
        if matches!(owner, Owner::Query) && limit_ms > 0 {
            timeout = timeout.min(Duration::from_millis(limit_ms));
        }
        Running::new(self.seat.begin(sql), timeout)
    }

    /// A statement that is about another one, such as preparing it.
    pub(super) fn begin_query(&self, sql: &str) -> Running {
        self.begin(sql, &Owner::Query)
    }

    async fn answer_owned(
        &mut self,
        owner: Owner,
        sql: &str,
        running: &Running,
    ) -> Result<Reply, Failure> {
        let backend = self.sessions.backend();
        let effect = owner.effect();
        match owner {
            Owner::Session(statement) => self.answer(statement, running).await,
            Owner::Query => self.query(sql, running).await,
            Owner::Module => self.ask_module(Request::Text(sql.to_owned()), running).await,
            Owner::Cluster(statement) => {
                let answer = backend.cluster(self.context(running), statement);
                let answer = running.wait(effect, answer).await?;
                Ok(self.accept(answer))
            }
            Owner::Lifecycle(statement) => {
                let answer = backend.lifecycle(self.context(running), statement);
                let answer = running.wait(effect, answer).await?;
                Ok(self.accept(answer))
            }
        }
    }

    async fn ask_module(&mut self, request: Request, running: &Running) -> Result<Reply, Failure> {
        let backend = self.sessions.backend();
        let answer = backend.module(self.context(running), request);
        let answer = running.wait(Effect::Possible, answer).await?;
        Ok(self.accept(answer))
    }

    async fn query(&mut self, sql: &str, running: &Running) -> Result<Reply, Failure> {
        let backend = self.sessions.backend();
        let scope = self.scope(&self.values, &self.user_values);
        let answer = backend.select(self.context(running), scope, sql.to_owned());
        let mut answer = running.wait(Effect::None, answer).await?;
        if let Body::Rows(rows) = &mut answer.reply.body {
            let limit = variables::unsigned(&self.values, "sql_select_limit");
            rows.rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(self.accept(answer))
    }

    fn accept(&mut self, answer: Answer) -> Reply {
        let Answer { reply, lsn } = answer;
        // A module that changes something answers without rows; so does its `USE`.
        if matches!(reply.body, Body::Done { .. }) && reply.session.is_empty() {
            self.transaction.write();
        }
        self.take_over(lsn, &reply.session);
        reply
    }
}

/// A new statement's id, in the form of a UUID of random bits.
fn query_id() -> String {
    let random: u128 = rand::random();
    let hex = format!("{random:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
