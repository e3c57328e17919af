//! A state is put aside, and another one in its place.
//!
//! ```text
//! rebuilding/       the state to come, if there is one: complete with its pointer, `current`
//! diverged-<lsn>/   what was put aside: snapshots first, then `state`, which is the commit point
//! ```
//!
//! A crash before the commit point leaves the old state in force, and putting aside begins again.
//! A crash after it is mended when the directory is opened: the state to come takes its place.
//! Without one there is no state, which is then made anew from the newest snapshot and the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{DataDirectory, DirectoryError, Lines, write_lines};
use crate::storage::folder::{names, remove};
use crate::storage::sync_directory;

/// What the names of folders begin with that hold what was put aside.
pub(super) const PREFIX: &str = "diverged-";
const REBUILDING: &str = "rebuilding";
const STATE: &str = "state";
/// The pointer to the state in force, its key, and where a first one is.
const CURRENT: &str = "current";
const NUMBER: &str = "number";
const FIRST: &str = "gen-1";

/// What is being put aside of a directory that nobody else has open.
pub struct Aside<'a> {
    directory: &'a DataDirectory,
    place: PathBuf,
}

impl<'a> Aside<'a> {
    /// Begins, or goes on with what did not come to its commit point. `lsn` names the place.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin(directory: &'a DataDirectory, lsn: u64) -> Result<Self, DirectoryError> {
        let places = (1_u64..).map(|number| match number {
            1 => directory.path.join(format!("{PREFIX}{lsn}")),
            more => directory.path.join(format!("{PREFIX}{lsn}-{more}")),
        });
        let place = places.into_iter().find(|place| !place.join(STATE).exists());
        let place = place.expect("a disk holds no endless number of folders");
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(DirectoryError::unwritable(&place, error));
            }
            _ => {}
        }
        let aside = Self { directory, place };
        aside.sync(&directory.path)?;
        Ok(aside)
    }

    /// Where it goes.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// An empty folder for the files of the state to come.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn prepare(&self) -> Result<PathBuf, DirectoryError> {
        let rebuilding = self.directory.path.join(REBUILDING);
        let folder = rebuilding.join(FIRST);
        remove(&rebuilding)
            .and_then(|()| fs::create_dir_all(&folder))
            .map_err(|error| DirectoryError::unwritable(&folder, error))?;
        Ok(folder)
    }

    /// Everything in the folder is there, and durable: from now on it may take its place.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn prepared(&self) -> Result<(), DirectoryError> {
        let rebuilding = self.directory.path.join(REBUILDING);
        write_lines(&rebuilding, CURRENT, &Lines::new([(NUMBER, "1".to_owned())]))?;
        self.sync(&self.directory.path)
    }

    /// Moves the snapshots away that are not to be `kept`, then the state, and puts the one to come
    /// in its place, if there is one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn commit(self, kept: impl Fn(&str) -> bool) -> Result<(), DirectoryError> {
        let snapshots = self.directory.snapshots();
        let unreadable = |source| DirectoryError::Unreadable { path: snapshots.clone(), source };
        for name in names(&snapshots).map_err(unreadable)? {
            if !kept(&name) {
                self.take(&snapshots.join(&name), &self.place.join(&name))?;
            }
        }
        self.sync(&snapshots)?;
        self.sync(&self.place)?;
        self.take(&self.directory.state(), &self.place.join(STATE))?;
        self.sync(&self.place)?;
        self.sync(&self.directory.path)?;
        finish(&self.directory.path)
    }

    fn take(&self, from: &Path, to: &Path) -> Result<(), DirectoryError> {
        fs::rename(from, to).map_err(|error| DirectoryError::unwritable(to, error))
    }

    fn sync(&self, path: &Path) -> Result<(), DirectoryError> {
        sync_directory(path).map_err(|error| DirectoryError::unwritable(path, error))
    }
}

/// Puts a state that was to come in its place, if that is empty.
pub(super) fn finish(path: &Path) -> Result<(), DirectoryError> {
    let (rebuilding, state) = (path.join(REBUILDING), path.join(STATE));
    if state.exists() || !rebuilding.join(CURRENT).exists() {
        return Ok(());
    }
    fs::rename(&rebuilding, &state)
        .and_then(|()| sync_directory(path))
        .map_err(|error| DirectoryError::unwritable(&state, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A directory with a state and two snapshots, of which one is to stay.
    fn directory(path: &Path) -> DataDirectory {
        let directory = DataDirectory::open(path).unwrap();
        fs::write(directory.state().join("old"), "").unwrap();
        for name in ["snap-5-1-1", "snap-9-1-1"] {
            fs::create_dir(directory.snapshots().join(name)).unwrap();
        }
        directory
    }

    #[test]
    fn what_is_put_aside_is_kept_and_a_second_time_has_a_place_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let meta = place.path().join("meta");
        for (time, name) in ["diverged-9", "diverged-9-2"].iter().enumerate() {
            let directory = match time {
                0 => directory(&meta),
                _ => DataDirectory::open(&meta).unwrap(),
            };
            let aside = Aside::begin(&directory, 9).unwrap();
            assert_eq!(aside.place(), meta.join(name));
            aside.commit(|name| name == "snap-5-1-1").unwrap();
            assert!(meta.join(name).join("state").exists());
        }
        assert!(meta.join("diverged-9/state/old").exists());
        assert!(meta.join("diverged-9/snap-9-1-1").exists());
        assert_eq!(names(&meta.join("snapshots")).unwrap(), ["snap-5-1-1"]);
    }

    #[test]
    fn a_prepared_state_takes_the_place_also_after_a_crash_and_an_unfinished_one_never_does() {
        let place = tempfile::tempdir().unwrap();
        let meta = place.path().join("meta");
        let opened = directory(&meta);
        let aside = Aside::begin(&opened, 9).unwrap();
        fs::write(aside.prepare().unwrap().join("half"), "").unwrap();
        // Begun anew: nothing of the first attempt is left.
        let folder = aside.prepare().unwrap();
        assert!(!folder.join("half").exists());
        fs::write(folder.join("new"), "").unwrap();
        drop(opened);
        drop(DataDirectory::open(&meta).unwrap());
        assert!(meta.join("state/old").exists(), "it is not complete");

        let opened = DataDirectory::open(&meta).unwrap();
        let aside = Aside::begin(&opened, 9).unwrap();
        aside.prepared().unwrap();
        // As a crash leaves it right after the commit point.
        fs::rename(meta.join("state"), aside.place().join("state")).unwrap();
        drop(opened);
        drop(DataDirectory::open(&meta).unwrap());
        assert!(meta.join("state/gen-1/new").exists() && meta.join("state/current").exists());
        assert!(meta.join("diverged-9/state/old").exists());
    }
}
