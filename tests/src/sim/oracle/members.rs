//! Who belongs: every change of the registry and of the voters must have been asked for, and every
//! membership in a log must follow from the one before it by a legal step.

use std::collections::{BTreeMap, BTreeSet};

use quorate::types::{Frontend, FrontendKind, Membership, NodeId};

/// What was asked for, and what came of it.
#[derive(Default)]
pub(super) struct Members {
    /// The registry as of the newest applied LSN.
    registry: BTreeMap<NodeId, Frontend>,
    lsn: u64,
    /// Everyone who was ever registered, and where.
    ever: BTreeMap<NodeId, String>,
    /// How many registrations of an address may come yet.
    adds: BTreeMap<String, u64>,
    /// How many drops of an address may come yet.
    drops: BTreeMap<String, u64>,
    /// How many changes of a role may come yet, by address and what is to come.
    turns: BTreeMap<String, u64>,
    /// Where frontends may be registered that have moved.
    places: BTreeMap<NodeId, BTreeSet<String>>,
    /// Who was dropped.
    dropped: BTreeSet<NodeId>,
    /// Who was registered as a follower at some time, and who as an observer.
    ever_followers: BTreeSet<NodeId>,
    ever_observers: BTreeSet<NodeId>,
    /// Whom a committed membership took out.
    gone: BTreeSet<NodeId>,
}

impl Members {
    /// Somebody asks for a frontend at this address.
    pub fn asked_to_add(&mut self, address: &str) {
        *self.adds.entry(address.to_owned()).or_default() += 1;
    }

    /// It was refused, so it must not come any more, nor have come.
    pub fn refused_to_add(&mut self, address: &str) -> Result<(), String> {
        if !take(&mut self.adds, address) {
            return Err(format!("adding {address} was refused, and yet it is registered"));
        }
        Ok(())
    }

    /// Somebody wants the frontend at this address out.
    pub fn asked_to_drop(&mut self, address: &str) {
        *self.drops.entry(address.to_owned()).or_default() += 1;
    }

    /// It was refused, so it must not happen any more, nor have happened.
    pub fn refused_to_drop(&mut self, address: &str) -> Result<(), String> {
        if !take(&mut self.drops, address) {
            return Err(format!("dropping {address} was refused, and yet it is gone"));
        }
        Ok(())
    }

    /// Somebody wants the frontend at this address to become that.
    pub fn asked_to_turn(&mut self, address: &str, kind: FrontendKind) {
        *self.turns.entry(turn(address, kind)).or_default() += 1;
    }

    /// It was refused, so it must not happen any more, nor have happened.
    pub fn refused_to_turn(&mut self, address: &str, kind: FrontendKind) -> Result<(), String> {
        if !take(&mut self.turns, &turn(address, kind)) {
            let kind = kind.name();
            return Err(format!("{address} was refused to become {kind}, and yet it is one"));
        }
        Ok(())
    }

    /// A frontend has moved there, and that may be recorded.
    pub fn may_be_at(&mut self, node: NodeId, address: &str) {
        self.places.entry(node).or_default().insert(address.to_owned());
    }

    /// Registered frontends.
    pub fn registry(&self) -> &BTreeMap<NodeId, Frontend> {
        &self.registry
    }

    /// Whether it was ever registered.
    pub fn knows(&self, node: NodeId) -> bool {
        self.ever.contains_key(&node)
    }

    /// Registered frontends of a kind.
    pub fn of_kind(&self, kind: FrontendKind) -> BTreeSet<NodeId> {
        let found = self.registry.iter().filter(|(_, frontend)| frontend.kind == kind);
        found.map(|(node, _)| *node).collect()
    }

    /// The registry after the entry `lsn`, as somebody has applied it.
    pub fn registered(&mut self, lsn: u64, now: Vec<(NodeId, Frontend)>) -> Result<(), String> {
        if lsn <= self.lsn {
            return Ok(());
        }
        self.lsn = lsn;
        let now: BTreeMap<_, _> = now.into_iter().collect();
        for (node, frontend) in &now {
            match frontend.kind {
                FrontendKind::Follower => self.ever_followers.insert(*node),
                FrontendKind::Observer => self.ever_observers.insert(*node),
            };
            if let Some(before) = self.registry.get(node) {
                let (from, to) = (before.address(), frontend.address());
                let turned = before.kind != frontend.kind;
                if turned && !take(&mut self.turns, &turn(&from, frontend.kind)) {
                    let kind = frontend.kind.name();
                    return Err(format!("nobody asked frontend {node} at {from} to be {kind}"));
                }
                if from != to && !self.places.get(node).is_some_and(|all| all.contains(&to)) {
                    return Err(format!("frontend {node} is recorded at {to}, where it never was"));
                }
                continue;
            }
            let address = frontend.address();
            if self.ever.insert(*node, address.clone()).is_some() {
                return Err(format!("the id {node} is given a second time, to {address}"));
            }
            if !take(&mut self.adds, &address) && !self.enters_again(frontend, &now) {
                return Err(format!("nobody asked for frontend {node} at {address}"));
            }
        }
        for (node, frontend) in &self.registry {
            if now.contains_key(node) {
                continue;
            }
            let address = frontend.address();
            let succeeded = now
                .values()
                .any(|other| self.enters_again(other, &now) && other.address() == address);
            if !succeeded && !take(&mut self.drops, &address) {
                return Err(format!("nobody asked to drop {node} at {address}, which is gone"));
            }
            self.dropped.insert(*node);
        }
        self.registry = now;
        Ok(())
    }

    /// Whether a frontend came with an empty disk in the place of one that may have entered before:
    /// that one is gone, and this one has a new id under the same address.
    fn enters_again(&self, frontend: &Frontend, now: &BTreeMap<NodeId, Frontend>) -> bool {
        let mut before = self.registry.iter().filter(|(node, _)| !now.contains_key(node));
        frontend.has_entered()
            && before.any(|(_, before)| {
                before.kind == frontend.kind && before.address() == frontend.address()
            })
    }

    /// `next` follows `previous` in a log. `holds` tells whether a frontend has any of the log.
    pub fn step(
        &self,
        previous: &Membership,
        next: &Membership,
        holds: impl Fn(NodeId) -> bool,
    ) -> Result<(), String> {
        let nodes = |membership: &Membership| -> BTreeSet<NodeId> {
            membership.nodes().map(|(node, _)| *node).collect()
        };
        let (nodes_before, nodes_after) = (nodes(previous), nodes(next));
        for node in nodes_after.difference(&nodes_before) {
            if self.gone.contains(node) {
                return Err(format!("frontend {node} is taken in again after it was taken out"));
            }
            if !self.ever_followers.contains(node) {
                return Err(format!("frontend {node} is taken in and was never a follower"));
            }
        }
        let unasked = nodes_before.difference(&nodes_after).find(|node| !self.may_leave(**node));
        if let Some(node) = unasked {
            return Err(format!("frontend {node} is taken out, and nobody asked for it"));
        }
        let (before, after) = (previous.get_joint_config(), next.get_joint_config());
        let Some(last) = before.last() else { return Err("nobody votes".to_owned()) };
        let new = match after.as_slice() {
            // The end of a change, or one of learners only.
            [one] if before.contains(one) => one,
            [old, new] if old == last => new,
            _ => return Err("the voters change without a joint configuration".to_owned()),
        };
        for node in new.difference(last) {
            if !nodes_before.contains(node) || !holds(*node) {
                return Err(format!("frontend {node} is to vote and has nothing of the log"));
            }
        }
        match last.difference(new).find(|node| !self.may_leave(**node)) {
            Some(node) => Err(format!("frontend {node} is to vote no more; nobody asked for it")),
            None => Ok(()),
        }
    }

    /// Whether somebody wanted this one not to vote any more.
    fn may_leave(&self, node: NodeId) -> bool {
        self.dropped.contains(&node) || self.ever_observers.contains(&node)
    }

    /// `next` is committed after `previous`.
    pub fn committed(&mut self, previous: &Membership, next: &Membership) {
        let left = previous.nodes().map(|(node, _)| *node);
        let left = left.filter(|node| next.get_node(node).is_none());
        // Who became an observer may become a follower again.
        self.gone.extend(left.filter(|node| self.dropped.contains(node)));
    }
}

/// One of those asked for has come; false if nothing was left to come.
fn take(asked: &mut BTreeMap<String, u64>, address: &str) -> bool {
    match asked.get_mut(address) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    }
}

fn turn(address: &str, kind: FrontendKind) -> String {
    format!("{address} {}", kind.name())
}
