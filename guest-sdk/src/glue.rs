//! Between the generated bindings and the traits of this crate. Compiled for wasm only.

use std::marker::PhantomData;
use std::sync::Once;

use quorate_wire as wire;

use crate::codec::Codec;
use crate::machine::{Context, Evaluation, Machine, Request, Session};
use crate::store::{Page, ReadStore, WriteStore};

#[doc(hidden)]
#[allow(unsafe_code, missing_docs, clippy::all)] // generated
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "state-machine",
        pub_export_macro: true,
        default_bindings_module: "quorate_guest::glue::bindings",
    });
}

use bindings::exports::quorate::machine::machine as exported;
use bindings::quorate::machine::{context, events, store, trace as host_trace, types};

pub use bindings::quorate::machine::trace::Level;

/// The store behind the imports.
pub struct HostStore;

impl ReadStore for HostStore {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        store::get(key)
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let packed = store::get_many(&wire::pack_keys(keys));
        let values = wire::unpack_values(&packed).expect("the host packs what it gives");
        values.into_iter().map(|value| value.map(<[u8]>::to_vec)).collect()
    }

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page {
        let page = store::scan(low, high, reverse, max_rows);
        let pairs = wire::unpack_pairs(&page.pairs).expect("the host packs what it gives");
        let pairs = pairs.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        Page { pairs, next: page.next }
    }
}

impl WriteStore for HostStore {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        store::put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        store::delete(key);
    }

    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        store::delete_range(low, high)
    }

    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        events::emit(topic, key, body);
    }
}

/// The seed of the current command.
pub fn seed() -> [u8; 32] {
    context::seed().try_into().expect("a seed has 32 bytes")
}

/// Writes a line to the frontend's log.
pub fn trace(level: Level, text: &str) {
    host_trace::line(level, text);
}

/// The exports, made of a [`Machine`].
pub struct Exported<M>(PhantomData<M>);

impl<M: Machine> exported::Guest for Exported<M> {
    fn describe() -> Vec<u8> {
        report_panics();
        M::describe().pack()
    }

    fn evaluate(
        session: exported::Session,
        request: exported::Request,
    ) -> Result<exported::Evaluation, types::Failure> {
        report_panics();
        let exported::Session { id, user, database } = session;
        let request = match &request {
            exported::Request::Text(text) => Request::Text(text),
            exported::Request::Bytes(bytes) => Request::Bytes(bytes),
        };
        let session = Session { id, user, database };
        let evaluation = M::evaluate(&session, &current(), &HostStore, request)?;
        Ok(match evaluation {
            Evaluation::Reply(reply) => exported::Evaluation::Reply(reply.pack()),
            Evaluation::Command(command) => exported::Evaluation::Command(command.to_bytes()),
        })
    }

    fn apply(command: Vec<u8>) -> Result<Vec<u8>, types::Failure> {
        report_panics();
        let command = M::Command::from_bytes(&command).map_err(undecodable)?;
        Ok(M::apply(&current(), &mut HostStore, command)?.pack())
    }

    fn scan(
        relation: String,
        constraints: Vec<u8>,
        cursor: Option<Vec<u8>>,
    ) -> Result<exported::RelationPage, types::Failure> {
        report_panics();
        let constraints = wire::Constraint::unpack(&constraints).map_err(undecodable)?;
        let page = M::scan(&current(), &HostStore, &relation, &constraints, cursor.as_deref())?;
        Ok(exported::RelationPage { rows: wire::pack_rows(&page.rows), next: page.next })
    }

    fn migrate(
        from_schema: u32,
        cursor: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, types::Failure> {
        report_panics();
        Ok(M::migrate(&mut HostStore, from_schema, cursor.as_deref())?)
    }

    fn check(cursor: Option<Vec<u8>>) -> Result<exported::CheckPage, types::Failure> {
        report_panics();
        let page = M::check(&HostStore, cursor.as_deref())?;
        let findings = wire::Finding::pack(&page.findings);
        Ok(exported::CheckPage { findings, next: page.next })
    }
}

fn current() -> Context {
    let context::Info { lsn, index, time_us, schema, caller } = context::current();
    Context { lsn, index, time_us, schema, caller }
}

impl From<wire::Failure> for types::Failure {
    fn from(failure: wire::Failure) -> Self {
        let wire::Failure { code, sqlstate, message } = failure;
        Self { code, sqlstate, message }
    }
}

fn undecodable(error: wire::DecodeError) -> types::Failure {
    crate::machine::undecodable(error).into()
}

/// A panic becomes a trap without words; this leaves its words in the frontend's log.
fn report_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        std::panic::set_hook(Box::new(|panic| trace(Level::Error, &panic.to_string())));
    });
}

/// Exports a [`Machine`] as the component's `machine` interface. Write it once, at the top level of
/// the module's crate; natively it does nothing.
#[macro_export]
macro_rules! export {
    ($machine:ty) => {
        #[allow(unsafe_code)] // generated
        mod quorate_export {
            use super::*;
            type Exported = $crate::glue::Exported<$machine>;
            $crate::glue::bindings::export!(Exported with_types_in $crate::glue::bindings);
        }
    };
}
