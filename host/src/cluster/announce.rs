//! A frontend tells the cluster where it is reached, and its ports and version.
//!
//! Its identity is an id in its data directory; its address is an attribute. One that starts with
//! another address than it is registered with has that recorded. While no leader finds it, it asks
//! the frontends that it knows from its registry, and its helpers: each of them calls it at the new
//! address from then on, leader or not, so that even a majority that moved at once can elect.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::changes::next_look;
use super::{Cluster, command_deadline, standing};
use crate::proto::cluster::AnnounceRequest;
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::raft::Wire;
use crate::types::{Address, Alteration, Frontend, FrontendKind, HostCommand, NodeId};

/// Between two attempts.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long another frontend may take to record an address.
const TELL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a frontend that has no success says so.
const SAY_INTERVAL: Duration = Duration::from_secs(5);
/// A leader that was not heard for this long cannot be counted on.
pub(super) const LEADER_SILENT: Duration = Duration::from_secs(1);
/// Most frontends that are asked at once: a cluster has at most seven followers.
const ASKED_MAX: usize = 16;

/// Where a frontend is registered, once nothing is left to be recorded of it.
#[derive(Default)]
pub(super) struct Whereabouts {
    /// Where it was then.
    home: Option<String>,
    /// Where it is since, if that is elsewhere.
    moved_to: Option<String>,
}

impl Cluster {
    /// Keeps this frontend's address, ports and version in the registry what they are; from when
    /// they are, looks whether it is moved away. Runs until told to stop. `helpers` are asked too;
    /// `members` are the frontends that it was told of when it joined, itself among them.
    pub async fn announce(
        &self,
        helpers: &[String],
        members: &[(NodeId, String)],
        stop: &CancellationToken,
    ) {
        let mut said = Instant::now();
        let mut was_here = self.was_here(members);
        while !stop.is_cancelled() {
            match self.announce_once(helpers, &mut was_here).await {
                Ok(true) => return self.watch_address(stop).await,
                Ok(false) => {}
                Err(reason) if said.elapsed() >= SAY_INTERVAL => {
                    said = Instant::now();
                    tracing::warn!("this frontend is not recorded as it is yet: {reason}");
                }
                Err(reason) => tracing::debug!("announcing goes on: {reason}"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Whether it was registered under its address when it started, as far as it knew.
    fn was_here(&self, members: &[(NodeId, String)]) -> bool {
        let own = self.identity().node;
        match &self.inner.registered_at_start {
            Some(registered) => Address::of(&self.inner.frontend).is_of(registered),
            None => members.iter().any(|(node, address)| {
                *node == own && address.eq_ignore_ascii_case(&self.inner.frontend.address())
            }),
        }
    }

    /// Tells when this frontend is registered elsewhere than it was. Runs until told to stop.
    async fn watch_address(&self, stop: &CancellationToken) {
        let registered = || self.machine().view().frontend(self.identity().node).map(Address::of);
        let mut applied = self.machine().subscribe();
        while !stop.is_cancelled() {
            applied.borrow_and_update();
            if let Some(now) = registered() {
                self.note_registered(&now.to_string());
            }
            if !next_look(&mut applied, INTERVAL, stop).await {
                return;
            }
        }
    }

    /// Takes note of where this frontend is registered now, by its own state or that of others. If
    /// it was moved away while it runs, it says so.
    pub(super) fn note_registered(&self, address: &str) {
        let mut known = self.inner.whereabouts.lock();
        let Some(home) = &known.home else { return };
        let moved_to = (!home.eq_ignore_ascii_case(address)).then(|| address.to_owned());
        if let Some(address) = moved_to.as_ref().filter(|_| moved_to != known.moved_to) {
            tracing::warn!(
                "this frontend was moved to {address} and still runs at {}, where the others do \
                 not look for it: stop it and start it there",
                self.inner.frontend.address()
            );
        }
        known.moved_to = moved_to;
    }

    /// Where this frontend is registered, if it was moved away while it runs.
    pub(super) fn moved_to(&self) -> Option<String> {
        self.inner.whereabouts.lock().moved_to.clone()
    }

    fn set_home(&self, address: String) {
        self.inner.whereabouts.lock().home = Some(address);
    }

    /// Whether nothing is left to be recorded.
    async fn announce_once(&self, helpers: &[String], was_here: &mut bool) -> Result<bool, String> {
        let (node, mine) = (self.identity().node, &self.inner.frontend);
        let view = self.machine().view();
        let present = view.frontend(node).cloned();
        drop(view);
        let Some(present) = present else {
            // One that has just joined was announced by its helper. If it was started elsewhere
            // before it had anything of the log, nobody calls it, and it cannot know why. Where it
            // was all along, somebody else may have moved it by hand.
            if !*was_here && !self.hears_leader() {
                self.tell_others(helpers).await?;
            }
            return Ok(false);
        };
        let to = Address::of(mine);
        let is_elsewhere = !to.is_of(&present);
        *was_here |= !is_elsewhere;
        if *was_here {
            self.set_home(mine.address());
        }
        if is_elsewhere && *was_here {
            return Ok(true);
        }
        let moved = is_elsewhere && is_reachable(&mine.host, &present.host);
        if moved && !self.hears_leader() {
            self.tell_others(helpers).await?;
            return Ok(false);
        }
        if moved {
            tracing::info!("this frontend was reached at {}, now at {to}", present.address());
            let alteration = Alteration::Move { node, to, by_hand: false };
            self.propose(HostCommand::Alter(alteration)).await?;
        }
        let is_recorded =
            |known: &Frontend| known.ports == mine.ports && known.version == mine.version;
        if !is_recorded(&present) {
            // It may be in what is committed and not applied here yet.
            let deadline = Instant::now() + LEADER_SILENT;
            let read = self.node().read_index().get(deadline).await;
            let committed = read.map_err(|error| error.failure().message)?;
            self.wait_applied(committed, deadline).await.map_err(|late| late.message)?;
            if !self.machine().view().frontend(node).is_some_and(is_recorded) {
                let (ports, version) = (mine.ports, mine.version.clone());
                self.propose(HostCommand::AnnounceFrontend { node, ports, version }).await?;
            }
        }
        if is_elsewhere && !moved {
            tracing::warn!(
                "frontend_address is {}, where others cannot reach it; it stays registered as {}",
                mine.host,
                present.host
            );
        }
        self.set_home(if moved { mine.address() } else { present.address() });
        Ok(true)
    }

    async fn propose(&self, command: HostCommand) -> Result<(), String> {
        let proposed = self.run("", command, command_deadline()).await;
        proposed.map(|_| ()).map_err(|failure| failure.message)
    }

    /// Whether this frontend leads with a majority, or heard from a leader a moment ago.
    pub(super) fn hears_leader(&self) -> bool {
        self.node().leader_heard().is_some_and(|age| age < LEADER_SILENT)
    }

    /// Connections to the other followers in the registry, with their ids, and to the helpers, of
    /// whom the ids are not known.
    pub(super) fn contacts(&self, helpers: &[String]) -> Vec<(Option<NodeId>, Wire)> {
        let (own, view) = (self.identity().node, self.machine().view());
        let dial = self.node().dial();
        let mut found = Vec::new();
        for (node, frontend) in view.frontends() {
            if node != own
                && frontend.kind == FrontendKind::Follower
                && let Ok(wire) = self.inner.channels.get(dial, node, &frontend.address())
            {
                found.push((Some(node), wire));
            }
        }
        let helpers = helpers.iter().filter_map(|helper| dial.dial(NodeId(0), helper).ok());
        found.extend(helpers.map(|transport| (None, Wire(transport))));
        found.truncate(ASKED_MAX);
        found
    }

    async fn tell_others(&self, helpers: &[String]) -> Result<(), String> {
        let (identity, mine) = (self.identity(), &self.inner.frontend);
        let request = AnnounceRequest {
            cluster: identity.cluster.0,
            generation: identity.generation.0,
            node: identity.node.0,
            host: mine.host.clone(),
            edit_log_port: u32::from(mine.edit_log_port),
        };
        let calls = self.contacts(helpers).into_iter().map(|(_, channel)| {
            let request = request.clone();
            async move {
                let mut client = ClusterClient::new(channel);
                match timeout(TELL_TIMEOUT, client.announce(request)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(status)) => Err(status.message().to_owned()),
                    Err(_elapsed) => Err("no answer".to_owned()),
                }
            }
        });
        let mut reasons = Vec::new();
        for told in join_all(calls).await {
            match told {
                Ok(()) => return Ok(()),
                Err(reason) => reasons.push(reason),
            }
        }
        if reasons.is_empty() {
            return Err("no other frontend is known; name one with --helper".to_owned());
        }
        Err(reasons.join("; "))
    }

    /// Records where another frontend of this cluster is reached now.
    pub(super) async fn take_announcement(&self, request: AnnounceRequest) -> Result<(), Status> {
        standing::check_route(self.identity(), (request.cluster, request.generation, 0))?;
        let node = NodeId(request.node);
        let port = u16::try_from(request.edit_log_port)
            .map_err(|_| Status::invalid_argument("edit_log_port is no port"))?;
        let to = Address { host: request.host, port };
        let view = self.machine().view();
        let Some(present) = view.frontend(node).cloned() else {
            return Err(Status::failed_precondition(format!("frontend {node} is not registered")));
        };
        drop(view);
        let moved = Frontend { host: to.host.clone(), edit_log_port: port, ..present.clone() };
        if !crate::machine::is_address(&moved) || node == self.identity().node {
            return Err(Status::invalid_argument(format!("{to} cannot be frontend {node}'s")));
        }
        if !is_reachable(&to.host, &present.host) {
            return Err(Status::invalid_argument(format!(
                "others cannot reach frontend {node} at {to}"
            )));
        }
        // At once: without it there may be no leader to record anything.
        self.node().redirect(node, to.to_string());
        if to.is_of(&present) {
            return Ok(());
        }
        if !self.hears_leader() {
            return Err(Status::unavailable("there is no leader yet that could record it"));
        }
        let alteration = Alteration::Move { node, to, by_hand: false };
        self.propose(HostCommand::Alter(alteration)).await.map_err(Status::unavailable)
    }
}

/// Whether others may reach an address, if they reached the one that is registered. A start that
/// left out its address must not cut the frontend off.
fn is_reachable(mine: &str, registered: &str) -> bool {
    let is_local = |host: &str| {
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
    };
    !is_local(mine) || is_local(registered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_does_not_replace_one_that_others_reach() {
        for local in ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"] {
            assert!(!is_reachable(local, "10.0.0.1"), "{local}");
            assert!(is_reachable(local, "127.0.0.2"), "{local}");
            assert!(is_reachable("fe1.example", local), "{local}");
        }
        assert!(is_reachable("10.0.0.1", "10.0.0.2"));
    }
}
