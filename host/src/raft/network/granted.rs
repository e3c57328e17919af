//! How far a voter's log is known to be the leader's, from its vote.
//!
//! A new leader knows nothing of its followers' logs, and openraft searches for the last entry that
//! they share: by bisection from the beginning of the log, a round trip for each step, eight
//! entries at a time. No write is committed meanwhile, so a long log makes a failover long: twenty
//! round trips for a million entries.
//!
//! But a voter said what its last entry was when it granted its vote. If that entry is of the
//! same leader as the candidate's last one and not after it, the candidate has it too, for a leader
//! only ever appends to its log, and then both have the same entries up to it (Raft 5.3, log
//! matching). The voter keeps them as long as the candidate leads in that term: it takes entries
//! from nobody else. So the answer to the first probe may name that entry instead of a much earlier
//! one. Voters whose last entry is another leader's are searched as before.

use openraft::raft::{VoteRequest, VoteResponse};
use parking_lot::Mutex;

use crate::types::{LeaderId, LogId, TypeConfig};

/// The last vote that a peer granted this frontend, and the last entry that both then had.
#[derive(Default)]
pub(in crate::raft) struct Granted(Mutex<Option<(LeaderId, LogId)>>);

impl Granted {
    /// Notes an answer to a request for a vote.
    pub fn note(&self, request: &VoteRequest<TypeConfig>, response: &VoteResponse<TypeConfig>) {
        let candidate = request.vote.leader_id;
        if !response.vote_granted || response.vote.leader_id != candidate {
            return;
        }
        if let (Some(own), Some(theirs)) = (request.last_log_id, response.last_log_id)
            && own.leader_id == theirs.leader_id
            && theirs.index <= own.index
        {
            *self.0.lock() = Some((candidate, theirs));
        }
    }

    /// The last entry that the peer is known to share with that leader, which this frontend is.
    pub fn shared(&self, leader: LeaderId) -> Option<LogId> {
        self.0.lock().as_ref().filter(|(voted, _)| *voted == leader).map(|(_, shared)| *shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{NodeId, Vote};

    fn leader(term: u64, node: u64) -> LeaderId {
        LeaderId { term, node_id: NodeId(node) }
    }

    fn entry(term: u64, node: u64, index: u64) -> LogId {
        LogId { leader_id: leader(term, node), index }
    }

    /// What is known after a vote for (5, 1) of a candidate with `own` by a voter with `theirs`.
    fn known(own: Option<LogId>, theirs: Option<LogId>, granted: bool) -> Option<LogId> {
        let vote = Vote { leader_id: leader(5, 1), committed: false };
        let request = VoteRequest::new(vote, own);
        let response = VoteResponse::new(vote, theirs, granted);
        let votes = Granted::default();
        votes.note(&request, &response);
        assert_eq!(votes.shared(leader(6, 1)), None);
        assert_eq!(votes.shared(leader(5, 2)), None);
        votes.shared(leader(5, 1))
    }

    #[test]
    fn only_an_entry_that_the_candidate_must_have_counts_as_shared() {
        let own = Some(entry(3, 2, 10));
        assert_eq!(known(own, Some(entry(3, 2, 11)), true), None);
        assert_eq!(known(own, Some(entry(3, 1, 9)), true), None);
        assert_eq!(known(own, Some(entry(2, 2, 9)), true), None);
        assert_eq!(known(own, Some(entry(3, 2, 9)), false), None);
        assert_eq!(known(None, Some(entry(3, 2, 9)), true), None);
        assert_eq!(known(own, None, true), None);
        assert_eq!(known(own, Some(entry(3, 2, 10)), true), own);
        assert_eq!(known(own, Some(entry(3, 2, 9)), true), Some(entry(3, 2, 9)));
    }
}
