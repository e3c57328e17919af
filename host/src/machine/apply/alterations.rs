//! Alterations of the registry of frontends, by what is replicated alone.
//!
//! Who is alive is not: whoever proposes an alteration that takes votes away judges that, by the
//! membership that it names. Here is checked that the membership is still that one, and that
//! nothing else is on its way between registry and membership.

use std::collections::BTreeSet;

use quorate_wire::Failure;

use super::frontends::{FOUNDER, REGISTRY, check_address, check_version};
use super::host::{Halt, Host, refuse, refuse_with};
use crate::machine::{keys, rows};
use crate::types::{ALTERED_MAX, Address, Alteration, Frontend, FrontendKind, Lsn, NodeId, Ports};

/// Most followers: each more makes every write slower, and two of seven may be lost at once anyway.
pub const FOLLOWERS_MAX: usize = 7;

/// MySQL's ER_LOCK_DEADLOCK: nothing was done, and the same may succeed when it is tried again.
const AGAIN: u16 = 1213;

/// Whether an alteration was refused only because of when it came, so that it may be judged and
/// proposed again at once.
pub fn may_be_repeated(failure: &Failure) -> bool {
    failure.code == AGAIN
}

impl Host<'_> {
    pub fn alter(&mut self, alteration: Alteration) -> Result<u64, Halt> {
        match alteration {
            Alteration::Add(frontends) => self.add_frontends(frontends),
            Alteration::Drop { kind, addresses, seen, force } => {
                self.drop_frontends(kind, &addresses, seen, force)
            }
            Alteration::Move { node, to, by_hand } => self.move_frontend(node, to, by_hand),
            Alteration::Turn { address, kind, seen, force } => {
                self.turn_frontend(&address, kind, seen, force)
            }
            Alteration::Enter { node, ports, version, entrant } => {
                self.enter(node, ports, version, entrant)
            }
        }
    }

    fn add_frontends(&mut self, frontends: Vec<Frontend>) -> Result<u64, Halt> {
        let count = frontends.len();
        check_count(count)?;
        self.check_room(count)?;
        let followers = frontends.iter().filter(|f| f.kind == FrontendKind::Follower).count();
        self.check_followers(followers)?;
        for (at, frontend) in frontends.iter().enumerate() {
            check_address(frontend)?;
            self.check_free(frontend)?;
            if frontends[..at].iter().any(|other| self.clash(other, frontend)) {
                let message = format!("FE with the same host: {} already exists", frontend.host);
                return Err(refuse_with(REGISTRY, message));
            }
        }
        // Ids are never given twice: none of these was, and none of them can be again.
        let last = self.facts.lsn.0;
        let first = (last + 1).saturating_sub(count as u64);
        if first <= self.registry.newest_node.max(FOUNDER).0 {
            let name = self.registry.newest_node;
            let message = format!("frontend name already exists {name}. Try again");
            return Err(refuse_with(AGAIN, message));
        }
        for (node, frontend) in (first..).zip(frontends) {
            self.register(NodeId(node), frontend);
        }
        Ok(count as u64)
    }

    fn drop_frontends(
        &mut self,
        kind: FrontendKind,
        addresses: &[Address],
        seen: Lsn,
        force: bool,
    ) -> Result<u64, Halt> {
        check_count(addresses.len())?;
        let mut leaving = BTreeSet::new();
        for address in addresses {
            let (node, present) = self.find(address)?;
            if node == self.leader && !force {
                return Err(refuse_with(REGISTRY, "can not drop current master node."));
            }
            if present.kind != kind {
                let message = format!("{} does not exist[{address}]", kind.name());
                return Err(refuse_with(REGISTRY, message));
            }
            if !leaving.insert(node) {
                return Err(refuse_with(REGISTRY, format!("frontend is named twice[{address}]")));
            }
        }
        if kind == FrontendKind::Follower {
            self.check_shrink(&leaving, seen, force)?;
        }
        for node in &leaving {
            self.drop_frontend(*node)?;
        }
        Ok(leaving.len() as u64)
    }

    fn move_frontend(&mut self, node: NodeId, to: Address, by_hand: bool) -> Result<u64, Halt> {
        let Some(present) = self.registry.frontends.get(&node) else {
            return Err(refuse_with(REGISTRY, format!("frontend [{node}] not found")));
        };
        if by_hand && node == self.leader {
            return Err(refuse_with(REGISTRY, "can not modify current master node."));
        }
        let moved = Frontend { host: to.host, edit_log_port: to.port, ..present.clone() };
        if moved == *present {
            return Ok(0);
        }
        check_address(&moved)?;
        let mut others = self.registry.frontends.iter().filter(|(other, _)| **other != node);
        if others.any(|(_, other)| self.clash(other, &moved)) {
            // As StarRocks writes it, with a space at the end.
            let message = format!("frontend with host [{}] already exists ", moved.host);
            return Err(refuse_with(REGISTRY, message));
        }
        self.put_frontend(node, moved);
        Ok(1)
    }

    fn turn_frontend(
        &mut self,
        address: &Address,
        kind: FrontendKind,
        seen: Lsn,
        force: bool,
    ) -> Result<u64, Halt> {
        let (node, present) = self.find(address)?;
        if present.kind == kind {
            return Ok(0);
        }
        let turned = Frontend { kind, ..present.clone() };
        match kind {
            FrontendKind::Follower => self.check_followers(1)?,
            FrontendKind::Observer => {
                if node == self.leader && !force {
                    return Err(refuse_with(REGISTRY, "can not modify current master node."));
                }
                self.check_shrink(&BTreeSet::from([node]), seen, force)?;
            }
        }
        self.put_frontend(node, turned);
        Ok(1)
    }

    fn enter(
        &mut self,
        node: NodeId,
        ports: Ports,
        version: String,
        entrant: u64,
    ) -> Result<u64, Halt> {
        let before = self.registry.frontends.get(&node).cloned();
        let asks_again = self.registry.entrants.get(&node) == Some(&entrant);
        let Some(before) = before.filter(|before| before.has_entered() && !asks_again) else {
            // Refused there when it is not known.
            let affected = self.announce_frontend(node, ports, version)?;
            self.set_entrant(node, entrant);
            return Ok(affected);
        };
        if self.registry.membership.membership().voter_ids().any(|voter| voter == node) {
            let message = format!("frontend {node} votes; one without its data cannot replace it");
            return Err(refuse_with(REGISTRY, message));
        }
        check_version(&version)?;
        let id = NodeId(self.facts.lsn.0);
        if id <= self.registry.newest_node.max(FOUNDER) {
            let message = "another frontend was registered at the same LSN, try again";
            return Err(refuse_with(AGAIN, message));
        }
        self.drop_frontend(node)?;
        self.register(id, Frontend { ports, version, ..before });
        self.set_entrant(id, entrant);
        Ok(1)
    }

    fn set_entrant(&mut self, node: NodeId, entrant: u64) {
        let row = rows::pack(|out| out.raw(&entrant.to_be_bytes()));
        self.put(keys::entrant(node), row);
        self.registry.entrants.insert(node, entrant);
    }

    fn find(&self, address: &Address) -> Result<(NodeId, &Frontend), Halt> {
        let mut all = self.registry.frontends.iter();
        let found = all.find(|(_, frontend)| address.is_of(frontend));
        found
            .map(|(node, frontend)| (*node, frontend))
            .ok_or_else(|| refuse_with(REGISTRY, format!("frontend does not exist[{address}]")))
    }

    fn followers(&self) -> impl Iterator<Item = (NodeId, &Frontend)> {
        let all = self.registry.frontends.iter().map(|(node, frontend)| (*node, frontend));
        all.filter(|(_, frontend)| frontend.kind == FrontendKind::Follower)
    }

    fn check_followers(&self, more: usize) -> Result<(), Halt> {
        if more > 0 && self.followers().count() + more > FOLLOWERS_MAX {
            return Err(refuse(format!(
                "a cluster can have {FOLLOWERS_MAX} followers at most; add an OBSERVER, or drop a \
                 follower first"
            )));
        }
        Ok(())
    }

    /// Whether these may stop voting.
    fn check_shrink(&self, leaving: &BTreeSet<NodeId>, seen: Lsn, force: bool) -> Result<(), Halt> {
        let membership = &self.registry.membership;
        let voters: BTreeSet<_> = membership.membership().voter_ids().collect();
        if voters.is_disjoint(leaving) {
            return Ok(());
        }
        let followers: BTreeSet<_> = self.followers().map(|(node, _)| node).collect();
        let mut staying = voters.intersection(&followers);
        if staying.all(|node| leaving.contains(node)) {
            return Err(refuse("the last follower that votes cannot be taken away"));
        }
        if force {
            return Ok(());
        }
        let newest = membership.log_id().map_or(0, |id| id.index);
        if newest != seen.0 {
            let message = "the membership has changed meanwhile; nothing was done, run the \
                           statement again";
            return Err(refuse_with(AGAIN, message));
        }
        let busy = |node: NodeId, what: &str| {
            let known = self.registry.frontends.get(&node);
            let name = known.map_or_else(|| node.to_string(), |f| Address::of(f).to_string());
            refuse(format!(
                "frontend {name} is just {what}; SHOW FRONTENDS tells when that is done, FORCE does \
                 not wait for it"
            ))
        };
        if let Some(node) = voters.difference(&followers).find(|node| !leaving.contains(node)) {
            return Err(busy(*node, "leaving the followers"));
        }
        let entered = self.followers().filter(|(_, frontend)| frontend.has_entered());
        let mut joining = entered.map(|(node, _)| node);
        if let Some(node) = joining.find(|n| !voters.contains(n) && !leaving.contains(n)) {
            return Err(busy(node, "becoming a follower"));
        }
        if membership.membership().get_joint_config().len() > 1 {
            return Err(refuse("a change of the followers is under way; wait until it is done"));
        }
        Ok(())
    }
}

fn check_count(count: usize) -> Result<(), Halt> {
    if count == 0 || count > ALTERED_MAX {
        return Err(refuse(format!("1 to {ALTERED_MAX} frontends in one statement")));
    }
    Ok(())
}
