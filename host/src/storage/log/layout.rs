//! The log's records: what the bytes that a device keeps mean.

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use crate::storage::record::{Damage, seal, unseal};
use crate::types::{
    Entry, EntryPayload, LogId, Vote, decode_entry, decode_log_id, decode_vote, encode_entry,
    encode_log_id, encode_vote,
};

use super::device::{Slot, entry_key};

/// About what an entry takes in memory and on disk, in bytes.
pub(super) fn entry_size(entry: &Entry) -> usize {
    const FIXED: usize = 64;
    const PER_NODE: usize = 64;
    FIXED
        + match &entry.payload {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(batch) => batch.0.len(),
            EntryPayload::Membership(membership) => PER_NODE * membership.nodes().count(),
        }
}

pub(super) fn seal_entry(entry: &Entry) -> Bytes {
    seal(&entry_key(entry.log_id.index), &encode_entry(entry)).into()
}

/// Reads the record of an entry.
///
/// # Errors
/// When it is not what was written, or is that of another entry.
pub fn unseal_entry(index: u64, record: &Bytes) -> Result<Entry, Damage> {
    let entry = decode_entry(&unseal(&entry_key(index), record)?)?;
    if entry.log_id.index == index {
        Ok(entry)
    } else {
        Err(Damage::Content(format!("it says that it is entry {}", entry.log_id.index)))
    }
}

pub(super) fn seal_vote(vote: &Vote) -> Bytes {
    let mut out = Writer::new();
    encode_vote(vote, &mut out);
    seal(&Slot::Vote.key(), &out.finish()).into()
}

pub(super) fn unseal_vote(record: &Bytes) -> Result<Vote, Damage> {
    whole(&unseal(&Slot::Vote.key(), record)?, decode_vote)
}

pub(super) fn seal_position(slot: Slot, id: Option<&LogId>) -> Bytes {
    let mut out = Writer::new();
    encode_position(id, &mut out);
    seal(&slot.key(), &out.finish()).into()
}

pub(super) fn unseal_position(slot: Slot, record: &Bytes) -> Result<Option<LogId>, Damage> {
    whole(&unseal(&slot.key(), record)?, decode_position)
}

pub(super) fn encode_position(id: Option<&LogId>, out: &mut Writer) {
    out.flag(id.is_some());
    if let Some(id) = id {
        encode_log_id(id, out);
    }
}

pub(super) fn decode_position(input: &mut Reader<'_>) -> Result<Option<LogId>, DecodeError> {
    if input.flag()? { decode_log_id(input).map(Some) } else { Ok(None) }
}

/// Reads one item that takes up all of the payload.
pub(super) fn whole<T>(
    payload: &Bytes,
    decode: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<T, Damage> {
    let mut input = Reader::new(payload);
    let item = decode(&mut input)?;
    input.finish()?;
    Ok(item)
}
