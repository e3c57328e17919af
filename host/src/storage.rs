//! What a frontend keeps on disk: the log, the state, and the directory that holds both.
//!
//! Two RocksDB databases with opposite needs. The [`log`] is written by one thread and fsynced for
//! every group of operations; an acknowledged entry or vote survives power loss. The [`state`] is
//! never fsynced on its own: it follows from the log, and a crash replays what it lost. What keeps
//! the two consistent is one rule, and the caller's duty: *no state is committed before the log
//! entries it comes from are durable here* ([`log::Log::wait_durable`]).
//!
//! [`snapshots`] are the state as of one LSN in a directory of its own: what the log up to there
//! may be given up for, and what a frontend gets that is too far behind.
//!
//! All sit behind a trait ([`log::LogDevice`], [`state::StateStore`], [`snapshots::Snapshots`])
//! with a twin in memory that has the same behaviour and a crash that a test decides on, so whole
//! clusters run in one process.
//!
//! Every stored record carries a version and a checksum of our own, taken over its key too, so a
//! record that a disk, a cache or a bug put in the wrong place is as damaged as one with a flipped
//! bit. A damaged record is an error that names it; it is never served.

pub mod crash;
pub mod directory;
mod folder;
pub mod log;
mod record;
pub mod snapshots;
pub mod space;
pub mod state;
mod trouble;

pub use directory::{Aside, DataDirectory, DirectoryError, HeldDirectory, Identity, PidFile};
pub use log::{Log, LogError, LogOptions, RocksLogDevice};
pub use record::Damage;
pub use snapshots::{DirectorySnapshots, SnapshotError, Snapshots, StateMark};
pub use space::{Ballast, Level, Room, Space, SpaceError, Watermarks};
pub use state::{Generations, RocksState, RocksStateOptions, StateError, StateStore};
pub use trouble::Trouble;

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes creations, renames and removals in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
