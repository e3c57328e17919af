//! How much room the disk has left, and the ballast that is thrown off when it has none.
//!
//! RocksDB does not recover from a full disk without a restart, and openraft ends on any storage
//! error, so a frontend must stop taking writes before. There is no thread here: whoever admits
//! writes asks from time to time.

use std::io;
use std::path::{Path, PathBuf};

mod ballast;

pub use ballast::Ballast;

/// Where room begins to be short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Below this many bytes, or below [`low_percent`](Self::low_percent) if that is more, clients'
    /// writes are refused.
    pub low_bytes: u64,
    /// Share of the disk, in percent.
    pub low_percent: u64,
    /// Below this many bytes nothing that can wait should be written: what is left is for votes,
    /// membership and purging.
    pub critical_bytes: u64,
}

/// Share of the disk that counts as low, in percent, if it is more than the bytes set.
const LOW_PERCENT: u64 = 5;
/// The part of the low mark that is the critical one.
const CRITICAL_PART: u64 = 4;

impl Watermarks {
    /// Low below these bytes or 5 % of the disk, whichever is more; critical below a quarter of the
    /// bytes.
    pub fn new(low_bytes: u64) -> Self {
        Self { low_bytes, low_percent: LOW_PERCENT, critical_bytes: low_bytes / CRITICAL_PART }
    }
}

impl Default for Watermarks {
    /// Low below 512 MiB, critical below 128 MiB.
    fn default() -> Self {
        Self::new(512 << 20)
    }
}

/// How short room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Enough.
    Ample,
    /// Refuse clients' writes; purge.
    Low,
    /// Write only what frees room or keeps the cluster together.
    Critical,
}

/// What a look at the disk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Size of the disk in bytes.
    pub total_bytes: u64,
    /// Free bytes below which room is low.
    pub low_bytes: u64,
    /// By the watermarks.
    pub level: Level,
}

/// Looks after one disk.
#[derive(Debug, Clone)]
pub struct Space {
    path: PathBuf,
    watermarks: Watermarks,
}

impl Space {
    /// For the disk that `path` is on.
    pub fn new(path: &Path, watermarks: Watermarks) -> Self {
        Self { path: path.to_owned(), watermarks }
    }

    /// Changes where room begins to be short.
    pub fn set_watermarks(&mut self, watermarks: Watermarks) {
        self.watermarks = watermarks;
    }

    /// Looks. Does not block but for the system call.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn check(&self) -> Result<Room, SpaceError> {
        let found = rustix::fs::statvfs(self.path.as_path()).map_err(|error| SpaceError {
            path: self.path.display().to_string(),
            source: error.into(),
        })?;
        let free_bytes = found.f_bavail.saturating_mul(found.f_frsize);
        let total_bytes = found.f_blocks.saturating_mul(found.f_frsize);
        let level = self.watermarks.level(free_bytes, total_bytes);
        let low_bytes = self.watermarks.low(total_bytes);
        Ok(Room { free_bytes, total_bytes, low_bytes, level })
    }
}

impl Watermarks {
    fn low(&self, total_bytes: u64) -> u64 {
        self.low_bytes.max(total_bytes / 100 * self.low_percent)
    }

    fn level(&self, free_bytes: u64, total_bytes: u64) -> Level {
        if free_bytes < self.critical_bytes {
            Level::Critical
        } else if free_bytes < self.low(total_bytes) {
            Level::Low
        } else {
            Level::Ample
        }
    }
}

/// The system does not tell how much room there is.
#[derive(Debug, thiserror::Error)]
#[error("free space of {path}: {source}")]
pub struct SpaceError {
    /// What was asked about.
    path: String,
    source: io::Error,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_larger_of_bytes_and_percent_counts_as_low() {
        let marks = Watermarks::default();
        assert_eq!(marks.level(511 << 20, 4 * GIB), Level::Low);
        assert_eq!(marks.level(512 << 20, 4 * GIB), Level::Ample);
        assert_eq!(marks.level(4 * GIB, 100 * GIB), Level::Low);
        assert_eq!(marks.level(5 * GIB, 100 * GIB), Level::Ample);
        assert_eq!(marks.level(127 << 20, 100 * GIB), Level::Critical);
    }

    #[test]
    fn the_watermarks_decide_about_a_real_disk() {
        let dir = tempfile::tempdir().unwrap();
        let none = Watermarks { low_bytes: 0, low_percent: 0, critical_bytes: 0 };
        let room = Space::new(dir.path(), none).check().unwrap();
        assert_eq!(room.level, Level::Ample);
        assert!(room.free_bytes <= room.total_bytes && room.total_bytes > 0);
        let all = Watermarks { critical_bytes: u64::MAX, ..none };
        assert_eq!(Space::new(dir.path(), all).check().unwrap().level, Level::Critical);
    }

    #[test]
    fn a_missing_path_is_named() {
        let error = Space::new(Path::new("/no/such/disk"), Watermarks::default()).check();
        assert!(error.unwrap_err().to_string().contains("/no/such/disk"));
    }
}
