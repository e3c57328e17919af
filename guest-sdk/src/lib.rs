//! What the author of a module builds on.

mod codec;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod glue;
mod key;
mod machine;
pub mod store;
mod table;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod trace;

pub use quorate_wire::*;

pub use codec::Codec;
pub use key::Key;
pub use machine::{CheckPage, Context, Evaluation, Machine, RelationPage, Request, Session};
pub use store::{Page, ReadStore, WriteStore};
pub use table::{Entries, Table, TablePage};

/// Exports a [`Machine`] as the component's `machine` interface. Natively it does nothing.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    ($machine:ty) => {};
}
