//! The leader brings Raft's membership to what the registry says.
//!
//! One step at a time, each decided anew from registry and membership: a registered follower that
//! has announced itself becomes a learner; a learner that is alive and has caught up becomes a
//! voter. The quorum never shrinks to let a frontend in. A change of the voters that was cut off
//! between its two entries is finished before anything else.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::types::{FrontendKind, Lsn, NodeId, Ports};

/// Between two looks when nothing tells of a change, for learners that catch up.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A learner at most this many entries behind may vote.
const CAUGHT_UP_ENTRIES: u64 = 1000;

/// A learner must have been seen so, this many looks in a row, before it may vote.
const CAUGHT_UP_LOOKS: u32 = 3;
/// A learner that was not heard for this long is not alive.
const HEARD_MAX: Duration = Duration::from_secs(1);

enum Step {
    Finish,
    Learn(NodeId, String),
    Promote(NodeId),
}

impl Cluster {
    /// Runs until told to stop.
    pub async fn keep_membership(&self, stop: CancellationToken) {
        let mut applied = self.machine().subscribe();
        let mut looks = BTreeMap::new();
        while !stop.is_cancelled() {
            if let Some(step) = self.next_step(&mut looks) {
                self.take(step).await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                changed = applied.changed(), if !self.has_learners() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(LOOK_INTERVAL), if self.has_learners() => {}
            }
            // Under load every entry is a change; looking at each would cost more than applying it.
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    fn has_learners(&self) -> bool {
        let status = self.node().status();
        status.is_leader && !status.learners.is_empty()
    }

    /// `looks` counts how often in a row each learner was found caught up and alive.
    fn next_step(&self, looks: &mut BTreeMap<NodeId, u32>) -> Option<Step> {
        let status = self.node().status();
        if !status.is_leader {
            looks.clear();
            return None;
        }
        if status.is_joint {
            return Some(Step::Finish);
        }
        let followers = self.machine().view().frontends().into_iter().filter(|(_, frontend)| {
            frontend.kind == FrontendKind::Follower && frontend.ports != Ports::default()
        });
        let mut promotion = None;
        for (node, frontend) in followers {
            if status.voters.contains(&node) {
                continue;
            }
            if !status.learners.contains(&node) {
                return Some(Step::Learn(node, frontend.address()));
            }
            let matched = status.matched.get(&node).copied().flatten().unwrap_or(Lsn(0));
            let near = matched.0 + CAUGHT_UP_ENTRIES >= status.last_lsn.unwrap_or_default().0;
            let alive = status.heard.get(&node).is_some_and(|age| *age < HEARD_MAX);
            let seen = looks.entry(node).or_default();
            *seen = if near && alive && matched.0 > 0 { *seen + 1 } else { 0 };
            if *seen >= CAUGHT_UP_LOOKS {
                promotion = Some(Step::Promote(node));
            }
        }
        promotion
    }

    async fn take(&self, step: Step) {
        let taken = match &step {
            Step::Finish => {
                tracing::info!("finishing a change of the voters that was cut off");
                self.node().finish_change().await
            }
            Step::Learn(node, address) => {
                tracing::info!("frontend {node} at {address} becomes a learner");
                self.node().add_learner(*node, address).await
            }
            Step::Promote(node) => {
                tracing::info!("frontend {node} has caught up and becomes a voter");
                self.node().promote(*node).await
            }
        };
        if let Err(error) = taken {
            tracing::warn!("membership change did not succeed and will be tried again: {error}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}
