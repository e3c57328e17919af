//! Why a frontend did not start, and with which exit code the process ends.

use std::path::PathBuf;

use crate::cluster::bootstrap::JoinError;
use crate::config::ConfigError;
use crate::machine::OpenError;
use crate::storage::{DirectoryError, LogError, SnapshotError, StateError};

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
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
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
    /// The frontend's role is not one that this version can play.
    #[error("this frontend is registered as OBSERVER, which this version does not support yet")]
    Observer,
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
    /// The system gives no threads.
    #[error("start the evaluating threads: {0}")]
    Threads(#[from] std::io::Error),
    /// The WebAssembly engine could not be set up.
    #[error("set up the module runtime: {0}")]
    Runtime(crate::runtime::Fault),
    /// Consensus did not start.
    #[error(transparent)]
    Raft(#[from] crate::raft::StartError),
    /// The cluster could not be founded.
    #[error(transparent)]
    Found(#[from] crate::raft::MemberError),
}

impl StartError {
    /// 2 when the operator has to change a setting or a path, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Port { .. }
            | Self::Directory(_)
            | Self::ModuleFile { .. }
            | Self::Join(JoinError::Address(_))
            | Self::Observer => 2,
            _ => 1,
        }
    }
}
