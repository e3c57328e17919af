//! How each frontend is: asked directly, never logged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::commits::Ages;
use super::{Cluster, VERSION};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{StatusRequest, StatusResponse};
use crate::raft::{Dial, Wire};
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
    /// What its wall clock is ahead of this frontend's, if both are known.
    pub offset: Option<Offset>,
}

/// What a wall clock is ahead of another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    /// In microseconds; negative when it is behind.
    pub us: i64,
    /// By how much that may be wrong: the answer was on its way for twice as long.
    pub doubt_us: u64,
}

impl Offset {
    /// Compares a clock that was read during a call with one that was read when the call began.
    /// Nothing when one of them is not known.
    pub fn measure(theirs_us: u64, ours_us: i64, round_trip: Duration) -> Option<Self> {
        let half = u64::try_from(round_trip.as_micros() / 2).ok()?;
        let theirs = i64::try_from(theirs_us).ok().filter(|clock| *clock > 0)?;
        let ours = Some(ours_us).filter(|clock| *clock > 0)?;
        let between = ours.saturating_add_unsigned(half);
        Some(Self { us: theirs.saturating_sub(between), doubt_us: half })
    }

    /// The same clock, compared with another one that was measured likewise.
    pub fn from(self, base: Self) -> Self {
        let doubt_us = self.doubt_us.saturating_add(base.doubt_us);
        Self { us: self.us.saturating_sub(base.us), doubt_us }
    }
}

impl Asked {
    /// `host:port`, for messages.
    pub fn name(&self) -> String {
        self.frontend.address()
    }
}

/// Connections to other frontends for status calls, by address.
#[derive(Default, Clone)]
pub(super) struct Channels {
    open: Arc<Mutex<BTreeMap<String, Wire>>>,
}

impl Channels {
    /// A connection that is made when it is used. One per registered frontend at most.
    pub fn get(&self, dial: &dyn Dial, node: NodeId, address: &str) -> Result<Wire, String> {
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
        let upstream = self.node().upstream();
        let surroundings = &self.inner.surroundings;
        let (held, total) = raft.snapshot_incoming.unwrap_or_default();
        let (ages, (heard_nodes, heard_ages_us)) = if raft.is_leader {
            let heard = self.inner.contacts.merged(&raft.heard).into_iter();
            let heard = heard.map(|(node, age)| (node.0, micros(age)));
            (self.commit_ages(), heard.unzip())
        } else {
            (Ages::default(), (Vec::new(), Vec::new()))
        };
        let quarantine = self.machine().quarantine();
        let stalled = raft.stopped.clone().or(quarantine).or_else(|| raft.stalled.clone());
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
            stalled: stalled.unwrap_or_default(),
            snapshot_lsn: number(raft.snapshot_lsn),
            purged_lsn: number(raft.purged_lsn),
            low_on_disk: self.node().proposer().is_full(),
            hops: upstream.as_ref().map_or(0, |upstream| upstream.hops + 1),
            upstream: upstream.map(|upstream| upstream.address).unwrap_or_default(),
            feeds: u32::try_from(self.node().feeds()).unwrap_or(u32::MAX),
            sender_standing: 0,
            sender_address: String::new(),
            moved_to: self.moved_to().unwrap_or_default(),
            clock_us: (surroundings.clock)().max(0).cast_unsigned(),
            machine: surroundings.machine.clone(),
            host_name: surroundings.host_name.clone(),
            snapshot_bytes_held: held,
            snapshot_bytes_total: total,
            committed_lsns: ages.lsns,
            committed_ages_us: ages.ages_us,
            heard_nodes,
            heard_ages_us,
            digest_at: Vec::new().into(),
        }
    }

    /// What this frontend has seen to be committed, and how long ago.
    pub(super) fn commit_ages(&self) -> Ages {
        self.note_commits();
        self.inner.commits.ages(Instant::now())
    }

    /// Asks every registered frontend how it is, all at once. Takes a second at most.
    pub async fn ask_all(&self) -> Vec<Asked> {
        let frontends = self.machine().view().frontends();
        self.inner.channels.retain(&frontends);
        self.inner.contacts.retain(&frontends);
        join_all(frontends.into_iter().map(|(node, frontend)| async move {
            if node == self.identity().node {
                let status = self.status();
                let offset = (status.clock_us > 0).then(Offset::default);
                return Asked { node, frontend, status: Ok(status), offset };
            }
            let (clock_us, asked_at) = ((self.inner.surroundings.clock)(), Instant::now());
            let status = self.ask(node, &frontend).await;
            let round_trip = asked_at.elapsed();
            let offset = status.as_ref().ok().and_then(|status| {
                self.inner.contacts.note(node, Instant::now());
                Offset::measure(status.clock_us, clock_us, round_trip)
            });
            Asked { node, frontend, status, offset }
        }))
        .await
    }

    pub(super) async fn ask(
        &self,
        node: NodeId,
        frontend: &Frontend,
    ) -> Result<StatusResponse, String> {
        self.ask_at(node, frontend, Lsn(0)).await
    }

    /// The same, and the digest of its state at an LSN.
    pub(super) async fn ask_at(
        &self,
        node: NodeId,
        frontend: &Frontend,
        digest_lsn: Lsn,
    ) -> Result<StatusResponse, String> {
        let dial = self.node().dial();
        let wire = self.inner.channels.get(dial, node, &frontend.address())?;
        let request = StatusRequest {
            cluster: self.identity().cluster.0,
            generation: self.identity().generation.0,
            target: node.0,
            sender: 0,
            digest_lsn: digest_lsn.0,
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

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `name@version`.
fn name(module: &Module) -> String {
    let description = module.description();
    format!("{}@{}", description.name, description.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_round_trip_is_taken_off_and_is_the_doubt() {
        let round_trip = Duration::from_millis(200);
        let offset = Offset::measure(1_000_000_000, 999_000_000, round_trip);
        assert_eq!(offset, Some(Offset { us: 900_000, doubt_us: 100_000 }));
        let behind = Offset::measure(999_000_000, 1_000_000_000, Duration::ZERO);
        assert_eq!(behind, Some(Offset { us: -1_000_000, doubt_us: 0 }));
    }

    #[test]
    fn a_clock_that_is_not_known_is_not_compared() {
        assert_eq!(Offset::measure(0, 5, Duration::ZERO), None);
        assert_eq!(Offset::measure(5, 0, Duration::ZERO), None);
        assert_eq!(Offset::measure(u64::MAX, 5, Duration::ZERO), None);
    }
}
