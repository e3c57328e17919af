//! SQL as Quorate's front doors and its catalog module understand it.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod ast;
mod error;
mod lexer;
pub mod limits;
mod parser;
mod split;
mod token;

pub use ast::*;
pub use error::{ErrorKind, ParseError};
pub use parser::{catalog_statement, host_statement};
pub use split::{is_query, split};
