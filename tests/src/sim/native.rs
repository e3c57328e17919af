//! Modules of this repository, compiled into the simulation: the same code that runs as
//! WebAssembly, without the engine.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use quorate::runtime::{Caller, Evaluation, Facts, Fault, Native, Page, Space};
use quorate_guest::store::PAGE_ROWS_MAX;
use quorate_guest::{Codec, Context, Machine, ReadStore, Session, WriteStore, store};
use quorate_wire::{Description, Failure, Finding, Reply};

use super::release::Release;
use super::shelf::Shelf;

/// Rows that one step of a migration looks at: so few that a migration of a few keys takes steps.
const STEP_ROWS: u32 = 1;

/// Runs a [`Machine`] natively, as it is or otherwise.
pub struct NativeModule<M> {
    version: Option<&'static str>,
    at_once: bool,
    balks_at: Option<&'static [u8]>,
    place: Option<(Arc<Shelf>, Release)>,
    machine: PhantomData<fn() -> M>,
}

impl<M> NativeModule<M> {
    /// The module as it is; if it has a place, it runs only as long as it is found there.
    pub fn of(place: Option<(Arc<Shelf>, Release)>) -> Self {
        Self { version: None, at_once: false, balks_at: None, place, machine: PhantomData }
    }

    /// Under another version than its own.
    pub fn named(self, version: &'static str) -> Self {
        Self { version: Some(version), ..self }
    }

    /// It does not serve the rows that it can migrate, so they are migrated at once.
    pub fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }

    /// It does not migrate a row that has this in it.
    pub fn balking_at(self, what: &'static [u8]) -> Self {
        Self { balks_at: Some(what), ..self }
    }
}

/// The host's space as the SDK's store.
struct Store<'a, 'b>(&'a mut Space<'b>);

impl ReadStore for Store<'_, '_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).map(Vec::from)
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> store::Page {
        let rows = max_rows.min(PAGE_ROWS_MAX) as usize;
        let scan = self.0.scan(low, high, reverse, rows);
        let pairs: Vec<_> =
            scan.pairs.into_iter().map(|(key, value)| (Vec::from(key), Vec::from(value))).collect();
        let next = pairs
            .last()
            .filter(|_| !scan.done)
            .map(|(key, _)| if reverse { key.clone() } else { [&key[..], &[0]].concat() });
        store::Page { pairs, next }
    }
}

impl WriteStore for Store<'_, '_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.delete(key);
    }

    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        self.0.delete_range(low, high)
    }

    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        self.0.emit(topic, key, body);
    }
}

/// A store that is read a few rows at a time, and what of it was read.
struct Stepped<'a, 'b> {
    store: Store<'a, 'b>,
    seen: RefCell<Vec<Vec<u8>>>,
}

impl ReadStore for Stepped<'_, '_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.store.get(key)
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        self.store.get_many(keys)
    }

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> store::Page {
        let page = self.store.scan(low, high, reverse, max_rows.min(STEP_ROWS));
        self.seen.borrow_mut().extend(page.pairs.iter().map(|(_, value)| value.clone()));
        page
    }
}

impl WriteStore for Stepped<'_, '_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.store.put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.store.delete(key);
    }

    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        self.store.delete_range(low, high)
    }

    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        self.store.emit(topic, key, body);
    }
}

fn context(facts: &Facts) -> Context {
    Context {
        lsn: facts.lsn.0,
        index: facts.index,
        time_us: facts.time_us,
        schema: facts.schema,
        caller: facts.caller.clone(),
    }
}

impl<M: Machine + 'static> Native for NativeModule<M> {
    fn describe(&self) -> Description {
        let mut description = M::describe();
        if let Some(version) = self.version {
            description.version = version.to_owned();
        }
        if self.at_once {
            description.serves.clear();
        }
        description
    }

    fn available(&self) -> Result<(), Fault> {
        self.place.as_ref().map_or(Ok(()), |(shelf, release)| shelf.take(*release))
    }

    fn evaluate(
        &self,
        space: &mut Space<'_>,
        facts: &Facts,
        caller: &Caller,
        request: &quorate::runtime::Request,
    ) -> Result<Evaluation, Failure> {
        let session = Session {
            id: caller.session_id,
            user: caller.user.clone(),
            database: caller.database.clone(),
        };
        let request = match request {
            quorate::runtime::Request::Text(text) => quorate_guest::Request::Text(text),
            quorate::runtime::Request::Bytes(bytes) => quorate_guest::Request::Bytes(bytes),
        };
        Ok(match M::evaluate(&session, &context(facts), &Store(space), request)? {
            quorate_guest::Evaluation::Reply(reply) => Evaluation::Reply(reply),
            quorate_guest::Evaluation::Command(command) => {
                Evaluation::Command(command.to_bytes().into())
            }
        })
    }

    fn apply(
        &self,
        space: &mut Space<'_>,
        facts: &Facts,
        command: &[u8],
    ) -> Result<Reply, Failure> {
        let command = M::Command::from_bytes(command)
            .map_err(|error| Failure::new(1105, "HY000", error.to_string()))?;
        M::apply(&context(facts), &mut Store(space), command)
    }

    fn migrate(
        &self,
        space: &mut Space<'_>,
        from_schema: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut store = Stepped { store: Store(space), seen: RefCell::default() };
        let next = M::migrate(&mut store, from_schema, cursor)?;
        let balks = |value: &Vec<u8>| {
            self.balks_at.is_some_and(|what| value.windows(what.len()).any(|part| part == what))
        };
        if store.seen.borrow().iter().any(balks) {
            return Err(Failure::new(1105, "HY000", "a row that this version does not migrate"));
        }
        Ok(next)
    }

    fn check(
        &self,
        space: &mut Space<'_>,
        cursor: Option<&[u8]>,
    ) -> Result<Page<Finding>, Failure> {
        let page = M::check(&Store(space), cursor)?;
        Ok((page.findings, page.next))
    }
}
