//! How a pair is stored.
//!
//! Key: a tag byte and the client's key as it is. It is the last part, so it needs no escaping and
//! sorts as the client's bytes do. Value: the version in eight little-endian bytes, and the
//! client's value.

use quorate_guest::store::prefix_end;
use quorate_guest::{Constraint, Operator, Value};

const TAG: u8 = 1;
const VERSION_BYTES: usize = 8;

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

/// The stored form of a value.
pub fn stored_value(version: u64, value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(VERSION_BYTES + value.len());
    stored.extend_from_slice(&version.to_le_bytes());
    stored.extend_from_slice(value);
    stored
}

/// The client's value and its version; absent when the stored bytes are no stored value.
pub fn split(stored: &[u8]) -> Option<(&[u8], u64)> {
    let (version, value) = stored.split_first_chunk::<VERSION_BYTES>()?;
    Some((value, u64::from_le_bytes(*version)))
}

/// The client's value and its version.
///
/// # Panics
/// When the stored bytes are corrupt: a trap, the same on every frontend.
pub fn value(stored: &[u8]) -> (&[u8], u64) {
    split(stored).expect("a stored value begins with its version")
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
