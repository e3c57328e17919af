//! Snapshots: the whole state as of one LSN, in files that can be sent to another frontend.
//!
//! ```text
//!  state ── build ──> snapshot ── chunks ──> incoming ── install ──> state of another frontend
//! ```
//!
//! A snapshot lets the log before it be purged, and brings a frontend up that is too far behind.
//! [`DirectorySnapshots`] makes them as RocksDB checkpoints, whose table files are shared with the
//! state by hard links; [`MemorySnapshots`] is its twin without a disk.
//!
//! Rules:
//! - Building never holds up commits. One at a time; the newest is kept, an older one goes when
//!   nobody sends it any more.
//! - What a manifest says is read out of the snapshot itself, so it cannot speak of another state.
//! - A snapshot counts once it is complete and durable, and never when it is newer than the state.
//! - What is received is checked against the manifest, file by file. It resumes where it broke off,
//!   also after a restart.
//! - Installing is atomic: a crash leaves the old state or the new one.
//!
//! Calls block on disk, so they must not come from an async thread, unless [`Snapshots::blocks`]
//! says otherwise.

mod directory;
mod error;
mod files;
mod incoming;
mod manifest;
mod memory;
#[cfg(test)]
mod tests;

pub use directory::{DirectorySnapshots, Stored, stored, unfold};
pub use error::SnapshotError;
pub use manifest::{FILES_MAX, Manifest, SnapshotFile, StateMark};
pub use memory::MemorySnapshots;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::types::{View, ViewError};

/// Most bytes that one read of a snapshot returns.
pub const CHUNK_BYTES_MAX: usize = 512 << 10;

/// Reads out of a state what a manifest says about it. The layer that knows the state's keys has
/// one.
pub type ReadMark = fn(&dyn View) -> Result<StateMark, ViewError>;

/// A complete snapshot. Holding it keeps its files.
pub trait StoredSnapshot: Debug + Send + Sync + 'static {
    /// What it is.
    fn manifest(&self) -> &Manifest;

    /// Bytes of the manifest's file number `file` from `offset` on: at most [`CHUNK_BYTES_MAX`],
    /// at least one unless the file ends there.
    ///
    /// # Errors
    /// When the disk cannot be read, or the file is shorter than it was.
    fn read(&self, file: usize, offset: u64) -> Result<Bytes, SnapshotError>;

    /// The folder of its files, if they are on a disk.
    fn folder(&self) -> Option<&Path>;

    /// Reads all of it again and compares it with the manifest.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] names what is not as it was written.
    fn verify(&self) -> Result<(), SnapshotError>;
}

/// A snapshot that is being received. Dropping it keeps what has arrived, for the next attempt.
pub trait Incoming: Debug + Send + 'static {
    /// How many bytes of each of the manifest's files are held. A file of which all are held is
    /// known to be right, and must not be sent again.
    fn held(&self) -> &[u64];

    /// Adds bytes to a file, at the end of what is held of it.
    ///
    /// # Errors
    /// When they do not belong there, the disk fails, or the file is complete now and not what the
    /// manifest says; it then begins again at 0.
    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError>;

    /// All files are complete: makes them durable. Nothing else is received as long as the result
    /// is held, so that it can be installed.
    ///
    /// # Errors
    /// When something is missing, or the disk fails.
    fn finish(self: Box<Self>) -> Result<Arc<dyn StoredSnapshot>, SnapshotError>;
}

/// The snapshots of one frontend, and the state that they are made of and installed to.
pub trait Snapshots: Send + Sync + 'static {
    /// Whether calls may wait for a disk.
    fn blocks(&self) -> bool;

    /// Makes a snapshot of the state as of now, durably, beside commits. If nothing was applied
    /// since the newest one, returns that. `created_us` is the time, in microseconds since 1970.
    ///
    /// # Errors
    /// When one is being built, nothing was ever applied, or the disk fails. The state is not
    /// affected.
    fn build(&self, created_us: u64) -> Result<Arc<dyn StoredSnapshot>, SnapshotError>;

    /// The newest one.
    fn newest(&self) -> Option<Arc<dyn StoredSnapshot>>;

    /// Begins to receive a snapshot, or goes on with it. What was received of another one is given
    /// up, except files that both have.
    ///
    /// # Errors
    /// When one is being received, there is no room for it, the manifest is not acceptable, or the
    /// disk fails.
    fn receive(&self, manifest: Manifest) -> Result<Box<dyn Incoming>, SnapshotError>;

    /// Puts a snapshot that was received in the place of the state, durably; it is then the newest
    /// one. Views of the old state stay readable. The caller sees to it that nothing is committed
    /// meanwhile and that the log's removals are durable, and has the machine read the state anew.
    ///
    /// # Errors
    /// When it was not received here, does not hold what its manifest says, or the disk fails.
    fn install(&self, received: &dyn StoredSnapshot) -> Result<(), SnapshotError>;
}
