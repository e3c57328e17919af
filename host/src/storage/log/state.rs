//! The log as its users see it: what was asked for, whether or not it is on disk yet.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::types::{Entry, LogId, Vote};

use super::device::{DeviceError, Kept, Slot};
use super::error::LogError;
use super::fence::Durable;
use super::group::{self, Completion, Operation, Queued};
use super::layout::{entry_size, unseal_entry, unseal_position, unseal_vote};
use super::sizes::Sizes;
use super::tail::{Tail, TailLimits};

/// Whether the log takes operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Yes.
    Open,
    /// No; what is queued is still written.
    Closing,
    /// No, and nothing is written any more: the last user dropped the log.
    Abandoned,
}

/// What was written to a log since it was opened, for monitoring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Groups.
    pub groups: u64,
    /// Entries in them.
    pub entries: u64,
    /// About how many bytes the entries have.
    pub bytes: u64,
    /// How long writing and syncing took, of all groups together.
    pub time: Duration,
    /// Operations that wait to be written now.
    pub queued: usize,
}

/// Guarded by the log's one lock, which is never held while a disk is touched.
pub(super) struct State {
    location: String,
    pub phase: Phase,
    /// The first failure.
    pub stopped: Option<DeviceError>,
    /// The first entry that could not be read.
    pub unreadable: Option<LogError>,
    /// When the writer began with the group that it is busy with.
    pub writing_since: Option<Instant>,
    /// What was written since the log was opened.
    pub written: Written,
    pub queue: VecDeque<Queued>,
    /// How many in the queue should make the writer run.
    pub waking: usize,
    /// Number of the last operation that was asked for.
    asked: u64,
    /// Number of the last operation that is durable; so are all before it.
    pub durable: u64,
    /// The last entry that is durable.
    pub durable_last: Option<LogId>,
    pub vote: Option<Vote>,
    pub committed: Option<LogId>,
    pub purged: Option<LogId>,
    pub last: Option<LogId>,
    /// Index of the first entry or, when there is none, of the next one.
    first: u64,
    pub tail: Tail,
    pub sizes: Sizes,
    /// Counts truncations and purges.
    pub removals: u64,
}

/// Where a range is to be read.
pub(super) struct Plan {
    /// On the device, first.
    pub disk: Range<u64>,
    /// Then these.
    pub cached: Vec<Entry>,
    /// If [`State::removals`] is another afterwards, what was read may be a mixture.
    pub removals: u64,
}

impl State {
    /// From what a device kept.
    ///
    /// # Errors
    /// When a record is damaged, or entries are missing after those that were purged.
    pub fn load(location: String, kept: &Kept, limits: TailLimits) -> Result<Self, LogError> {
        let (mut vote, mut committed, mut purged) = (None, None, None);
        for (slot, record) in &kept.slots {
            match slot {
                Slot::Vote => unseal_vote(record).map(|found| vote = Some(found)),
                Slot::Committed => unseal_position(*slot, record).map(|found| committed = found),
                Slot::Purged => unseal_position(*slot, record).map(|found| purged = found),
            }
            .map_err(|damage| LogError::DamagedRecord {
                location: location.clone(),
                record: slot.name(),
                damage,
            })?;
        }
        let after_purged = purged.map_or(0, |id| id.index + 1);
        let damaged =
            |index, damage| LogError::Damaged { location: location.clone(), index, damage };
        let last = match &kept.last {
            Some((index, record)) if *index >= after_purged => {
                let entry = unseal_entry(*index, record).map_err(|d| damaged(*index, d))?;
                Some(entry.log_id)
            }
            _ => purged,
        };
        let first = match kept.first {
            Some(first) if purged.is_some() && first > after_purged => {
                return Err(damaged(after_purged, crate::storage::record::Damage::Missing));
            }
            Some(first) => first.max(after_purged),
            None => after_purged,
        };
        let next = last.map_or(first, |id| id.index + 1);
        Ok(Self {
            location,
            phase: Phase::Open,
            stopped: None,
            unreadable: None,
            writing_since: None,
            written: Written::default(),
            queue: VecDeque::new(),
            waking: 0,
            asked: 0,
            durable: 0,
            durable_last: last,
            vote,
            committed,
            purged,
            last,
            first,
            tail: Tail::new(next, limits),
            sizes: Sizes::new(first, next, kept.bytes),
            removals: 0,
        })
    }

    /// What is durable right after loading.
    pub fn loaded(&self) -> Durable {
        Durable { last: self.last, vote: self.vote }
    }

    /// Fails when the log takes no operations any more.
    pub fn check(&self) -> Result<(), LogError> {
        let location = || self.location.clone();
        match (&self.stopped, self.phase) {
            (Some(cause), _) => {
                Err(LogError::Stopped { location: location(), cause: cause.clone() })
            }
            (None, Phase::Open) => Ok(()),
            (None, _) => Err(LogError::Closed { location: location() }),
        }
    }

    pub fn append(
        &mut self,
        entries: Vec<Entry>,
        bytes: usize,
        completion: Completion,
    ) -> Result<(), LogError> {
        self.check()?;
        let mut next = self.last.map(|id| id.index + 1);
        for entry in &entries {
            let found = entry.log_id.index;
            if let Some(expected) = next.filter(|expected| *expected != found) {
                return Err(LogError::Gap { expected, found });
            }
            next = Some(found + 1);
        }
        if let Some(first) = entries.first().filter(|_| self.is_empty()) {
            self.first = first.log_id.index;
        }
        self.last = entries.last().map(|entry| entry.log_id).or(self.last);
        for entry in &entries {
            self.tail.push(entry.clone(), self.asked + 1);
            self.sizes.push(entry.log_id.index, entry_size(entry) as u64);
        }
        self.ask(Operation::Append(entries), bytes, Some(completion));
        Ok(())
    }

    pub fn save_vote(&mut self, vote: Vote, completion: Completion) -> Result<(), LogError> {
        self.check()?;
        self.vote = Some(vote);
        self.ask(Operation::SaveVote(vote), 0, Some(completion));
        Ok(())
    }

    pub fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), LogError> {
        self.check()?;
        self.committed = committed;
        if let Some(Queued { operation: Operation::SaveCommitted(queued), .. }) =
            self.queue.back_mut()
        {
            *queued = committed;
        } else {
            self.ask(Operation::SaveCommitted(committed), 0, None);
        }
        Ok(())
    }

    pub fn truncate(&mut self, after: Option<LogId>) -> Result<(), LogError> {
        self.check()?;
        let kept = if after.is_some_and(|id| id.index >= self.first) { after } else { self.purged };
        let next = kept.map_or(self.first, |id| id.index + 1);
        if self.last.is_none_or(|last| last.index < next) {
            return Ok(());
        }
        self.last = kept;
        self.tail.truncate(next);
        self.sizes.truncate(next);
        self.removals += 1;
        self.ask(Operation::Truncate(kept), 0, None);
        Ok(())
    }

    pub fn purge(&mut self, upto: LogId) -> Result<(), LogError> {
        self.check()?;
        if self.purged.is_some_and(|purged| purged.index >= upto.index) {
            return Ok(());
        }
        self.purged = Some(upto);
        if self.last.is_none_or(|last| last.index <= upto.index) {
            self.last = Some(upto);
        }
        self.first = self.first.max(upto.index + 1);
        self.tail.purge(upto.index + 1);
        self.sizes.purge(upto.index + 1);
        self.removals += 1;
        self.ask(Operation::Purge(upto), 0, None);
        Ok(())
    }

    pub fn barrier(&mut self, completion: Completion) -> Result<(), LogError> {
        self.check()?;
        self.ask(Operation::Barrier, 0, Some(completion));
        Ok(())
    }

    fn ask(&mut self, operation: Operation, bytes: usize, completion: Option<Completion>) {
        self.asked += 1;
        self.waking += usize::from(operation.wakes());
        self.queue.push_back(Queued { number: self.asked, operation, bytes, completion });
    }

    /// Takes the next group's operations off the queue.
    pub fn take_group(&mut self) -> Vec<Queued> {
        let taken = group::take(&mut self.queue);
        self.waking -= taken.iter().filter(|queued| queued.operation.wakes()).count();
        taken
    }

    fn is_empty(&self) -> bool {
        self.last.is_none_or(|last| last.index < self.first)
    }

    /// Whether an entry is durable.
    ///
    /// # Errors
    /// When the log does not hold it, or it is not durable and never will be.
    pub fn is_durable(&self, id: &LogId) -> Result<bool, LogError> {
        let missing = Err(LogError::NoSuchEntry(*id));
        if self.last.is_none_or(|last| last.index < id.index) {
            return missing;
        }
        match self.tail.get(id.index) {
            Some(cached) if cached.entry.log_id != *id => missing,
            Some(cached) if cached.operation > self.durable => match &self.stopped {
                Some(_) => self.check().map(|()| false),
                None => Ok(false),
            },
            // An entry leaves the tail only when it is durable or purged.
            _ => Ok(true),
        }
    }

    /// Where to read a range; what the log does not hold of it is left out.
    pub fn plan(&self, range: Range<u64>, bytes_max: usize) -> Plan {
        let next = self.last.map_or(self.first, |last| last.index + 1);
        let start = range.start.max(self.first);
        let end = range.end.min(next);
        if start >= end {
            return Plan { disk: 0..0, cached: Vec::new(), removals: self.removals };
        }
        let border = self.tail.start().clamp(start, end);
        // A bounded read that begins on disk ends there: the caller comes back for the rest.
        let cached = if border == start || bytes_max == usize::MAX {
            self.tail.range(border..end, bytes_max)
        } else {
            Vec::new()
        };
        Plan { disk: start..border, cached, removals: self.removals }
    }
}
