//! Takes dropped frontends out of Raft's membership, and the defects of changes of it.
//!
//! Who was dropped is in the registry no more; the leader takes it out, or hands over first if it is
//! itself the one. It acts only once it has applied the membership that is in force: before that its
//! registry may be older than it.

use std::sync::Arc;
use std::time::Duration;

use quorate::cluster::Cluster;
use quorate::types::NodeId;
use tokio::time::sleep;

use super::context::Context;
use super::mutation::Mutation;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// With the defect, how often a look has the leader take out a voter, in millionths.
const UNASKED_RATE: u64 = 20_000;

/// Runs as long as the frontend.
pub async fn keep(cluster: Cluster, context: Arc<Context>) {
    loop {
        sleep(LOOK_INTERVAL).await;
        // Whatever fails is tried again at the next look.
        spoil(&cluster, &context).await;
        take_out(&cluster).await;
    }
}

async fn take_out(cluster: &Cluster) {
    let (node, view) = (cluster.node(), cluster.machine().view());
    let status = node.status();
    let stored = view.membership().membership().clone();
    let is_applied = stored.get_joint_config().len() == 1
        && stored.voter_ids().eq(status.voters.iter().copied())
        && stored.learner_ids().eq(status.learners.iter().copied());
    if !status.is_leader || status.is_joint || !is_applied {
        return;
    }
    let is_registered = |id: &NodeId| view.frontend(*id).is_some();
    let mut members = status.voters.iter().chain(&status.learners);
    let Some(dropped) = members.find(|id| !is_registered(id)) else { return };
    if *dropped != node.id() {
        let _ = node.remove(*dropped).await;
    } else if let Some(other) = status.voters.iter().find(|id| is_registered(id)) {
        let _ = node.transfer_leader(*other).await;
    }
}

/// The defects.
async fn spoil(cluster: &Cluster, context: &Context) {
    let node = cluster.node();
    let status = node.status();
    if !status.is_leader {
        return;
    }
    if context.has(Mutation::PromotedAtOnce)
        && let Some(learner) = status.learners.first()
    {
        let _ = node.promote(*learner).await;
    }
    if context.has(Mutation::UnaskedRemoval) && context.dice.chance(UNASKED_RATE) {
        let other = status.voters.iter().find(|voter| **voter != node.id());
        if let Some(other) = other {
            let _ = node.remove(*other).await;
        }
    }
}
