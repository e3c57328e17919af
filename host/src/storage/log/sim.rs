//! The log's device in memory, with failures and crashes that a test decides on.
//!
//! Crash model: what was synced stays; of the groups written since, any number of the latest are
//! lost. A torn group counts as lost, as RocksDB's WAL drops a batch whose checksum does not match.
//! A failed sync leaves its group among the unsynced ones, so a crash may keep or lose it.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::types::Vote;

use super::device::{Change, DeviceError, Kept, LogDevice, Slot};
use super::layout::{unseal_position, unseal_vote};

/// How the next write fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimFault {
    /// Nothing is written.
    Write,
    /// The disk is full; nothing is written.
    Full,
    /// The group is written, but its fsync fails.
    Sync,
}

/// A device without a disk and without threads; deterministic.
#[derive(Debug, Default)]
pub struct SimLogDevice {
    disk: Mutex<Disk>,
}

#[derive(Debug, Default)]
struct Disk {
    synced: Image,
    unsynced: Vec<Vec<Change>>,
    seen: Image,
    fence: Vec<u8>,
    fault: Option<SimFault>,
    writes: u64,
    syncs: u64,
}

#[derive(Debug, Clone, Default)]
struct Image {
    entries: BTreeMap<u64, Bytes>,
    slots: BTreeMap<Slot, Bytes>,
}

impl SimLogDevice {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next write fail.
    pub fn fail(&self, fault: SimFault) {
        self.disk.lock().fault = Some(fault);
    }

    /// The next write does not fail, whatever was said before.
    pub fn mend(&self) {
        self.disk.lock().fault = None;
    }

    /// The machine loses power: of the unsynced groups the first `kept` survive.
    pub fn crash(&self, kept: usize) {
        let mut disk = self.disk.lock();
        let unsynced = std::mem::take(&mut disk.unsynced);
        for group in unsynced.into_iter().take(kept) {
            disk.synced.change(group);
        }
        disk.seen = disk.synced.clone();
        disk.fault = None;
    }

    /// How many groups a crash may lose.
    pub fn unsynced(&self) -> usize {
        self.disk.lock().unsynced.len()
    }

    /// An entry's record, as readers see it.
    pub fn seen(&self, index: u64) -> Option<Bytes> {
        self.disk.lock().seen.entries.get(&index).cloned()
    }

    /// The lowest index that readers see.
    pub fn first_seen(&self) -> Option<u64> {
        self.disk.lock().seen.entries.keys().next().copied()
    }

    /// An entry's record, as it would be after any crash.
    pub fn synced(&self, index: u64) -> Option<Bytes> {
        self.disk.lock().synced.entries.get(&index).cloned()
    }

    /// Up to where the log was purged, as readers see it.
    pub fn purged(&self) -> Option<u64> {
        let record = self.disk.lock().seen.slots.get(&Slot::Purged).cloned()?;
        unseal_position(Slot::Purged, &record).ok()?.map(|id| id.index)
    }

    /// The highest index that would be there after any crash.
    pub fn last_synced(&self) -> Option<u64> {
        self.disk.lock().synced.entries.keys().next_back().copied()
    }

    /// The vote that would be there after any crash.
    pub fn voted(&self) -> Option<Vote> {
        let record = self.disk.lock().synced.slots.get(&Slot::Vote).cloned()?;
        unseal_vote(&record).ok()
    }

    /// How many groups were written, and how many of them were synced.
    pub fn writes_and_syncs(&self) -> (u64, u64) {
        let disk = self.disk.lock();
        (disk.writes, disk.syncs)
    }

    /// A disk that lied, or an old backup put back: entries from `index` on are gone, though they
    /// were synced.
    pub fn forget_from(&self, index: u64) {
        let mut disk = self.disk.lock();
        disk.synced.change(vec![Change::Remove(index..=u64::MAX)]);
        disk.seen.change(vec![Change::Remove(index..=u64::MAX)]);
    }

    /// Likewise for a named record.
    pub fn forget(&self, slot: Slot) {
        let mut disk = self.disk.lock();
        disk.synced.slots.remove(&slot);
        disk.seen.slots.remove(&slot);
    }

    /// Flips one bit of an entry's record.
    pub fn damage(&self, index: u64) {
        let mut disk = self.disk.lock();
        let Disk { synced, seen, .. } = &mut *disk;
        for image in [synced, seen] {
            if let Some(record) = image.entries.get_mut(&index) {
                *record = flip(record);
            }
        }
    }

    /// Flips one bit of the fence file at an offset.
    pub fn damage_fence(&self, offset: usize) {
        if let Some(byte) = self.disk.lock().fence.get_mut(offset) {
            *byte ^= 1;
        }
    }
}

fn flip(record: &Bytes) -> Bytes {
    let mut changed = record.to_vec();
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    changed.into()
}

impl Image {
    fn change(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put { index, record } => {
                    self.entries.insert(index, record);
                }
                Change::Remove(range) => self.entries.retain(|index, _| !range.contains(index)),
                Change::Set { slot, record } => {
                    self.slots.insert(slot, record);
                }
            }
        }
    }
}

impl LogDevice for SimLogDevice {
    fn fence_location(&self) -> String {
        format!("fence in {}", self.location())
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn blocks(&self) -> bool {
        false
    }

    fn load(&self) -> Result<Kept, DeviceError> {
        let Image { entries, slots } = &self.disk.lock().seen;
        Ok(Kept {
            slots: slots.iter().map(|(slot, record)| (*slot, record.clone())).collect(),
            first: entries.keys().next().copied(),
            last: entries.last_key_value().map(|(index, record)| (*index, record.clone())),
            bytes: entries.values().map(|record| record.len() as u64).sum(),
        })
    }

    fn write(&self, changes: Vec<Change>, sync: bool) -> Result<(), DeviceError> {
        let mut disk = self.disk.lock();
        let path = self.location();
        let fault = disk.fault.take();
        match fault {
            Some(SimFault::Full) => {
                return Err(DeviceError::Full { path, reason: "simulated".to_owned() });
            }
            Some(SimFault::Write) => {
                return Err(DeviceError::Failed {
                    path,
                    reason: "simulated write error".to_owned(),
                });
            }
            Some(SimFault::Sync) | None => {}
        }
        disk.writes += 1;
        disk.seen.change(changes.clone());
        disk.unsynced.push(changes);
        if fault.is_some() {
            return Err(DeviceError::Failed { path, reason: "simulated fsync error".to_owned() });
        }
        if sync {
            disk.syncs += 1;
            for group in std::mem::take(&mut disk.unsynced) {
                disk.synced.change(group);
            }
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, DeviceError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for (index, record) in self.disk.lock().seen.entries.range(range) {
            records.push((*index, record.clone()));
            bytes += record.len();
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(records)
    }

    fn read_fence(&self) -> Result<Vec<u8>, DeviceError> {
        Ok(self.disk.lock().fence.clone())
    }

    fn write_fence(&self, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let mut disk = self.disk.lock();
        let start = usize::try_from(offset).expect("the fence file is small");
        let end = start + bytes.len();
        if disk.fence.len() < end {
            disk.fence.resize(end, 0);
        }
        disk.fence[start..end].copy_from_slice(bytes);
        Ok(())
    }
}
