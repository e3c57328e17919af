//! The state in numbered directories, of which one is in force.
//!
//! ```text
//! current    which one: replaced as a whole, durably; this is the moment an installation counts
//! gen-<n>/   a state database
//! ```
//!
//! A snapshot is installed by preparing the next directory beside the one in force. A crash leaves
//! the old one or the new one in force, and the other is removed at open. Whoever still reads a
//! view of the old one keeps it open; its directory goes with the last of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::storage::crash::crash_point;
use crate::storage::directory::{DirectoryError, Lines, read_lines, write_lines};
use crate::storage::folder::{names, remove};
use crate::storage::sync_directory;
use crate::types::View;

use super::rocks::Failures;
use super::{RocksState, RocksStateOptions, StateError, StateStore, Writes};

/// The pointer file, and its one key.
const CURRENT: &str = "current";
const NUMBER: &str = "number";
const PREFIX: &str = "gen-";
/// The first one.
const FIRST: u64 = 1;

/// A state store whose database can be replaced while it is read.
pub struct Generations {
    path: PathBuf,
    options: RocksStateOptions,
    current: ArcSwap<Numbered>,
    /// Of all of them.
    failure: Arc<Failures>,
}

struct Numbered {
    number: u64,
    state: RocksState,
}

/// The place of the next state, and a state in it once it is filled.
pub(in crate::storage) struct Staged {
    number: u64,
    path: PathBuf,
}

impl Staged {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Generations {
    /// Opens the state in force, and creates the first one when there is none. What an
    /// installation that did not finish left is removed.
    ///
    /// # Errors
    /// When the pointer is damaged, what it names is not there, or the state cannot be opened.
    pub fn open(path: &Path, options: RocksStateOptions) -> Result<Self, StateError> {
        let failed = |error: std::io::Error| StateError::from_io(path, &error);
        let failure = Arc::new(Failures::new(None));
        fs::create_dir_all(path).map_err(failed)?;
        let damaged = |reason: String| StateError::Damaged {
            path: path.join(CURRENT).display().to_string(),
            reason,
        };
        let found: Vec<_> =
            names(path).map_err(failed)?.into_iter().filter(|n| n.starts_with(PREFIX)).collect();
        let number = match read_lines(path, CURRENT).map_err(|error| pointer(path, &error))? {
            Some(lines) => {
                let number = lines.get(NUMBER).and_then(|text| text.parse().ok());
                let number = number.ok_or_else(|| damaged("it names no state".to_owned()))?;
                // None at all: it was removed because it was damaged, and is made anew.
                if !found.is_empty() && !found.contains(&name(number)) {
                    return Err(damaged(format!("{} is not there", name(number))));
                }
                number
            }
            // A crash may have come before the first pointer, never after it.
            None if found.iter().all(|found| *found == name(FIRST)) => FIRST,
            None => return Err(damaged("it is missing".to_owned())),
        };
        for other in found.iter().filter(|found| **found != name(number)) {
            remove(&path.join(other)).map_err(failed)?;
        }
        let state = RocksState::open(&path.join(name(number)), options)?;
        let state = state.reporting_with(Arc::clone(&failure));
        sync_directory(path).map_err(failed)?;
        let current = ArcSwap::from_pointee(Numbered { number, state });
        let generations = Self { path: path.to_owned(), options, current, failure };
        if !path.join(CURRENT).exists() {
            generations.point_at(number)?;
        }
        Ok(generations)
    }

    /// The first failure of any of them, once there is one. The frontend must then stop.
    pub fn failure(&self) -> watch::Receiver<Option<StateError>> {
        self.failure.subscribe()
    }

    /// The store as it is now. Whoever holds it keeps it open.
    pub(in crate::storage) fn with_current<T>(
        &self,
        read: impl FnOnce(&RocksState) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        read(&self.current.load_full().state)
    }

    /// An empty directory for the next state.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(in crate::storage) fn stage(&self) -> Result<Staged, StateError> {
        let number = self.current.load().number + 1;
        let path = self.path.join(name(number));
        remove(&path)
            .and_then(|()| fs::create_dir(&path))
            .and_then(|()| sync_directory(&self.path))
            .map_err(|error| StateError::from_io(&path, &error))?;
        Ok(Staged { number, path })
    }

    /// Opens what is staged, with the options of the one in force.
    pub(in crate::storage) fn open_staged(
        &self,
        staged: &Staged,
    ) -> Result<RocksState, StateError> {
        let state = RocksState::open(staged.path(), self.options)?;
        Ok(state.reporting_with(Arc::clone(&self.failure)))
    }

    /// Puts a staged state, complete and durable, in force. The caller sees to it that nothing is
    /// committed meanwhile.
    ///
    /// # Errors
    /// When the pointer cannot be written; which state is in force after a restart is then unknown.
    pub(in crate::storage) fn adopt(
        &self,
        staged: Staged,
        state: RocksState,
    ) -> Result<(), StateError> {
        self.point_at(staged.number)?;
        crash_point("install-committed");
        let old = self.current.swap(Arc::new(Numbered { number: staged.number, state }));
        old.state.retire();
        Ok(())
    }

    fn point_at(&self, number: u64) -> Result<(), StateError> {
        let lines = Lines::new([(NUMBER, number.to_string())]);
        write_lines(&self.path, CURRENT, &lines).map_err(|error| pointer(&self.path, &error))
    }
}

fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

fn pointer(path: &Path, error: &DirectoryError) -> StateError {
    let path = path.join(CURRENT).display().to_string();
    let reason = error.to_string();
    match error {
        DirectoryError::Damaged { reason, .. } => {
            StateError::Damaged { path, reason: reason.clone() }
        }
        _ => StateError::Failed { path, reason },
    }
}

impl StateStore for Generations {
    fn view(&self) -> Arc<dyn View> {
        self.current.load().state.view()
    }

    fn commit(&self, writes: Writes) -> Result<(), StateError> {
        self.current.load().state.commit(writes)
    }

    fn remove(&self, low: &[u8], high: &[u8]) -> Result<(), StateError> {
        self.with_current(|state| state.remove(low, high))
    }

    fn flush(&self) -> Result<(), StateError> {
        self.with_current(StateStore::flush)
    }

    fn checkpoint(&self, dir: &Path) -> Result<(), StateError> {
        self.with_current(|state| state.checkpoint(dir))
    }
}
