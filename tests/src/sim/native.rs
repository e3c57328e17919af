//! A module of this repository, compiled into the simulation: the same code that runs as
//! WebAssembly, without the engine.

use std::marker::PhantomData;

use quorate::runtime::{Caller, Evaluation, Facts, Native, Space};
use quorate_guest::store::{PAGE_ROWS_MAX, Page};
use quorate_guest::{Codec, Context, Machine, ReadStore, Session, WriteStore};
use quorate_wire::{Description, Failure, Reply};

/// Runs a [`Machine`] natively.
pub struct NativeModule<M>(PhantomData<fn() -> M>);

impl<M> Default for NativeModule<M> {
    fn default() -> Self {
        Self(PhantomData)
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

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page {
        let rows = max_rows.min(PAGE_ROWS_MAX) as usize;
        let scan = self.0.scan(low, high, reverse, rows);
        let pairs: Vec<_> =
            scan.pairs.into_iter().map(|(key, value)| (Vec::from(key), Vec::from(value))).collect();
        let next = pairs
            .last()
            .filter(|_| !scan.done)
            .map(|(key, _)| if reverse { key.clone() } else { [&key[..], &[0]].concat() });
        Page { pairs, next }
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
        M::describe()
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
}
