//! What crosses the border between the host and a module, packed in bytes.
//!
//! Every list that crosses a component border costs one allocation in the guest, so replies, rows,
//! pages and descriptions travel as one byte list each. This crate is the only definition of those
//! layouts; the host and the SDK both use it, so they cannot drift apart.
//!
//! Layout rules: integers are LEB128 varints (signed ones zigzagged), text and bytes are a length
//! and the bytes, lists are a count and the items, options are one byte 0 or 1, enums are one byte
//! tag. A page's sequence ends with its byte list instead of having a count. A document that may
//! grow ([`Reply`], [`Description`]) begins with a version byte. Decoding never panics and never
//! allocates more than the input could fill.
//!
//! Enum tags are append-only: replies are stored and hashed.

mod describe;
mod pack;
mod page;
mod relation;
mod reply;
mod value;

pub use describe::{Description, Limits, Relation, RelationColumn, StatementKind};
pub use pack::{DecodeError, Reader, Writer};
pub use page::{
    pack_keys, pack_pair, pack_rows, pack_values, unpack_keys, unpack_pairs, unpack_rows,
    unpack_values,
};
pub use relation::{Constraint, Finding, Operator, Severity};
pub use reply::{Body, Reply, Rows, SessionChange, Warning};
pub use value::{Column, ColumnType, Value};

/// A refusal that goes to the client: MySQL error number, SQLSTATE and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// MySQL (or StarRocks) error number.
    pub code: u16,
    /// Five characters.
    pub sqlstate: String,
    /// For the person who sent the statement.
    pub message: String,
}

impl Failure {
    /// A failure from its three parts.
    pub fn new(code: u16, sqlstate: &str, message: impl Into<String>) -> Self {
        Self { code, sqlstate: sqlstate.to_owned(), message: message.into() }
    }

    /// Packs code, SQLSTATE and message.
    pub fn encode(&self, out: &mut Writer) {
        out.unsigned(u64::from(self.code));
        out.text(&self.sqlstate);
        out.text(&self.message);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short or out of range.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let code = u16::try_from(input.unsigned()?).map_err(|_| DecodeError::Range)?;
        Ok(Self { code, sqlstate: input.text()?, message: input.text()? })
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (error {}, SQLSTATE {})", self.message, self.code, self.sqlstate)
    }
}

impl std::error::Error for Failure {}
