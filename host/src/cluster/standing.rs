//! What a frontend is to its cluster: registered, dropped, or of another cluster altogether.
//!
//! A frontend that was dropped has to end: it would wait for a leader for ever, and its clients
//! with it. While it receives the log it learns of its drop there, and ends when its vote is not
//! needed any more. If it was down then, nobody calls it; so a frontend that hears no leader asks
//! the others how it stands. One answer is enough: what the registry says was committed, and an id
//! never returns.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::Cluster;
use super::announce::LEADER_SILENT;
use super::status::STATUS_TIMEOUT;
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{Standing, StatusRequest};
use crate::storage::Identity;
use crate::types::{ClusterId, FrontendKind, Generation, NodeId};

/// The metadata key of an answering frontend's identity, when a call was for another one.
const IDENTITY_KEY: &str = "quorate-identity";
/// Between two looks at the registry, however often it changes.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Longest pause between two questions to the others; it doubles from [`LEADER_SILENT`].
const ASK_INTERVAL_MAX: Duration = Duration::from_secs(8);

/// Why a frontend must end for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Expulsion {
    /// It was dropped.
    #[error(
        "frontend {node} was dropped from the cluster, and its id does not return. To use this \
         machine again, empty its data directory (meta_dir), run ALTER SYSTEM ADD FOLLOWER or \
         OBSERVER \"{address}\" on another frontend, and start it with --helper"
    )]
    Dropped {
        /// Its id.
        node: NodeId,
        /// Its address.
        address: String,
    },
    /// The cluster was recovered or restored without it.
    #[error(
        "the data directory is of generation {own} of the cluster, and generation {newer} has \
         begun without it. Empty it (meta_dir), run ALTER SYSTEM ADD FOLLOWER or OBSERVER \
         \"{address}\" on another frontend, and start it with --helper"
    )]
    Generation {
        /// Of its data.
        own: Generation,
        /// Of the others'.
        newer: Generation,
        /// Its address.
        address: String,
    },
    /// Where its cluster should be, there is another one.
    #[error(
        "this frontend belongs to cluster {own}, and the frontends that it knows belong to cluster \
         {other}. Start it with the data directory (meta_dir) and --helper of one cluster"
    )]
    Cluster {
        /// Of its data.
        own: ClusterId,
        /// Of the others'.
        other: ClusterId,
    },
}

/// What one of the others said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing, or nothing that decides.
    Nothing,
    Standing(Standing),
    Stranger(ClusterId, Generation),
}

impl Cluster {
    /// Waits until this frontend knows that it does not belong to the cluster any more.
    pub async fn expelled(&self) -> Expulsion {
        let mut expelled = self.inner.expelled.subscribe();
        match expelled.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_else(|| self.dropped()),
            Err(_never) => std::future::pending().await,
        }
    }

    /// How a frontend stands, as this one has applied it.
    pub(super) fn standing_of(&self, node: NodeId) -> Standing {
        let view = self.machine().view();
        if node == NodeId(0) || view.cluster().is_none() || node > view.newest_node() {
            Standing::Unknown
        } else if let Some(frontend) = view.frontend(node) {
            let observes = frontend.kind == FrontendKind::Observer
                && view.membership().membership().get_node(&node).is_none();
            if observes { Standing::Observing } else { Standing::Registered }
        } else if view.membership().membership().voter_ids().any(|voter| voter == node) {
            Standing::Leaving
        } else {
            Standing::Dropped
        }
    }

    /// Watches how this frontend stands, until it is told to stop or does not belong any more.
    pub async fn watch_standing(&self, helpers: Vec<String>, stop: CancellationToken) {
        let mut applied = self.machine().subscribe();
        let mut pause = LEADER_SILENT;
        let mut ask_at = Instant::now();
        loop {
            applied.borrow_and_update();
            let own = self.standing_of(self.identity().node);
            let votes = self.node().status().voters.contains(&self.identity().node);
            let mut expulsion = (own == Standing::Dropped && !votes).then(|| self.dropped());
            let called = self.node().leader_called().is_some_and(|age| age < LEADER_SILENT);
            if called || (own == Standing::Observing && !votes) {
                self.node().stand_aside(false);
            }
            if self.hears_leader() {
                pause = LEADER_SILENT;
                ask_at = Instant::now() + pause;
            } else if expulsion.is_none() && Instant::now() >= ask_at {
                expulsion = self.ask_standing(&helpers).await;
                ask_at = Instant::now() + pause;
                pause = (pause * 2).min(ASK_INTERVAL_MAX);
            }
            if let Some(expulsion) = expulsion {
                self.inner.expelled.send_replace(Some(expulsion));
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = applied.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(ask_at) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    fn dropped(&self) -> Expulsion {
        let (node, address) = (self.identity().node, self.inner.frontend.address());
        Expulsion::Dropped { node, address }
    }

    async fn ask_standing(&self, helpers: &[String]) -> Option<Expulsion> {
        let identity = *self.identity();
        let contacts = self.contacts(helpers);
        let peers = contacts.iter().filter(|(node, _)| node.is_some()).count();
        let calls = contacts.into_iter().map(|(_, channel)| async move {
            let request = StatusRequest {
                cluster: identity.cluster.0,
                generation: identity.generation.0,
                // Whoever is there now: all that this frontend knew may have been replaced.
                target: 0,
                sender: identity.node.0,
                digest_lsn: 0,
            };
            let mut client = ClusterClient::new(channel);
            match timeout(STATUS_TIMEOUT, client.status(request)).await {
                Ok(Ok(response)) => {
                    let response = response.into_inner();
                    // One that is behind may know an address that is not this one's any more.
                    let knows = response.applied_lsn >= self.machine().lsn().0;
                    if knows && !response.sender_address.is_empty() {
                        self.note_registered(&response.sender_address);
                    }
                    Said::Standing(response.sender_standing())
                }
                Ok(Err(status)) => stranger(&status),
                Err(_elapsed) => Said::Nothing,
            }
        });
        let said = join_all(calls).await;
        // It became an observer while it was down: no leader calls it, and its own state, which
        // says otherwise, does not change until it takes the log from somebody.
        if said.contains(&Said::Standing(Standing::Observing)) {
            self.node().stand_aside(true);
        }
        let address = || self.inner.frontend.address();
        match verdict(&identity, peers, &said)? {
            Verdict::Dropped => Some(self.dropped()),
            Verdict::Generation(newer) => {
                Some(Expulsion::Generation { own: identity.generation, newer, address: address() })
            }
            Verdict::Cluster(other) => Some(Expulsion::Cluster { own: identity.cluster, other }),
        }
    }
}

enum Verdict {
    Dropped,
    Generation(Generation),
    Cluster(ClusterId),
}

/// What follows from what was said: by `peers` that the registry knows, then by helpers.
fn verdict(own: &Identity, peers: usize, said: &[Said]) -> Option<Verdict> {
    if said.contains(&Said::Standing(Standing::Dropped)) {
        return Some(Verdict::Dropped);
    }
    let newer = said.iter().filter_map(|said| match said {
        Said::Stranger(cluster, generation) if *cluster == own.cluster => Some(*generation),
        _ => None,
    });
    if let Some(newer) = newer.max().filter(|newer| *newer > own.generation) {
        return Some(Verdict::Generation(newer));
    }
    // Some address may have gone to another cluster. This one is gone when so many have that those
    // that are left are no majority; one that knows nobody has only its helpers to believe.
    let asked = if peers > 0 { &said[..peers] } else { said };
    let others = asked.iter().filter_map(|said| match said {
        Said::Stranger(cluster, _) if *cluster != own.cluster => Some(*cluster),
        _ => None,
    });
    let others: Vec<_> = others.collect();
    let voters = peers + 1;
    let is_gone = match peers {
        0 => others.len() == asked.len(),
        _ => voters - others.len() < voters / 2 + 1,
    };
    others.last().filter(|_| is_gone).map(|other| Verdict::Cluster(*other))
}

/// Checks whether a call is for this frontend: its cluster, generation and target, which is 0 if
/// anyone of the cluster may answer. The refusal says who this is.
///
/// # Errors
/// `FAILED_PRECONDITION` when it is not.
pub(super) fn check_route(
    mine: &Identity,
    (cluster, generation, target): (u64, u64, u64),
) -> Result<(), Status> {
    let is_target = target == 0 || target == mine.node.0;
    if (cluster, generation) == (mine.cluster.0, mine.generation.0) && is_target {
        return Ok(());
    }
    let mut status = Status::failed_precondition(format!(
        "this is frontend {} of cluster {}, generation {}",
        mine.node, mine.cluster, mine.generation
    ));
    let identity = format!("{}.{}", mine.cluster, mine.generation);
    let identity = identity.parse().expect("digits and dots are ASCII");
    status.metadata_mut().insert(IDENTITY_KEY, identity);
    Err(status)
}

/// Who answered instead of whom was asked.
fn stranger(status: &Status) -> Said {
    let identity = || {
        let text = status.metadata().get(IDENTITY_KEY)?.to_str().ok()?;
        let (cluster, generation) = text.split_once('.')?;
        Some((cluster.parse().ok()?, generation.parse().ok()?))
    };
    match identity().filter(|_| status.code() == Code::FailedPrecondition) {
        Some((cluster, generation)) => Said::Stranger(ClusterId(cluster), Generation(generation)),
        None => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Identity = Identity {
        cluster: ClusterId(7),
        generation: Generation(2),
        node: NodeId(3),
        kind: FrontendKind::Follower,
    };
    const REGISTERED: Said = Said::Standing(Standing::Registered);

    fn other(cluster: u64, generation: u64) -> Said {
        let other =
            Identity { cluster: ClusterId(cluster), generation: Generation(generation), ..OWN };
        match check_route(&other, (OWN.cluster.0, OWN.generation.0, OWN.node.0)) {
            Err(status) => stranger(&status),
            Ok(()) => panic!("it is this cluster"),
        }
    }

    fn decide(peers: usize, said: &[Said]) -> String {
        match verdict(&OWN, peers, said) {
            None => "nothing".to_owned(),
            Some(Verdict::Dropped) => "dropped".to_owned(),
            Some(Verdict::Generation(newer)) => format!("generation {newer}"),
            Some(Verdict::Cluster(other)) => format!("cluster {other}"),
        }
    }

    #[test]
    fn one_that_says_dropped_is_enough_and_one_that_still_votes_stays() {
        let dropped = Said::Standing(Standing::Dropped);
        assert_eq!(decide(2, &[Said::Nothing, dropped]), "dropped");
        assert_eq!(decide(2, &[REGISTERED, dropped]), "dropped");
        for standing in
            [Standing::Unknown, Standing::Registered, Standing::Observing, Standing::Leaving]
        {
            assert_eq!(decide(2, &[Said::Nothing, Said::Standing(standing)]), "nothing");
        }
        assert_eq!(decide(0, &[]), "nothing");
    }

    #[test]
    fn a_newer_generation_ends_an_older_one_and_not_the_other_way_round() {
        assert_eq!(decide(2, &[Said::Nothing, other(7, 3)]), "generation 3");
        assert_eq!(decide(2, &[other(7, 1), other(7, 1)]), "nothing");
    }

    #[test]
    fn another_cluster_at_so_many_addresses_that_no_majority_is_left_ends_it() {
        assert_eq!(decide(2, &[other(8, 2), Said::Nothing]), "nothing");
        assert_eq!(decide(2, &[other(8, 2), other(8, 2)]), "cluster 8");
        assert_eq!(decide(1, &[other(8, 2)]), "cluster 8");
        // A wrong helper is no reason while others are known.
        assert_eq!(decide(2, &[REGISTERED, Said::Nothing, other(8, 2)]), "nothing");
        assert_eq!(decide(0, &[other(8, 2)]), "cluster 8");
        assert_eq!(decide(0, &[other(8, 2), Said::Nothing]), "nothing");
    }

    #[test]
    fn a_call_for_whoever_is_there_passes_and_one_for_another_does_not() {
        assert!(check_route(&OWN, (7, 2, 0)).is_ok());
        assert!(check_route(&OWN, (7, 2, 3)).is_ok());
        for route in [(7, 2, 4), (7, 1, 0), (8, 2, 3)] {
            assert!(check_route(&OWN, route).is_err());
        }
    }
}
