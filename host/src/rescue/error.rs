//! Why nothing was rescued.

use std::path::{Path, PathBuf};

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
    /// Its state was not put aside.
    #[error(
        "the state in {0} was not put aside, so there is nothing to rebuild; a damaged state is \
         made anew when its folder is removed"
    )]
    NotAside(PathBuf),
    /// What is here cannot prove itself to be what the others have.
    #[error(
        "{path} cannot make its state anew by itself: {reason}. Take a backup from a frontend that \
         serves, with `quorate snapshot create` and `quorate snapshot save FILE`, and name it with \
         --from FILE"
    )]
    Unproven {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A backup does not fit the log.
    #[error("{file} does not fit {path}: {reason}")]
    Unfit {
        /// The backup.
        file: PathBuf,
        /// The data directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
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
    /// No snapshot and no beginning of the log is there to replay from.
    #[error(
        "LSN {wanted} cannot be replayed: the log begins at LSN {first}, and {}{}",
        earliest.map_or("no snapshot before it can be used".to_owned(), |earliest| format!(
            "the first LSN that can be replayed is {earliest}; name that or a later one"
        )),
        if damaged.is_empty() { String::new() } else { format!("; {damaged}") }
    )]
    NotReached {
        /// What was to be replayed.
        wanted: Lsn,
        /// The first entry in the log.
        first: Lsn,
        /// The first that can be.
        earliest: Option<Lsn>,
        /// What snapshots are damaged.
        damaged: String,
    },
    /// An entry is not in the log, or was never applied.
    #[error("LSN {wanted} is not there: {what} ends with LSN {last}")]
    NotThere {
        /// What was asked for.
        wanted: Lsn,
        /// `the log`, or what the state has applied.
        what: &'static str,
        /// The last one.
        last: Lsn,
    },
    /// A snapshot does not hold what its manifest says.
    #[error(
        "the snapshot at LSN {lsn} holds a state with digest {found}, its manifest says {wanted}:          it is damaged"
    )]
    Base {
        /// Where.
        lsn: Lsn,
        /// The digest in the snapshot's state.
        found: StateDigest,
        /// The digest in its manifest.
        wanted: StateDigest,
    },
    /// There is no place for a copy.
    #[error("make a folder for a copy in {path}: {source}; name another one with --work-dir")]
    NoPlace {
        /// Where it was to be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Somebody asked for it to end.
    #[error("it was interrupted; nothing was changed")]
    Interrupted,
    /// Something of a copy, told as what it is a copy of.
    #[error("{message}")]
    Copied {
        /// What happened.
        message: String,
        /// What is wrong with the disk, if that is it.
        trouble: Option<Trouble>,
    },
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
            Self::Snapshot(SnapshotError::State(error)) => Some(error.trouble()),
            Self::Snapshot(SnapshotError::Damaged { .. }) => Some(Trouble::Damage),
            Self::StateAhead { .. } | Self::Base { .. } => Some(Trouble::Damage),
            Self::Copied { trouble, .. } => *trouble,
            _ => None,
        }
    }

    /// The same of what it happened to a copy of.
    pub(super) fn of_copy(self, copy: &Path, original: &Path) -> Self {
        let (text, copy) = (self.to_string(), copy.display().to_string());
        if !text.contains(&copy) {
            return self;
        }
        let message = text.replace(&copy, &original.display().to_string());
        Self::Copied { message, trouble: self.trouble() }
    }
}

/// A position for people.
pub fn show(id: Option<LogId>) -> String {
    id.map_or_else(
        || "nothing".to_owned(),
        |id| format!("LSN {} of term {}", id.index, id.leader_id.term),
    )
}
