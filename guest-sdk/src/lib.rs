//! What the author of a module builds on.
//!
//! A module is a state machine that a Quorate cluster replicates: every frontend runs the same
//! commands in the same order, and so reaches the same state. It is a WebAssembly component, but
//! an author sees none of that. He implements one trait, [`Machine`], keeps what it knows in
//! [`Table`]s, names it to [`export!`], and tests it natively with [`testing::Harness`].
//!
//! # The life of a request
//!
//! The frontend that has the client calls `evaluate`, which reads and answers, or proposes a
//! command. The cluster agrees on the command's place in the log, its *log sequence number*. Then
//! every frontend calls `apply` with it. Between the two the state may have changed: `apply`
//! checks again whatever `evaluate` found. A failure or a panic in `apply` drops all that the
//! command wrote, on every frontend alike.
//!
//! # Rules
//!
//! - Nothing is remembered between calls but the store: memory is thrown away.
//! - `apply` and `migrate` depend on their arguments and the store, on nothing else. There is no
//!   clock and no randomness: [`Context`] has a time and a [seed](Context::seed), equal everywhere.
//!   `BTreeMap` instead of `HashMap`, integers instead of floats in all that is stored or answered.
//! - Commands and stored values are bytes that outlive the code: see [`Codec`] and [`versioned!`].
//!
//! # A complete module
//!
//! In a crate of type `cdylib`:
//!
//! ```
//! use quorate_guest::*;
//!
//! /// How often each name was counted.
//! const COUNTS: Table<String, u64> = Table::new(1);
//!
//! struct Tally;
//!
//! impl Machine for Tally {
//!     type Command = String; // the name to count
//!
//!     fn describe() -> Description {
//!         Description::new("tally", "1.0.0", 1)
//!     }
//!
//!     fn evaluate(
//!         _: &Session, _: &Context, store: &dyn ReadStore, request: Request<'_>,
//!     ) -> Result<Evaluation<String>, Failure> {
//!         let Request::Text(text) = request else {
//!             return Err(refusal::SYNTAX.because("expected text"));
//!         };
//!         match text.split_once(' ') {
//!             Some(("COUNT", name)) => Ok(Evaluation::Command(name.into())),
//!             Some(("SHOW", name)) => {
//!                 let times = COUNTS.get(store, &name.into()).unwrap_or(0);
//!                 let result = ResultSet::new().uint("times").with(row![times]);
//!                 Ok(Evaluation::Reply(result.reply()))
//!             }
//!             _ => Err(refusal::SYNTAX.because("expected COUNT name or SHOW name")),
//!         }
//!     }
//!
//!     fn apply(_: &Context, store: &mut dyn WriteStore, name: String) -> Result<Reply, Failure> {
//!         let times = COUNTS.get(store, &name).unwrap_or(0) + 1;
//!         COUNTS.put(store, &name, &times);
//!         Ok(Reply::affected(1))
//!     }
//! }
//!
//! quorate_guest::export!(Tally);
//!
//! // In the module's tests:
//! let mut tally = testing::Harness::<Tally>::new();
//! tally.text("COUNT ann")?;
//! tally.text("COUNT ann")?;
//! let Body::Rows(rows) = tally.text("SHOW ann")?.body else { panic!("SHOW answers rows") };
//! assert_eq!(rows.rows, [[Value::UInt(2)]]);
//! # Ok::<(), Failure>(())
//! ```

mod codec;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod glue;
mod index;
mod key;
mod machine;
pub mod refusal;
mod result_set;
pub mod store;
mod table;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod topic;
pub mod trace;
mod versioned;

pub use quorate_wire::*;

pub use codec::Codec;
pub use index::{Index, IndexKeys, IndexedTable, Indexing};
pub use key::Key;
pub use machine::{CheckPage, Context, Evaluation, Machine, RelationPage, Request, Session};
pub use refusal::Refusal;
pub use result_set::ResultSet;
pub use store::{Page, ReadStore, WriteStore};
pub use table::{Entries, Table, TablePage};
pub use topic::Topic;

/// Exports a [`Machine`] as the component's `machine` interface. Write it once, at the top level
/// of the module's crate. Natively it only checks that the type is a machine.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    ($machine:ty) => {
        const _: fn() -> $crate::Description = <$machine as $crate::Machine>::describe;
    };
}
