//! Statements about the frontends.

use crate::ast::{Property, ShowFilter};

/// Changes or shows the frontends and their configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterStatement {
    /// `ALTER SYSTEM ADD FOLLOWER | OBSERVER "host:port" [, ..]`.
    AddFrontends {
        /// What they become.
        kind: FrontendKind,
        /// `host:edit_log_port` as written, one at least.
        addresses: Vec<String>,
        /// `FORCE`: also when a host name does not resolve.
        force: bool,
    },
    /// `ALTER SYSTEM DROP FOLLOWER | OBSERVER "host:port" [, ..] [FORCE]`.
    DropFrontends {
        /// What they must be.
        kind: FrontendKind,
        /// `host:edit_log_port` as written, one at least.
        addresses: Vec<String>,
        /// `FORCE`: even when a majority would be lost.
        force: bool,
    },
    /// `ALTER SYSTEM MODIFY FRONTEND HOST "from" TO "to"`.
    ModifyFrontendHost {
        /// The registered host, or `host:port`.
        from: String,
        /// The new host, or `host:port`.
        to: String,
    },
    /// `ALTER SYSTEM MODIFY FRONTEND "host:port" TO FOLLOWER | OBSERVER [FORCE]`: the frontend keeps
    /// its data and changes its role.
    ModifyFrontendKind {
        /// `host:edit_log_port` as written.
        address: String,
        /// What it becomes.
        kind: FrontendKind,
        /// `FORCE`: even when a majority would be lost.
        force: bool,
    },
    /// `ALTER SYSTEM TRANSFER LEADER TO "host:port" [FORCE]`.
    TransferLeader {
        /// `host:edit_log_port` of the leader to be.
        to: String,
        /// `FORCE`: even when another transfer is running.
        force: bool,
    },
    /// `ALTER SYSTEM CREATE IMAGE`.
    CreateImage,
    /// `ALTER SYSTEM SET ENGINE EPOCH n`.
    SetEngineEpoch(u32),
    /// `SHOW FRONTENDS`.
    ShowFrontends,
    /// `SHOW PROC 'path'`.
    ShowProc(String),
    /// `ADMIN SHOW FRONTEND CONFIG [LIKE ..]`.
    ShowConfig(Option<ShowFilter>),
    /// `ADMIN SET FRONTEND CONFIG ("key" = "value", ..)`.
    SetConfig(Vec<Property>),
}

/// What a frontend is registered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrontendKind {
    /// Votes, and may lead.
    Follower,
    /// Serves reads, never votes.
    Observer,
}

impl FrontendKind {
    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            FrontendKind::Follower => "FOLLOWER",
            FrontendKind::Observer => "OBSERVER",
        }
    }
}
