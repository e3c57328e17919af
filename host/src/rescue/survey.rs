//! What one data directory holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{RescueError, show};
use crate::machine::Standing;
use crate::storage::{
    DataDirectory, Generations, Identity, Log, LogOptions, RocksLogDevice, RocksStateOptions,
    StateStore,
};
use crate::types::{FrontendKind, LogId, Range, StateDigest, Vote};

/// Memory for blocks of a state that is read once.
pub(super) const BLOCK_CACHE_BYTES: usize = 32 << 20;
/// Rows and bytes of one page of a state that is checked.
const PAGE_ROWS: usize = 4096;
const PAGE_BYTES: usize = 4 << 20;

/// How far a data directory is.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub identity: Identity,
    /// What it was to the cluster, by its own state; as it joined, if that does not say.
    pub kind: FrontendKind,
    /// The vote of its frontend.
    pub vote: Option<Vote>,
    /// The last entry of its log.
    pub last: Option<LogId>,
    /// How far the log is known to be committed; more may be.
    pub committed: Option<LogId>,
    /// The first LSN in its log.
    pub first: u64,
    /// The last entry that its state has applied.
    pub applied: Option<LogId>,
    /// The digest of that state.
    pub digest: StateDigest,
}

/// The databases of a data directory, which is locked.
pub(super) struct Ground {
    pub log: Log,
    pub state: Arc<dyn StateStore>,
    /// Last, so that the lock goes last.
    pub directory: DataDirectory,
}

impl Ground {
    /// Opens the databases.
    pub fn open(directory: DataDirectory) -> Result<Self, RescueError> {
        let log = Log::open(
            RocksLogDevice::open(&directory.log(), &directory.fence())?,
            LogOptions::default(),
        )?;
        let options = RocksStateOptions { block_cache_bytes: BLOCK_CACHE_BYTES };
        let state = Arc::new(Generations::open(&directory.state(), options)?);
        Ok(Self { log, state, directory })
    }
}

/// The data directory of a frontend, and what it holds.
pub(super) struct Opened {
    pub survey: Survey,
    pub standing: Standing,
    pub ground: Ground,
}

impl Opened {
    /// Opens a directory that a frontend left, and reads all of its log.
    pub fn open(path: &Path) -> Result<Self, RescueError> {
        // Opening would make a data directory of an empty one.
        if !path.join("format").exists() {
            return Err(RescueError::NoDirectory(path.to_owned()));
        }
        let directory = DataDirectory::open(path)?;
        let identity =
            directory.identity()?.ok_or_else(|| RescueError::NoCluster(path.to_owned()))?;
        let Ground { log, state, directory } = Ground::open(directory)?;
        let standing = Standing::read(state.view())?;
        let positions = log.positions();
        log.each_portion(0, |_| Ok::<_, RescueError>(()))?;
        if standing.log_id > positions.last {
            return Err(RescueError::StateAhead {
                path: path.to_owned(),
                applied: show(standing.log_id),
                last: show(positions.last),
            });
        }
        let registered = standing.frontends.get(&identity.node);
        let survey = Survey {
            path: path.to_owned(),
            identity,
            kind: registered.map_or(identity.kind, |registered| registered.kind),
            vote: positions.vote,
            last: positions.last,
            committed: positions.committed.max(standing.log_id),
            first: positions.purged.map_or(0, |purged| purged.index + 1),
            applied: standing.log_id,
            digest: standing.digest,
        };
        Ok(Self { survey, standing, ground: Ground { log, state, directory } })
    }
}

/// Reads every record of a data directory, of the log and of the state, and so checks all of them.
///
/// # Errors
/// What is damaged, or that the directory is in use.
pub fn verify_directory(path: &Path) -> Result<Survey, RescueError> {
    let opened = Opened::open(path)?;
    let view = opened.ground.state.view();
    let mut low = Vec::new();
    loop {
        let range = Range { low: &low, high: &[0xff], reverse: false };
        let page = view.scan(range, PAGE_ROWS, PAGE_BYTES)?;
        match page.pairs.last() {
            Some((last, _)) if !page.done => low = [&last[..], &[0]].concat(),
            _ => return Ok(opened.survey),
        }
    }
}

impl Survey {
    /// The highest term that it has seen.
    pub fn term(&self) -> u64 {
        let voted = self.vote.map_or(0, |vote| vote.leader_id.term);
        voted.max(self.last.map_or(0, |last| last.leader_id.term))
    }
}
