//! The state database: an ordered map of bytes, changed by whole batches.
//!
//! A commit is atomic and visible at once, but not fsynced: power loss may take the latest commits
//! back, never one without all after it. The log replays them. [`StateStore::flush`] and
//! [`StateStore::checkpoint`] make what is committed durable.

mod generations;
mod memory;
mod rocks;
mod snapshot;
#[cfg(test)]
mod tests;

pub use generations::Generations;
pub use memory::MemoryState;
pub use rocks::{RocksState, RocksStateOptions};

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::Trouble;
use crate::types::{Range, Scan, View, ViewError};

/// Pairs that one step of a removal takes, where a store has no better way.
const REMOVE_ROWS: usize = 1024;
const REMOVE_BYTES: usize = 1 << 20;

/// What one commit changes: a new value, or `None` to remove the key.
pub type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// Keeps the state. Calls block on disk: never from an async thread.
pub trait StateStore: Send + Sync + 'static {
    /// The state as of the last commit.
    fn view(&self) -> Arc<dyn View>;

    /// Makes all the changes at once; a view taken afterwards sees them. Commits to a key come from
    /// one caller at a time.
    ///
    /// # Errors
    /// When storage failed. Whether the changes were made is then unknown: stop.
    fn commit(&self, writes: Writes) -> Result<(), StateError>;

    /// Removes the pairs in `low <= key < high`, as a commit of its own. It may come beside commits
    /// by others, if nobody else changes these keys.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn remove(&self, low: &[u8], high: &[u8]) -> Result<(), StateError> {
        let view = self.view();
        let mut low = Bytes::copy_from_slice(low);
        loop {
            let range = Range { low: &low, high, reverse: false };
            let scan = view.scan(range, REMOVE_ROWS, REMOVE_BYTES);
            let Scan { pairs, done } = scan.map_err(|error| StateError::unreadable(&error))?;
            let Some((last, _)) = pairs.last() else { return Ok(()) };
            low = [&last[..], &[0]].concat().into();
            self.commit(pairs.into_iter().map(|(key, _)| (key, None)).collect())?;
            if done {
                return Ok(());
            }
        }
    }

    /// Makes everything that is committed durable.
    ///
    /// # Errors
    /// When storage failed.
    fn flush(&self) -> Result<(), StateError>;

    /// Writes the state as of now into a new directory `dir`, durably, from which the same kind of
    /// store can be opened. Shares files with the store where it can, so both should be on one
    /// disk.
    ///
    /// # Errors
    /// When `dir` exists, or storage failed.
    fn checkpoint(&self, dir: &Path) -> Result<(), StateError>;
}

/// The state could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Storage failed.
    #[error("the state in {path}: {reason}; restart this frontend once the disk works")]
    Failed {
        /// Where the state is kept.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// No space is left.
    #[error("no space left for the state in {path}: {reason}; make room on that disk")]
    Full {
        /// Where the state is kept.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// What is kept is not what was written.
    #[error("the state in {path} is damaged: {reason}; {HEAL}")]
    Damaged {
        /// Where the state is kept.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// The cure for a damaged state. It follows from snapshot and log, so nothing is lost with it.
const HEAL: &str = "stop this frontend, remove that directory and start again: the state is made \
    anew from the newest snapshot and the log";

impl StateError {
    pub(super) fn from_io(path: &Path, error: &io::Error) -> Self {
        Self::new(path, error.to_string(), Trouble::of_io(error))
    }

    pub(super) fn from_rocks(path: &Path, error: &rocksdb::Error) -> Self {
        Self::new(path, error.to_string(), Trouble::of_rocks(error))
    }

    fn unreadable(error: &ViewError) -> Self {
        Self::Failed { path: "its store".to_owned(), reason: error.to_string() }
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

/// Takes pairs off the front of a range as [`View::scan`] promises it.
fn portion(
    pairs: impl Iterator<Item = Result<(Bytes, Bytes), ViewError>>,
    rows_max: usize,
    bytes_max: usize,
) -> Result<Scan, ViewError> {
    let mut found = Vec::new();
    let mut bytes = 0usize;
    for pair in pairs {
        let (key, value) = pair?;
        bytes = bytes.saturating_add(key.len() + value.len());
        if found.len() == rows_max || (bytes > bytes_max && !found.is_empty()) {
            return Ok(Scan { pairs: found, done: false });
        }
        found.push((key, value));
    }
    Ok(Scan { pairs: found, done: true })
}

/// Whether a range cannot hold a key. RocksDB must not be asked for one.
fn is_void(range: &Range<'_>) -> bool {
    range.low >= range.high
}
