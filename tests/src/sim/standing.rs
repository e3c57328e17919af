//! Who belongs, as the world sees it: what hosts have, and what the registry says of them.

use quorate::cluster::standing::Expulsion;
use quorate::types::{Frontend, NodeId};

use super::plan::Role;
use super::world::World;

/// A joining frontend asks so many others at most.
const HELPERS_MAX: u64 = 3;

impl World {
    /// The id under which the address of a host is registered.
    pub(super) fn registered(&self, host: usize) -> Option<NodeId> {
        let address = self.network.address(host);
        let oracle = self.oracle.lock();
        let mut all = oracle.registry().iter();
        all.find(|(_, frontend)| frontend.address() == address).map(|(node, _)| *node)
    }

    /// Whether the frontend of a host is registered and has what it promised on its disk.
    pub(super) fn is_member(&self, host: usize) -> bool {
        let own = self.hosts[host].disk.identity();
        let registered =
            own.is_some_and(|own| self.oracle.lock().registry().contains_key(&own.node));
        registered && !self.hosts[host].lost
    }

    /// Whether the frontend of a host can still do what it promised.
    pub(super) fn has_disk(&self, host: usize) -> bool {
        let place = &self.hosts[host];
        !place.lost && !place.must_refuse && !place.expelled
    }

    /// Hosts whose frontend votes, or is to.
    pub(super) fn followers(&self) -> Vec<usize> {
        let followers = self.oracle.lock().followers();
        let follows = |at: &usize| {
            self.hosts[*at].disk.identity().is_some_and(|own| followers.contains(&own.node))
        };
        self.members().into_iter().filter(follows).collect()
    }

    /// The same but one, in any order.
    pub(super) fn others_than(&self, leader: usize) -> Vec<usize> {
        let mut others = self.followers();
        others.retain(|at| *at != leader);
        self.context.dice.shuffle(&mut others);
        others
    }

    /// Whether an observer takes the log from the frontend of a host.
    pub(super) fn is_upstream(&self, host: usize) -> bool {
        let Some(own) = self.hosts[host].disk.identity() else { return false };
        let follows = |at: usize| {
            let upstream = self.running(at)?.cluster.node().upstream()?;
            (upstream.node == own.node).then_some(())
        };
        (0..self.hosts.len()).any(|at| at != host && follows(at).is_some())
    }

    /// Hosts whose frontend belongs to the cluster.
    pub(super) fn members(&self) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.is_member(*host)).collect()
    }

    /// Whether a host's frontend was dropped, or what it was to become was.
    pub(super) fn is_dropped(&self, host: usize) -> bool {
        let own = self.hosts[host].disk.identity();
        own.is_some_and(|own| self.oracle.lock().is_dropped(own.node))
    }

    /// The frontend of a host has learnt that it does not belong any more, and ends for good.
    pub(super) fn expel(&mut self, host: usize, why: &Expulsion) {
        self.context.count("dropped frontends that learnt it and ended");
        if !matches!(why, Expulsion::Dropped { .. }) || !self.is_dropped(host) {
            self.context.violate(format!("host {host} ends for good without a reason: {why}"));
        }
        self.crash(host, "it was dropped, and knows it", true);
        self.hosts[host].starts_at = None;
        self.hosts[host].expelled = true;
    }

    /// Whether all that were dropped have ended.
    pub(super) fn dropped_are_gone(&self) -> bool {
        (0..self.hosts.len()).all(|at| {
            let host = &self.hosts[at];
            !self.is_dropped(at) || (host.process.is_none() && host.starts_at.is_none())
        })
    }

    /// The host of a frontend, which may still be on its way there.
    pub(super) fn host_of(&self, node: NodeId) -> Option<usize> {
        let is_there = |host: &usize| {
            let own = self.hosts[*host].disk.identity().map(|own| own.node);
            own == Some(node) || (own.is_none() && self.registered(*host) == Some(node))
        };
        (0..self.hosts.len()).find(is_there)
    }

    /// Whether the cluster can go on, by any membership that may be in force, without the disk of
    /// one host more, or after a frontend was dropped.
    pub(super) fn survives(&self, lost: Option<usize>, dropped: Option<NodeId>) -> bool {
        let mut all = self.oracle.lock().electorates();
        if let Some(dropped) = dropped {
            let mut left = self.oracle.lock().followers();
            left.remove(&dropped);
            all.push(left);
        }
        let has = |node: &&NodeId| {
            self.host_of(**node).is_some_and(|host| Some(host) != lost && self.has_disk(host))
        };
        all.iter().all(|voters| 2 * voters.iter().filter(has).count() > voters.len())
    }

    /// Whether Raft's membership is what the registry says, by the account of the leader.
    pub(super) fn is_settled(&self) -> bool {
        let Some((leader, _)) = self.leader() else { return false };
        let Some(running) = self.running(leader) else { return false };
        let status = running.cluster.node().status();
        let (followers, registry) = {
            let oracle = self.oracle.lock();
            (oracle.followers(), oracle.registry().clone())
        };
        let arrived = |(node, frontend): (&NodeId, &Frontend)| {
            let Some(host) = self.host_of(*node) else { return false };
            let at_home = self.network.address(host) == frontend.address();
            let is_announced = !frontend.version.is_empty();
            let serves = self.is_member(host) && self.serves(host);
            self.hosts[host].lost || (serves && at_home && is_announced)
        };
        let is_known = |(node, address): (&NodeId, &String)| {
            registry.get(node).is_some_and(|frontend| frontend.address() == *address)
        };
        !status.is_joint
            && status.learners.is_empty()
            && status.voters == followers
            && status.addresses.iter().all(is_known)
            && registry.iter().all(arrived)
    }

    /// Whom a host asks to be taken in.
    pub(super) fn helpers(&self, host: usize) -> Vec<String> {
        if self.hosts[host].disk.identity().is_some() {
            let told = self.all_are_told && self.network.has_moved(host);
            let others =
                (0..self.hosts.len()).filter(|other| *other != host && self.is_member(*other));
            let others = others.filter(|_| told).map(|other| self.network.address(other));
            return others.collect();
        }
        let others = (0..self.hosts.len())
            .filter(|other| *other != host && self.hosts[*other].role != Role::Outside);
        let mut others: Vec<_> = others.collect();
        self.context.dice.shuffle(&mut others);
        let many = self.context.dice.within(&(1..=HELPERS_MAX));
        let member = others.iter().copied().find(|other| self.is_member(*other));
        others.truncate(usize::try_from(many).expect("a few"));
        // Those who were dropped do not know who came after.
        others.extend(member.filter(|member| !others.contains(member)));
        others.into_iter().map(|other| self.network.address(other)).collect()
    }

    /// Which host leads, by its own account. One that has not heard of a newer leader may believe
    /// so too; the highest term counts.
    pub(super) fn leader(&self) -> Option<(usize, NodeId)> {
        let mut newest = None;
        for at in self.victims() {
            let Some(running) = self.running(at) else { continue };
            let known = running.cluster.node().watch().borrow().clone();
            if known.is_leader && newest.is_none_or(|(term, _)| term < known.term) {
                newest = Some((known.term, (at, running.cluster.node().id())));
            }
        }
        newest.map(|(_, leader)| leader)
    }

    /// The leader, if all members serve and agree on it.
    pub(super) fn agreed_leader(&self) -> Option<(usize, NodeId)> {
        let (host, node) = self.leader()?;
        let term = self.running(host)?.cluster.node().watch().borrow().term;
        let agrees = |at: &usize| {
            self.running(*at).is_some_and(|running| {
                let known = running.cluster.node().watch().borrow().clone();
                known.term == term && known.leader.is_some_and(|leader| leader.id == node)
            })
        };
        self.members().iter().all(agrees).then_some((host, node))
    }
}
