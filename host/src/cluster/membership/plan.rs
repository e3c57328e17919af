//! What the leader does next about the membership: decided anew each time, from the registry and
//! from what consensus knows, so that a new leader goes on where the old one stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::raft::NodeStatus;
use crate::types::{Frontend, FrontendKind, Lsn, NodeId};

/// A learner at most this many entries behind may vote.
const CAUGHT_UP_ENTRIES: u64 = 1000;
/// A learner must have been seen so, this many looks in a row, before it may vote.
const CAUGHT_UP_LOOKS: u32 = 3;
/// A member that was not heard for this long is not alive.
pub(super) const HEARD_MAX: Duration = Duration::from_secs(1);
/// One that votes no more receives the log for this many looks yet, so that it learns that.
const FAREWELL_LOOKS: u32 = 10;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A change of the voters was cut off between its two entries.
    Finish,
    /// This leader is no follower any more.
    HandOver(NodeId),
    /// These are no followers any more.
    Demote(BTreeSet<NodeId>),
    /// These are registered with other addresses.
    Move(BTreeMap<NodeId, String>),
    /// A follower has announced itself.
    Learn(NodeId, String),
    /// A learner is no follower, and knows that.
    Remove(NodeId),
    /// A learner has caught up.
    Promote(NodeId),
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Step(Step),
    /// Nothing yet; time will tell.
    Later,
    /// Nothing until registry or leadership change.
    Nothing,
}

/// The registry, as this frontend has applied it.
pub(super) struct Registered {
    pub frontends: BTreeMap<NodeId, Frontend>,
    pub is_founded: bool,
    /// The entry that set the membership in the same state.
    pub membership_lsn: Option<Lsn>,
}

impl Registered {
    fn is_follower(&self, node: NodeId) -> bool {
        self.frontends.get(&node).is_some_and(|f| f.kind == FrontendKind::Follower)
    }
}

/// How often in a row each member was found fit for its next step.
pub(super) type Looks = BTreeMap<NodeId, u32>;

/// The next step of the frontend with this status.
pub(super) fn next(registered: &Registered, status: &NodeStatus, looks: &mut Looks) -> Next {
    if !status.is_leader {
        looks.clear();
        return Next::Nothing;
    }
    if status.is_joint {
        return Next::Step(Step::Finish);
    }
    // A registry that is older than the membership does not know whom the membership follows.
    if !registered.is_founded || registered.membership_lsn != status.membership_lsn {
        return Next::Later;
    }
    if !registered.is_follower(status.id) {
        return successor(registered, status)
            .map_or(Next::Later, |to| Next::Step(Step::HandOver(to)));
    }
    let is_leaving = |node: &NodeId| !registered.is_follower(*node);
    let leaving: BTreeSet<_> = status.voters.iter().copied().filter(is_leaving).collect();
    let staying: BTreeSet<_> = status.voters.difference(&leaving).copied().collect();
    if !leaving.is_empty() && has_majority(&staying, status) {
        return Next::Step(Step::Demote(leaving));
    }
    let moved = moved(registered, status);
    if !moved.is_empty() {
        return Next::Step(Step::Move(moved));
    }
    let step = learners(registered, status, looks);
    match step {
        Some(step) => Next::Step(step),
        None if leaving.is_empty() && status.learners.is_empty() => Next::Nothing,
        None => Next::Later,
    }
}

fn learners(registered: &Registered, status: &NodeStatus, looks: &mut Looks) -> Option<Step> {
    let started = |f: &Frontend| f.kind == FrontendKind::Follower && f.has_entered();
    let missing = registered.frontends.iter().find(|(node, frontend)| {
        started(frontend) && !status.voters.contains(node) && !status.learners.contains(node)
    });
    if let Some((node, frontend)) = missing {
        return Some(Step::Learn(*node, frontend.address()));
    }
    looks.retain(|node, _| status.learners.contains(node));
    let mut step = None;
    for node in &status.learners {
        let leaves = !registered.is_follower(*node);
        let fit = leaves || is_caught_up(*node, status);
        let seen = looks.entry(*node).or_default();
        *seen = if fit { *seen + 1 } else { 0 };
        if leaves && *seen >= FAREWELL_LOOKS {
            step = Some(Step::Remove(*node));
        } else if !leaves && *seen >= CAUGHT_UP_LOOKS {
            let voters = status.voters.iter().chain([node]).copied().collect();
            if has_majority(&voters, status) {
                step = Some(Step::Promote(*node));
            }
        }
    }
    step
}

fn is_caught_up(node: NodeId, status: &NodeStatus) -> bool {
    let matched = status.matched.get(&node).copied().flatten().unwrap_or(Lsn(0));
    let near = matched.0 + CAUGHT_UP_ENTRIES >= status.last_lsn.unwrap_or_default().0;
    near && matched.0 > 0 && is_alive(node, status)
}

fn is_alive(node: NodeId, status: &NodeStatus) -> bool {
    node == status.id || status.heard.get(&node).is_some_and(|age| *age < HEARD_MAX)
}

/// Whether a majority of these is alive, so that they could commit what they are asked to.
fn has_majority(voters: &BTreeSet<NodeId>, status: &NodeStatus) -> bool {
    let alive = voters.iter().filter(|voter| is_alive(**voter, status)).count();
    alive > voters.len() / 2
}

/// The follower that has most of the log, of those that are alive and vote.
fn successor(registered: &Registered, status: &NodeStatus) -> Option<NodeId> {
    let fit = |node: &NodeId| {
        *node != status.id && registered.is_follower(*node) && is_alive(*node, status)
    };
    let candidates = status.voters.iter().copied().filter(fit);
    candidates.max_by_key(|node| status.matched.get(node).copied().flatten())
}

fn moved(registered: &Registered, status: &NodeStatus) -> BTreeMap<NodeId, String> {
    let known = status.addresses.iter().filter_map(|(node, address)| {
        let now = registered.frontends.get(node)?.address();
        (now != *address).then_some((*node, now))
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster of followers that lead, vote and are alive, and of which 1 leads.
    struct Scene {
        registered: Registered,
        status: NodeStatus,
        looks: Looks,
    }

    fn set(nodes: &[u64]) -> BTreeSet<NodeId> {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    impl Scene {
        fn of(voters: &[u64]) -> Self {
            let membership_lsn = Some(Lsn(9));
            let frontends = BTreeMap::new();
            let registered = Registered { frontends, is_founded: true, membership_lsn };
            let last_lsn = Some(Lsn(5000));
            let voters = set(voters);
            let (id, is_leader) = (NodeId(1), true);
            let status =
                NodeStatus { id, is_leader, voters, membership_lsn, last_lsn, ..<_>::default() };
            let mut scene = Self { registered, status, looks: Looks::new() };
            for node in scene.status.voters.clone() {
                scene.register(node.0, FrontendKind::Follower, true);
                scene.is_member(node.0);
            }
            scene
        }

        fn register(&mut self, node: u64, kind: FrontendKind, announced: bool) {
            let mut frontend = Frontend::new(kind, format!("h{node}"), 9010);
            frontend.ports.query = if announced { 9030 } else { 0 };
            self.registered.frontends.insert(NodeId(node), frontend);
        }

        fn is_member(&mut self, node: u64) {
            self.status.addresses.insert(NodeId(node), format!("h{node}:9010"));
            self.status.heard.insert(NodeId(node), Duration::ZERO);
            self.status.matched.insert(NodeId(node), Some(Lsn(5000)));
        }

        fn learns(&mut self, node: u64) {
            self.is_member(node);
            self.status.learners.insert(NodeId(node));
        }

        fn drop(&mut self, node: u64) {
            self.registered.frontends.remove(&NodeId(node));
        }

        fn dies(&mut self, node: u64) {
            self.status.heard.insert(NodeId(node), HEARD_MAX);
        }

        fn next(&mut self) -> Next {
            next(&self.registered, &self.status, &mut self.looks)
        }

        /// What comes after so many looks that brought nothing.
        fn after(&mut self, looks: u32) -> Next {
            for _ in 0..looks {
                assert_eq!(self.next(), Next::Later);
            }
            self.next()
        }
    }

    #[test]
    fn nothing_is_done_by_one_that_does_not_lead_or_has_an_older_registry() {
        let mut scene = Scene::of(&[1, 2, 3]);
        assert_eq!(scene.next(), Next::Nothing);
        scene.drop(3);
        scene.registered.membership_lsn = Some(Lsn(8));
        assert_eq!(scene.next(), Next::Later);
        scene.registered.membership_lsn = Some(Lsn(9));
        scene.registered.is_founded = false;
        assert_eq!(scene.next(), Next::Later);
        scene.registered.is_founded = true;
        scene.status.is_leader = false;
        assert_eq!(scene.next(), Next::Nothing);
        scene.status.is_leader = true;
        assert_eq!(scene.next(), Next::Step(Step::Demote(set(&[3]))));
        scene.status.is_joint = true;
        assert_eq!(scene.next(), Next::Step(Step::Finish));
    }

    #[test]
    fn one_that_is_dropped_or_an_observer_stops_voting_and_is_removed_once_it_may_know() {
        for turned in [false, true] {
            let mut scene = Scene::of(&[1, 2, 3]);
            scene.drop(3);
            if turned {
                scene.register(3, FrontendKind::Observer, true);
            }
            assert_eq!(scene.next(), Next::Step(Step::Demote(set(&[3]))));
            scene.status.voters = set(&[1, 2]);
            scene.learns(3);
            // Whether it is alive does not matter.
            scene.dies(3);
            assert_eq!(scene.after(FAREWELL_LOOKS - 1), Next::Step(Step::Remove(NodeId(3))));
            scene.status.learners.clear();
            scene.status.addresses.remove(&NodeId(3));
            assert_eq!(scene.next(), Next::Nothing);
        }
    }

    #[test]
    fn votes_are_taken_only_while_a_majority_of_those_that_stay_is_alive() {
        let mut scene = Scene::of(&[1, 2, 3]);
        scene.drop(3);
        scene.dies(2);
        assert_eq!(scene.next(), Next::Later);
        scene.is_member(2);
        assert_eq!(scene.next(), Next::Step(Step::Demote(set(&[3]))));
    }

    #[test]
    fn a_dead_one_is_replaced_though_it_never_answers() {
        let mut scene = Scene::of(&[1, 2, 3]);
        scene.dies(3);
        scene.drop(3);
        scene.register(7, FrontendKind::Follower, true);
        assert_eq!(scene.next(), Next::Step(Step::Demote(set(&[3]))));
        scene.status.voters = set(&[1, 2]);
        scene.learns(3);
        scene.dies(3);
        assert_eq!(scene.next(), Next::Step(Step::Learn(NodeId(7), "h7:9010".to_owned())));
        scene.learns(7);
        assert_eq!(scene.after(CAUGHT_UP_LOOKS - 1), Next::Step(Step::Promote(NodeId(7))));
    }

    #[test]
    fn a_leader_that_was_dropped_hands_over_to_a_follower_that_is_alive_and_has_most() {
        let mut scene = Scene::of(&[1, 2, 3, 4, 5]);
        scene.drop(1);
        scene.drop(2);
        scene.dies(3);
        scene.status.matched.insert(NodeId(4), Some(Lsn(4000)));
        assert_eq!(scene.next(), Next::Step(Step::HandOver(NodeId(5))));
        scene.dies(4);
        scene.dies(5);
        assert_eq!(scene.next(), Next::Later);
    }

    #[test]
    fn a_learner_votes_only_when_it_is_near_alive_and_wanted_three_looks_in_a_row() {
        let mut scene = Scene::of(&[1, 2, 3]);
        scene.register(4, FrontendKind::Follower, false);
        scene.register(5, FrontendKind::Observer, true);
        assert_eq!(scene.next(), Next::Nothing);
        scene.register(4, FrontendKind::Follower, true);
        assert_eq!(scene.next(), Next::Step(Step::Learn(NodeId(4), "h4:9010".to_owned())));
        scene.learns(4);
        scene.status.matched.insert(NodeId(4), Some(Lsn(3999)));
        assert_eq!(scene.after(5), Next::Later);
        scene.status.matched.insert(NodeId(4), Some(Lsn(4000)));
        assert_eq!(scene.after(1), Next::Later);
        scene.dies(4);
        assert_eq!(scene.next(), Next::Later);
        scene.is_member(4);
        assert_eq!(scene.after(CAUGHT_UP_LOOKS - 1), Next::Step(Step::Promote(NodeId(4))));
        // Not into a set of voters that could not decide.
        scene.dies(2);
        scene.dies(3);
        assert_eq!(scene.next(), Next::Later);
    }

    #[test]
    fn an_address_follows_the_registry() {
        let mut scene = Scene::of(&[1, 2, 3]);
        let moved = Frontend::new(FrontendKind::Follower, "::1", 9011);
        scene.registered.frontends.insert(NodeId(2), moved);
        let expected = BTreeMap::from([(NodeId(2), "[::1]:9011".to_owned())]);
        assert_eq!(scene.next(), Next::Step(Step::Move(expected.clone())));
        scene.status.addresses.extend(expected);
        assert_eq!(scene.next(), Next::Nothing);
    }
}
