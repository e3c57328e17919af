//! How snapshots fail.

use std::io;
use std::path::Path;

use crate::storage::state::StateError;
use crate::types::ViewError;

/// A snapshot could not be made, received or installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Something else of the kind is under way.
    #[error("a snapshot is {0} already; try again when that is done")]
    Busy(&'static str),
    /// There is nothing to take a snapshot of.
    #[error("nothing was applied yet, so there is nothing to take a snapshot of")]
    Empty,
    /// The disk failed.
    #[error("the snapshot in {path}: {reason}; make sure that the disk works and has room")]
    Failed {
        /// What was read or written.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// Other bytes than were written.
    #[error(
        "the snapshot in {path} is damaged: {reason}; it is of no use any more: make a new one with \
         ALTER SYSTEM CREATE IMAGE, on this frontend or on the one that it came from"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// What is asked of it cannot be done with it.
    #[error("the snapshot is refused: {0}")]
    Refused(String),
    /// There is no room for it.
    #[error("a snapshot needs {needed} bytes in {path}, {free} are free; make room on that disk")]
    NoRoom {
        /// Where it was to go.
        path: String,
        /// What it takes, with what must stay free.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl SnapshotError {
    pub(super) fn from_io(path: &Path, error: &io::Error) -> Self {
        Self::Failed { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.display().to_string(), reason: reason.into() }
    }
}

impl From<SnapshotError> for io::Error {
    fn from(error: SnapshotError) -> Self {
        Self::other(error)
    }
}
