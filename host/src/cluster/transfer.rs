//! TRANSFER LEADER from any frontend: the leader is asked to hand over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Code, Status};

use super::Cluster;
use crate::proto::cluster::TransferLeaderRequest;
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::raft::{MemberError, ProposeError};
use crate::types::{Frontend, NodeId};

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

/// Why leadership did not move.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The one that was asked does not lead any more.
    NotLeader,
    /// What the client is to be told.
    Because(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Because(reason)
    }
}

impl From<MemberError> for Refusal {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::NotLeader(_) => Self::NotLeader,
            error => Self::Because(error.to_string()),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotLeader => Self::aborted("this frontend does not lead any more"),
            Refusal::Because(reason) => Self::unavailable(reason),
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Aborted => Self::NotLeader,
            _ => Self::Because(status.message().to_owned()),
        }
    }
}

impl Cluster {
    /// Has a follower become the leader. Waits for a leader that can be asked; if leadership has
    /// moved since this frontend heard of it, for the new one.
    ///
    /// # Errors
    /// Why it did not; no leader before the deadline.
    pub async fn transfer_leader(
        &self,
        to: NodeId,
        force: bool,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut leadership = self.node().watch();
        loop {
            let known = async {
                let known = leadership.wait_for(|known| known.leader.is_some()).await.ok()?;
                known.leader.as_ref().map(|leader| leader.id)
            };
            let Ok(Some(leader)) = timeout_at(deadline, known).await else { break };
            if leader == to {
                return Ok(());
            }
            let asked = match leader == self.identity().node {
                true => self.transfer_from_here(to, force).await,
                false => self.ask_to_transfer(leader, to, force).await,
            };
            match asked {
                Ok(()) => {
                    self.see_leading(to, deadline).await;
                    return Ok(());
                }
                Err(Refusal::Because(reason)) => return Err(Failure::new(1105, "HY000", reason)),
                Err(Refusal::NotLeader) => {
                    let pause = tokio::time::sleep(LOOK_INTERVAL);
                    if timeout_at(deadline, pause).await.is_err() {
                        break;
                    }
                }
            }
        }
        Err(ProposeError::NoLeader.failure())
    }

    /// Waits until this frontend knows that another one leads, so that it does not send what
    /// follows to the old leader.
    async fn see_leading(&self, to: NodeId, deadline: Instant) {
        let mut leadership = self.node().watch();
        let taken = leadership.wait_for(|now| now.leader.as_ref().is_some_and(|at| at.id == to));
        if timeout_at(deadline.min(Instant::now() + CALL_TIMEOUT), taken).await.is_err() {
            tracing::debug!("frontend {to} is not known to lead yet");
        }
    }

    async fn ask_to_transfer(
        &self,
        leader: NodeId,
        to: NodeId,
        force: bool,
    ) -> Result<(), Refusal> {
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
            Ok(called) => called.map(|_| ()).map_err(Refusal::from),
            Err(_elapsed) => Err("the leader does not answer".to_owned().into()),
        }
    }

    /// Hands leadership to another follower that votes. Without `force` only to one that is alive,
    /// applies and has room on its disk, and not while another transfer runs.
    pub(super) async fn transfer_from_here(&self, to: NodeId, force: bool) -> Result<(), Refusal> {
        let status = self.node().status();
        if !status.is_leader {
            return Err(Refusal::NotLeader);
        }
        if !status.voters.contains(&to) {
            let view = self.machine().view();
            let name = view.frontend(to).map_or_else(|| to.to_string(), Frontend::address);
            return Err(Refusal::Because(format!(
                "frontend {name} does not vote yet; wait until SHOW FRONTENDS has true for it as \
                 Join"
            )));
        }
        let busy = self.inner.transfers.0.swap(true, Ordering::AcqRel);
        if busy && !force {
            let reason = "another transfer of leadership is running; FORCE does not wait";
            return Err(Refusal::Because(reason.to_owned()));
        }
        let _turn = Turn(&self.inner.transfers.0);
        if !force {
            self.check_able(to).await?;
        }
        Ok(self.node().transfer_leader(to).await?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_means_the_same_to_the_one_that_asked_over_the_network() {
        let refusals = || [Refusal::NotLeader, Refusal::Because("its disk is full".to_owned())];
        for (sent, refusal) in refusals().into_iter().zip(refusals()) {
            assert_eq!(Refusal::from(Status::from(sent)), refusal);
        }
    }
}
