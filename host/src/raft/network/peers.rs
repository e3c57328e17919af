//! Connections to the other frontends, shared by everything here that calls them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::granted::Granted;
use super::transport::{Dial, KEEPALIVE, Wire};
use crate::proto::peer::peer_client::PeerClient;
use crate::raft::fence::{Fence, ROUTE_KEY};
use crate::types::NodeId;

/// Largest message between frontends, both ways. The log reader hands out at most a quarter of it
/// at once, and an entry is at most 1 MiB, so reaching it is a defect; the call fails.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// What may be under way to a peer unread, per stream and per connection.
pub(super) const WINDOW_BYTES: (u32, u32) = (4 << 20, 16 << 20);

/// One peer: its connections and what is stamped on every call to it. Connections are made when
/// first used, and again after they broke.
pub(in crate::raft) struct Remote {
    address: String,
    route: AsciiMetadataValue,
    bulk: PeerClient<Wire>,
    control: PeerClient<Wire>,
    snapshots: PeerClient<Wire>,
    granted: Arc<Granted>,
}

impl Remote {
    fn new(
        dial: &dyn Dial,
        node: NodeId,
        address: &str,
        route: AsciiMetadataValue,
    ) -> Result<Self, String> {
        let client = || {
            let client = PeerClient::new(Wire(dial.dial(node, address)?));
            Ok::<_, String>(
                client
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            )
        };
        Ok(Self {
            address: address.to_owned(),
            route,
            bulk: client()?,
            control: client()?,
            snapshots: client()?,
            granted: Arc::default(),
        })
    }

    /// For streams of entries and commands.
    pub fn bulk(&self) -> PeerClient<Wire> {
        self.bulk.clone()
    }

    /// For small calls that must not wait.
    pub fn control(&self) -> PeerClient<Wire> {
        self.control.clone()
    }

    /// For snapshots, which take long and must not be in the way of entries.
    pub fn snapshots(&self) -> PeerClient<Wire> {
        self.snapshots.clone()
    }

    /// The last vote that it granted this frontend.
    pub fn granted(&self) -> Arc<Granted> {
        self.granted.clone()
    }

    /// A call to this peer, with its route.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(ROUTE_KEY, self.route.clone());
        request
    }
}

/// All peers that were called so far, and where each is. One whose address changed gets new
/// connections.
pub(in crate::raft) struct Peers {
    dial: Arc<dyn Dial>,
    fence: Arc<Fence>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    remotes: BTreeMap<NodeId, Arc<Remote>>,
    /// Addresses of the newest membership.
    addresses: BTreeMap<NodeId, String>,
    /// Where a member said that it is, instead of which address. Holds until the membership has
    /// another one. A wrong one can do no harm: every call names whom it is for.
    moved: BTreeMap<NodeId, Moved>,
}

struct Moved {
    from: String,
    to: String,
}

impl Book {
    /// Where a peer is that was at `given` when the caller looked.
    fn address<'a>(&'a self, node: NodeId, given: &'a str) -> &'a str {
        let known = self.addresses.get(&node).map_or(given, String::as_str);
        let moved = self.moved.get(&node).filter(|moved| moved.from == known);
        moved.map_or(known, |moved| &moved.to)
    }
}

impl Peers {
    pub fn new(dial: Arc<dyn Dial>, fence: Arc<Fence>) -> Self {
        Self { dial, fence, book: Mutex::default() }
    }

    /// The peer with this id. `address` is where it was when the caller learnt of it; a newer one
    /// that is known here counts.
    ///
    /// # Errors
    /// When the address is not `host:port`.
    pub fn get(&self, node: NodeId, address: &str) -> Result<Arc<Remote>, String> {
        let mut book = self.book.lock();
        let address = book.address(node, address).to_owned();
        if let Some(remote) = book.remotes.get(&node).filter(|remote| remote.address == address) {
            return Ok(remote.clone());
        }
        let remote = Remote::new(&*self.dial, node, &address, self.fence.stamp(node))
            .map_err(|error| format!("frontend {node}: address '{address}': {error}"))?;
        let remote = Arc::new(remote);
        book.remotes.insert(node, remote.clone());
        Ok(remote)
    }

    /// Takes the addresses of a new membership, and forgets the peers that are not in it.
    pub fn keep(&self, addresses: BTreeMap<NodeId, String>) {
        let mut book = self.book.lock();
        let Book { remotes, moved, .. } = &mut *book;
        remotes.retain(|node, _| addresses.contains_key(node));
        moved.retain(|node, moved| addresses.get(node) == Some(&moved.from));
        book.addresses = addresses;
    }

    /// Calls a member at another address than the membership's, until that has a new one.
    pub fn redirect(&self, node: NodeId, to: String) {
        let mut book = self.book.lock();
        if let Some(from) = book.addresses.get(&node).cloned() {
            book.moved.insert(node, Moved { from, to });
        }
    }
}

/// A gRPC server with the settings that traffic between frontends needs.
pub fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .initial_stream_window_size(WINDOW_BYTES.0)
        .initial_connection_window_size(WINDOW_BYTES.1)
}

/// Accepted connections, without Nagle's delay: answers are several small writes.
pub fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    TcpIncoming::from(listener).with_nodelay(Some(true)).then(async |accepted| {
        if accepted.is_err() {
            // Out of file descriptors, most likely. Trying at once would only take the processor.
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        accepted
    })
}

/// Before connections are accepted again after that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
