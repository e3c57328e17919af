//! How far the state is, and the chain of digests that proves it.
//!
//! Each entry's digest covers the digest before it, the LSN, how each command ended (with its
//! events) and what the entry wrote, in key order. Rows that follow from these (outcomes kept for
//! repeated requests, the position itself, the ring of digests) are left out. Entries without
//! commands advance the chain too, so equal digests mean equal logs as well as equal states.

use bytes::Bytes;
use quorate_wire::Writer;

use super::keys;
use super::rows;
use crate::runtime::{Event, Writes};
use crate::types::{
    ClusterId, LogId, Lsn, Outcome, StateDigest, View, ViewError, decode_log_id, encode_log_id,
};

/// Digests kept, those of the newest entries. Frontends whose LSNs are further apart than this
/// cannot compare; verifying the log offline goes back further.
pub const DIGESTS_KEPT: u32 = 4096;

/// Position of a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The last entry applied.
    pub log_id: Option<LogId>,
    /// The chain up to it.
    pub digest: StateDigest,
    /// Its time, in microseconds since 1970. Never runs backwards.
    pub clock_us: u64,
}

impl Position {
    /// LSN of the last entry applied; 0 when there is none.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.log_id.map_or(0, |id| id.index))
    }

    /// LSN of the entry to apply next.
    pub fn next(&self) -> Lsn {
        Lsn(self.log_id.map_or(0, |id| id.index + 1))
    }

    /// As stored.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            out.flag(self.log_id.is_some());
            if let Some(id) = &self.log_id {
                encode_log_id(id, out);
            }
            out.raw(&self.digest.0);
            out.unsigned(self.clock_us);
        })
    }

    /// The position of a state; of an empty one, the start.
    pub fn load(view: &dyn View) -> Result<Self, ViewError> {
        let position = rows::find(view, &keys::POSITION, |input| {
            let log_id = if input.flag()? { Some(decode_log_id(input)?) } else { None };
            Ok(Self { log_id, digest: StateDigest(input.array()?), clock_us: input.unsigned()? })
        });
        position.map(Option::unwrap_or_default)
    }

    /// The row of the ring of digests that belongs to this position.
    pub fn ring_row(&self) -> (Bytes, Bytes) {
        let row = rows::pack(|out| {
            self.lsn().encode(out);
            out.raw(&self.digest.0);
        });
        (slot(self.lsn()), row)
    }
}

/// The digest at an LSN, if it is still kept.
pub fn digest_at(view: &dyn View, lsn: Lsn) -> Result<Option<StateDigest>, ViewError> {
    let kept =
        rows::find(view, &slot(lsn), |row| Ok((Lsn::decode(row)?, StateDigest(row.array()?))))?;
    Ok(kept.filter(|(at, _)| *at == lsn).map(|(_, digest)| digest))
}

fn slot(lsn: Lsn) -> Bytes {
    let slot = lsn.0 % u64::from(DIGESTS_KEPT);
    keys::digest(u32::try_from(slot).expect("below a 32-bit number"))
}

/// What is hashed of one entry.
pub struct Trail(Writer);

impl Trail {
    /// Begins an entry after `previous`.
    pub fn new(previous: StateDigest, lsn: Lsn) -> Self {
        let mut out = Writer::with_capacity(1024);
        out.raw(&previous.0);
        lsn.encode(&mut out);
        Self(out)
    }

    /// Adds how a command ended.
    pub fn command(&mut self, at: Lsn, outcome: &Outcome, events: &[Event]) {
        let out = &mut self.0;
        at.encode(out);
        outcome.encode(out);
        out.count(events.len());
        for event in events {
            out.text(&event.topic);
            out.bytes(&event.key);
            out.bytes(&event.body);
        }
    }

    /// Adds what the entry wrote and ends it.
    pub fn finish(self, writes: &Writes) -> StateDigest {
        let Self(mut out) = self;
        out.count(writes.len());
        for (key, value) in writes {
            out.bytes(key);
            out.optional_bytes(value.as_deref());
        }
        StateDigest(*blake3::hash(&out.finish()).as_bytes())
    }
}

/// The seed of one command: not to be guessed by clients, equal on all frontends.
pub fn seed(cluster: ClusterId, lsn: Lsn, index: u32, entropy: &[u8; 16]) -> [u8; 32] {
    let mut input = [0; 36];
    input[..8].copy_from_slice(&cluster.0.to_le_bytes());
    input[8..16].copy_from_slice(&lsn.0.to_le_bytes());
    input[16..20].copy_from_slice(&index.to_le_bytes());
    input[20..].copy_from_slice(entropy);
    *blake3::hash(&input).as_bytes()
}
