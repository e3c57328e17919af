//! One client's session, whichever front door it came through.
//!
//! A [`Session`] holds what a client may rely on between two statements: its current database,
//! its variables, its prepared statements, the warnings of the last statement, and the LSN that
//! it has seen. [`Session::execute`] answers one statement:
//!
//! 1. Whose is it? `SET`, `SHOW VARIABLES`, `KILL` and the like are answered here; statements
//!    about frontends and modules, queries, and all other text go to the [`Backend`].
//! 2. The backend gets the session's token, the greatest LSN of any answer so far, or more if the
//!    client said `SET wait_lsn = n`. It answers from a state that is not older. The LSN of its
//!    answer raises the token, and the client can read it from `@@last_lsn` and carry it to
//!    another frontend.
//! 3. Database changes, warnings and errors of the answer are kept for the next statement.
//!
//! Each statement stands alone: it is durable when it is answered. `BEGIN`, `COMMIT` and
//! `autocommit` are accepted because clients send them, and `ROLLBACK` cannot undo anything: when
//! there was something to undo, it says so in a warning.
//!
//! [`Sessions`] is the registry of one frontend: ids, the limit, `SHOW PROCESSLIST`, `KILL`.
//!
//! A statement is bounded by `query_timeout`. When its future is dropped, the backend is told to
//! cancel. Statements of one session never run beside each other.

mod answer;
mod backend;
mod diagnostics;
mod execute;
#[cfg(test)]
pub(crate) mod fake;
mod prepared;
mod running;
mod sessions;
mod set;
mod show;
mod tally;
#[cfg(test)]
mod tests;
mod transaction;
mod variables;

use std::sync::Arc;
use std::time::Duration;

use quorate_sql::KillTarget;
use quorate_wire::{Failure, SessionChange, Value};
use tokio_util::sync::CancellationToken;

use crate::query;

pub use backend::{Answer, Backend, Consistency, Request, StatementContext};
pub use prepared::Description;
pub(crate) use prepared::unknown as unknown_statement;
pub use sessions::{Sessions, Settings};
pub use show::filtered;
pub use tally::Counted;

use diagnostics::Diagnostics;
use prepared::Prepared;
use running::Running;
use sessions::Seat;
use transaction::Transaction;
use variables::Values;

/// Longest text a client can send, in bytes, as `@@max_allowed_packet` tells it. A longer one is
/// refused by the front door.
pub const PACKET_BYTES_MAX: usize = 64 << 20;

/// The only catalog.
const CATALOG: &str = "default_catalog";

/// One client's session. Ends when it is dropped.
pub struct Session {
    sessions: Arc<Sessions>,
    seat: Seat,
    user: String,
    database: Option<String>,
    values: Values,
    user_values: Values,
    last_lsn: u64,
    transaction: Transaction,
    diagnostics: Diagnostics,
    prepared: Prepared,
    changes: Changes,
    last_query_id: String,
    released: bool,
}

/// What changed since the client was last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The current database.
    pub database: Option<String>,
    /// The session's LSN.
    pub last_lsn: Option<u64>,
}

impl Session {
    fn new(sessions: Arc<Sessions>, seat: Seat) -> Self {
        Self {
            values: sessions.globals(),
            sessions,
            seat,
            user: String::new(),
            database: None,
            user_values: Values::default(),
            last_lsn: 0,
            transaction: Transaction::default(),
            diagnostics: Diagnostics::default(),
            prepared: Prepared::default(),
            changes: Changes::default(),
            last_query_id: String::new(),
            released: false,
        }
    }

    /// Its number on this frontend: the connection id.
    pub fn id(&self) -> u64 {
        self.seat.id()
    }

    /// Whose session it is; empty until [`authenticate`](Self::authenticate).
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The greatest LSN of any answer so far.
    pub fn last_lsn(&self) -> u64 {
        self.last_lsn
    }

    /// The current database.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Starts over as `user`, without a database.
    pub fn authenticate(&mut self, user: &str) {
        self.reset();
        user.clone_into(&mut self.user);
        self.database = None;
        self.seat.identify(&self.user, None);
    }

    /// Forgets variables, prepared statements, warnings and an open transaction. User, database
    /// and the LSN that the session has seen stay.
    pub fn reset(&mut self) {
        self.values = self.sessions.globals();
        self.user_values = Values::default();
        self.transaction = Transaction::default();
        self.diagnostics = Diagnostics::default();
        self.prepared = Prepared::default();
        self.changes = Changes::default();
        self.store("last_lsn", Value::from(self.last_lsn));
    }

    /// Makes the idle time of interactive clients (`interactive_timeout`) this session's.
    pub fn make_interactive(&mut self) {
        let timeout = variables::unsigned(&self.values, "interactive_timeout");
        self.store("wait_timeout", Value::from(timeout));
    }

    /// The MySQL version that clients adapt to.
    pub fn version(&self) -> &str {
        &self.sessions.settings().version
    }

    /// One line about the frontend.
    pub fn statistics(&self) -> String {
        self.sessions.statistics()
    }

    /// Ends another session, or what it runs.
    ///
    /// # Errors
    /// 1094 when there is no session of that id.
    pub fn kill(&self, id: u64, target: KillTarget) -> Result<(), Failure> {
        self.sessions.kill(id, target)
    }

    /// How long the client may say nothing.
    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(variables::unsigned(&self.values, "wait_timeout"))
    }

    /// How long the client may take to accept a part of an answer.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_secs(variables::unsigned(&self.values, "net_write_timeout"))
    }

    /// `@@autocommit`.
    pub fn autocommit(&self) -> bool {
        self.values.get("autocommit") == Some(&Value::Int(1))
    }

    /// Whether the client has begun a transaction.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_open()
    }

    /// Warnings that `SHOW WARNINGS` would list, errors included.
    pub fn warning_count(&self) -> usize {
        self.diagnostics.count()
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Whether a statement asked for the session to end after its answer.
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Cancelled when `KILL` ends the session.
    pub fn killed(&self) -> CancellationToken {
        self.seat.killed()
    }

    fn store(&mut self, name: &'static str, value: Value) {
        if self.values.get(name) != Some(&value) {
            Arc::make_mut(&mut self.values).insert(name.to_owned(), value);
        }
    }

    /// Takes over what an answer says of the session.
    fn take_over(&mut self, lsn: u64, changes: &[SessionChange]) {
        if lsn > self.last_lsn {
            self.last_lsn = lsn;
            self.store("last_lsn", Value::from(lsn));
            self.changes.last_lsn = Some(lsn);
        }
        for change in changes {
            match change {
                SessionChange::Database(name) => {
                    self.database = Some(name.clone());
                    self.changes.database = Some(name.clone());
                    self.seat.identify(&self.user, Some(name));
                }
            }
        }
    }

    fn consistency(&self) -> Consistency {
        match variables::text(&self.values, "read_consistency") {
            "linearizable" => Consistency::Linearizable,
            "bounded" => {
                let staleness_ms = variables::unsigned(&self.values, "max_staleness_ms");
                Consistency::Bounded { max_staleness: Duration::from_millis(staleness_ms) }
            }
            "any" => Consistency::Any,
            _ => Consistency::Session,
        }
    }

    fn context(&self, running: &Running) -> StatementContext {
        StatementContext {
            session_id: self.id(),
            user: self.user.clone(),
            database: self.database.clone(),
            consistency: self.consistency(),
            token: self.last_lsn.max(variables::unsigned(&self.values, "wait_lsn")),
            deadline: running.deadline(),
            cancel: running.cancel(),
        }
    }

    /// What a query may know, with these variables instead of the session's own.
    fn scope(&self, values: &Values, user_values: &Values) -> query::Scope {
        query::Scope {
            connection_id: self.id(),
            user: self.user.clone(),
            host: self.seat.host().to_owned(),
            database: self.database.clone(),
            catalog: CATALOG.to_owned(),
            system_variables: Arc::clone(values),
            global_variables: self.sessions.globals(),
            user_variables: Arc::clone(user_values),
            now_us: now_us(),
            version: self.sessions.settings().version.clone(),
            current_version: self.sessions.settings().current_version.clone(),
            last_query_id: self.last_query_id.clone(),
        }
    }
}

/// Microseconds since 1970; 0 on a clock before that.
fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// A statement that belongs to MySQL or StarRocks and is not offered.
fn unsupported(what: &str) -> Failure {
    Failure::new(1235, "42000", format!("{what} is not supported"))
}
