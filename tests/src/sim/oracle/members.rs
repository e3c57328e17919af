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
    /// Whom somebody wanted out.
    drops: BTreeSet<NodeId>,
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
        match self.adds.get_mut(address) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            _ => Err(format!("adding {address} was refused, and yet it is registered")),
        }
    }

    /// Somebody wants a frontend out.
    pub fn asked_to_drop(&mut self, node: NodeId) {
        self.drops.insert(node);
    }

    /// It was refused, so it must not happen any more, nor have happened.
    pub fn refused_to_drop(&mut self, node: NodeId) -> Result<(), String> {
        if !self.registry.contains_key(&node) {
            return Err(format!("dropping frontend {node} was refused, and yet it is gone"));
        }
        self.drops.remove(&node);
        Ok(())
    }

    /// Registered frontends.
    pub fn registry(&self) -> &BTreeMap<NodeId, Frontend> {
        &self.registry
    }

    /// Whether it was ever registered.
    pub fn knows(&self, node: NodeId) -> bool {
        self.ever.contains_key(&node)
    }

    /// Registered frontends that are to vote.
    pub fn followers(&self) -> BTreeSet<NodeId> {
        let followers = self.registry.iter().filter(|(_, f)| f.kind == FrontendKind::Follower);
        followers.map(|(node, _)| *node).collect()
    }

    /// The registry after the entry `lsn`, as somebody has applied it.
    pub fn registered(&mut self, lsn: u64, now: Vec<(NodeId, Frontend)>) -> Result<(), String> {
        if lsn <= self.lsn {
            return Ok(());
        }
        self.lsn = lsn;
        let now: BTreeMap<_, _> = now.into_iter().collect();
        for (node, frontend) in &now {
            if self.registry.contains_key(node) {
                continue;
            }
            let address = frontend.address();
            if self.ever.insert(*node, address.clone()).is_some() {
                return Err(format!("the id {node} is given a second time, to {address}"));
            }
            match self.adds.get_mut(&address) {
                Some(left) if *left > 0 => *left -= 1,
                _ => return Err(format!("nobody asked for frontend {node} at {address}")),
            }
        }
        let left = self.registry.keys().find(|node| !now.contains_key(node));
        if let Some(node) = left.filter(|node| !self.drops.contains(node)) {
            return Err(format!("nobody asked to drop frontend {node}, which is gone"));
        }
        self.registry = now;
        Ok(())
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
            if !self.ever.contains_key(node) {
                return Err(format!("frontend {node} is taken in and was never registered"));
            }
        }
        let unasked = nodes_before.difference(&nodes_after).find(|node| !self.drops.contains(node));
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
        match last.difference(new).find(|node| !self.drops.contains(node)) {
            Some(node) => Err(format!("frontend {node} is to vote no more; nobody asked for it")),
            None => Ok(()),
        }
    }

    /// `next` is committed after `previous`.
    pub fn committed(&mut self, previous: &Membership, next: &Membership) {
        let left = previous.nodes().map(|(node, _)| *node);
        self.gone.extend(left.filter(|node| next.get_node(node).is_none()));
    }
}
