//! The subscriber's side of a feed.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::{CREDIT_BYTES, HOPS_MAX, IDLE_TIMEOUT, OPEN_TIMEOUT, SILENCE_MAX, Upstream};
use crate::proto::peer::feed_part::Part;
use crate::proto::peer::feed_request::Request as Asked;
use crate::proto::peer::{FeedBatch, FeedHello, FeedPart, FeedPulse, FeedRequest};
use crate::raft::network::Peers;
use crate::raft::node::Defect;
use crate::raft::{Raft, wire};
use crate::types::{Entry, LogId, NodeId, Vote, decode_entry};

/// Credit that is granted and not sent yet.
const REQUESTS_QUEUED_MAX: usize = 16;

/// Why a subscription ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedEnd {
    /// The upstream could not be reached, fell silent, refused, or is cut off itself. Another one
    /// may do.
    #[error("the feed from frontend {node} ended: {reason}")]
    Lost {
        /// Which upstream.
        node: NodeId,
        /// Why.
        reason: String,
    },
    /// The upstream has committed other entries than this frontend: no other upstream mends that.
    #[error("frontend {node} has committed another log than this frontend: {reason}")]
    Diverged {
        /// Which upstream.
        node: NodeId,
        /// Where.
        reason: String,
    },
    /// Consensus has stopped here.
    #[error("consensus has stopped: {0}")]
    Stopped(String),
}

/// Follows one upstream at a time.
#[derive(Clone)]
pub(in crate::raft) struct Follower {
    pub raft: Raft,
    pub peers: Arc<Peers>,
    pub upstream: watch::Sender<Option<Upstream>>,
    /// Whether the others say that this frontend does not vote any more, whatever its log says.
    pub aside: watch::Sender<bool>,
    pub defect: Option<Defect>,
}

/// Forgets the upstream when it is dropped, so also when following is given up.
struct Following<'a>(&'a watch::Sender<Option<Upstream>>);

impl Drop for Following<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

impl Follower {
    /// Takes the committed log from a frontend until that ends. `own` is the address of this
    /// frontend. Cancel safe: what was not stored is asked for again.
    pub async fn follow(&self, node: NodeId, address: &str, own: &str) -> FeedEnd {
        let following = Following(&self.upstream);
        let ended = self.run(node, address, own, &following).await;
        ended.err().unwrap_or_else(|| lost(node, "the upstream ended it"))
    }

    async fn run(
        &self,
        node: NodeId,
        address: &str,
        own: &str,
        following: &Following<'_>,
    ) -> Result<(), FeedEnd> {
        let remote = self.peers.get(node, address).map_err(|reason| lost(node, reason))?;
        self.check_standing(node)?;
        let committed = self.position();
        let (requests, queue) = mpsc::channel(REQUESTS_QUEUED_MAX);
        let hello = FeedHello {
            committed: committed.as_ref().map(wire::log_id_out),
            credit: CREDIT_BYTES,
            address: own.to_owned(),
        };
        let hello = FeedRequest { request: Some(Asked::Hello(hello)) };
        // The channel is empty, so this does not wait.
        requests.send(hello).await.map_err(|_| lost(node, "the stream could not be opened"))?;
        let mut client = remote.bulk();
        let call = client.feed(remote.request(ReceiverStream::new(queue)));
        let opened = timeout(OPEN_TIMEOUT, call).await;
        let opened = opened.map_err(|_| lost(node, "it does not answer"))?;
        let mut parts = opened.map_err(|status| ended(node, &status))?.into_inner();
        let mut vote = None;
        loop {
            let part = timeout(IDLE_TIMEOUT, parts.message()).await;
            let part = part.map_err(|_| lost(node, "it fell silent"))?;
            let Some(FeedPart { part: Some(part) }) =
                part.map_err(|status| ended(node, &status))?
            else {
                return Ok(());
            };
            self.check_standing(node)?;
            match part {
                Part::Pulse(pulse) => {
                    let at = Upstream {
                        node,
                        address: address.to_owned(),
                        hops: pulse.hops,
                        heard: (Instant::now(), Duration::from_millis(pulse.silence_ms)),
                    };
                    self.heard(at, following)?;
                    if let Some(newer) = vote_of(node, &pulse)?.filter(|new| vote != Some(*new)) {
                        vote = Some(newer);
                        let applied = self.raft.metrics().borrow_watched().local_committed;
                        self.append(node, newer, applied, Vec::new()).await?;
                    }
                }
                Part::Batch(batch) => {
                    let vote = vote.ok_or_else(|| lost(node, "entries came before a vote"))?;
                    let bytes = batch.entries.iter().map(bytes::Bytes::len).sum::<usize>();
                    let (previous, entries) = entries(node, batch)?;
                    self.append(node, vote, previous, entries).await?;
                    let credit = FeedRequest { request: Some(Asked::Credit(bytes as u64)) };
                    let granted = requests.send(credit).await;
                    granted.map_err(|_| lost(node, "the upstream is gone"))?;
                }
            }
        }
    }

    /// Where the feed is to begin: behind the last entry that is known to be committed here.
    fn position(&self) -> Option<LogId> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let committed = metrics.local_committed;
        if self.defect == Some(Defect::FeedUnchecked) {
            let end = metrics.last_log_index;
            return committed.map(|id| LogId { index: end.unwrap_or(id.index), ..id });
        }
        committed
    }

    /// A voter listens to its leader, and a leader to nobody.
    fn check_standing(&self, node: NodeId) -> Result<(), FeedEnd> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let votes = metrics.membership_config.voter_ids().any(|voter| voter == metrics.id);
        if votes && !*self.aside.borrow() {
            return Err(lost(node, "this frontend votes, and hears the leader itself"));
        }
        Ok(())
    }

    fn heard(&self, at: Upstream, following: &Following<'_>) -> Result<(), FeedEnd> {
        let node = at.node;
        if at.hops > HOPS_MAX {
            return Err(lost(node, format!("it is {} hops from the leader", at.hops)));
        }
        if at.heard.1 >= SILENCE_MAX {
            return Err(lost(node, "it does not hear of a leader"));
        }
        following.0.send_replace(Some(at));
        Ok(())
    }

    /// Hands entries to openraft as the leader's appends, and waits until they are durable.
    async fn append(
        &self,
        node: NodeId,
        vote: Vote,
        previous: Option<LogId>,
        entries: Vec<Entry>,
    ) -> Result<(), FeedEnd> {
        let last = entries.last().map(|entry| entry.log_id).or(previous);
        if last.is_some_and(|last| last.leader_id > vote.leader_id) {
            return Err(lost(node, "it sent entries of a leader that it did not tell of"));
        }
        let request =
            AppendEntriesRequest { vote, prev_log_id: previous, leader_commit: last, entries };
        let response = self.raft.append_entries(request).await;
        match response.map_err(|error| FeedEnd::Stopped(error.to_string()))? {
            AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_) => Ok(()),
            AppendEntriesResponse::HigherVote(vote) => {
                Err(lost(node, format!("it does not know of the newer leader {vote} yet")))
            }
            AppendEntriesResponse::Conflict => {
                Err(lost(node, "its entries do not follow those that are here"))
            }
        }
    }
}

fn vote_of(node: NodeId, pulse: &FeedPulse) -> Result<Option<Vote>, FeedEnd> {
    let Some(vote) = pulse.vote else { return Ok(None) };
    let vote = wire::vote_in(Some(vote)).map_err(|error| lost(node, error.to_string()))?;
    // Only a leader's appends may be handed to openraft.
    Ok(Some(vote).filter(|vote| vote.committed))
}

fn entries(node: NodeId, batch: FeedBatch) -> Result<(Option<LogId>, Vec<Entry>), FeedEnd> {
    let malformed = |error: &dyn ToString| lost(node, error.to_string());
    let entries: Result<Vec<_>, _> = batch.entries.iter().map(decode_entry).collect();
    let entries = entries.map_err(|error| malformed(&error))?;
    let previous = batch.previous.map(wire::log_id_in);
    let first = previous.map_or(0, |last| last.index + 1);
    for (due, entry) in (first..).zip(&entries) {
        let found = entry.log_id.index;
        if found != due {
            return Err(lost(node, format!("entry {found} came where {due} was due")));
        }
    }
    Ok((previous, entries))
}

fn lost(node: NodeId, reason: impl Into<String>) -> FeedEnd {
    FeedEnd::Lost { node, reason: reason.into() }
}

fn ended(node: NodeId, status: &Status) -> FeedEnd {
    match status.code() {
        Code::DataLoss => FeedEnd::Diverged { node, reason: status.message().to_owned() },
        _ => lost(node, status.message()),
    }
}
