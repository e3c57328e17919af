//! The one trait that a module implements, and what its calls are given and give back.

use quorate_wire::{Constraint, DecodeError, Description, Failure, Finding, Reply, Value};

use crate::codec::Codec;
use crate::store::{ReadStore, WriteStore};

/// A replicated state machine.
///
/// No call keeps anything in memory for the next: what a machine knows is in its store. `apply`
/// and `migrate` run on every frontend and must do the same there; all they may depend on is
/// their arguments.
pub trait Machine {
    /// What [`evaluate`](Self::evaluate) proposes and [`apply`](Self::apply) runs. It is logged,
    /// so an older command must still decode after an upgrade that keeps the schema.
    type Command: Codec;

    /// Says who the module is. Must give the same on every call.
    fn describe() -> Description;

    /// Turns a request into a reply, or into a command to be logged. Runs on the frontend that has
    /// the client, on a state that may be stale: what it finds there is advice, and `apply` checks
    /// it again.
    ///
    /// # Errors
    /// A request that cannot be served; nothing is logged.
    fn evaluate(
        session: &Session,
        context: &Context,
        store: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<Self::Command>, Failure>;

    /// Runs one command at its log sequence number, on every frontend alike.
    ///
    /// # Errors
    /// A command that cannot be done on the state as it is now. Its writes and events are dropped;
    /// the failure itself is the replicated outcome.
    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        command: Self::Command,
    ) -> Result<Reply, Failure>;

    /// One page of a relation named in the description. `constraints` narrow the rows; ignoring
    /// them is allowed, the host filters again. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// An unknown relation. A module that describes none need not write this.
    fn scan(
        _context: &Context,
        _store: &dyn ReadStore,
        relation: &str,
        _constraints: &[Constraint],
        _cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        Err(Failure::new(1146, "42S02", format!("relation '{relation}' does not exist")))
    }

    /// Moves the state from `from_schema` to the module's own schema version, in steps: called
    /// without a cursor first, then with each cursor it gave, until it gives none.
    ///
    /// # Errors
    /// A state that cannot be moved; the activation is rejected everywhere. A module that accepts
    /// no older schema need not write this.
    fn migrate(
        _store: &mut dyn WriteStore,
        from_schema: u32,
        _cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        Err(Failure::new(1105, "HY000", format!("cannot migrate from schema {from_schema}")))
    }

    /// Looks for contradictions in the state, in pages.
    ///
    /// # Errors
    /// A check that cannot be made.
    fn check(_store: &dyn ReadStore, _cursor: Option<&[u8]>) -> Result<CheckPage, Failure> {
        Ok(CheckPage::default())
    }
}

/// Who asks, as the host knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Number of the client's connection on its frontend.
    pub id: u64,
    /// Authenticated user.
    pub user: String,
    /// Current database of the session, if it has one.
    pub database: Option<String>,
}

/// What a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// A statement.
    Text(&'a str),
    /// Bytes that only client and module understand.
    Bytes(&'a [u8]),
}

/// What `evaluate` decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluation<C> {
    /// The answer; nothing is logged.
    Reply(Reply),
    /// A command to be logged and handed to `apply` on every frontend.
    Command(C),
}

/// Facts of the log entry being applied, equal on every frontend. In read-only calls they
/// describe the last applied entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Log sequence number of the entry.
    pub lsn: u64,
    /// Position of the command in its entry.
    pub index: u32,
    /// The leader's clock when it made the entry, in microseconds since 1970; never runs
    /// backwards from one entry to the next.
    pub time_us: u64,
    /// Schema version of the stored state.
    pub schema: u32,
    /// User on whose behalf the command was proposed; empty in read-only calls of the host.
    pub caller: String,
}

impl Context {
    /// 32 bytes that clients cannot predict and that are equal on every frontend, the source of
    /// every random choice. Natively they are made of LSN and index alone.
    pub fn seed(&self) -> [u8; 32] {
        #[cfg(target_family = "wasm")]
        return crate::glue::seed();
        #[cfg(not(target_family = "wasm"))]
        crate::testing::seed(self.lsn, self.index)
    }
}

/// One page of a relation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelationPage {
    /// Rows, each as long as the relation has columns.
    pub rows: Vec<Vec<Value>>,
    /// Where the next page starts; absent after the last page.
    pub next: Option<Vec<u8>>,
}

/// One page of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckPage {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Where the next page starts; absent after the last page.
    pub next: Option<Vec<u8>>,
}

/// What `apply` and `scan` answer when the bytes that they are given do not decode.
pub(crate) fn undecodable(error: DecodeError) -> Failure {
    Failure::new(1105, "HY000", error.to_string())
}
