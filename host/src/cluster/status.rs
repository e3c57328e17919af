//! How each frontend is: asked directly, never logged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};

use super::{Cluster, VERSION};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{StatusRequest, StatusResponse};
use crate::runtime::Module;
use crate::types::{Frontend, Lsn, NodeId};

/// A frontend that does not answer in this time counts as not alive.
pub(super) const STATUS_TIMEOUT: Duration = Duration::from_millis(1000);

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
    open: Arc<Mutex<BTreeMap<String, Channel>>>,
}

impl Channels {
    /// A connection that is made when it is used. One per registered frontend at most.
    pub fn get(&self, address: &str) -> Result<Channel, String> {
        let mut open = self.open.lock();
        if let Some(channel) = open.get(address) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| format!("'{address}' is no address"))?;
        let channel =
            endpoint.connect_timeout(STATUS_TIMEOUT).timeout(STATUS_TIMEOUT).connect_lazy();
        open.insert(address.to_owned(), channel.clone());
        Ok(channel)
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
        let upstream = self.node().upstream();
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
            hops: upstream.as_ref().map_or(0, |upstream| upstream.hops + 1),
            upstream: upstream.map(|upstream| upstream.address).unwrap_or_default(),
            feeds: u32::try_from(self.node().feeds()).unwrap_or(u32::MAX),
            sender_standing: 0,
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

    pub(super) async fn ask(
        &self,
        node: NodeId,
        frontend: &Frontend,
    ) -> Result<StatusResponse, String> {
        let channel = self.inner.channels.get(&frontend.address())?;
        let request = StatusRequest {
            cluster: self.identity().cluster.0,
            generation: self.identity().generation.0,
            target: node.0,
            sender: 0,
        };
        match tokio::time::timeout(STATUS_TIMEOUT, ClusterClient::new(channel).status(request))
            .await
        {
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
