//! A file that takes up room for nothing, so that it can be given back when the disk is full.
//!
//! What must still be written then (a vote, a membership, the mark of a purge) is small, and the
//! room that the ballast held is enough for it. The file is really allocated, not sparse.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::storage::sync_directory;

/// Unit of `st_blocks`, whatever the disk's own blocks are.
const STAT_BLOCK_BYTES: u64 = 512;

/// The ballast of one data directory.
#[derive(Debug, Clone)]
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// A file named `ballast` in `directory`. With 0 bytes there is none.
    pub fn new(directory: &Path, bytes: u64) -> Self {
        Self { path: directory.join("ballast"), bytes }
    }

    /// Its size in bytes when it is in place.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the disk that it takes up now.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn held(&self) -> io::Result<u64> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(found.blocks() * STAT_BLOCK_BYTES),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Whether it is in place.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_in_place(&self) -> io::Result<bool> {
        Ok(self.held()? >= self.bytes)
    }

    /// Puts it in place. What a crash or a full disk left of it is replaced.
    ///
    /// # Errors
    /// When there is no room, or the system cannot allocate; then nothing is left behind.
    pub fn put(&self) -> io::Result<()> {
        if self.is_in_place()? {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path)?;
        let allocated = fallocate(&file, FallocateFlags::empty(), 0, self.bytes)
            .map_err(io::Error::from)
            .and_then(|()| file.sync_all());
        if let Err(error) = allocated {
            self.release()?;
            return Err(error);
        }
        Ok(())
    }

    /// Gives its room back.
    ///
    /// # Errors
    /// When the system does not remove it.
    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.path.parent().map_or(Ok(()), sync_directory)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ballast_that_cannot_be_allocated_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path(), 1 << 60);
        assert!(ballast.put().is_err());
        assert_eq!(ballast.held().unwrap(), 0);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn it_takes_up_its_size_until_it_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(dir.path(), 1 << 20);
        // What an earlier, smaller one left counts for nothing.
        fs::write(dir.path().join("ballast"), "x").unwrap();
        assert!(!ballast.is_in_place().unwrap());
        ballast.put().unwrap();
        assert!(ballast.held().unwrap() >= 1 << 20);
        ballast.put().unwrap();
        ballast.release().unwrap();
        ballast.release().unwrap();
        assert_eq!(ballast.held().unwrap(), 0);
        Ballast::new(dir.path(), 0).put().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
