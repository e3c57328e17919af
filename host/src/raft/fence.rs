//! Who may talk to whom: every call names cluster, generation, sender and target.
//!
//! openraft cannot notice a message from another cluster, from before a recovery, or for a node id
//! that lives elsewhere now; acting on one can lose acknowledged writes. The one place that checks
//! is [`Fence::check`].

use std::sync::atomic::{AtomicU64, Ordering};

use tonic::Status;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use crate::types::{ClusterId, Generation, NodeId};

/// The metadata key of a call's route.
pub const ROUTE_KEY: &str = "quorate-route";

/// This frontend's identity, as it is stamped on calls and demanded of them.
#[derive(Debug)]
pub struct Fence {
    cluster: ClusterId,
    generation: Generation,
    node: NodeId,
    refused: AtomicU64,
}

impl Fence {
    /// The fence of one frontend.
    pub fn new(cluster: ClusterId, generation: Generation, node: NodeId) -> Self {
        Self { cluster, generation, node, refused: AtomicU64::new(0) }
    }

    /// What goes with every call to `target`, under [`ROUTE_KEY`].
    pub fn stamp(&self, target: NodeId) -> AsciiMetadataValue {
        format!("{}.{}.{}.{target}", self.cluster, self.generation, self.node)
            .parse()
            .expect("digits and dots are ASCII")
    }

    /// Checks a call and returns its sender.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` when the route is missing, or names another cluster, generation or
    /// target.
    pub fn check(&self, metadata: &MetadataMap) -> Result<NodeId, Status> {
        self.sender(metadata).map_err(|reason| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%reason, "refused a call from another frontend");
            Status::failed_precondition(reason)
        })
    }

    fn sender(&self, metadata: &MetadataMap) -> Result<NodeId, String> {
        let route = metadata
            .get(ROUTE_KEY)
            .and_then(|route| route.to_str().ok())
            .and_then(parse)
            .ok_or_else(|| format!("the call has no valid {ROUTE_KEY}"))?;
        let [cluster, generation, sender, target] = route;
        let expected = [
            ("cluster", cluster, self.cluster.0),
            ("generation", generation, self.generation.0),
            ("frontend", target, self.node.0),
        ];
        for (name, got, own) in expected {
            if got != own {
                return Err(format!("the call is for {name} {got}, this is {name} {own}"));
            }
        }
        Ok(NodeId(sender))
    }

    /// How many calls were refused since start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

fn parse(route: &str) -> Option<[u64; 4]> {
    let mut numbers = route.split('.').map(|number| number.parse().ok());
    let route = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(route)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_exact_route_passes() {
        let own = Fence::new(ClusterId(7), Generation(2), NodeId(3));
        for (route, message) in [
            ("7.2.1", "no valid"),
            ("7.2.1.3.4", "no valid"),
            ("7.2.x.3", "no valid"),
            ("8.2.1.3", "cluster 8, this is cluster 7"),
            ("7.1.1.3", "generation 1, this is generation 2"),
            ("7.2.1.4", "frontend 4, this is frontend 3"),
        ] {
            let mut metadata = MetadataMap::new();
            metadata.insert(ROUTE_KEY, route.parse().unwrap());
            let status = own.check(&metadata).unwrap_err();
            assert_eq!(status.code(), tonic::Code::FailedPrecondition);
            assert!(status.message().contains(message), "{}", status.message());
        }
        assert_eq!(own.refused(), 6);
        let sender = Fence::new(ClusterId(7), Generation(2), NodeId(1));
        let mut metadata = MetadataMap::new();
        metadata.insert(ROUTE_KEY, sender.stamp(NodeId(3)));
        assert_eq!(own.check(&metadata).unwrap(), NodeId(1));
    }
}
