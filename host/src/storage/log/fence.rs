//! The fence: a second, tiny record of what the log had made durable.
//!
//! RocksDB's recovery stops at the first bad record of the WAL. That is right for a torn tail, but
//! the same happens when bits rot in its middle, a WAL file is deleted or an old disk is put back;
//! acknowledged entries and even a vote would be gone without a word, and this frontend could vote
//! for a leader that lacks them. So the last durable log id and vote are also kept in a file of
//! their own, and a log that is behind them is refused.
//!
//! Rules:
//! - The fence never says more than is durable. A truncation lowers it *before* it is written.
//! - It may lag by [`FENCE_INTERVAL`]; it is exact once the log is idle or closed.
//! - Two slots are written in turn, each with a sequence number and a checksum, so a torn write
//!   leaves the other one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use crate::storage::record::{seal, unseal};
use crate::types::{LogId, Vote, decode_vote, encode_vote};

use super::device::{DeviceError, LogDevice};
use super::error::LogError;
use super::layout::{decode_position, encode_position, whole};

/// How often the fence is written at most; each time costs one more fsync.
pub const FENCE_INTERVAL: Duration = Duration::from_secs(1);

/// A slot's place is a sector of its own, so that writing one cannot tear the other.
const SLOT_BYTES: usize = 4096;
const SLOTS: u64 = 2;

/// What is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Durable {
    /// The log's last entry.
    pub last: Option<LogId>,
    /// The vote.
    pub vote: Option<Vote>,
}

/// The last entry that the fence file of a device vouches for.
pub fn fenced(device: &dyn LogDevice) -> Option<LogId> {
    let (_, kept) = newest(&device.read_fence().ok()?).ok()?;
    kept.last
}

/// Keeps the fence file.
#[derive(Debug)]
pub(super) struct Fence {
    kept: Durable,
    sequence: u64,
    written: Option<Instant>,
}

impl Fence {
    /// Reads the fence and refuses a log that is behind it.
    ///
    /// # Errors
    /// [`LogError::Behind`], [`LogError::DamagedFence`], or the device's.
    pub fn open(device: &dyn LogDevice, found: &Durable) -> Result<Self, LogError> {
        let (sequence, kept) = newest(&device.read_fence()?).map_err(|Torn| {
            LogError::DamagedFence { location: device.location(), fence: device.fence_location() }
        })?;
        let behind = |what, found: String, fence: String| LogError::Behind {
            location: device.location(),
            what,
            found,
            fence,
        };
        if found.last < kept.last {
            return Err(behind("last entry", show(found.last.as_ref()), show(kept.last.as_ref())));
        }
        if found.vote < kept.vote {
            return Err(behind("vote", show(found.vote.as_ref()), show(kept.vote.as_ref())));
        }
        Ok(Self { kept, sequence, written: None })
    }

    /// Before a truncation that leaves `last` as the last entry is written.
    pub fn lower(
        &mut self,
        device: &dyn LogDevice,
        last: Option<LogId>,
    ) -> Result<(), DeviceError> {
        if last < self.kept.last {
            self.write(device, Durable { last, ..self.kept })?;
        }
        Ok(())
    }

    /// Whether the fence lags.
    pub fn lags(&self, durable: &Durable) -> bool {
        self.kept != *durable
    }

    /// Brings the fence up to date if it lags and its last write is [`FENCE_INTERVAL`] ago.
    pub fn advance(
        &mut self,
        device: &dyn LogDevice,
        durable: &Durable,
        now: Instant,
    ) -> Result<(), DeviceError> {
        let due = self.written.is_none_or(|written| now.duration_since(written) >= FENCE_INTERVAL);
        if due && self.lags(durable) {
            self.write(device, *durable)?;
            self.written = Some(now);
        }
        Ok(())
    }

    /// Brings the fence up to date.
    pub fn close(&mut self, device: &dyn LogDevice, durable: &Durable) -> Result<(), DeviceError> {
        if self.lags(durable) { self.write(device, *durable) } else { Ok(()) }
    }

    fn write(&mut self, device: &dyn LogDevice, durable: Durable) -> Result<(), DeviceError> {
        self.sequence += 1;
        let slot = self.sequence % SLOTS;
        let mut out = Writer::new();
        out.unsigned(self.sequence);
        encode_position(durable.last.as_ref(), &mut out);
        out.flag(durable.vote.is_some());
        if let Some(vote) = &durable.vote {
            encode_vote(vote, &mut out);
        }
        let record = seal(&key(slot), &out.finish());
        let length = u32::try_from(record.len()).expect("a fence record has some dozen bytes");
        let bytes = [&length.to_le_bytes()[..], &record].concat();
        device.write_fence(slot * SLOT_BYTES as u64, &bytes)?;
        self.kept = durable;
        Ok(())
    }
}

fn key(slot: u64) -> [u8; 6] {
    let mut key = *b"fence0";
    key[5] += slot as u8;
    key
}

fn show(found: Option<&impl ToString>) -> String {
    found.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// No slot can be read, though both were written.
struct Torn;

/// The newest readable slot; sequence 0 and nothing when none was ever written whole.
fn newest(file: &[u8]) -> Result<(u64, Durable), Torn> {
    let mut best = (0, Durable::default());
    let mut torn = 0;
    for slot in 0..SLOTS {
        let start = usize::try_from(slot).expect("it is below 2") * SLOT_BYTES;
        let bytes = file.get(start..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(SLOT_BYTES)];
        match read_slot(slot, bytes) {
            Some(found) if found.0 > best.0 => best = found,
            Some(_) => {}
            None => torn += u64::from(bytes.iter().any(|byte| *byte != 0)),
        }
    }
    if torn == SLOTS { Err(Torn) } else { Ok(best) }
}

fn read_slot(slot: u64, bytes: &[u8]) -> Option<(u64, Durable)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let record = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let payload = unseal(&key(slot), &Bytes::copy_from_slice(record)).ok()?;
    whole(&payload, decode).ok()
}

fn decode(input: &mut Reader<'_>) -> Result<(u64, Durable), DecodeError> {
    let sequence = input.unsigned()?;
    let last = decode_position(input)?;
    let vote = if input.flag()? { Some(decode_vote(input)?) } else { None };
    Ok((sequence, Durable { last, vote }))
}
