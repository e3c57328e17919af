//! The envelope of every stored record: version, payload, checksum.
//!
//! ```text
//! 1 byte   version of the payload's layout
//! n bytes  payload
//! 4 bytes  CRC-32 of key, version and payload, little endian
//! ```

use bytes::Bytes;
use crc32fast::Hasher;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// Why a record cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Too few bytes to be a record.
    #[error("it is cut short")]
    Short,
    /// Other bytes than were written, or written under another key.
    #[error("its checksum does not match")]
    Checksum,
    /// Written by another version of Quorate.
    #[error("its layout has version {0}, this version reads {VERSION}")]
    Version(u8),
    /// The bytes are those that were written, but make no sense.
    #[error("{0}")]
    Content(String),
    /// There is no record where there must be one.
    #[error("it is missing")]
    Missing,
}

impl From<quorate_wire::DecodeError> for Damage {
    fn from(error: quorate_wire::DecodeError) -> Self {
        Self::Content(error.to_string())
    }
}

/// The record for a payload that is stored under `key`.
pub fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(1 + payload.len() + CHECKSUM_BYTES);
    record.push(VERSION);
    record.extend_from_slice(payload);
    let checksum = checksum(key, &record);
    record.extend_from_slice(&checksum.to_le_bytes());
    record
}

/// The payload of a record that was found under `key`; it shares the record's memory.
pub fn unseal(key: &[u8], record: &Bytes) -> Result<Bytes, Damage> {
    let payload_end = record.len().checked_sub(CHECKSUM_BYTES).ok_or(Damage::Short)?;
    let (body, stored) = record.split_at(payload_end);
    let version = *body.first().ok_or(Damage::Short)?;
    if checksum(key, body).to_le_bytes() != stored {
        return Err(Damage::Checksum);
    }
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    Ok(record.slice(1..payload_end))
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_any_cut_and_another_key_are_damage() {
        let record = seal(b"key", b"payload");
        for at in 0..record.len() * 8 {
            let mut changed = record.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert_eq!(unseal(b"key", &changed.into()), Err(Damage::Checksum), "bit {at}");
        }
        for length in 0..record.len() {
            assert!(unseal(b"key", &Bytes::copy_from_slice(&record[..length])).is_err());
        }
        let record = Bytes::from(record);
        assert_eq!(unseal(b"kez", &record), Err(Damage::Checksum));
        assert_eq!(unseal(b"key", &record), Ok(Bytes::from_static(b"payload")));
    }

    #[test]
    fn an_intact_record_of_another_version_is_named() {
        let mut record = vec![VERSION + 1, 7];
        let checksum = checksum(b"key", &record);
        record.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(unseal(b"key", &record.into()), Err(Damage::Version(VERSION + 1)));
    }
}
