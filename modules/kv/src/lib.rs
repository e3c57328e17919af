//! A key/value store: the smallest useful module, and the one that benchmarks measure.
//!
//! A key holds a value and a version: the log sequence number of its last write. Requests come as
//! text or packed ([`Request`]); the answer has the form of the request.
//!
//! | text | answer |
//! |---|---|
//! | `PUT key value` | 1 row affected |
//! | `GET key` | `value`, `version`; no row when absent |
//! | `DELETE key` | rows affected |
//! | `RANGE low high LIMIT n` | `key`, `value`, `version` for `low <= key < high` |
//! | `CAS key old new` | rows affected: 0 when the value is not `old` |
//!
//! Words are separated by spaces; a word in single quotes may hold any text, `''` for a quote. In
//! `CAS`, an unquoted `NULL` stands for an absent key. SELECT reads the relation `kv.pairs`.
//!
//! GET and RANGE are answered by the frontend that was asked. The others are commands: the log
//! carries the packed request, and `apply` works on the bytes where they lie. A PUT reads
//! nothing from the store.
//!
//! Version 1.0.1, built with the feature `twin`, is the same under another version, to measure
//! activations with. Version 2.0.0, built with the feature `v2`, also knows when a key was created,
//! and has that in `kv.pairs`. It serves what version 1.0.0 wrote and migrates it meanwhile.

mod machine;
mod pairs;
mod protocol;
mod statement;
#[cfg(test)]
mod tests;

pub use machine::Kv;
pub use protocol::{Entry, KEY_BYTES_MAX, RANGE_MAX, Request, Response, VALUE_BYTES_MAX};

#[cfg(not(feature = "v2"))]
quorate_guest::export!(Kv<1>);
#[cfg(feature = "v2")]
quorate_guest::export!(Kv<2>);
