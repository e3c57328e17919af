//! A data directory at rest that is read and left as it is.
//!
//! Opening a database writes to it: it moves its log, renames its messages, removes what is not
//! wanted any more. So whoever must not change anything works on a copy. Table files never change
//! once they are written and are shared by hard links, if the copy is on the same disk; the rest is
//! copied. While the directory is held no frontend can start on it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{DirectoryError, lock};

/// What a copy does not need: locks, messages of RocksDB, room for emergencies, what was never
/// finished, copies for shadow runs, and compiled modules, which are better compiled again.
const NOT_COPIED: [&str; 8] =
    ["lock", "LOCK", "LOG", "ballast", "modules", "restoring", "rebuilding", "shadow"];
const NOT_COPIED_PREFIXES: [&str; 4] = ["LOG.old.", "incoming-", "tmp-", super::aside::PREFIX];
/// Files that never change.
const SHARED: &str = ".sst";

/// A data directory that nobody can change while this is held.
#[derive(Debug)]
pub struct HeldDirectory {
    path: PathBuf,
    _lock: Option<File>,
}

impl HeldDirectory {
    /// Holds a directory. Nothing in it is changed.
    ///
    /// # Errors
    /// When a frontend runs on it, it is no data directory, or it cannot be read.
    pub fn hold(path: &Path) -> Result<Self, DirectoryError> {
        let format = path.join("format");
        fs::metadata(&format)
            .map_err(|source| DirectoryError::Unreadable { path: format.clone(), source })?;
        let lock = lock::share(&path.join("lock"), path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Copies it to a place that does not exist.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn copy_to(&self, target: &Path) -> Result<(), DirectoryError> {
        copy(&self.path, target)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: from.to_owned(), source };
    fs::create_dir(to).map_err(|error| DirectoryError::unwritable(to, error))?;
    for entry in fs::read_dir(from).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if NOT_COPIED.contains(&&*text)
            || NOT_COPIED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if entry.file_type().map_err(unreadable)?.is_dir() {
            copy(&source, &target)?;
        } else {
            let linked = text.ends_with(SHARED) && fs::hard_link(&source, &target).is_ok();
            if !linked {
                copy_file(&source, &target)?;
            }
        }
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Path) -> Result<(), DirectoryError> {
    let mut from = File::open(source)
        .map_err(|error| DirectoryError::Unreadable { path: source.to_owned(), source: error })?;
    let copied = File::create(target).and_then(|mut to| io::copy(&mut from, &mut to));
    copied.map(drop).map_err(|error| DirectoryError::unwritable(target, error))
}
