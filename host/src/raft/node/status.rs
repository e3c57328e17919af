//! Where a frontend stands, for people and monitoring.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::{Instant, RaftMetrics};

use crate::raft::leadership::Leadership;
use crate::types::{LogId, Lsn, NodeId, TypeConfig};

/// Where a frontend stands, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its id.
    pub id: NodeId,
    /// The term of the vote that it holds.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// Whether it leads.
    pub is_leader: bool,
    /// Its last log entry; `None`: its log is empty.
    pub last_lsn: Option<Lsn>,
    /// The last entry that it knows to be committed.
    pub committed_lsn: Option<Lsn>,
    /// The last entry that it has applied.
    pub applied_lsn: Option<Lsn>,
    /// Who votes.
    pub voters: BTreeSet<NodeId>,
    /// Who receives the log without voting.
    pub learners: BTreeSet<NodeId>,
    /// Where each member is reached.
    pub addresses: BTreeMap<NodeId, String>,
    /// The entry that set the membership; it may not be committed yet.
    pub membership_lsn: Option<Lsn>,
    /// On a leader: the last entry that each member is known to have.
    pub matched: BTreeMap<NodeId, Option<Lsn>>,
    /// On a leader: how long ago it last heard from each member.
    pub heard: BTreeMap<NodeId, Duration>,
    /// Whether a change of the voters is half done.
    pub is_joint: bool,
    /// On a leader: how long ago it last heard from a majority.
    pub quorum_age: Option<Duration>,
    /// Why applying is stalled.
    pub stalled: Option<String>,
    /// Why consensus has stopped for good.
    pub stopped: Option<String>,
    /// How many calls were refused because they were meant for another frontend.
    pub refused_calls: u64,
    /// The last entry in its newest snapshot.
    pub snapshot_lsn: Option<Lsn>,
    /// The last entry that was purged from its log.
    pub purged_lsn: Option<Lsn>,
    /// Bytes of snapshots that it received since it started.
    pub snapshot_bytes_received: u64,
    /// Of the snapshot that it is receiving: bytes held, and bytes of all of it.
    pub snapshot_incoming: Option<(u64, u64)>,
    /// Snapshots that it made since it started.
    pub snapshots_made: u64,
    /// Snapshots that it sent since it started.
    pub snapshots_sent: u64,
}

impl NodeStatus {
    /// What openraft knows of it.
    pub(super) fn of(metrics: &RaftMetrics<TypeConfig>, known: Leadership) -> Self {
        let lsn = |id: LogId| Lsn(id.index);
        let matched = metrics.replication.iter().flatten();
        let heard = metrics.heartbeat.iter().flatten();
        let members = metrics.membership_config.membership().nodes();
        let configs = metrics.membership_config.membership().get_joint_config();
        Self {
            id: metrics.id,
            term: metrics.current_term,
            leader: metrics.current_leader,
            is_leader: known.is_leader,
            last_lsn: metrics.last_log_index.map(Lsn),
            committed_lsn: metrics.local_committed.map(lsn),
            applied_lsn: metrics.last_applied.map(lsn),
            voters: known.voters,
            learners: known.learners,
            addresses: members.map(|(node, peer)| (*node, peer.address.clone())).collect(),
            membership_lsn: metrics.membership_config.log_id().map(lsn),
            matched: matched.map(|(node, id)| (*node, id.map(lsn))).collect(),
            heard: heard.filter_map(|(id, at)| Some((*id, at.as_ref()?.elapsed()))).collect(),
            is_joint: configs.len() > 1,
            quorum_age: metrics.last_quorum_acked.map(|at| at.elapsed()),
            stalled: known.stalled,
            stopped: known.stopped,
            refused_calls: 0,
            snapshot_lsn: metrics.snapshot.map(lsn),
            purged_lsn: metrics.purged.map(lsn),
            snapshot_bytes_received: 0,
            snapshot_incoming: None,
            snapshots_made: 0,
            snapshots_sent: 0,
        }
    }
}
