//! How a host calls others over the simulated network: in the place of TCP.

use std::sync::Arc;

use futures_util::FutureExt;
use quorate::raft::{Called, Dial, Transport};
use quorate::types::NodeId;
use tonic::body::Body;
use tonic::codegen::http;

use super::Network;

/// Calls from `host`.
pub(super) fn dialer(network: Arc<Network>, host: usize) -> Arc<dyn Dial> {
    Arc::new(Dialer { network, host })
}

struct Dialer {
    network: Arc<Network>,
    host: usize,
}

impl Dial for Dialer {
    fn dial(&self, _node: NodeId, address: &str) -> Result<Arc<dyn Transport>, String> {
        let host = address.strip_prefix('f').and_then(|rest| rest.split(':').next());
        let to = host.and_then(|host| host.parse().ok());
        let to = to.ok_or_else(|| format!("'{address}' is no address"))?;
        Ok(Arc::new(Line { network: Arc::clone(&self.network), from: self.host, to }))
    }
}

struct Line {
    network: Arc<Network>,
    from: usize,
    to: usize,
}

impl Transport for Line {
    fn call(&self, request: http::Request<Body>) -> Called {
        Arc::clone(&self.network).call(self.from, self.to, request).boxed()
    }
}
