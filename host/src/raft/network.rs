//! openraft's messages over gRPC, as the sender sees it.
//!
//! Four kinds of traffic to a peer, on three connections: appends go through one stream on the bulk
//! connection (see [`append`]), heartbeats, votes and transfers as single calls on the control
//! connection, where no bulk can delay them, snapshots on their own (see
//! [`snapshot`](super::snapshot)). A peer that cannot be called is `Unreachable`, which
//! makes openraft pause before it tries again; nothing that failed is ever taken for an answer.

mod append;
mod peers;
mod transport;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, stream_append_sequential};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use quorate_wire::DecodeError;
use tokio::time::timeout;
use tonic::{Code, Response, Status};

pub use peers::{MESSAGE_BYTES_MAX, incoming, server};
pub(super) use peers::{Peers, Remote};
pub(crate) use transport::Wire;
pub use transport::{Called, Dial, Tcp, Transport};

use super::snapshot::{self, Handle, Snapshot, Transfer};
use super::wire;
use crate::types::{NodeId, Peer, TypeConfig, Vote};

type Error = RPCError<TypeConfig>;

/// Makes the senders that openraft asks for.
pub(super) struct Network {
    pub own: NodeId,
    pub peers: Arc<Peers>,
    pub transfer: Transfer,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Sender;

    async fn new_client(&mut self, target: NodeId, node: &Peer) -> Sender {
        self.sender(target, node, Purpose::Replicate)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &Peer) -> Sender {
        self.sender(target, node, Purpose::Heartbeat)
    }
}

impl Network {
    fn sender(&self, target: NodeId, node: &Peer, purpose: Purpose) -> Sender {
        let remote = self.peers.get(target, &node.address);
        Sender { own: self.own, target, remote, purpose, transfer: self.transfer.clone() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Replicate,
    Heartbeat,
}

/// Sends to one peer.
pub(super) struct Sender {
    own: NodeId,
    target: NodeId,
    remote: Result<Arc<Remote>, String>,
    purpose: Purpose,
    transfer: Transfer,
}

impl Sender {
    fn remote(&self) -> Result<Arc<Remote>, Error> {
        self.remote.clone().map_err(|reason| Error::Unreachable(Unreachable::from_string(reason)))
    }

    /// Waits for one call, at most as long as openraft would.
    async fn call<T>(
        &self,
        action: RPCTypes,
        limit: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        match timeout(limit, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(failed(&status)),
            Err(_elapsed) => {
                let (id, target) = (self.own, self.target);
                Err(Error::Timeout(Timeout { action, id, target, timeout: limit }))
            }
        }
    }
}

/// A call that could not be made needs a pause before the next; one that broke does not.
fn failed(status: &Status) -> Error {
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => {
            Error::Network(NetworkError::from_string(status))
        }
        _ => Error::Unreachable(Unreachable::from_string(status)),
    }
}

fn malformed(error: DecodeError) -> Error {
    let reason = format!("the peer's reply is malformed: {error}");
    Error::Unreachable(Unreachable::from_string(reason))
}

impl RaftNetworkV2<TypeConfig> for Sender {
    type SnapshotData = Handle;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, Error> {
        let remote = self.remote()?;
        let mut client = remote.control();
        let call = client.heartbeat(remote.request(wire::append_out(&rpc)));
        let reply = self.call(RPCTypes::AppendEntries, option.hard_ttl(), call).await?;
        Ok(wire::appended_in(reply).map_err(malformed)?.into())
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, Error>>, Error>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
    {
        match self.purpose {
            Purpose::Heartbeat => stream_append_sequential(self, input, option),
            Purpose::Replicate => Box::pin(async move {
                let replies = append::open(&*self.remote()?, input).await?;
                Ok(Box::pin(replies) as BoxStream<'s, _>)
            }),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, Error> {
        let remote = self.remote()?;
        let mut client = remote.control();
        let call = client.vote(remote.request(wire::vote_request_out(&rpc)));
        let reply = self.call(RPCTypes::Vote, option.hard_ttl(), call).await?;
        wire::voted_in(reply).map_err(malformed)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, Error> {
        let remote = self.remote()?;
        let mut client = remote.control();
        let call = client.pre_vote(remote.request(wire::vote_request_out(&rpc)));
        let reply = self.call(RPCTypes::Vote, option.hard_ttl(), call).await?;
        wire::voted_in(reply).map_err(malformed)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let remote = self.remote.clone().map_err(Unreachable::from_string)?;
        let transfer = self.transfer.clone();
        snapshot::send(remote, transfer, vote, snapshot.snapshot, cancel).await
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, Error> {
        let remote = self.remote()?;
        let mut client = remote.control();
        let call = client.transfer_leader(remote.request(wire::transfer_out(&req)));
        let reply = self.call(RPCTypes::TransferLeader, option.hard_ttl(), call).await?;
        wire::transferred_in(&req, reply).map_err(malformed)
    }
}
