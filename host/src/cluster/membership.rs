//! The leader brings Raft's membership to what the registry says.
//!
//! One step at a time ([`plan`]): a registered follower that has announced itself becomes a
//! learner; a learner that is alive and has caught up becomes a voter; one that is dropped or
//! becomes an observer loses its vote, as soon as those that are left could decide without it, then
//! leaves; an address follows the registry. The quorum never shrinks to let a frontend in. A change
//! of the voters that was cut off between its two entries is finished before anything else.

mod plan;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::types::{Lsn, NodeId};
use plan::{HEARD_MAX, Looks, Next, Registered, Step};

/// Between two looks when nothing tells of a change, for learners that catch up.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

impl Cluster {
    /// Runs until told to stop.
    pub async fn keep_membership(&self, stop: CancellationToken) {
        let mut applied = self.machine().subscribe();
        let mut leadership = self.node().watch();
        let mut looks = Looks::new();
        while !stop.is_cancelled() {
            leadership.borrow_and_update();
            applied.borrow_and_update();
            match self.next_step(&mut looks) {
                Next::Step(step) => {
                    self.take(step).await;
                    continue;
                }
                Next::Later => {}
                Next::Nothing => {
                    let changed = tokio::select! {
                        () = stop.cancelled() => Ok(()),
                        changed = applied.changed() => changed,
                        changed = leadership.changed() => changed,
                    };
                    if changed.is_err() {
                        return;
                    }
                }
            }
            // Under load every entry is a change; looking at each would cost more than applying it.
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

    /// Which voters are alive, as the leader hears them; none if this frontend does not lead.
    pub(super) fn heard_voters(&self) -> Option<Vec<NodeId>> {
        let status = self.node().status();
        let heard = |node: &NodeId| {
            *node == status.id || status.heard.get(node).is_some_and(|age| *age < HEARD_MAX)
        };
        status.is_leader.then(|| status.voters.iter().copied().filter(heard).collect())
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
                tracing::info!("frontends {leaving:?} are no followers any more and stop voting");
                node.demote(leaving).await
            }
            Step::Move(addresses) => {
                tracing::info!("frontends are reached elsewhere: {addresses:?}");
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
