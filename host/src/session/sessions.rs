//! The registry of one frontend's sessions: ids, the limit, `SHOW PROCESSLIST`, `KILL`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use quorate_sql::KillTarget;
use quorate_wire::{Column, ColumnType, Failure, Rows, Value};
use tokio_util::sync::CancellationToken;

use crate::session::tally::{Counted, Tally};
use crate::session::variables::{self, Values};
use crate::session::{Backend, Session};

/// Most of a running statement's text that is kept for `SHOW FULL PROCESSLIST`, in bytes.
const INFO_BYTES_MAX: usize = 64 << 10;

/// How much of it `SHOW PROCESSLIST` shows, in characters, as in MySQL.
const INFO_CHARS_SHORT: usize = 100;

/// How sessions of one frontend begin.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most sessions at one time; one more is refused with error 1040.
    pub sessions_max: usize,
    /// `@@version`, the MySQL version that clients adapt to.
    pub version: String,
    /// `current_version()`: the product's own version and build, as in `0.1.0 abcdef1`.
    pub current_version: String,
}

/// All sessions of one frontend.
pub struct Sessions {
    backend: Arc<dyn Backend>,
    settings: Settings,
    sessions_max: AtomicUsize,
    globals: ArcSwap<BTreeMap<String, Value>>,
    entries: Mutex<BTreeMap<u64, Arc<Entry>>>,
    last_id: AtomicU64,
    sessions_seen_max: AtomicU64,
    statements: AtomicU64,
    tally: Tally,
    draining: AtomicBool,
    started: Instant,
}

impl Sessions {
    /// No sessions yet.
    pub fn new(backend: Arc<dyn Backend>, settings: Settings) -> Arc<Self> {
        let mut globals = variables::defaults();
        globals.insert("version".to_owned(), settings.version.clone().into());
        let sessions_max = settings.sessions_max;
        globals.insert("max_connections".to_owned(), shown(sessions_max));
        Arc::new(Self {
            backend,
            settings,
            sessions_max: AtomicUsize::new(sessions_max),
            globals: ArcSwap::from_pointee(globals),
            entries: Mutex::default(),
            last_id: AtomicU64::new(0),
            sessions_seen_max: AtomicU64::new(0),
            statements: AtomicU64::new(0),
            tally: Tally::new(),
            draining: AtomicBool::new(false),
            started: Instant::now(),
        })
    }

    /// A session for a client at `host`, of nobody until [`Session::authenticate`].
    ///
    /// # Errors
    /// 1040 when there are too many sessions, 1053 after [`drain`](Self::drain).
    pub fn open(self: &Arc<Self>, host: String) -> Result<Session, Failure> {
        if self.draining.load(Ordering::Acquire) {
            return Err(Failure::new(1053, "08S01", "Server shutdown in progress"));
        }
        let mut entries = self.entries.lock();
        if entries.len() >= self.sessions_max.load(Ordering::Relaxed) {
            return Err(Failure::new(1040, "08004", "Too many connections"));
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Arc::new(Entry {
            id,
            host,
            kill: CancellationToken::new(),
            state: Mutex::new(State::connecting()),
        });
        entries.insert(id, Arc::clone(&entry));
        self.sessions_seen_max.fetch_max(entries.len() as u64, Ordering::Relaxed);
        drop(entries);
        Ok(Session::new(Arc::clone(self), Seat { entry, sessions: Arc::clone(self) }))
    }

    /// Opens no more sessions. Those that are open go on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Changes how many sessions there may be at one time. Those that are open go on.
    pub fn set_limit(&self, sessions_max: usize) {
        if self.sessions_max.swap(sessions_max, Ordering::Relaxed) != sessions_max {
            self.set_globals(&BTreeMap::from([("max_connections", shown(sessions_max))]));
        }
    }

    /// How many statements were begun since the start.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How the statements ended that did.
    pub fn counted(&self) -> Counted {
        self.tally.counted()
    }

    /// Latencies that these parts of the statements of the last minute or two had at most.
    pub fn latencies<const N: usize>(&self, parts: [f64; N]) -> Option<[Duration; N]> {
        self.tally.quantiles(parts, Instant::now())
    }

    pub(super) fn note(&self, began: Instant, failed: bool) {
        let now = Instant::now();
        self.tally.note(now.saturating_duration_since(began), failed, now);
    }

    /// How many sessions are open.
    pub fn count(&self) -> usize {
        self.entries.lock().len()
    }

    /// `KILL`.
    ///
    /// # Errors
    /// 1094 when there is no session of that id.
    pub fn kill(&self, id: u64, target: KillTarget) -> Result<(), Failure> {
        let Some(entry) = self.entries.lock().get(&id).cloned() else {
            return Err(Failure::new(1094, "HY000", format!("Unknown thread id: {id}")));
        };
        match target {
            KillTarget::Connection => entry.kill.cancel(),
            KillTarget::Query => {
                if let Some(statement) = &entry.state.lock().statement {
                    statement.cancel();
                }
            }
        }
        Ok(())
    }

    /// `SHOW PROCESSLIST`, with all of the statements that are running when `full`.
    pub fn processlist(&self, full: bool) -> Rows {
        let entries: Vec<_> = self.entries.lock().values().cloned().collect();
        Rows {
            columns: vec![
                Column::new("Id", ColumnType::Int),
                Column::text("User"),
                Column::text("Host"),
                Column::text("db"),
                Column::text("Command"),
                Column::new("Time", ColumnType::Int),
                Column::text("State"),
                Column::text("Info"),
            ],
            rows: entries.iter().map(|entry| entry.row(full)).collect(),
        }
    }

    /// One line for `COM_STATISTICS`.
    pub fn statistics(&self) -> String {
        format!(
            "Uptime: {}  Threads: {}  Questions: {}",
            self.started.elapsed().as_secs(),
            self.count(),
            self.statements.load(Ordering::Relaxed),
        )
    }

    /// `SHOW STATUS`: names and values, in the order of the names.
    pub(super) fn status(&self) -> Vec<(&'static str, String)> {
        let (mut running, mut count) = (0_u64, 0_u64);
        for entry in self.entries.lock().values() {
            count += 1;
            running += u64::from(entry.state.lock().statement.is_some());
        }
        vec![
            ("Connections", self.last_id.load(Ordering::Relaxed).to_string()),
            ("Max_used_connections", self.sessions_seen_max.load(Ordering::Relaxed).to_string()),
            ("Questions", self.statements.load(Ordering::Relaxed).to_string()),
            ("Ssl_cipher", String::new()),
            ("Ssl_version", String::new()),
            ("Threads_connected", count.to_string()),
            ("Threads_running", running.to_string()),
            ("Uptime", self.started.elapsed().as_secs().to_string()),
        ]
    }

    pub(super) fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn globals(&self) -> Values {
        self.globals.load_full()
    }

    pub(super) fn set_globals(&self, changes: &BTreeMap<&'static str, Value>) {
        self.globals.rcu(|globals| {
            let mut globals = BTreeMap::clone(globals);
            globals.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            globals
        });
    }
}

fn shown(sessions_max: usize) -> Value {
    i64::try_from(sessions_max).unwrap_or(i64::MAX).into()
}

/// A session's place in the registry. Given up when it is dropped.
pub(super) struct Seat {
    entry: Arc<Entry>,
    sessions: Arc<Sessions>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.entries.lock().remove(&self.entry.id);
    }
}

impl Seat {
    pub fn id(&self) -> u64 {
        self.entry.id
    }

    pub fn host(&self) -> &str {
        &self.entry.host
    }

    pub fn killed(&self) -> CancellationToken {
        self.entry.kill.clone()
    }

    /// Shows whose session it is, and where.
    pub fn identify(&self, user: &str, database: Option<&str>) {
        let mut state = self.entry.state.lock();
        state.user = Some(user.to_owned());
        state.database = database.map(str::to_owned);
    }

    /// Shows that a statement runs, until the guard is dropped. The guard's token ends it.
    pub fn begin(&self, sql: &str) -> Statement {
        self.sessions.statements.fetch_add(1, Ordering::Relaxed);
        let token = self.entry.kill.child_token();
        let mut state = self.entry.state.lock();
        state.since = Instant::now();
        state.statement = Some(token.clone());
        state.info = Some(sql[..sql.floor_char_boundary(INFO_BYTES_MAX)].to_owned());
        drop(state);
        Statement { entry: Arc::clone(&self.entry), token }
    }
}

/// A statement that runs.
pub(super) struct Statement {
    entry: Arc<Entry>,
    /// Cancelled by `KILL`.
    pub token: CancellationToken,
}

impl Drop for Statement {
    fn drop(&mut self) {
        let mut state = self.entry.state.lock();
        state.since = Instant::now();
        state.statement = None;
        state.info = None;
    }
}

struct Entry {
    id: u64,
    host: String,
    kill: CancellationToken,
    state: Mutex<State>,
}

struct State {
    /// `None` until the client has said who it is.
    user: Option<String>,
    database: Option<String>,
    /// When the present state began.
    since: Instant,
    statement: Option<CancellationToken>,
    info: Option<String>,
}

impl State {
    fn connecting() -> Self {
        Self { user: None, database: None, since: Instant::now(), statement: None, info: None }
    }

    fn command(&self) -> &'static str {
        match (&self.user, &self.statement) {
            (None, _) => "Connect",
            (Some(_), Some(_)) => "Query",
            (Some(_), None) => "Sleep",
        }
    }
}

impl Entry {
    fn row(&self, full: bool) -> Vec<Value> {
        let state = self.state.lock();
        let info = state.info.as_ref().map(|info| match full {
            true => info.clone(),
            false => info.chars().take(INFO_CHARS_SHORT).collect(),
        });
        let seconds = i64::try_from(state.since.elapsed().as_secs()).unwrap_or(i64::MAX);
        vec![
            Value::from(self.id),
            state.user.as_deref().unwrap_or("unauthenticated user").into(),
            self.host.as_str().into(),
            state.database.as_deref().into(),
            state.command().into(),
            Value::Int(seconds),
            (if state.statement.is_some() { "executing" } else { "" }).into(),
            info.into(),
        ]
    }
}
