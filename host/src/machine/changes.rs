//! What each entry changed, kept for subscribers: keys with their values before and after, events,
//! and what the host's commands did.
//!
//! It follows from applying, not from the log, so it is written down while an entry is applied and
//! goes into the same batch. It is this frontend's own: no digest covers it, nothing that is
//! applied reads it, and each frontend removes it with its own log. A snapshot carries it along.
//!
//! ```text
//! 0c 01 lsn part   version:1 more:1 time ordinal change…    every entry has at least part 0
//!   change         index tag:1 content…                     until the row ends
//! ```
//!
//! The row of an entry that changed nothing has no change in it. So a missing row is a hole, and a
//! reader that finds each row after the one before has missed nothing.

mod capture;
mod describe;
mod read;

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use super::keys;
use super::registry::Registry;
use crate::types::Lsn;

pub use capture::{BEFORE_BYTES_MAX, BEFORE_READS_MAX};
pub(super) use capture::{Recorder, begin_row};
pub(super) use describe::{Told, membership as tell_membership, tell};
pub(super) use read::is_recorded;
pub use read::{ChangeCursor, ChangesError};

/// The setting that has changes recorded, unless it is [`OFF`].
pub const CHANGE_FEED: &str = "change_feed";

/// Value of [`CHANGE_FEED`] with which nothing is recorded.
pub const OFF: &str = "false";

const VERSION: u8 = 1;

/// Whether entries are recorded from here on.
pub(super) fn is_on(registry: &Registry) -> bool {
    registry.settings.get(CHANGE_FEED).is_none_or(|value| value != OFF)
}

/// One thing that an entry changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Position of the command in its entry.
    pub index: u32,
    /// What it is.
    pub what: What,
}

/// What a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A key of a module was written or removed.
    Key {
        /// Name of the module.
        module: String,
        /// The key as the module stores it.
        key: Bytes,
        /// Its value until then.
        before: Before,
        /// Its value from then on; `None`: it was removed.
        after: Option<Bytes>,
    },
    /// A module emitted an event.
    Event {
        /// Name of the module.
        module: String,
        /// What it is about.
        topic: String,
        /// What of it.
        key: Bytes,
        /// Up to the module.
        body: Bytes,
    },
    /// A command of the host changed something, or the log changed the membership.
    Cluster {
        /// Its name, in lower case with underscores.
        command: String,
        /// On whose behalf; empty for the membership.
        caller: String,
        /// A JSON object for people and tools.
        details: String,
    },
}

/// The value of a key before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// There was none.
    Absent,
    /// This one.
    Value(Bytes),
    /// Not kept: the entry changed too much ([`BEFORE_BYTES_MAX`], [`BEFORE_READS_MAX`]).
    Omitted,
}

/// All that an entry changed, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChanges {
    /// The entry.
    pub lsn: Lsn,
    /// Its time, in microseconds since 1970.
    pub time_us: u64,
    /// Changes of the same entry in the parts before this one.
    pub ordinal: u32,
    /// In the order in which they took place; of one command, keys in their order, then events.
    pub changes: Vec<Change>,
    /// Whether more parts of the entry follow.
    pub more: bool,
}

fn encode_key(out: &mut Writer, key: &[u8], before: &Before, after: Option<&[u8]>) {
    out.byte(0);
    out.bytes(key);
    match before {
        Before::Absent => out.byte(0),
        Before::Value(value) => {
            out.byte(1);
            out.bytes(value);
        }
        Before::Omitted => out.byte(2),
    }
    out.optional_bytes(after);
}

pub(super) fn decode(lsn: Lsn, row: &Bytes) -> Result<EntryChanges, DecodeError> {
    let mut input = Reader::new(row);
    match input.byte()? {
        VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    let (more, time_us, ordinal) = (input.flag()?, input.unsigned()?, input.unsigned32()?);
    let mut changes = Vec::new();
    while !input.is_done() {
        let (index, what) = (input.unsigned32()?, decode_what(row, &mut input)?);
        changes.push(Change { index, what });
    }
    Ok(EntryChanges { lsn, time_us, ordinal, changes, more })
}

fn decode_what(row: &Bytes, input: &mut Reader<'_>) -> Result<What, DecodeError> {
    Ok(match input.byte()? {
        0 => {
            let (module, key) = keys::in_space(input.bytes()?).ok_or(DecodeError::Range)?;
            let module = String::from_utf8(module.to_vec()).map_err(|_| DecodeError::Utf8)?;
            let before = match input.byte()? {
                0 => Before::Absent,
                1 => Before::Value(row.slice_ref(input.bytes()?)),
                2 => Before::Omitted,
                _ => return Err(DecodeError::Range),
            };
            let after = input.optional_bytes()?.map(|value| row.slice_ref(value));
            What::Key { module, key: row.slice_ref(key), before, after }
        }
        1 => What::Event {
            module: input.text()?,
            topic: input.text()?,
            key: row.slice_ref(input.bytes()?),
            body: row.slice_ref(input.bytes()?),
        },
        2 => {
            What::Cluster { command: input.text()?, caller: input.text()?, details: input.text()? }
        }
        _ => return Err(DecodeError::Range),
    })
}
