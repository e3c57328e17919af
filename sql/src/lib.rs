//! SQL as Quorate's front doors and its catalog module understand it.
//!
//! Two grammars share one lexer and one cursor:
//!
//! - [`host_statement`]: what the host answers itself, whichever module is active - the session
//!   (`SET`, transactions, `SHOW VARIABLES`, `KILL`), the cluster (`ALTER SYSTEM`,
//!   `SHOW FRONTENDS`, `ADMIN .. FRONTEND CONFIG`) and the life of modules (`INSTALL MODULE`, ..).
//!   Any other text is `None` and goes to the module unread: it need not be SQL.
//! - [`catalog_statement`]: the catalog module's StarRocks DDL, `USE`, `SHOW` and `DESC`.
//!
//! Queries are not parsed. [`is_query`] tells them apart, [`split`] cuts a text of several
//! statements, [`placeholders`] and [`bind`] serve prepared statements; all three know quotes and
//! comments only, so they work for any dialect of MySQL's.
//!
//! The crate has no dependencies and reads no clock, no environment and no hash order, because the
//! same code runs inside wasm, where every node must come to the same result. It is bounded by
//! [`limits`] and does not panic on any input.
//!
//! # The way of a statement
//!
//! 1. `lexer` cuts the text into tokens: a kind and a byte range each.
//! 2. `parser` is a cursor over them, with one file per family of statements below it; a mistake
//!    becomes a [`ParseError`] with its place, what was expected and what was found.
//! 3. `ast` is what comes out. Names keep the client's case; nothing is looked up.
//! 4. `display` prints it back in StarRocks' own form: `catalog_statement(&s.to_string())` is `s`
//!    again. `SHOW CREATE TABLE` is the `Display` of a [`CreateTable`] and a semicolon.
//!
//! # How to add a statement
//!
//! 1. Describe it in the `ast` file of its family and, if it is new, in [`CatalogStatement`] or
//!    [`HostStatement`].
//! 2. Parse it in the `parser` file of the same name; dispatch to it from `parser/catalog.rs`, or
//!    from `parser/host.rs`, where also its first words must be listed.
//! 3. Print it in `display`, and let the generator of the round-trip test make it.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ast;
mod bind;
mod display;
mod error;
mod filter;
mod lexer;
mod like;
pub mod limits;
mod parser;
mod quote;
mod split;
mod token;

pub use ast::*;
pub use bind::{bind, placeholders};
pub use error::{ErrorKind, ParseError};
pub use like::like_match;
pub use parser::{catalog_statement, host_statement};
pub use quote::{quote_ident, quote_string};
pub use split::{is_query, split};
