//! Groups: operations on the log that are written and fsynced together.

use std::collections::VecDeque;

use crate::types::{Entry, LogId, Vote};

use super::device::{Change, Slot};
use super::error::LogError;
use super::fence::Durable;
use super::layout::{seal_entry, seal_position, seal_vote};

/// A group takes no further operation beyond this many bytes; one operation alone may exceed it.
pub const GROUP_BYTES_MAX: usize = 4 << 20;
/// Likewise for entries.
pub const GROUP_ENTRIES_MAX: usize = 8192;

/// Called once an operation is durable, or will never be.
pub(super) type Completion = Box<dyn FnOnce(Result<(), LogError>) + Send>;

/// An operation on the log.
pub(super) enum Operation {
    /// Adds entries after the last one.
    Append(Vec<Entry>),
    /// Replaces the vote.
    SaveVote(Vote),
    /// Notes how far the log is committed.
    SaveCommitted(Option<LogId>),
    /// Removes the entries after this one.
    Truncate(Option<LogId>),
    /// Removes the entries up to and with this one.
    Purge(LogId),
    /// Changes nothing, and is durable when all before it is.
    Barrier,
}

impl Operation {
    /// Whether somebody waits for it to be durable.
    fn syncs(&self) -> bool {
        matches!(self, Self::Append(_) | Self::SaveVote(_) | Self::Barrier)
    }

    /// Whether the writer should run for its sake. The others go along with the next one that does:
    /// a commit position is only advice, and a truncation is followed by an append.
    pub fn wakes(&self) -> bool {
        self.syncs() || matches!(self, Self::Purge(_))
    }

    fn entries(&self) -> usize {
        if let Self::Append(entries) = self { entries.len() } else { 0 }
    }
}

/// An operation in the queue. Operations are numbered from 1 in their order.
pub(super) struct Queued {
    pub number: u64,
    pub operation: Operation,
    /// What it takes of the queue's room.
    pub bytes: usize,
    pub completion: Option<Completion>,
}

/// Takes the operations of the next group off the queue.
pub(super) fn take(queue: &mut VecDeque<Queued>) -> Vec<Queued> {
    let (mut bytes, mut entries, mut taken) = (0, 0, 0);
    for queued in &*queue {
        bytes += queued.bytes;
        entries += queued.operation.entries();
        if taken > 0 && (bytes > GROUP_BYTES_MAX || entries > GROUP_ENTRIES_MAX) {
            break;
        }
        taken += 1;
    }
    queue.drain(..taken).collect()
}

/// What is written at once.
pub(super) struct Group {
    pub changes: Vec<Change>,
    pub sync: bool,
    /// Number of the last operation.
    pub through: u64,
    /// Room in the queue that it gives back.
    pub bytes: usize,
    /// How many entries it adds.
    pub entries: usize,
    /// The lowest last entry that a truncation in it leaves, if there is one.
    pub lowest: Option<Option<LogId>>,
    /// What is durable once the group is.
    pub durable: Durable,
    /// In the order of the operations.
    pub completions: Vec<Completion>,
}

impl Group {
    /// Forms a group from operations that follow on `durable`.
    pub fn form(operations: Vec<Queued>, durable: Durable) -> Self {
        let mut group = Self {
            changes: Vec::with_capacity(operations.len()),
            sync: false,
            through: 0,
            bytes: 0,
            entries: 0,
            lowest: None,
            durable,
            completions: Vec::new(),
        };
        for queued in operations {
            group.sync |= queued.operation.syncs();
            group.through = queued.number;
            group.bytes += queued.bytes;
            group.entries += queued.operation.entries();
            group.completions.extend(queued.completion);
            group.add(queued.operation);
        }
        group
    }

    fn add(&mut self, operation: Operation) {
        match operation {
            Operation::Append(entries) => {
                self.durable.last = entries.last().map(|e| e.log_id).or(self.durable.last);
                self.changes.extend(entries.iter().map(|entry| Change::Put {
                    index: entry.log_id.index,
                    record: seal_entry(entry),
                }));
            }
            Operation::SaveVote(vote) => {
                self.durable.vote = Some(vote);
                self.set(Slot::Vote, seal_vote(&vote));
            }
            Operation::SaveCommitted(id) => {
                self.set(Slot::Committed, seal_position(Slot::Committed, id.as_ref()));
            }
            Operation::Truncate(last) => {
                self.durable.last = last;
                self.lowest = Some(self.lowest.map_or(last, |lowest| lowest.min(last)));
                let next = last.map_or(0, |id| id.index + 1);
                self.changes.push(Change::Remove(next..=u64::MAX));
            }
            Operation::Purge(id) => {
                if self.durable.last.is_none_or(|last| last.index <= id.index) {
                    self.durable.last = Some(id);
                }
                self.set(Slot::Purged, seal_position(Slot::Purged, Some(&id)));
                self.changes.push(Change::Remove(0..=id.index));
            }
            Operation::Barrier => {}
        }
    }

    fn set(&mut self, slot: Slot, record: bytes::Bytes) {
        self.changes.push(Change::Set { slot, record });
    }
}
