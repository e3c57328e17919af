//! Files that a process keeps locked while it runs, with its id in them. The lock is the truth: it
//! goes with the process, however that ends, while the file stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::DirectoryError;

/// Takes the lock, and writes this process's id into the file. `what` is what the file stands for.
pub(super) fn take(file: &Path, what: &Path) -> Result<File, DirectoryError> {
    let unwritable = |e| DirectoryError::unwritable(file, e);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)
        .map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message.
            let _ = lock.read_to_string(&mut holder);
            let holder = holder.trim().to_owned();
            return Err(DirectoryError::InUse { path: what.to_owned(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(unwritable(e)),
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(unwritable)?;
    Ok(lock)
}

/// Keeps others from taking a lock, without writing to its file; beside others who do the same.
/// Nobody can, where there is no file yet.
pub(super) fn share(file: &Path, what: &Path) -> Result<Option<File>, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: file.to_owned(), source };
    let mut lock = match File::open(file) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message.
            let _ = lock.read_to_string(&mut holder);
            let holder = holder.trim().to_owned();
            Err(DirectoryError::InUse { path: what.to_owned(), holder })
        }
        Err(TryLockError::Error(error)) => Err(unreadable(error)),
    }
}

/// The process that holds a lock, if one does.
///
/// # Errors
/// When the file is there and cannot be read.
pub(super) fn holder(file: &Path) -> io::Result<Option<u32>> {
    let mut text = String::new();
    let mut lock = match File::open(file) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    lock.read_to_string(&mut text)?;
    let Some(process) = text.trim().parse::<u32>().ok() else { return Ok(None) };
    // The lock of a dead process is not even tried: a process that starts could take that for use.
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    if pid.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
        return Ok(None);
    }
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(process)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A file that tells which process runs, for scripts and supervisors. Removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _lock: File,
}

impl PidFile {
    /// Writes `fe.pid` in a folder, which is made if it is absent.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn write(folder: &Path) -> Result<Self, DirectoryError> {
        std::fs::create_dir_all(folder).map_err(|e| DirectoryError::unwritable(folder, e))?;
        let path = folder.join("fe.pid");
        let lock = take(&path, &path)?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // What stays behind is not locked, and so tells nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}
