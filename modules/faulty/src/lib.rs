//! A module that misbehaves on request, so that tests can see the host keep its promises.
//!
//! A statement is a script: steps separated by `;`, run in order. Plain, it is proposed as a
//! command and runs in `apply`; after the word `EVALUATE` it runs in `evaluate`, where writing is
//! one more way to misbehave.
//!
//! | step | does |
//! |---|---|
//! | `PUT key value` | writes a pair |
//! | `DELETE key` | removes one |
//! | `GET key` | answers `value` |
//! | `CONTEXT` | answers `lsn`, `index`, `time_us`, `schema`, `caller`, `seed` |
//! | `COUNT` | affects as many rows as this instance has counted: kept in guest memory |
//! | `EMIT topic n` | emits n events, keys `0` to n-1 |
//! | `LOG n` | writes n lines to the trace |
//! | `FAIL code message` | refuses with this MySQL code |
//! | `TRAP`, `LOOP`, `ALLOCATE`, `RECURSE` | panics; never ends; takes memory, or stack, without end |
//! | `TRAP schema` | panics in the version of this schema |
//! | `OVERSIZE` | writes a value over the limit |
//! | `FLOATS key`, `HASH key` | writes bits that processors, or hash seeds, may choose |
//! | `REPLY n` | answers n bytes |
//! | `FILL n` | writes n values of 1 MiB |
//! | `DEEP n` | goes n calls deep and comes back |
//!
//! The answer is that of the last step. A script stored under the key `scan`, `check` or `migrate`
//! runs first in that call: `PUT migrate FAIL 1105 no` makes a migration fail later. One stored
//! under `migrate@k` runs in the step that comes to the key `k`. A key `migrate-endless` or
//! `check-endless` makes that call give the same cursor for ever. `check` also finds an error when
//! there is a key `wrong`. The relation `faulty.pairs` gives two rows a page.
//!
//! Version 2.0.0 is built with the feature `schema2`. Each version migrates from the other, one
//! pair a step: values end in `+` in schema 2.

mod fault;
mod machine;
mod script;
#[cfg(test)]
mod tests;

pub use machine::Faulty;

quorate_guest::export!(Faulty);
