//! openraft's messages as protocol messages, and back. Entries travel as the bytes that the log
//! database stores.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use quorate_wire::DecodeError;

use crate::proto::peer::{self, append_reply, transfer_leader_reply};
use crate::types::{LeaderId, LogId, NodeId, TypeConfig, Vote, decode_entry, encode_entry};

pub(super) fn vote_out(vote: &Vote) -> peer::Vote {
    peer::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.node_id.0,
        committed: vote.committed,
    }
}

pub(super) fn vote_in(vote: Option<peer::Vote>) -> Result<Vote, DecodeError> {
    let vote = vote.ok_or(DecodeError::Range)?;
    Ok(Vote { leader_id: leader(vote.term, vote.node), committed: vote.committed })
}

fn leader(term: u64, node: u64) -> LeaderId {
    LeaderId { term, node_id: NodeId(node) }
}

pub(super) fn log_id_out(id: &LogId) -> peer::LogId {
    peer::LogId { term: id.leader_id.term, node: id.leader_id.node_id.0, index: id.index }
}

pub(super) fn log_id_in(id: peer::LogId) -> LogId {
    LogId { leader_id: leader(id.term, id.node), index: id.index }
}

pub(super) fn append_out(request: &AppendEntriesRequest<TypeConfig>) -> peer::AppendRequest {
    peer::AppendRequest {
        vote: Some(vote_out(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id_out),
        committed: request.leader_commit.as_ref().map(log_id_out),
        entries: request.entries.iter().map(|entry| Bytes::from(encode_entry(entry))).collect(),
    }
}

pub(super) fn append_in(
    request: peer::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, DecodeError> {
    Ok(AppendEntriesRequest {
        vote: vote_in(request.vote)?,
        prev_log_id: request.previous.map(log_id_in),
        leader_commit: request.committed.map(log_id_in),
        entries: request.entries.iter().map(decode_entry).collect::<Result<_, _>>()?,
    })
}

pub(super) fn appended_out(result: StreamAppendResult<TypeConfig>) -> peer::AppendReply {
    let result = match result {
        Ok(matched) => append_reply::Result::Matched(peer::Matched {
            log_id: matched.as_ref().map(log_id_out),
        }),
        Err(StreamAppendError::Conflict(at)) => append_reply::Result::Conflict(log_id_out(&at)),
        Err(StreamAppendError::HigherVote(vote)) => {
            append_reply::Result::HigherVote(vote_out(&vote))
        }
    };
    peer::AppendReply { result: Some(result) }
}

pub(super) fn appended_in(
    reply: peer::AppendReply,
) -> Result<StreamAppendResult<TypeConfig>, DecodeError> {
    Ok(match reply.result.ok_or(DecodeError::Range)? {
        append_reply::Result::Matched(matched) => Ok(matched.log_id.map(log_id_in)),
        append_reply::Result::Conflict(at) => Err(StreamAppendError::Conflict(log_id_in(at))),
        append_reply::Result::HigherVote(vote) => {
            Err(StreamAppendError::HigherVote(vote_in(Some(vote))?))
        }
    })
}

pub(super) fn vote_request_out(request: &VoteRequest<TypeConfig>) -> peer::VoteRequest {
    peer::VoteRequest {
        vote: Some(vote_out(&request.vote)),
        last_log_id: request.last_log_id.as_ref().map(log_id_out),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(super) fn vote_request_in(
    request: peer::VoteRequest,
) -> Result<VoteRequest<TypeConfig>, DecodeError> {
    Ok(VoteRequest {
        vote: vote_in(request.vote)?,
        last_log_id: request.last_log_id.map(log_id_in),
        leadership_transfer: request.leadership_transfer,
    })
}

pub(super) fn voted_out(response: &VoteResponse<TypeConfig>) -> peer::VoteReply {
    peer::VoteReply {
        vote: Some(vote_out(&response.vote)),
        granted: response.vote_granted,
        last_log_id: response.last_log_id.as_ref().map(log_id_out),
    }
}

pub(super) fn voted_in(reply: peer::VoteReply) -> Result<VoteResponse<TypeConfig>, DecodeError> {
    Ok(VoteResponse {
        vote: vote_in(reply.vote)?,
        vote_granted: reply.granted,
        last_log_id: reply.last_log_id.map(log_id_in),
    })
}

pub(super) fn transfer_out(
    request: &TransferLeaderRequest<TypeConfig>,
) -> peer::TransferLeaderRequest {
    peer::TransferLeaderRequest {
        from: Some(vote_out(request.from_leader())),
        to: request.to_node_id().0,
        last_log_id: request.last_log_id().map(log_id_out),
    }
}

pub(super) fn transfer_in(
    request: peer::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, DecodeError> {
    let last_log_id = request.last_log_id.map(log_id_in);
    Ok(TransferLeaderRequest::new(vote_in(request.from)?, NodeId(request.to), last_log_id))
}

pub(super) fn transferred_out(
    response: TransferLeaderResponse<TypeConfig>,
) -> peer::TransferLeaderReply {
    let refusal = response.err().map(|error| match error {
        TransferLeaderError::VoteChanged { actual, .. } => {
            transfer_leader_reply::Refusal::VoteChanged(vote_out(&actual))
        }
        TransferLeaderError::LogNotFlushed { actual, .. } => {
            let log_id = actual.as_ref().map(log_id_out);
            transfer_leader_reply::Refusal::NotFlushed(peer::Matched { log_id })
        }
    });
    peer::TransferLeaderReply { refusal }
}

pub(super) fn transferred_in(
    request: &TransferLeaderRequest<TypeConfig>,
    reply: peer::TransferLeaderReply,
) -> Result<TransferLeaderResponse<TypeConfig>, DecodeError> {
    Ok(match reply.refusal {
        None => Ok(()),
        Some(transfer_leader_reply::Refusal::VoteChanged(vote)) => {
            Err(TransferLeaderError::VoteChanged {
                expected: *request.from_leader(),
                actual: vote_in(Some(vote))?,
            })
        }
        Some(transfer_leader_reply::Refusal::NotFlushed(at)) => {
            Err(TransferLeaderError::LogNotFlushed {
                expected: request.last_log_id().copied(),
                actual: at.log_id.map(log_id_in),
            })
        }
    })
}
