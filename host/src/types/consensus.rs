//! openraft's type parameters, fixed once, and short names for what follows from them.

use super::entry::{Batch, BatchReply};
use super::ids::NodeId;

openraft::declare_raft_types!(
    /// The types that Quorate's Raft works on. The mode of leader ids (`leader_id_adv`) is the one
    /// that openraft's own simulation tests; log ids are ordered by (term, node, index).
    pub TypeConfig:
        D = Batch,
        R = BatchReply,
        NodeId = NodeId,
        Node = Peer,
);

/// Where a voter is reached. Kept in the membership entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// `host:edit_log_port`.
    pub address: String,
}

/// Term and node of a leader.
pub type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, NodeId>;
/// Leader and index: names one entry for good.
pub type LogId = openraft::LogId<LeaderId>;
/// A vote, as candidates ask for it and voters keep it.
pub type Vote = openraft::impls::Vote<LeaderId>;
/// One entry of the log.
pub type Entry = openraft::Entry<LeaderId, EntryPayload>;
/// What an entry carries: nothing, a batch of commands, or a membership.
pub type EntryPayload = openraft::EntryPayload<Batch, NodeId, Peer>;
/// Voters and learners.
pub type Membership = openraft::Membership<NodeId, Peer>;
/// A membership and the entry that set it.
pub type StoredMembership = openraft::StoredMembership<LeaderId, NodeId, Peer>;
