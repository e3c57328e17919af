//! How a pair is stored.
//!
//! Key: a tag byte and the client's key as it is. It is the last part, so it needs no escaping and
//! sorts as the client's bytes do. Value: the version in eight little-endian bytes, and the
//! client's value. In schema 2 the topmost bit of the version is set, which no LSN has, and the LSN
//! of the key's creation comes before the value; what was written in schema 1 is read as well.

use quorate_guest::store::prefix_end;
use quorate_guest::{Constraint, Operator, Value};

const TAG: u8 = 1;
/// Says that a value is of schema 2.
const CREATED: u64 = 1 << 63;
const LSN_BYTES: usize = 8;

/// A stored value, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// LSN of the last write.
    pub version: u64,
    /// LSN of the write that created the key, if that is stored.
    pub created: Option<u64>,
    /// The client's.
    pub value: &'a [u8],
}

/// The stored form of a key.
pub fn stored_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(TAG);
    stored.extend_from_slice(key);
    stored
}

/// The client's key.
pub fn key(stored: &[u8]) -> &[u8] {
    stored.get(1..).unwrap_or_default()
}

impl<'a> Stored<'a> {
    /// The form in the store.
    pub fn pack(&self) -> Vec<u8> {
        let mut stored = Vec::with_capacity(2 * LSN_BYTES + self.value.len());
        let mark = self.created.map_or(0, |_| CREATED);
        stored.extend_from_slice(&(self.version | mark).to_le_bytes());
        if let Some(created) = self.created {
            stored.extend_from_slice(&created.to_le_bytes());
        }
        stored.extend_from_slice(self.value);
        stored
    }

    /// Absent when the bytes are no stored value of either schema.
    pub fn unpack(stored: &'a [u8]) -> Option<Self> {
        let (version, value) = stored.split_first_chunk::<LSN_BYTES>()?;
        let version = u64::from_le_bytes(*version);
        if version & CREATED == 0 {
            return Some(Self { version, created: None, value });
        }
        let (created, value) = value.split_first_chunk::<LSN_BYTES>()?;
        let created = Some(u64::from_le_bytes(*created));
        Some(Self { version: version & !CREATED, created, value })
    }

    /// Takes apart what this module stored.
    ///
    /// # Panics
    /// When the stored bytes are corrupt: a trap, the same on every frontend.
    pub fn of(stored: &'a [u8]) -> Self {
        Self::unpack(stored).expect("a stored value begins with its version")
    }

    /// When the key was created, as far as it is known: schema 1 did not keep it.
    pub fn created(&self) -> u64 {
        self.created.unwrap_or(self.version)
    }
}

/// The stored keys, low to high, among which those that meet all constraints on column `column`
/// are.
pub fn bounds(constraints: &[Constraint], column: u32) -> (Vec<u8>, Vec<u8>) {
    let (mut low, mut high) = (vec![TAG], prefix_end(&[TAG]));
    for constraint in constraints.iter().filter(|constraint| constraint.column == column) {
        let at = match &constraint.value {
            Value::Bytes(bytes) => stored_key(bytes),
            Value::Text(text) => stored_key(text.as_bytes()),
            _ => continue,
        };
        let after = [&at[..], &[0]].concat();
        match constraint.operator {
            Operator::Eq => (low, high) = (low.max(at), high.min(after)),
            Operator::Lt => high = high.min(at),
            Operator::Le => high = high.min(after),
            Operator::Gt => low = low.max(after),
            Operator::Ge => low = low.max(at),
        }
    }
    (low, high)
}
