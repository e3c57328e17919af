//! What kind of trouble storage is in. It decides who has to act, and so how the process ends.

use std::io;

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Reading, writing or an fsync failed: a restart helps once the disk works.
    Disk,
    /// No room is left: a restart helps once there is some.
    Full,
    /// What is on disk is not what was written, or is gone: a restart never helps.
    Damage,
}

impl Trouble {
    /// Of what the system says.
    pub(super) fn of_io(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull { Self::Full } else { Self::Disk }
    }

    /// Of what RocksDB says.
    pub(super) fn of_rocks(error: &rocksdb::Error) -> Self {
        // RocksDB's binding hands on the text alone; this is strerror(ENOSPC).
        if error.as_ref().contains("No space left on device") {
            Self::Full
        } else if error.kind() == rocksdb::ErrorKind::Corruption {
            Self::Damage
        } else {
            Self::Disk
        }
    }
}
