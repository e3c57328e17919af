//! What a disk has promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate::storage::log::SimLogDevice;
use quorate::types::NodeId;

/// What the simulation knows of a disk: one that a host has, or had before it got a new one.
pub(super) struct Disk {
    pub node: Option<NodeId>,
    pub log: Arc<SimLogDevice>,
    /// What it had made durable when it went back in time.
    pub forgotten: BTreeMap<u64, Bytes>,
}

impl Disk {
    pub fn new(log: Arc<SimLogDevice>) -> Self {
        Self { node: None, log, forgotten: BTreeMap::new() }
    }

    /// Whether it has, or had, made a record durable.
    pub fn kept(&self, index: u64, record: &Bytes) -> bool {
        self.log.synced(index).as_ref() == Some(record)
            || self.forgotten.get(&index) == Some(record)
    }

    /// Whether it was purged up to there, or beyond.
    pub fn purged(&self, index: u64) -> bool {
        self.log.purged() >= Some(index)
    }

    /// Whether anything of the log is on it.
    pub fn has_log(&self) -> bool {
        self.log.last_synced().max(self.log.purged()).is_some()
    }
}
