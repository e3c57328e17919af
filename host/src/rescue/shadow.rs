//! A module tried in the shadow of the active one, on a frontend that runs.
//!
//! ```text
//! snapshot ── catch up ──> copy A ── the log, with the active module ──> outcomes, digests, costs
//!                            │
//!                            └─ copy B ── activate, migrate ── the same commands ──> compared
//! ```
//!
//! The copies share the snapshot's table files by hard links and lie in a folder of their own. It
//! goes when the run ends, or at the next start. Nothing of it reaches the log or the state, and
//! nobody waits for it: it runs on a thread of its own with the lowest priority, one at a time.
//!
//! What is compared is what the log holds since the active module was activated, so that all of it
//! was meant for that module, and no more than was asked for. Digests are stored of the newest
//! entries only. Where there is nothing to replay, the present state is migrated and checked.

mod base;
mod gauge;
mod judge;
mod report;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::RescueError;
use crate::machine::{LoadError, Machine, ShadowEnd};
use crate::runtime::{Fault, give_way};
use crate::storage::snapshots::Snapshots;
use crate::storage::{Log, SnapshotError, StateError};
use crate::types::{ModuleDigest, ViewError};

pub use report::{Remark, Report, Weight};

/// Entries that are replayed unless more or fewer are asked for.
pub const ENTRIES_DEFAULT: u64 = 10_000;
/// Most entries that can be asked for; more are as good as this many.
pub const ENTRIES_MAX: u64 = 1_000_000;
/// Stack for applying, as a frontend's apply thread has it.
const STACK_BYTES: usize = 16 << 20;
/// The lowest priority there is.
const NICENESS: i32 = 19;

/// Shadow runs of one frontend. Cheap to clone.
#[derive(Clone)]
pub struct Shadows {
    parts: Parts,
    turn: Arc<Semaphore>,
}

/// What runs are made of.
#[derive(Clone)]
struct Parts {
    machine: Machine,
    log: Log,
    snapshots: Arc<dyn Snapshots>,
    /// For the copies; there only while there are any.
    folder: PathBuf,
    /// Compiled modules.
    modules: PathBuf,
}

/// Why a module could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// Another one is being tried.
    #[error("a module is being checked on this frontend, one at a time can be: wait for it")]
    Busy,
    /// Nobody waits for it any more.
    #[error("the check was interrupted; nothing was changed")]
    Stopped,
    /// The time is up.
    #[error(
        "the check takes longer than the statement may; raise query_timeout, or set a lower LIMIT"
    )]
    Deadline,
    /// Nothing was applied yet.
    #[error("this frontend has applied nothing yet")]
    Nothing,
    /// The log was purged under it.
    #[error("LSN {0} was purged from the log meanwhile; check again")]
    Purged(u64),
    /// The thread ended by a defect.
    #[error("the check hit a defect of this frontend")]
    Defect,
    /// The module cannot be made ready.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A part of it could not be done.
    #[error(transparent)]
    Rescue(#[from] RescueError),
    /// The module runtime could not go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<ViewError> for ShadowError {
    fn from(error: ViewError) -> Self {
        Self::Rescue(error.into())
    }
}

impl From<StateError> for ShadowError {
    fn from(error: StateError) -> Self {
        Self::Rescue(error.into())
    }
}

impl From<SnapshotError> for ShadowError {
    fn from(error: SnapshotError) -> Self {
        Self::Rescue(error.into())
    }
}

impl From<ShadowEnd> for ShadowError {
    fn from(end: ShadowEnd) -> Self {
        match end {
            ShadowEnd::Refused(message) => Self::Rescue(RescueError::Refused(message)),
            ShadowEnd::Stopped => Self::Stopped,
            ShadowEnd::Fault(fault) => Self::Fault(fault),
            ShadowEnd::State(error) => error.into(),
        }
    }
}

/// What a run is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ShadowOptions {
    /// The module, which is installed.
    pub module: ModuleDigest,
    /// How many of the newest entries are replayed at most.
    pub entries: u64,
    /// When it ends at the latest.
    pub deadline: Instant,
}

/// Until when a run goes on.
struct Bounds {
    deadline: Instant,
    stop: Arc<AtomicBool>,
}

impl Bounds {
    /// Whether it is still wanted.
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.deadline
    }

    fn check(&self) -> Result<(), ShadowError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(ShadowError::Stopped);
        }
        if Instant::now() >= self.deadline { Err(ShadowError::Deadline) } else { Ok(()) }
    }
}

/// A run under way. Dropping it ends the run, and what it has on disk goes soon after.
pub struct ShadowRun {
    done: oneshot::Receiver<Result<Report, ShadowError>>,
    stop: Arc<AtomicBool>,
}

impl Drop for ShadowRun {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl ShadowRun {
    /// Waits for its end.
    ///
    /// # Errors
    /// When the module could not be tried. That it was tried and found wanting is no error.
    pub async fn report(mut self) -> Result<Report, ShadowError> {
        (&mut self.done).await.unwrap_or(Err(ShadowError::Defect))
    }
}

impl Shadows {
    /// Those of a frontend, with `folder` for copies and `modules` for what is compiled. Copies
    /// that an earlier process left are removed.
    pub fn new(
        machine: Machine,
        log: Log,
        snapshots: Arc<dyn Snapshots>,
        folder: &Path,
        modules: &Path,
    ) -> Self {
        if folder.exists()
            && let Err(error) = std::fs::remove_dir_all(folder)
        {
            tracing::warn!("remove {}: {error}", folder.display());
        }
        let (folder, modules) = (folder.to_owned(), modules.to_owned());
        let parts = Parts { machine, log, snapshots, folder, modules };
        Self { parts, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Begins to try a module.
    ///
    /// # Errors
    /// When another one is being tried, or the system gives no thread.
    pub fn begin(&self, options: ShadowOptions) -> Result<ShadowRun, ShadowError> {
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| ShadowError::Busy)?;
        let (sender, done) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let bounds = Bounds { deadline: options.deadline, stop: Arc::clone(&stop) };
        let parts = self.parts.clone();
        let work = move || {
            give_way(NICENESS);
            let done = parts.run_in_place(options, bounds, turn);
            // Whoever has gone needs no answer.
            let _ = sender.send(done);
        };
        let thread = std::thread::Builder::new().name("shadow".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(work).map_err(RescueError::Thread)?;
        Ok(ShadowRun { done, stop })
    }
}

impl Parts {
    /// Runs with a folder that is gone afterwards, before the next run can begin.
    fn run_in_place(
        &self,
        options: ShadowOptions,
        bounds: Bounds,
        _turn: OwnedSemaphorePermit,
    ) -> Result<Report, ShadowError> {
        let failed = |source| RescueError::Unwritable { path: self.folder.clone(), source };
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).map_err(failed)?;
        }
        std::fs::create_dir(&self.folder).map_err(failed)?;
        let done = run::run(self, options, bounds);
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!("remove {}: {error}", self.folder.display());
        }
        done
    }
}
