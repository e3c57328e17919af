//! Why a frontend did not start or cannot go on, and who has to act.

use std::path::PathBuf;

use crate::cluster::bootstrap::JoinError;
use crate::cluster::standing::Expulsion;
use crate::config::ConfigError;
use crate::machine::{LoadError, OpenError};
use crate::storage::{DirectoryError, LogError, SnapshotError, StateError, Trouble};

/// How a frontend ends that did not end by itself: the command line makes an exit code of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A setting, a port or a path has to be changed.
    Usage,
    /// What is on its disk is damaged: an operator has to heal it.
    Damage,
    /// Its disk failed: it can be started again once the disk works.
    Disk,
    /// Its disk is full: it can be started again once there is room.
    Full,
    /// It does not belong to the cluster any more: an operator has to take it in again.
    Expelled,
    /// Anything else: it can be started again.
    Failed,
}

impl From<Trouble> for Ending {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Disk => Self::Disk,
            Trouble::Full => Self::Full,
            Trouble::Damage => Self::Damage,
        }
    }
}

impl From<&Expulsion> for Ending {
    fn from(why: &Expulsion) -> Self {
        match why {
            Expulsion::Dropped { .. } | Expulsion::Generation { .. } => Self::Expelled,
            // Its data may be right, and where it was started wrong.
            Expulsion::Cluster { .. } => Self::Usage,
        }
    }
}

/// Why a frontend did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A configuration value cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be bound.
    #[error("{key} {port} on {address} cannot be used: {source}")]
    Port {
        /// Its configuration key.
        key: &'static str,
        /// The address.
        address: std::net::IpAddr,
        /// The port.
        port: u16,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// There is one already.
    #[error("{path} is in use: Frontend running as process {process}. Stop it first.")]
    Running {
        /// Its data directory.
        path: PathBuf,
        /// Its process.
        process: u32,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The disk has too little room to start on.
    #[error(
        "the disk of data directory {path} has {free_bytes} bytes free, a start needs \
         {needed_bytes}; make room on it"
    )]
    NoRoom {
        /// The data directory.
        path: PathBuf,
        /// What is free, with the ballast.
        free_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// The first module's file cannot be read.
    #[error("module file {path} cannot be read: {source}")]
    ModuleFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The cluster did not take this frontend in.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The log database cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state database cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Snapshots cannot be kept.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
    /// The state cannot be used.
    #[error(transparent)]
    Machine(#[from] OpenError),
    /// The state was put aside.
    #[error("this frontend cannot go on with its state: {0}")]
    Quarantine(String),
    /// The system gives no threads.
    #[error("start the evaluating threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The WebAssembly engine could not be set up.
    #[error("set up the module runtime: {0}")]
    Runtime(crate::runtime::Fault),
    /// It is a follower, and modules are not to run as followers run them.
    #[error(
        "module_engine is {0}, and this frontend is a follower: only an observer may run modules \
         so, to check what the voters come to; set module_engine = native, or make this frontend \
         an observer (ALTER SYSTEM MODIFY FRONTEND .. TO OBSERVER)"
    )]
    Engine(&'static str),
    /// Consensus did not start.
    #[error(transparent)]
    Raft(#[from] crate::raft::StartError),
    /// The cluster could not be founded.
    #[error(transparent)]
    Found(#[from] crate::raft::MemberError),
}

impl StartError {
    /// Who has to act.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Config(ConfigError { passing: true, .. }) => Ending::Failed,
            Self::Config(_)
            | Self::Running { .. }
            | Self::Engine(_)
            | Self::Port { .. }
            | Self::ModuleFile { .. }
            | Self::Join(
                JoinError::Address(_)
                | JoinError::Itself(_)
                | JoinError::Foreign(_)
                | JoinError::Inadmissible { .. }
                | JoinError::Refused { .. },
            )
            | Self::Machine(OpenError::Format(_)) => Ending::Usage,
            Self::Join(JoinError::Dropped { .. }) => Ending::Expelled,
            Self::Directory(error) => error.trouble().map_or(Ending::Usage, Ending::from),
            Self::Log(error) => error.trouble().map_or(Ending::Failed, Ending::from),
            Self::State(error) | Self::Machine(OpenError::State(error)) => error.trouble().into(),
            Self::Machine(OpenError::Load(LoadError::State(_))) | Self::Quarantine(_) => {
                Ending::Damage
            }
            Self::NoRoom { .. } => Ending::Full,
            _ => Ending::Failed,
        }
    }
}
