//! How a host calls others over the simulated network: in the place of TCP.

use std::sync::Arc;

use futures_util::FutureExt;
use quorate::raft::{Called, Dial, Transport};
use quorate::types::NodeId;
use tonic::body::Body;
use tonic::codegen::http;

use super::{Network, unavailable};

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
        let to = host(address).ok_or_else(|| format!("'{address}' is no address"))?;
        let (network, address) = (Arc::clone(&self.network), address.to_owned());
        Ok(Arc::new(Line { network, from: self.host, to, address }))
    }
}

/// The address of a host that has moved so many times. Those that an operator names must resolve, so
/// they are numbers.
pub(super) fn address(host: usize, moves: u64) -> String {
    match moves {
        0 => format!("f{host}:9010"),
        _ => format!("10.{}.{}.{host}:9010", moves >> 8, moves & 0xff),
    }
}

/// The host that has an address, or had it.
fn host(address: &str) -> Option<usize> {
    let (name, _port) = address.rsplit_once(':')?;
    let number = name.strip_prefix('f').or_else(|| name.rsplit('.').next())?;
    number.parse().ok()
}

struct Line {
    network: Arc<Network>,
    from: usize,
    to: usize,
    address: String,
}

impl Transport for Line {
    fn call(&self, request: http::Request<Body>) -> Called {
        if self.network.address(self.to) != self.address {
            return std::future::ready(Err(unavailable("no route to host"))).boxed();
        }
        Arc::clone(&self.network).call(self.from, self.to, request).boxed()
    }
}
