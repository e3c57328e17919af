//! Why nothing was rescued.

use std::path::PathBuf;

use super::archive::ArchiveError;
use crate::machine::OpenError;
use crate::runtime::Fault;
use crate::storage::{DirectoryError, LogError, SnapshotError, StateError, Trouble};
use crate::types::{ClusterId, Generation, LogId, Lsn, StateDigest, ViewError};

/// Why nothing was rescued. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// There is no data directory.
    #[error("{0} is not a data directory of Quorate; name the meta_dir of a stopped frontend")]
    NoDirectory(PathBuf),
    /// It never belonged to a cluster.
    #[error("{0} belongs to no cluster yet: it holds nothing that could be recovered")]
    NoCluster(PathBuf),
    /// It does not vote, so its log is not the cluster's.
    #[error(
        "{0} is an observer's: it may lack what was acknowledged; name the directory of a follower"
    )]
    Observer(PathBuf),
    /// The same directory was given twice.
    #[error("{0} was named twice")]
    Twice(PathBuf),
    /// A directory of another cluster was given to compare with.
    #[error("{path} is of cluster {found}, not of cluster {wanted}; leave it out")]
    OtherCluster {
        /// Which.
        path: PathBuf,
        /// Its cluster.
        found: ClusterId,
        /// The cluster to be recovered.
        wanted: ClusterId,
    },
    /// A directory of another generation was given to compare with.
    #[error(
        "{path} is of generation {found}, not of generation {wanted}: one of them was left behind \
         by an earlier recovery; recover from the higher generation only"
    )]
    OtherGeneration {
        /// Which.
        path: PathBuf,
        /// Its generation.
        found: Generation,
        /// The generation to be recovered.
        wanted: Generation,
    },
    /// Another directory has more.
    #[error(
        "{path} is fresher, its log ends with {theirs} and this one's with {ours}: recover from \
         {path}"
    )]
    Fresher {
        /// Which.
        path: PathBuf,
        /// Its last entry.
        theirs: String,
        /// The last entry of the directory to recover from.
        ours: String,
    },
    /// Two states of the same LSN are not the same.
    #[error(
        "{one} and {other} disagree at LSN {lsn}: their digests are {} and {}; \
         one of them is wrong, so neither is used. Leave one out to choose the other",
        one_digest.0.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>(),
        other_digest.0.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>()
    )]
    Disagree {
        /// One directory.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// Where they disagree.
        lsn: Lsn,
        /// The digest of the first.
        one_digest: StateDigest,
        /// The digest of the second.
        other_digest: StateDigest,
    },
    /// The state has applied what its own log does not hold.
    #[error(
        "the state in {path} has applied {applied}, but its log ends with {last}; recover from \
         another directory"
    )]
    StateAhead {
        /// Which.
        path: PathBuf,
        /// The last entry applied.
        applied: String,
        /// The last entry of the log.
        last: String,
    },
    /// The state is of a generation that does not fit the directory's identity.
    #[error(
        "{path} says that it is of generation {identity}, its state of generation {state}; recover \
         from another directory"
    )]
    Generation {
        /// Which.
        path: PathBuf,
        /// What the identity says.
        identity: Generation,
        /// What the state says.
        state: Generation,
    },
    /// The address of the only frontend is not known.
    #[error(
        "the state does not say where this frontend is reached; name it with --host and \
         --edit-log-port"
    )]
    NoAddress,
    /// The address of the only frontend cannot be one.
    #[error("'{0}' cannot be the address of a frontend; give another --host or --edit-log-port")]
    Address(String),
    /// The state refused to begin a generation. The log has the entries that say so.
    #[error("the state refused the new generation: {0}")]
    Refused(String),
    /// Too many archives are being made.
    #[error("{0} archives of this frontend are being made, the most at a time; wait for one")]
    Busy(usize),
    /// There is nothing to save.
    #[error("this frontend has applied nothing yet, so there is nothing to save")]
    Nothing,
    /// The log was purged while it was saved.
    #[error("LSN {0} was purged from the log while it was saved; save again")]
    Purged(u64),
    /// The archive does not reach to the LSN that was asked for.
    #[error("LSN {wanted} is not in the archive, it can restore LSN {first} to {last}")]
    OutOfRange {
        /// What was asked for.
        wanted: Lsn,
        /// The snapshot's LSN.
        first: Lsn,
        /// The last LSN.
        last: Lsn,
    },
    /// The new directory is not new.
    #[error("{0} exists and is not empty; name a new or an empty directory")]
    NotEmpty(PathBuf),
    /// What was restored is not what was saved.
    #[error(
        "the state at LSN {lsn} has digest {found}, the archive says {wanted}; it was not \
         restored, empty the directory"
    )]
    Digest {
        /// Where.
        lsn: Lsn,
        /// The digest of the restored state.
        found: StateDigest,
        /// The digest in the archive.
        wanted: StateDigest,
    },
    /// A file cannot be written.
    #[error("write {path}: {source}; empty the directory and try again")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The archive cannot be used.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A snapshot cannot be taken or read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state cannot be read, or its module cannot run here.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state cannot be read.
    #[error("read the state: {0}")]
    View(#[from] ViewError),
    /// Entries could not be applied.
    #[error("apply the log to the state: {0}")]
    Apply(Fault),
    /// The WebAssembly engine could not be set up.
    #[error("set up the module runtime: {0}")]
    Runtime(Fault),
    /// The system gives no thread.
    #[error("start a thread: {0}")]
    Thread(std::io::Error),
}

impl RescueError {
    /// What is wrong with the disk, if that is it.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Directory(error) => error.trouble(),
            Self::Log(error) => error.trouble(),
            Self::State(error) | Self::Open(OpenError::State(error)) => Some(error.trouble()),
            Self::StateAhead { .. } => Some(Trouble::Damage),
            _ => None,
        }
    }
}

/// A position for people.
pub fn show(id: Option<LogId>) -> String {
    id.map_or_else(
        || "nothing".to_owned(),
        |id| format!("LSN {} of term {}", id.index, id.leader_id.term),
    )
}
