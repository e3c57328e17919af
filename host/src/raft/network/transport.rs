//! How calls reach another frontend: over TCP, or through whatever a simulation puts in its place.
//!
//! The seam lies below gRPC's messages and above its connections: what passes here is a call with
//! its headers and a stream of messages each way. So routing, framing and every handler are the
//! real ones under simulation, and only the wire is not.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};
use tonic::body::Body;
use tonic::codegen::{Service, StdError, http};
use tonic::transport::{Channel, Endpoint};

use super::peers::WINDOW_BYTES;
use crate::types::NodeId;

/// A silent connection is asked for a sign of life after this time, and given up after as long.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// What comes of a call.
pub type Called = BoxFuture<'static, Result<http::Response<Body>, StdError>>;

/// One connection to a peer.
pub trait Transport: Send + Sync + 'static {
    /// Makes a call. Connects first, if need be.
    fn call(&self, request: http::Request<Body>) -> Called;
}

/// Makes connections to peers.
pub trait Dial: Send + Sync + 'static {
    /// A connection to the frontend `node` at `address`, which is `host:port`. It is established
    /// when it is first used, and again after it broke.
    ///
    /// # Errors
    /// When the address is none.
    fn dial(&self, node: NodeId, address: &str) -> Result<Arc<dyn Transport>, String>;
}

/// Dials over TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, _node: NodeId, address: &str) -> Result<Arc<dyn Transport>, String> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let channel = endpoint
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW_BYTES.0)
            .initial_connection_window_size(WINDOW_BYTES.1)
            .connect_lazy();
        Ok(Arc::new(channel))
    }
}

impl Transport for Channel {
    fn call(&self, request: http::Request<Body>) -> Called {
        let mut channel = self.clone();
        async move {
            poll_fn(|context| channel.poll_ready(context)).await?;
            Ok(Service::call(&mut channel, request).await?)
        }
        .boxed()
    }
}

/// A connection, as gRPC's clients want it.
#[derive(Clone)]
pub struct Wire(pub Arc<dyn Transport>);

impl Service<http::Request<Body>> for Wire {
    type Response = http::Response<Body>;
    type Error = StdError;
    type Future = Called;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StdError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Called {
        self.0.call(request)
    }
}
