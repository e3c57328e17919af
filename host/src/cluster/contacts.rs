//! When this frontend last heard from each other one.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::types::{Frontend, NodeId};

/// The last good answer of each registered frontend.
#[derive(Default)]
pub(super) struct Contacts {
    last: Mutex<BTreeMap<NodeId, Instant>>,
}

impl Contacts {
    pub fn note(&self, node: NodeId, now: Instant) {
        self.last.lock().insert(node, now);
    }

    /// Forgets those that are not registered any more.
    pub fn retain(&self, frontends: &[(NodeId, Frontend)]) {
        self.last.lock().retain(|node, _| frontends.iter().any(|(known, _)| known == node));
    }

    /// How long ago each was heard, here or by another count.
    pub fn merged(&self, other: &BTreeMap<NodeId, Duration>) -> BTreeMap<NodeId, Duration> {
        let mut ages = other.clone();
        for (node, at) in self.last.lock().iter() {
            let age = at.elapsed();
            ages.entry(*node).and_modify(|known| *known = (*known).min(age)).or_insert(age);
        }
        ages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_later_of_two_contacts_counts() {
        let contacts = Contacts::default();
        let seconds = Duration::from_secs;
        contacts.note(NodeId(1), Instant::now());
        contacts.note(NodeId(2), Instant::now());
        tokio::time::advance(seconds(5)).await;
        let other = BTreeMap::from([(NodeId(1), seconds(3)), (NodeId(3), seconds(9))]);
        let merged = contacts.merged(&other);
        let expected = [(NodeId(1), seconds(3)), (NodeId(2), seconds(5)), (NodeId(3), seconds(9))];
        assert_eq!(merged, BTreeMap::from(expected));
    }
}
