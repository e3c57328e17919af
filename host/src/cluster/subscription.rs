//! Keeps an observer subscribed to the committed log.
//!
//! Who belongs to no membership takes the log from another frontend: from a follower if one has
//! room, from another observer next, from the leader last, so that a leader's work does not grow
//! with its observers. When an upstream is lost the next one is tried, from where this frontend
//! stands. A frontend that becomes a follower gets the log from the leader, and stops here.

use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::raft::FeedEnd;
use crate::types::{FrontendKind, NodeId};

/// Between two rounds over all upstreams when none would do: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// A feed that lasted this long was a good one: the search starts over without a pause.
const LASTED: Duration = Duration::from_secs(1);
/// How long a leader is kept as upstream before the others are tried again: at first, and at most.
const BURDEN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Under load every entry is a change; looking at each would cost more than applying it.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

impl Cluster {
    /// Runs until told to stop. `known` are frontends to begin with, for as long as the state names
    /// none.
    pub async fn keep_subscription(&self, known: Vec<(NodeId, String)>, stop: CancellationToken) {
        stop.run_until_cancelled(self.subscribe_again_and_again(&known)).await;
    }

    async fn subscribe_again_and_again(&self, known: &[(NodeId, String)]) {
        let (mut pause, mut burden) = (PAUSE.0, BURDEN.0);
        loop {
            self.until_subscribing(true).await;
            for (node, address) in self.upstreams(known) {
                let began = Instant::now();
                let own = self.inner.frontend.address();
                let end = tokio::select! {
                    () = self.until_subscribing(false) => break,
                    () = self.until_leader_burdened(burden) => {
                        // No other may take it: then it comes back, and stays longer.
                        burden = (burden * 2).min(BURDEN.1);
                        break;
                    }
                    end = self.node().follow(node, &address, &own) => end,
                };
                match end {
                    FeedEnd::Stopped(_) => return,
                    FeedEnd::Diverged { .. } => tracing::error!("{end}"),
                    FeedEnd::Lost { .. } => tracing::debug!("{end}"),
                }
                if began.elapsed() >= LASTED {
                    tracing::info!("looking for another upstream: {end}");
                    pause = PAUSE.0;
                    break;
                }
            }
            // So that many that lost one upstream do not all come to the next one at once.
            let share = rand::random_range(0.5..1.0);
            sleep(pause.mul_f64(share)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Waits until this frontend has to subscribe, or no longer has to.
    async fn until_subscribing(&self, wanted: bool) {
        let mut applied = self.machine().subscribe();
        let mut leadership = self.node().watch();
        let mut aside = self.node().aside();
        while self.subscribes() != wanted {
            tokio::select! {
                Ok(()) = applied.changed() => {}
                Ok(()) = leadership.changed() => {}
                Ok(()) = aside.changed() => {}
                else => std::future::pending().await,
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Waits until a leader has been the upstream for a while, though there are others.
    async fn until_leader_burdened(&self, patience: Duration) {
        let mut since = None;
        loop {
            sleep(LOOK_INTERVAL).await;
            let leads = self.node().upstream().is_some_and(|upstream| upstream.hops == 0);
            // Itself, the leader, and another one.
            if !leads || self.machine().view().frontends().len() <= 2 {
                since = None;
            } else if since.get_or_insert_with(Instant::now).elapsed() >= patience {
                return;
            }
        }
    }

    /// An observer by the registry, or before there is one by what it was told, and no voter; or
    /// one by the registry of others, which this frontend has yet to receive.
    fn subscribes(&self) -> bool {
        if *self.node().aside().borrow() {
            return true;
        }
        let own = self.identity().node;
        let registered = self.machine().view().frontend(own).map(|frontend| frontend.kind);
        registered.unwrap_or(self.identity().kind) == FrontendKind::Observer
            && !self.node().watch().borrow().voters.contains(&own)
    }

    /// Frontends to subscribe at, the best ones first.
    fn upstreams(&self, known: &[(NodeId, String)]) -> Vec<(NodeId, String)> {
        let own = self.identity().node;
        let leader = self.node().watch().borrow().leader.as_ref().map(|leader| leader.id);
        let mut ranked: Vec<_> = self
            .machine()
            .view()
            .frontends()
            .into_iter()
            .map(|(node, frontend)| {
                let rank = match frontend.kind {
                    _ if leader == Some(node) => 2,
                    FrontendKind::Follower => 0,
                    FrontendKind::Observer => 1,
                };
                (rank, node, frontend.address())
            })
            .collect();
        if ranked.is_empty() {
            ranked = known.iter().map(|(node, address)| (0, *node, address.clone())).collect();
        }
        ranked.retain(|(_, node, _)| *node != own);
        ranked.shuffle(&mut rand::rng());
        ranked.sort_by_key(|(rank, ..)| *rank);
        ranked.into_iter().map(|(_, node, address)| (node, address)).collect()
    }
}
