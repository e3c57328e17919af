//! What the log is written to: a device that keeps records by index, and a few by name.
//!
//! A device knows nothing of what the records mean. [`RocksLogDevice`](super::RocksLogDevice) is
//! the real one, [`SimLogDevice`](super::SimLogDevice) its twin in memory.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use bytes::Bytes;

use crate::storage::Trouble;

/// Records that are kept by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The vote.
    Vote,
    /// How far the log is known to be committed.
    Committed,
    /// How far the log was purged.
    Purged,
}

impl Slot {
    /// Every slot.
    pub const ALL: [Self; 3] = [Self::Vote, Self::Committed, Self::Purged];

    /// Its name, as in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vote => "vote",
            Self::Committed => "committed",
            Self::Purged => "purged",
        }
    }

    /// The key it is stored under: 0 and the name.
    pub fn key(self) -> Vec<u8> {
        [b"\0", self.name().as_bytes()].concat()
    }
}

/// The key an entry is stored under: 1 and the index, big endian, so that keys sort by index.
pub fn entry_key(index: u64) -> [u8; 9] {
    let mut key = [1; 9];
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// One change to what a device keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keeps an entry's record.
    Put {
        /// The entry's index.
        index: u64,
        /// The sealed record.
        record: Bytes,
    },
    /// Removes the entries with these indexes.
    Remove(RangeInclusive<u64>),
    /// Keeps a named record.
    Set {
        /// Which.
        slot: Slot,
        /// The sealed record.
        record: Bytes,
    },
}

/// What a device had kept when it was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The named records.
    pub slots: Vec<(Slot, Bytes)>,
    /// Lowest index of an entry.
    pub first: Option<u64>,
    /// Highest index of an entry, and its record.
    pub last: Option<(u64, Bytes)>,
    /// About how many bytes all entries take.
    pub bytes: u64,
}

/// Keeps the log's records.
///
/// Writes come from one caller at a time; reads may come from many threads beside it and see whole
/// groups only.
pub trait LogDevice: Send + Sync + 'static {
    /// Where the records are, for people.
    fn location(&self) -> String;

    /// Where the fence is, for people.
    fn fence_location(&self) -> String;

    /// Whether reading may wait for a disk, so that it must not happen on an async thread.
    fn blocks(&self) -> bool;

    /// The named records and the two ends.
    ///
    /// # Errors
    /// When the disk could not be read.
    fn load(&self) -> Result<Kept, DeviceError>;

    /// Makes the changes in their order, all or none of them, also over a crash. With `sync` they,
    /// if any, and all writes before them are durable on return; without, a crash may undo them,
    /// but never keep a later write without an earlier one.
    ///
    /// # Errors
    /// When writing or the fsync failed. What then is durable is unknown.
    fn write(&self, changes: Vec<Change>, sync: bool) -> Result<(), DeviceError>;

    /// The records of a range in ascending order, until one of them makes `bytes_max` full.
    ///
    /// # Errors
    /// When the disk could not be read.
    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, DeviceError>;

    /// The fence file; empty when there is none.
    ///
    /// # Errors
    /// When the disk could not be read.
    fn read_fence(&self) -> Result<Vec<u8>, DeviceError>;

    /// Overwrites part of the fence file, durable on return. A crash may tear it.
    ///
    /// # Errors
    /// When writing or the fsync failed.
    fn write_fence(&self, offset: u64, bytes: &[u8]) -> Result<(), DeviceError>;
}

/// A disk failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No space is left.
    #[error("no space left for {path}: {reason}; make room on that disk")]
    Full {
        /// What was written.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Its files are not what was written.
    #[error("{path} is damaged: {reason}; {HEAL}")]
    Damaged {
        /// What was read.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Anything else.
    #[error("{path}: {reason}")]
    Failed {
        /// What was read or written.
        path: String,
        /// What the system says.
        reason: String,
    },
}

/// The one cure for a frontend whose own log cannot be trusted any more.
pub(super) const HEAL: &str = "this frontend must not vote with it: bring back the missing files, \
    or drop it with ALTER SYSTEM DROP FOLLOWER, empty its data directory and add it again";

impl DeviceError {
    /// From what the system says about a path.
    pub fn from_io(path: &Path, error: &io::Error) -> Self {
        Self::new(path, error.to_string(), Trouble::of_io(error))
    }

    /// From what RocksDB says about a path.
    pub fn from_rocks(path: &Path, error: &rocksdb::Error) -> Self {
        Self::new(path, error.to_string(), Trouble::of_rocks(error))
    }

    fn new(path: &Path, reason: String, trouble: Trouble) -> Self {
        let path = path.display().to_string();
        match trouble {
            Trouble::Full => Self::Full { path, reason },
            Trouble::Damage => Self::Damaged { path, reason },
            Trouble::Disk => Self::Failed { path, reason },
        }
    }

    /// What kind of trouble it is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Full { .. } => Trouble::Full,
            Self::Damaged { .. } => Trouble::Damage,
            Self::Failed { .. } => Trouble::Disk,
        }
    }
}
