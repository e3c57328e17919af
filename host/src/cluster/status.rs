//! How each frontend is: asked directly, never logged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;

use super::{Cluster, VERSION};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{StatusRequest, StatusResponse};
use crate::raft::{Dial, Wire};
use crate::runtime::Module;
use crate::types::{Frontend, Lsn, NodeId};

/// A frontend that does not answer in this time counts as not alive.
const STATUS_TIMEOUT: Duration = Duration::from_millis(1000);

/// A registered frontend and what it said of itself, or why it did not.
pub struct Asked {
    /// Its id.
    pub node: NodeId,
    /// As registered.
    pub frontend: Frontend,
    /// Its status, or what went wrong.
    pub status: Result<StatusResponse, String>,
}

/// Connections to other frontends for status calls, by address.
#[derive(Default, Clone)]
pub(super) struct Channels {
    open: Arc<Mutex<BTreeMap<String, Wire>>>,
}

impl Channels {
    /// A connection that is made when it is used. One per registered frontend at most.
    fn get(&self, dial: &dyn Dial, node: NodeId, address: &str) -> Result<Wire, String> {
        let mut open = self.open.lock();
        if let Some(wire) = open.get(address) {
            return Ok(wire.clone());
        }
        let wire = Wire(dial.dial(node, address)?);
        open.insert(address.to_owned(), wire.clone());
        Ok(wire)
    }

    fn retain(&self, frontends: &[(NodeId, Frontend)]) {
        self.open
            .lock()
            .retain(|address, _| frontends.iter().any(|(_, f)| f.address() == *address));
    }
}

impl Cluster {
    /// How this frontend is. Never waits.
    pub fn status(&self) -> StatusResponse {
        let raft = self.node().status();
        let view = self.machine().view();
        StatusResponse {
            term: raft.term,
            leader: raft.leader.map_or(0, |node| node.0),
            last_lsn: number(raft.last_lsn),
            committed_lsn: number(raft.committed_lsn),
            applied_lsn: view.lsn().0,
            state_digest: view.digest().0.to_vec().into(),
            module: view.active().map(|active| name(&active.module)).unwrap_or_default(),
            started_us: self.inner.started_us,
            version: VERSION.to_owned(),
            stalled: raft.stopped.or(raft.stalled).unwrap_or_default(),
            snapshot_lsn: number(raft.snapshot_lsn),
            purged_lsn: number(raft.purged_lsn),
            low_on_disk: self.node().proposer().is_full(),
        }
    }

    /// Asks every registered frontend how it is, all at once. Takes a second at most.
    pub async fn ask_all(&self) -> Vec<Asked> {
        let frontends = self.machine().view().frontends();
        self.inner.channels.retain(&frontends);
        join_all(frontends.into_iter().map(|(node, frontend)| async move {
            let status = if node == self.identity().node {
                Ok(self.status())
            } else {
                self.ask(node, &frontend).await
            };
            Asked { node, frontend, status }
        }))
        .await
    }

    async fn ask(&self, node: NodeId, frontend: &Frontend) -> Result<StatusResponse, String> {
        let dial = self.node().dial();
        let wire = self.inner.channels.get(dial, node, &frontend.address())?;
        let request = StatusRequest {
            cluster: self.identity().cluster.0,
            generation: self.identity().generation.0,
            target: node.0,
        };
        match tokio::time::timeout(STATUS_TIMEOUT, ClusterClient::new(wire).status(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) if status.code() == tonic::Code::FailedPrecondition => {
                Err(status.message().to_owned())
            }
            Ok(Err(_)) => Err("not reachable".to_owned()),
            Err(_) => Err(format!("no answer within {} ms", STATUS_TIMEOUT.as_millis())),
        }
    }
}

/// 0 for a position before the first entry.
fn number(lsn: Option<Lsn>) -> u64 {
    lsn.unwrap_or_default().0
}

/// `name@version`.
fn name(module: &Module) -> String {
    let description = module.description();
    format!("{}@{}", description.name, description.version)
}
