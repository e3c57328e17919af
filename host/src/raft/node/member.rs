//! Changing who belongs. All of it is decided by the leader and recorded in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ClientWriteError, InitializeError, RaftError};
use tokio::time::timeout;

use super::Node;
use crate::types::{NodeId, Peer, TypeConfig};

/// How long a transfer of leadership may take before it is reported as failed: the successor has
/// everything already, so it needs a few syncs.
const TRANSFER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a membership did not change, or leadership did not move.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Only the leader can do it.
    #[error("only the leader can do that; the leader is {}", name(.0))]
    NotLeader(Option<NodeId>),
    /// The change was refused, or contradicts the membership.
    #[error("change the membership: {0}")]
    Refused(String),
    /// Leadership was lost meanwhile: the change may have been made, or may be made yet.
    #[error("the leader changed during the change; look at the membership before trying again")]
    OutcomeUnknown,
    /// Only a voter can lead.
    #[error("frontend {0} does not vote, and cannot lead")]
    NotVoter(NodeId),
    /// The successor did not take over in time.
    #[error("frontend {0} did not take over in time")]
    NotTakenOver(NodeId),
    /// Consensus has stopped.
    #[error("consensus has stopped: {0}")]
    Stopped(String),
}

fn name(leader: &Option<NodeId>) -> String {
    leader.map_or_else(|| "not known".to_owned(), |id| format!("frontend {id}"))
}

impl From<RaftError<TypeConfig, ClientWriteError<TypeConfig>>> for MemberError {
    fn from(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> Self {
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => {
                Self::NotLeader(to.leader_id)
            }
            RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => Self::OutcomeUnknown,
            RaftError::APIError(error) => Self::Refused(error.to_string()),
            RaftError::Fatal(error) => Self::Stopped(error.to_string()),
        }
    }
}

impl Node {
    /// Founds the cluster: this frontend, at this address, is its only voter. To be called on one
    /// frontend of a cluster, once.
    ///
    /// # Errors
    /// When this frontend already belongs to a cluster.
    pub async fn initialize(&self, address: &str) -> Result<(), MemberError> {
        let members = BTreeMap::from([(self.id, Peer { address: address.to_owned() })]);
        self.raft.initialize(members).await.map_err(|error| match error {
            RaftError::APIError(InitializeError::NotAllowed(_)) => {
                MemberError::Refused("this frontend already belongs to a cluster".to_owned())
            }
            RaftError::APIError(error) => MemberError::Refused(error.to_string()),
            RaftError::Fatal(error) => MemberError::Stopped(error.to_string()),
        })
    }

    /// Finishes a change of the voters that was cut off between its two entries (Raft thesis 4.3:
    /// joint consensus).
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn finish_change(&self) -> Result<(), MemberError> {
        let nothing_more = ChangeMembers::AddVoterIds(BTreeSet::new());
        self.raft.change_membership(nothing_more, true).await?;
        Ok(())
    }

    /// Whether this frontend belongs to a cluster: it has been founded, or was added to one.
    ///
    /// # Errors
    /// When consensus has stopped.
    pub async fn is_initialized(&self) -> Result<bool, MemberError> {
        let initialized = self.raft.is_initialized().await;
        initialized.map_err(|error| MemberError::Stopped(error.to_string()))
    }

    /// Has a frontend receive the log without voting. Returns when that is committed; the frontend
    /// may still be far behind.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn add_learner(&self, id: NodeId, address: &str) -> Result<(), MemberError> {
        let peer = Peer { address: address.to_owned() };
        self.raft.add_learner(id, peer, false).await?;
        Ok(())
    }

    /// Makes a learner a voter. It should have caught up, or the cluster may wait for it.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn promote(&self, id: NodeId) -> Result<(), MemberError> {
        self.raft.change_membership(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true).await?;
        Ok(())
    }

    /// Takes their votes from frontends; they go on receiving the log. Neither the leader nor the
    /// last voter can be among them.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn demote(&self, ids: BTreeSet<NodeId>) -> Result<(), MemberError> {
        if ids.contains(&self.id) && self.leadership.borrow().is_leader {
            let reason = "the leader keeps its vote; transfer leadership first";
            return Err(MemberError::Refused(reason.to_owned()));
        }
        self.raft.change_membership(ChangeMembers::RemoveVoters(ids), true).await?;
        Ok(())
    }

    /// Changes where members are reached. Safe because a call that comes to another frontend is
    /// refused there: openraft alone could not tell, and might count its vote.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn set_addresses(
        &self,
        addresses: BTreeMap<NodeId, String>,
    ) -> Result<(), MemberError> {
        let peers = addresses.into_iter().map(|(node, address)| (node, Peer { address }));
        self.raft.change_membership(ChangeMembers::SetNodes(peers.collect()), true).await?;
        Ok(())
    }

    /// Takes a frontend out of the membership, voter or learner. The leader cannot be removed.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn remove(&self, id: NodeId) -> Result<(), MemberError> {
        let known = self.leadership.borrow().clone();
        if known.is_leader && id == self.id {
            let reason = "the leader cannot be removed; transfer leadership first";
            return Err(MemberError::Refused(reason.to_owned()));
        }
        let ids = BTreeSet::from([id]);
        let change = if known.voters.contains(&id) {
            ChangeMembers::RemoveVoters(ids)
        } else {
            ChangeMembers::RemoveNodes(ids)
        };
        self.raft.change_membership(change, false).await?;
        Ok(())
    }

    /// Hands leadership to another voter, and returns when it leads.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub async fn transfer_leader(&self, id: NodeId) -> Result<(), MemberError> {
        let known = self.leadership.borrow().clone();
        if !known.is_leader {
            return Err(MemberError::NotLeader(known.leader.map(|leader| leader.id)));
        }
        if id == self.id {
            return Ok(());
        }
        if !known.voters.contains(&id) {
            return Err(MemberError::NotVoter(id));
        }
        let stopped = |error: &dyn ToString| MemberError::Stopped(error.to_string());
        self.raft.trigger().transfer_leader(id).await.map_err(|error| stopped(&error))?;
        let mut leadership = self.leadership.clone();
        let taken = leadership.wait_for(|now| now.leader.as_ref().is_some_and(|at| at.id == id));
        match timeout(TRANSFER_TIMEOUT, taken).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(stopped(&error)),
            Err(_elapsed) => Err(MemberError::NotTakenOver(id)),
        }
    }
}
