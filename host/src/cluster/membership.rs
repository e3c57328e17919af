//! The leader brings Raft's membership to what the registry says.
//!
//! One step at a time ([`plan`]): a registered follower that has announced itself becomes a
//! learner; a learner that is alive and has caught up becomes a voter; one that is dropped or
//! becomes an observer loses its vote, as soon as those that are left could decide without it, then
//! leaves; an address follows the registry. The quorum never shrinks to let a frontend in. A change
//! of the voters that was cut off between its two entries is finished before anything else.

mod plan;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::changes::Changes;
use crate::types::{Lsn, NodeId};
use plan::{HEARD_MAX, Looks, Next, Registered, Step};

/// Between two looks for answers of the voters, of which there is one with each heartbeat.
const HEARD_INTERVAL: Duration = Duration::from_millis(10);
/// Between two looks when nothing tells of a change, for learners that catch up.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

impl Cluster {
    /// Runs until told to stop.
    pub async fn keep_membership(&self, stop: CancellationToken) {
        let mut changes = Changes::of(self);
        let mut looks = Looks::new();
        while !stop.is_cancelled() {
            changes.seen();
            match self.next_step(&mut looks) {
                Next::Step(step) => {
                    self.take(step).await;
                    continue;
                }
                Next::Later => {}
                Next::Nothing if changes.wait(&stop).await => {}
                Next::Nothing => return,
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    fn next_step(&self, looks: &mut Looks) -> Next {
        let status = self.node().status();
        let view = self.machine().view();
        let registered = Registered {
            frontends: view.frontends().into_iter().collect(),
            is_founded: view.cluster().is_some(),
            membership_lsn: view.membership().log_id().map(|id| Lsn(id.index)),
        };
        plan::next(&registered, &status, looks)
    }

    /// Which of the voters are alive: those that answered this leader after it was asked, at most
    /// a second later. None if this frontend does not lead.
    pub(super) async fn heard_voters(&self) -> Option<BTreeSet<NodeId>> {
        let asked = Instant::now();
        loop {
            let status = self.node().status();
            let since = asked.elapsed();
            let heard = |node: &NodeId| {
                *node == status.id || status.heard.get(node).is_some_and(|age| *age < since)
            };
            let alive: BTreeSet<_> = status.voters.iter().copied().filter(heard).collect();
            if !status.is_leader {
                return None;
            }
            if alive.len() == status.voters.len() || since >= HEARD_MAX {
                return Some(alive);
            }
            tokio::time::sleep(HEARD_INTERVAL).await;
        }
    }

    async fn take(&self, step: Step) {
        let node = self.node();
        let taken = match step {
            Step::Finish => {
                tracing::info!("finishing a change of the voters that was cut off");
                node.finish_change().await
            }
            Step::HandOver(to) => {
                tracing::info!("this leader is no follower any more and hands over to {to}");
                node.transfer_leader(to).await
            }
            Step::Demote(leaving) => {
                let names = leaving.iter().map(NodeId::to_string).collect::<Vec<_>>().join(", ");
                tracing::info!("no followers any more, so they stop voting: frontends {names}");
                node.demote(leaving).await
            }
            Step::Move(addresses) => {
                for (id, address) in &addresses {
                    tracing::info!("frontend {id} is reached at {address} now");
                }
                node.set_addresses(addresses).await
            }
            Step::Learn(id, address) => {
                tracing::info!("frontend {id} at {address} becomes a learner");
                node.add_learner(id, &address).await
            }
            Step::Remove(id) => {
                tracing::info!("frontend {id} leaves");
                node.remove(id).await
            }
            Step::Promote(id) => {
                tracing::info!("frontend {id} has caught up and becomes a voter");
                node.promote(id).await
            }
        };
        if let Err(error) = taken {
            tracing::warn!("membership change did not succeed and will be tried again: {error}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}
