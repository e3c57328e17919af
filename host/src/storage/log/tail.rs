//! The newest entries of the log, in memory.
//!
//! Holds, always, every entry that is not durable yet: it is the only place they can be read from.
//! Beyond that it holds entries that are not applied yet, as apply is about to read them, and the
//! newest few megabytes for replication and the feed. What it holds is one unbroken run up to the
//! last entry of the log.

use std::collections::VecDeque;
use std::ops::Range;

use crate::types::Entry;

use super::layout::entry_size;

/// How much the tail holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TailLimits {
    /// Bytes of applied entries to keep.
    pub bytes: usize,
    /// Bytes beyond which durable entries go even when they are not applied, so that a frontend
    /// whose apply is behind does not run out of memory; apply then reads them from disk.
    pub unapplied_bytes: usize,
}

impl Default for TailLimits {
    /// 64 MiB and 256 MiB.
    fn default() -> Self {
        Self { bytes: 64 << 20, unapplied_bytes: 256 << 20 }
    }
}

#[derive(Debug)]
pub(super) struct Cached {
    pub entry: Entry,
    /// The operation that appended it.
    pub operation: u64,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Tail {
    entries: VecDeque<Cached>,
    /// Index of the first entry held or, when there is none, of the next entry of the log.
    start: u64,
    bytes: usize,
    applied: Option<u64>,
    limits: TailLimits,
}

impl Tail {
    pub fn new(start: u64, limits: TailLimits) -> Self {
        Self { entries: VecDeque::new(), start, bytes: 0, applied: None, limits }
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    pub fn push(&mut self, entry: Entry, operation: u64) {
        if self.entries.is_empty() {
            self.start = entry.log_id.index;
        }
        let bytes = entry_size(&entry);
        self.bytes += bytes;
        self.entries.push_back(Cached { entry, operation, bytes });
    }

    pub fn get(&self, index: u64) -> Option<&Cached> {
        let offset = index.checked_sub(self.start)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// Drops the entries from `next` on; `next` becomes the index of the next entry.
    pub fn truncate(&mut self, next: u64) {
        while self.entries.back().is_some_and(|last| last.entry.log_id.index >= next) {
            self.bytes -= self.entries.pop_back().map_or(0, |cached| cached.bytes);
        }
        self.start = self.start.min(next);
    }

    /// Drops the entries below `first`, the log's first index from now on.
    pub fn purge(&mut self, first: u64) {
        while self.entries.front().is_some_and(|cached| cached.entry.log_id.index < first) {
            self.pop_front();
        }
        self.start = self.start.max(first);
    }

    pub fn set_applied(&mut self, index: u64) {
        self.applied = self.applied.max(Some(index));
    }

    /// Drops the oldest entries that are over the limits, and durable.
    pub fn evict(&mut self, durable: u64) {
        while self.bytes > self.limits.bytes
            && let Some(oldest) = self.entries.front()
            && oldest.operation <= durable
            && (self.applied >= Some(oldest.entry.log_id.index)
                || self.bytes > self.limits.unapplied_bytes)
        {
            self.pop_front();
        }
    }

    /// The entries of a range that begins at or after [`start`](Self::start), until one of them
    /// makes `bytes_max` full.
    pub fn range(&self, range: Range<u64>, bytes_max: usize) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut bytes = 0;
        for index in range {
            let Some(cached) = self.get(index) else { break };
            found.push(cached.entry.clone());
            bytes += cached.bytes;
            if bytes >= bytes_max {
                break;
            }
        }
        found
    }

    fn pop_front(&mut self) {
        if let Some(cached) = self.entries.pop_front() {
            self.bytes -= cached.bytes;
            self.start = cached.entry.log_id.index + 1;
        }
    }
}
