//! TRANSFER LEADER from any frontend: the leader is asked to hand over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::{Instant, timeout, timeout_at};

use super::Cluster;
use crate::proto::cluster::TransferLeaderRequest;
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::raft::ProposeError;
use crate::types::NodeId;

/// Between two looks for a leader to ask.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long the leader may take: it asks the successor and waits until that leads.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether this leader is just handing over on request.
#[derive(Default)]
pub(super) struct Running(AtomicBool);

/// Ends with the transfer, however that ends.
struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Cluster {
    /// Has a follower become the leader. Waits for a leader that can be asked.
    ///
    /// # Errors
    /// Why it did not; no leader before the deadline.
    pub async fn transfer_leader(
        &self,
        to: NodeId,
        force: bool,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let refused = |message: String| Failure::new(1105, "HY000", message);
        let mut leadership = self.node().watch();
        let known = async {
            let known = leadership.wait_for(|known| known.leader.is_some()).await.ok()?;
            known.leader.as_ref().map(|leader| leader.id)
        };
        let Ok(Some(leader)) = timeout_at(deadline, known).await else {
            return Err(ProposeError::NoLeader.failure());
        };
        if leader == to {
            return Ok(());
        }
        if leader == self.identity().node {
            return self.transfer_from_here(to, force).await.map_err(refused);
        }
        self.ask_to_transfer(leader, to, force).await.map_err(refused)?;
        // So that this frontend does not send what follows to the old one.
        let taken = async {
            while self.node().watch().borrow().leader.as_ref().map(|l| l.id) != Some(to) {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        if timeout_at(deadline.min(Instant::now() + CALL_TIMEOUT), taken).await.is_err() {
            tracing::debug!("frontend {to} is not known to lead yet");
        }
        Ok(())
    }

    async fn ask_to_transfer(&self, leader: NodeId, to: NodeId, force: bool) -> Result<(), String> {
        let view = self.machine().view();
        let frontend = view.frontend(leader);
        let frontend = frontend.ok_or_else(|| format!("leader {leader} is not registered"))?;
        let dial = self.node().dial();
        let wire = self.inner.channels.get(dial, leader, &frontend.address())?;
        let identity = self.identity();
        let request = TransferLeaderRequest {
            cluster: identity.cluster.0,
            generation: identity.generation.0,
            target: leader.0,
            to: to.0,
            force,
        };
        let mut client = ClusterClient::new(wire);
        match timeout(CALL_TIMEOUT, client.transfer_leader(request)).await {
            Ok(called) => called.map(|_| ()).map_err(|status| status.message().to_owned()),
            Err(_elapsed) => Err("the leader does not answer".to_owned()),
        }
    }

    /// Hands leadership to another follower. Without `force` only to one that is alive, applies and
    /// has room on its disk, and not while another transfer runs.
    pub(super) async fn transfer_from_here(&self, to: NodeId, force: bool) -> Result<(), String> {
        let busy = self.inner.transfers.0.swap(true, Ordering::AcqRel);
        if busy && !force {
            return Err("another transfer of leadership is running; FORCE does not wait".to_owned());
        }
        let _turn = Turn(&self.inner.transfers.0);
        if !force {
            self.check_able(to).await?;
        }
        self.node().transfer_leader(to).await.map_err(|error| error.to_string())
    }

    async fn check_able(&self, to: NodeId) -> Result<(), String> {
        if to == self.identity().node {
            return Ok(());
        }
        let view = self.machine().view();
        let frontend =
            view.frontend(to).ok_or_else(|| format!("frontend {to} is not registered"))?;
        let status = self.ask(to, frontend).await;
        let problem = match status {
            Err(problem) => problem,
            Ok(status) if !status.stalled.is_empty() => status.stalled,
            Ok(status) if status.low_on_disk => "its disk is nearly full".to_owned(),
            Ok(_) => return Ok(()),
        };
        Err(format!("frontend {} cannot lead: {problem}; FORCE tries it", frontend.address()))
    }
}
