//! What other frontends may ask of this one. Every handler checks the route first.
//!
//! Votes are refused for one lease after start: a leader may still rely on a lease that this
//! frontend granted before it restarted and no longer remembers. A leader that hands over by itself
//! is excepted.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::raft::{AppendEntriesResponse, VoteRequest};
use parking_lot::Mutex;
use quorate_wire::DecodeError;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::feed::Feeds;
use super::fence::Fence;
use super::forward::Confirmed;
use super::leadership::Leadership;
use super::network::MESSAGE_BYTES_MAX;
use super::proposer::Queue;
use super::snapshot::Receiver;
use super::{Raft, forward, read_index, wire};
use crate::proto::peer::peer_server::{Peer, PeerServer};
use crate::proto::peer::{
    AppendReply, AppendRequest, FeedPart, FeedRequest, ForwardReply, ForwardRequest,
    ReadIndexReply, ReadIndexRequest, SnapshotPart, SnapshotReply, TransferLeaderReply,
    TransferLeaderRequest, VoteReply, VoteRequest as VoteMessage,
};
use crate::types::TypeConfig;

/// The service to mount on the server for other frontends.
pub type PeerService = PeerServer<Service>;

/// Answers other frontends.
#[derive(Clone)]
pub struct Service {
    pub(super) raft: Raft,
    pub(super) fence: Arc<Fence>,
    pub(super) queue: Arc<Queue>,
    pub(super) leadership: watch::Receiver<Leadership>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) receiver: Receiver,
    pub(super) feeds: Feeds,
    /// Before this moment no vote is granted.
    pub(super) votes_from: Instant,
    pub(super) heard: Heard,
}

/// When a leader was last heard.
#[derive(Clone, Default)]
pub(super) struct Heard {
    at: Arc<Mutex<Option<Instant>>>,
}

impl Heard {
    fn now(&self) {
        *self.at.lock() = Some(Instant::now());
    }

    /// How long ago; none before the first time.
    pub fn age(&self) -> Option<Duration> {
        self.at.lock().map(|at| at.elapsed())
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn malformed(error: DecodeError) -> Status {
    Status::invalid_argument(format!("the message is malformed: {error}"))
}

fn stopped(error: impl ToString) -> Status {
    Status::unavailable(error.to_string())
}

impl Service {
    pub(super) fn mountable(self) -> PeerService {
        PeerServer::new(self)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn ballot(&self, request: Request<VoteMessage>) -> Result<VoteRequest<TypeConfig>, Status> {
        self.fence.check(request.metadata())?;
        let vote = wire::vote_request_in(request.into_inner()).map_err(malformed)?;
        let wait = self.votes_from.saturating_duration_since(Instant::now());
        if vote.leadership_transfer || wait.is_zero() {
            Ok(vote)
        } else {
            Err(Status::unavailable(format!("just started, votes in {} ms", wait.as_millis() + 1)))
        }
    }
}

#[tonic::async_trait]
impl Peer for Service {
    type AppendStream = Replies<AppendReply>;
    type ForwardStream = Replies<ForwardReply>;
    type InstallSnapshotStream = Replies<SnapshotReply>;
    type FeedStream = Replies<FeedPart>;

    async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        self.fence.check(request.metadata())?;
        // openraft takes requests, not errors: the first error ends the stream, and with it the
        // replies, after those to what came before.
        let requests = tokio_stream::StreamExt::map_while(request.into_inner(), |request| {
            request
                .and_then(|request| wire::append_in(request).map_err(malformed))
                .map_err(|status| tracing::debug!(%status, "an append stream ended"))
                .ok()
        });
        let replies = self.raft.stream_append(requests);
        let replies = replies.map(|reply| reply.map(wire::appended_out).map_err(stopped));
        Ok(Response::new(Box::pin(replies)))
    }

    async fn heartbeat(
        &self,
        request: Request<AppendRequest>,
    ) -> Result<Response<AppendReply>, Status> {
        self.fence.check(request.metadata())?;
        let request = wire::append_in(request.into_inner()).map_err(malformed)?;
        let (previous, last) =
            (request.prev_log_id, request.entries.last().map(|entry| entry.log_id));
        let response = self.raft.append_entries(request).await.map_err(stopped)?;
        if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
            self.heard.now();
        }
        let result = response.into_stream_result(previous, last.or(previous));
        Ok(Response::new(wire::appended_out(result)))
    }

    async fn pre_vote(&self, request: Request<VoteMessage>) -> Result<Response<VoteReply>, Status> {
        let request = self.ballot(request)?;
        // A peer that asks is back: do not let a pause keep its entries from it.
        let candidate = request.vote.leader_id.node_id;
        self.raft.trigger().reset_backoff([candidate]).await.map_err(stopped)?;
        let response = self.raft.pre_vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::voted_out(&response)))
    }

    async fn vote(&self, request: Request<VoteMessage>) -> Result<Response<VoteReply>, Status> {
        let request = self.ballot(request)?;
        let response = self.raft.vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::voted_out(&response)))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderReply>, Status> {
        self.fence.check(request.metadata())?;
        let request = wire::transfer_in(request.into_inner()).map_err(malformed)?;
        let response = self.raft.handle_transfer_leader(request).await.map_err(stopped)?;
        Ok(Response::new(wire::transferred_out(response)))
    }

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        self.fence.check(request.metadata())?;
        let (queue, leadership) = (self.queue.clone(), self.leadership.clone());
        let confirmed = self.confirmed.clone();
        let replies = forward::serve(request.into_inner(), queue, leadership, confirmed);
        Ok(Response::new(Box::pin(replies)))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<SnapshotPart>>,
    ) -> Result<Response<Self::InstallSnapshotStream>, Status> {
        self.fence.check(request.metadata())?;
        Ok(Response::new(Box::pin(self.receiver.serve(request.into_inner()))))
    }

    async fn read_index(
        &self,
        request: Request<ReadIndexRequest>,
    ) -> Result<Response<ReadIndexReply>, Status> {
        self.fence.check(request.metadata())?;
        let lsn = read_index::confirm(&self.raft).await?.0;
        Ok(Response::new(ReadIndexReply { lsn }))
    }

    async fn feed(
        &self,
        request: Request<Streaming<FeedRequest>>,
    ) -> Result<Response<Self::FeedStream>, Status> {
        let subscriber = self.fence.check(request.metadata())?;
        let parts = self.feeds.serve(subscriber, request.into_inner())?;
        Ok(Response::new(Box::pin(parts)))
    }
}
