//! A copy of a data directory, and a state beside it to which its log can be applied again.
//!
//! The state that is replayed begins as the newest snapshot that can be used, or empty where the
//! log goes back to its first entry. What the frontend had come to is in the copy, to compare with.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::error::RescueError;
use super::survey::BLOCK_CACHE_BYTES;
use crate::machine::{Applier, Machine, Standing, read_mark};
use crate::runtime::{Codegen, Runtime, RuntimeOptions};
use crate::storage::snapshots::{StoredSnapshot, stored, unfold};
use crate::storage::{
    DataDirectory, Generations, HeldDirectory, Log, LogError, LogOptions, RocksLogDevice,
    RocksState, RocksStateOptions, StateStore,
};
use crate::types::{Entry, LogId, Lsn, StateDigest};

/// Stack for applying, as a frontend's apply thread has it.
const STACK_BYTES: usize = 16 << 20;
/// Entries that are applied at once.
const RUN_ENTRIES: usize = 512;

/// What to replay, and how.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// The data directory; no frontend may run on it.
    pub meta_dir: PathBuf,
    /// Where the copy is made, for as long as it takes; beside the data directory without it.
    pub work_dir: Option<PathBuf>,
    /// How modules are run.
    pub codegen: Codegen,
    /// Set by another thread to have it end.
    pub stop: Arc<AtomicBool>,
}

/// What a replay begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing: the log is there from its first entry.
    Empty,
    /// A snapshot: its last entry, and the digest that its manifest says.
    Snapshot(LogId, StateDigest),
}

impl Base {
    /// The first LSN that can be applied to it.
    pub fn next(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Snapshot(last, _) => last.index + 1,
        }
    }
}

/// The copy.
pub(super) struct Stage {
    pub log: Log,
    /// What the frontend had come to.
    pub stored: Standing,
    /// What cannot be used of the directory, though it should be.
    pub damaged: Vec<String>,
    pub base: Base,
    state: Arc<Generations>,
    replayed: Arc<RocksState>,
    codegen: Codegen,
    stop: Arc<AtomicBool>,
    _directory: DataDirectory,
}

/// Runs `work` on a copy of a data directory, with a base that is before LSN `before`: without it,
/// before the last entry that was applied. On a thread with the stack that modules need.
pub(super) fn on_stage<T: Send>(
    options: &ReplayOptions,
    before: Option<u64>,
    work: impl FnOnce(&Stage) -> Result<T, RescueError> + Send,
) -> Result<T, RescueError> {
    let path = &options.meta_dir;
    if !path.join("format").exists() {
        return Err(RescueError::NoDirectory(path.clone()));
    }
    let held = HeldDirectory::hold(path)?;
    let place = place(options)?;
    let copy = place.path().join("copy");
    held.copy_to(&copy)?;
    drop(held);
    let staged = || {
        let stage = Stage::open(&copy, place.path(), options, before)?;
        work(&stage).map_err(|error| stage.cause(error))
    };
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("apply".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, staged).map_err(RescueError::Thread)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    done.map_err(|error| error.of_copy(&copy, path))
}

/// A folder for the copy, removed when it is dropped: beside the data directory, where its files
/// can be linked; elsewhere if nothing can be written there.
fn place(options: &ReplayOptions) -> Result<TempDir, RescueError> {
    let make = |at: &Path| tempfile::Builder::new().prefix(".quorate-replay-").tempdir_in(at);
    let made = match &options.work_dir {
        Some(work_dir) => make(work_dir).map_err(|source| (work_dir.clone(), source)),
        None => {
            let whole = options.meta_dir.canonicalize().unwrap_or_default();
            let beside = whole.parent().map(make);
            let elsewhere = std::env::temp_dir();
            let fallback = || make(&elsewhere).map_err(|source| (elsewhere.clone(), source));
            beside.and_then(Result::ok).map_or_else(fallback, Ok)
        }
    };
    made.map_err(|(path, source)| RescueError::NoPlace { path, source })
}

impl Stage {
    fn open(
        copy: &Path,
        place: &Path,
        options: &ReplayOptions,
        before: Option<u64>,
    ) -> Result<Self, RescueError> {
        let directory = DataDirectory::open(copy)?;
        if directory.identity()?.is_none() {
            return Err(RescueError::NoCluster(copy.to_owned()));
        }
        let device = RocksLogDevice::open(&directory.log(), &directory.fence())?;
        let log = Log::open(device, LogOptions::default())?;
        let rocks = RocksStateOptions { block_cache_bytes: BLOCK_CACHE_BYTES };
        let state = Arc::new(Generations::open(&directory.state(), rocks)?);
        let standing = Standing::read(state.view());
        let stored = standing.map_err(|error| cause(&state, error.into()))?;
        let last = log.positions().last;
        if stored.log_id > last {
            return Err(RescueError::StateAhead {
                path: copy.to_owned(),
                applied: super::error::show(stored.log_id),
                last: super::error::show(last),
            });
        }
        let applied = stored.log_id.ok_or(RescueError::Nothing)?;
        let (found, damaged) = usable(&directory, &applied)?;
        let place = place.join("replayed");
        let lay = |before| lay(&log, &found, before, &place, damaged.clone());
        let (base, damaged) = match before {
            Some(before) => lay(before)?,
            // Of a state that is its own newest snapshot, at least the rows can be compared.
            None => lay(applied.index).or_else(|_| lay(applied.index + 1))?,
        };
        let replayed = Arc::new(RocksState::open(&place, rocks)?);
        let (codegen, stop) = (options.codegen, Arc::clone(&options.stop));
        // Of what people know, not of the copy.
        let (from, to) = (copy.display().to_string(), options.meta_dir.display().to_string());
        let damaged = damaged.iter().map(|text| text.replace(&from, &to)).collect();
        Ok(Self {
            log,
            stored,
            damaged,
            base,
            state,
            replayed,
            codegen,
            stop,
            _directory: directory,
        })
    }

    /// The last entry that the frontend has applied.
    pub fn applied(&self) -> u64 {
        self.stored.log_id.map_or(0, |id| id.index)
    }

    /// The machine over the base, as it is before anything is replayed.
    pub fn machine(&self) -> Result<(Machine, Applier), RescueError> {
        let options = RuntimeOptions { read_slots: 1 };
        let runtime = Runtime::with_codegen(options, self.codegen).map_err(RescueError::Runtime)?;
        let (machine, applier) = Machine::open(Arc::clone(&self.replayed) as _, runtime)?;
        if let Base::Snapshot(last, digest) = self.base {
            let mark = read_mark(&*self.replayed.view())?;
            if mark.last != Some(last) || mark.digest != digest {
                let (found, wanted) = (mark.digest, digest);
                return Err(RescueError::Base { lsn: Lsn(last.index), found, wanted });
            }
        }
        Ok((machine, applier))
    }

    /// What was replayed so far.
    pub fn standing(&self) -> Result<Standing, RescueError> {
        Ok(Standing::read(self.replayed.view())?)
    }

    /// Hands the entries up to and with LSN `to` to `each`, from the first that the base lacks on,
    /// in runs of a bounded number.
    pub fn each_run(
        &self,
        to: u64,
        mut each: impl FnMut(&[Entry]) -> Result<(), RescueError>,
    ) -> Result<(), RescueError> {
        // What ends the reading early: everything was read, or `each` has failed.
        enum End {
            Done,
            Failed(RescueError),
        }
        impl From<LogError> for End {
            fn from(error: LogError) -> Self {
                Self::Failed(error.into())
            }
        }
        let read = self.log.each_portion(self.base.next(), |entries| {
            for run in entries.chunks(RUN_ENTRIES) {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(End::Failed(RescueError::Interrupted));
                }
                let wanted = run.iter().take_while(|entry| entry.log_id.index <= to).count();
                each(&run[..wanted]).map_err(End::Failed)?;
                if wanted < run.len() {
                    return Err(End::Done);
                }
            }
            Ok(())
        });
        match read {
            Ok(()) | Err(End::Done) => Ok(()),
            Err(End::Failed(error)) => Err(error),
        }
    }

    /// A failure of the stored state knows more than the error of the view that ran into it.
    fn cause(&self, error: RescueError) -> RescueError {
        cause(&self.state, error)
    }
}

fn cause(state: &Generations, error: RescueError) -> RescueError {
    let failure = state.failure().borrow().clone();
    match (&error, failure) {
        (RescueError::View(_) | RescueError::Open(_), Some(failure)) => failure.into(),
        _ => error,
    }
}

type Found = Vec<Arc<dyn StoredSnapshot>>;

/// The snapshots, and what is wrong with those that cannot be used.
fn usable(directory: &DataDirectory, applied: &LogId) -> Result<(Found, Vec<String>), RescueError> {
    let (found, unusable) = stored(&directory.snapshots(), Some(applied))?;
    Ok((found, unusable.iter().map(ToString::to_string).collect()))
}

/// Puts the newest base before `before` in its place, and tells what is damaged.
fn lay(
    log: &Log,
    found: &Found,
    before: u64,
    place: &Path,
    mut damaged: Vec<String>,
) -> Result<(Base, Vec<String>), RescueError> {
    let first = log.positions().purged.map_or(0, |purged| purged.index + 1);
    let mut earliest = (first == 0).then_some(0);
    for snapshot in found {
        let manifest = snapshot.manifest();
        let next = manifest.last.index + 1;
        if next < first {
            continue;
        }
        if let Err(error) = snapshot.verify() {
            damaged.push(error.to_string());
            continue;
        }
        if next <= before {
            unfold(&**snapshot, place)?;
            return Ok((Base::Snapshot(manifest.last, manifest.digest), damaged));
        }
        earliest = Some(earliest.map_or(next, |known| known.min(next)));
    }
    match earliest {
        Some(0) => Ok((Base::Empty, damaged)),
        earliest => Err(RescueError::NotReached {
            wanted: Lsn(before),
            first: Lsn(first),
            earliest: earliest.map(Lsn),
            damaged: damaged.join("; "),
        }),
    }
}
