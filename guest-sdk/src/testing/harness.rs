//! One frontend's worth of host around a machine.

use std::marker::PhantomData;

use quorate_wire::{
    Body, Constraint, Description, Failure, Finding, Reply, SessionChange, Severity, Value,
    pack_rows, unpack_rows,
};

use super::memory::{Event, MemoryStore};
use super::replay::{Entry, Log, assert_same_digest};
use crate::codec::Codec;
use crate::machine::{Context, Evaluation, Machine, Request, Session, undecodable};

/// Steps or pages after which a cursor that never ends is called a mistake.
const PAGES_MAX: usize = 100_000;
/// Noon on 1 January 2026, in microseconds since 1970.
pub(super) const NOON_US: u64 = 1_767_268_800_000_000;

/// A machine with a store, a session and a log position.
///
/// # Panics
/// When the machine does what no host would let it do: see [`MemoryStore`]; when it does not do
/// the same when a command is applied again; when what it gives does not survive packing; when a
/// row is not as long as its relation.
pub struct Harness<M> {
    /// The state.
    pub store: MemoryStore,
    /// Who asks. Replies change its database, as they do on the host.
    pub session: Session,
    /// Log sequence number of the last entry; 0 before the first.
    pub lsn: u64,
    /// The clock of the next entries. It stands still unless the test moves it.
    pub time_us: u64,
    /// Events of all commands so far.
    pub events: Vec<Event>,
    schema: u32,
    /// Schema of the rows that are not migrated yet, and where the next step begins.
    migrating: Option<(u32, Option<Vec<u8>>)>,
    log: Log,
    machine: PhantomData<M>,
}

impl<M: Machine> Default for Harness<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Machine> Harness<M> {
    /// A machine on an empty store, asked by `root`, at noon on 1 January 2026.
    pub fn new() -> Self {
        let description = M::describe();
        let packed = Description::unpack(&description.pack());
        assert_eq!(packed, Ok(description.clone()), "the description must survive packing");
        Self {
            store: MemoryStore::default(),
            session: Session { id: 1, user: "root".into(), database: None },
            lsn: 0,
            time_us: NOON_US,
            events: Vec::new(),
            schema: description.schema,
            migrating: None,
            log: Log::new(),
            machine: PhantomData,
        }
    }

    /// Evaluates a statement and applies the command that it turns into, if any.
    ///
    /// # Errors
    /// What either of them refuses.
    pub fn text(&mut self, statement: &str) -> Result<Reply, Failure> {
        self.request(Request::Text(statement))
    }

    /// Evaluates a packed request and applies the command that it turns into, if any.
    ///
    /// # Errors
    /// What either of them refuses.
    pub fn bytes(&mut self, request: &[u8]) -> Result<Reply, Failure> {
        self.request(Request::Bytes(request))
    }

    fn request(&mut self, request: Request<'_>) -> Result<Reply, Failure> {
        let reply = match self.evaluate(request)? {
            Evaluation::Reply(reply) => packed(reply),
            Evaluation::Command(command) => self.apply(&command)?,
        };
        for change in &reply.session {
            let SessionChange::Database(name) = change;
            self.session.database = Some(name.clone());
        }
        Ok(reply)
    }

    /// Evaluates only: what a frontend does before it proposes.
    ///
    /// # Errors
    /// What the machine refuses.
    pub fn evaluate(&self, request: Request<'_>) -> Result<Evaluation<M::Command>, Failure> {
        M::evaluate(&self.session, &self.context(), &self.store, request)
    }

    /// Applies a command at the next log sequence number. Tests of races evaluate two requests
    /// first and apply both afterwards.
    ///
    /// # Errors
    /// What the machine refuses; then its writes and events are gone.
    pub fn apply(&mut self, command: &M::Command) -> Result<Reply, Failure> {
        self.lsn += 1;
        let command = command.to_bytes();
        self.log.entries.push(Entry {
            time_us: self.time_us,
            caller: self.session.user.clone(),
            commands: vec![command.clone()],
        });
        let first = self.apply_once(&command);
        let effects = self.store.effects();
        self.store.roll_back();
        let outcome = self.apply_once(&command);
        assert_eq!(first, outcome, "applied twice, the command gave two outcomes");
        assert!(effects == self.store.effects(), "applied twice, the command wrote two things");
        if outcome.is_err() {
            self.store.roll_back();
        }
        self.events.extend(self.store.savepoint());
        outcome
    }

    fn apply_once(&mut self, command: &[u8]) -> Result<Reply, Failure> {
        let command = M::Command::from_bytes(command).map_err(undecodable)?;
        M::apply(&self.context(), &mut self.store, command).map(packed)
    }

    /// All rows of a relation, page after page.
    ///
    /// # Errors
    /// What the machine refuses.
    pub fn rows(
        &self,
        relation: &str,
        constraints: &[Constraint],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let relations = M::describe().relations;
        let described = relations.iter().find(|described| described.name == relation);
        let width = described.map_or(0, |described| described.columns.len());
        let mut rows = Vec::new();
        follow(|cursor| {
            let page = M::scan(&self.context(), &self.store, relation, constraints, cursor)?;
            assert!(
                page.rows.iter().all(|row| row.len() == width),
                "rows must have {width} values"
            );
            assert_eq!(unpack_rows(&pack_rows(&page.rows), width).as_ref(), Ok(&page.rows));
            rows.extend(page.rows);
            Ok(page.next)
        })?;
        Ok(rows)
    }

    /// All findings, page after page.
    ///
    /// # Errors
    /// What the machine refuses.
    pub fn check(&self) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        follow(|cursor| {
            let page = M::check(&self.store, cursor)?;
            findings.extend(page.findings);
            Ok(page.next)
        })?;
        Ok(findings)
    }

    /// Activates another version of the module on a copy of the state: migrates when the schema
    /// differs, and checks. `self` stays as it is, as the old version does when an activation is
    /// rejected.
    ///
    /// # Errors
    /// A schema that the new version does not migrate from, what its `migrate` or `check` refuses,
    /// and the first error that `check` finds.
    pub fn activate<N: Machine>(&self) -> Result<Harness<N>, Failure> {
        let mut next = self.succeeded_by::<N>();
        let from = self.schema;
        if next.schema != from {
            if !N::describe().migrates_from.contains(&from) {
                return Err(refusal(format!("the module does not migrate from schema {from}")));
            }
            let mut again = next.store.clone();
            let migrated = follow(|cursor| N::migrate(&mut next.store, from, cursor));
            let repeated = follow(|cursor| N::migrate(&mut again, from, cursor));
            let same = migrated == repeated && next.store.pairs().eq(again.pairs());
            assert!(same, "migrated twice, the state came out in two ways");
            migrated?;
            assert!(next.store.savepoint().is_empty(), "an event in a migration traps");
        }
        next.log = Log { store: next.store.clone(), lsn: next.lsn, entries: Vec::new() };
        match next.check()?.into_iter().find(|finding| finding.severity == Severity::Error) {
            Some(finding) => Err(refusal(format!("check found: {}", finding.note))),
            None => Ok(next),
        }
    }

    /// Activates another version that serves rows of this one's schema, on a copy of the state in
    /// which no row is migrated yet; [`migrate_step`](Harness::migrate_step) takes the steps.
    ///
    /// # Errors
    /// A schema that the new version does not serve.
    pub fn serve<N: Machine>(&self) -> Result<Harness<N>, Failure> {
        if !N::describe().serves.contains(&self.schema) {
            return Err(refusal(format!("the module does not serve schema {}", self.schema)));
        }
        let mut next = self.succeeded_by::<N>();
        next.migrating = Some((self.schema, None));
        next.log = Log { store: next.store.clone(), lsn: next.lsn, entries: Vec::new() };
        Ok(next)
    }

    /// Takes the next step of the migration that [`serve`](Harness::serve) began, and tells whether
    /// there are more. Taken twice at the same place, a step must do the same.
    ///
    /// # Errors
    /// What the machine refuses; then nothing of the step is left.
    pub fn migrate_step(&mut self) -> Result<bool, Failure> {
        let Some((from, cursor)) = self.migrating.take() else { return Ok(false) };
        let first = M::migrate(&mut self.store, from, cursor.as_deref());
        let effects = self.store.effects();
        self.store.roll_back();
        let next = M::migrate(&mut self.store, from, cursor.as_deref());
        assert_eq!(first, next, "taken twice, the step ended in two ways");
        assert!(effects == self.store.effects(), "taken twice, the step wrote two things");
        let next = match next {
            Ok(next) => next,
            Err(failure) => {
                self.store.roll_back();
                self.migrating = Some((from, cursor));
                return Err(failure);
            }
        };
        assert!(self.store.savepoint().is_empty(), "an event in a migration traps");
        self.migrating = next.map(|cursor| (from, Some(cursor)));
        Ok(self.migrating.is_some())
    }

    /// Another version on a copy of the state.
    fn succeeded_by<N: Machine>(&self) -> Harness<N> {
        let mut next = Harness::<N>::new();
        next.store = self.store.clone();
        next.session = self.session.clone();
        next.events = self.events.clone();
        next.lsn = self.lsn + 1;
        next.time_us = self.time_us;
        next
    }

    /// What was applied so far, since the start or the activation.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Checks that what was applied so far comes to the same however it is applied: see
    /// [`assert_same_digest`]. What a test wrote into the store by hand is not part of it.
    ///
    /// # Panics
    /// When it does not.
    pub fn assert_replays(&self) -> u64
    where
        M: 'static,
    {
        assert_same_digest::<M>(&self.log)
    }

    fn context(&self) -> Context {
        context(self.lsn, 0, self.time_us, self.schema, &self.session.user)
    }
}

pub(super) fn context(lsn: u64, index: u32, time_us: u64, schema: u32, caller: &str) -> Context {
    Context { lsn, index, time_us, schema, caller: caller.to_owned() }
}

fn refusal(message: String) -> Failure {
    Failure::new(1105, "HY000", message)
}

/// A reply as it comes out of its packed form.
pub(super) fn packed(reply: Reply) -> Reply {
    if let Body::Rows(rows) = &reply.body {
        let width = rows.columns.len();
        assert!(rows.rows.iter().all(|row| row.len() == width), "rows must have {width} values");
    }
    let unpacked = Reply::unpack(&reply.pack());
    assert_eq!(unpacked.as_ref(), Ok(&reply), "the reply must survive packing");
    reply
}

/// Calls `step` without a cursor, then with each cursor it gave, until it gives none.
fn follow(
    mut step: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<(), Failure> {
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        cursor = step(cursor.as_deref())?;
        if cursor.is_none() {
            return Ok(());
        }
    }
    panic!("the cursor does not end after {PAGES_MAX} pages");
}
