//! Who leads, who belongs, and whether this frontend can take part: what others wait on.

use std::collections::BTreeSet;

use openraft::metrics::RaftServerMetrics;

use super::state_machine::Stall;
use crate::types::{NodeId, TypeConfig};

/// What this frontend knows of the cluster. It may be out of date, never made up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The term of the vote that this frontend holds.
    pub term: u64,
    /// The leader, once a majority has granted its vote.
    pub leader: Option<Leader>,
    /// Whether it is this frontend. It may have lost its majority since.
    pub is_leader: bool,
    /// Those who vote, by the newest membership known here.
    pub voters: BTreeSet<NodeId>,
    /// Those who receive the log and do not vote yet.
    pub learners: BTreeSet<NodeId>,
    /// Why applying is stalled. The frontend votes on, does not lead, and tries again.
    pub stalled: Option<String>,
    /// Why consensus stopped here for good; the process must end.
    pub stopped: Option<String>,
}

/// A leader and where to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// Its id.
    pub id: NodeId,
    /// Its `host:edit_log_port`.
    pub address: String,
}

impl Leadership {
    pub(super) fn of(server: &RaftServerMetrics<TypeConfig>, stalled: Stall) -> Self {
        let membership = server.membership_config.membership();
        let leader = server.current_leader.and_then(|id| {
            let address = membership.get_node(&id)?.address.clone();
            Some(Leader { id, address })
        });
        Self {
            term: server.vote.leader_id.term,
            is_leader: server.state.is_leader() && server.current_leader == Some(server.id),
            leader,
            voters: membership.voter_ids().collect(),
            learners: membership.learner_ids().collect(),
            stalled,
            stopped: None,
        }
    }

    /// The same leader in the same term: what was sent to it may still be answered.
    pub(super) fn same_leader(&self, other: &Self) -> bool {
        self.term == other.term && self.leader == other.leader && self.stopped == other.stopped
    }
}
