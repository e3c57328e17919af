//! How the log fails.

use std::io;

use crate::storage::Trouble;
use crate::storage::record::Damage;
use crate::types::LogId;

use super::device::{DeviceError, HEAL};

/// The log refuses or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// An entry's record is not what was written.
    #[error("entry {index} of the log in {location} is damaged: {damage}; {HEAL}")]
    Damaged {
        /// Where the log is kept.
        location: String,
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The record of the vote, of the commit position or of the purge position is damaged.
    #[error("the {record} record of the log in {location} is damaged: {damage}; {HEAL}")]
    DamagedRecord {
        /// Where the log is kept.
        location: String,
        /// Which record.
        record: &'static str,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Both copies of the fence are damaged, which no crash can do.
    #[error(
        "{fence} is damaged, so whether the log in {location} is complete is unknown; if it is \
         known to be, remove {fence}; else {HEAL}"
    )]
    DamagedFence {
        /// Where the log is kept.
        location: String,
        /// The fence file.
        fence: String,
    },
    /// Something that this frontend had made durable, and may have acknowledged, is gone.
    #[error(
        "the log in {location} has lost what was durable: its {what} is {found}, but {fence} was \
         flushed; {HEAL}"
    )]
    Behind {
        /// Where the log is kept.
        location: String,
        /// `last entry` or `vote`.
        what: &'static str,
        /// What was found at open.
        found: String,
        /// What the fence says.
        fence: String,
    },
    /// A write or an fsync failed. What reached the disk is unknown, so nothing more is written.
    #[error(
        "the log in {location} has stopped: {cause}; restart this frontend once the disk works"
    )]
    Stopped {
        /// Where the log is kept.
        location: String,
        /// The first failure.
        cause: DeviceError,
    },
    /// The log was closed.
    #[error("the log in {location} is closed")]
    Closed {
        /// Where the log is kept.
        location: String,
    },
    /// An entry does not follow the last one.
    #[error("entry {found} was appended to the log where {expected} is next")]
    Gap {
        /// The index that is next.
        expected: u64,
        /// The index of the entry.
        found: u64,
    },
    /// The log holds no such entry, or another one at its index.
    #[error("entry {0} is not in the log")]
    NoSuchEntry(LogId),
    /// The log was truncated again and again while a range was read.
    #[error("the log changed {0} times while it was read")]
    Unstable(u32),
    /// The writer's thread could not be started.
    #[error("start the log's writer: {0}")]
    Thread(String),
    /// The device under the log failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl LogError {
    /// What kind of trouble it is; none for a misuse of the log.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Damaged { .. }
            | Self::DamagedRecord { .. }
            | Self::DamagedFence { .. }
            | Self::Behind { .. } => Some(Trouble::Damage),
            Self::Stopped { cause, .. } | Self::Device(cause) => Some(cause.trouble()),
            Self::Closed { .. }
            | Self::Gap { .. }
            | Self::NoSuchEntry(_)
            | Self::Unstable(_)
            | Self::Thread(_) => None,
        }
    }
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        let full = error.trouble() == Some(Trouble::Full);
        let kind = if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
        Self::new(kind, error)
    }
}
