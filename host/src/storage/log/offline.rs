//! The log as a tool uses it while no frontend runs: whole operations, each durable on return.
//!
//! Blocks. Never from an async thread.

use std::sync::mpsc::sync_channel;

use crate::types::{Entry, LogId, Vote};

use super::group::Completion;
use super::state::State;
use super::{Log, LogError, READ_BYTES_MAX};

/// Where a log begins and ends, and what it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// The vote.
    pub vote: Option<Vote>,
    /// How far it is known to be committed. May lag behind.
    pub committed: Option<LogId>,
    /// How far it was purged.
    pub purged: Option<LogId>,
    /// Its last entry, or the last one that was purged.
    pub last: Option<LogId>,
}

impl Log {
    /// Where the log stands.
    pub fn positions(&self) -> Positions {
        let State { vote, committed, purged, last, .. } = &*self.state();
        Positions { vote: *vote, committed: *committed, purged: *purged, last: *last }
    }

    /// Hands every entry from index `from` on to `each`, in order and in portions, and so proves
    /// that their records are intact.
    ///
    /// # Errors
    /// When a record is damaged or missing, the device fails, or `each` does.
    pub fn each_portion<E: From<LogError>>(
        &self,
        from: u64,
        mut each: impl FnMut(&[Entry]) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = self.positions().last.map_or(0, |last| last.index + 1);
        let mut next = from;
        while next < end {
            let portion = self.read(next..end, READ_BYTES_MAX)?;
            let Some(last) = portion.last() else { break };
            next = last.log_id.index + 1;
            each(&portion)?;
        }
        Ok(())
    }

    /// The id of the entry at an index, if it is there and was not purged before.
    ///
    /// # Errors
    /// When its record is damaged or missing, or the device fails.
    pub fn id_at(&self, index: u64) -> Result<Option<LogId>, LogError> {
        let Positions { purged, last, .. } = self.positions();
        if let Some(end) = [purged, last].into_iter().flatten().find(|id| id.index == index) {
            return Ok(Some(end));
        }
        let (first, end) = (purged.map_or(0, |id| id.index + 1), last.map_or(0, |id| id.index));
        if !(first..end).contains(&index) {
            return Ok(None);
        }
        Ok(self.read(index..index + 1, READ_BYTES_MAX)?.first().map(|entry| entry.log_id))
    }

    /// Adds entries after the last one, all of them or none over a crash.
    ///
    /// # Errors
    /// When they do not follow the last one, or the log stops.
    pub fn append_durably(&self, entries: Vec<Entry>) -> Result<(), LogError> {
        // It takes no room in the queue: the caller waits here, so nothing can pile up.
        self.do_durably(|state, completion| state.append(entries, 0, completion))
    }

    /// Removes the entries after `last`.
    ///
    /// # Errors
    /// When the log stops.
    pub fn truncate_durably(&self, last: LogId) -> Result<(), LogError> {
        self.do_durably(|state, completion| {
            state.truncate(Some(last))?;
            state.barrier(completion)
        })
    }

    /// Makes a log begin after `upto`, which may be after all of its entries.
    ///
    /// # Errors
    /// When the log stops.
    pub fn begin_durably(&self, upto: LogId) -> Result<(), LogError> {
        self.do_durably(|state, completion| {
            state.purge(upto)?;
            state.barrier(completion)
        })
    }

    /// Notes how far the log is committed.
    ///
    /// # Errors
    /// When the log stops.
    pub fn commit_durably(&self, committed: LogId) -> Result<(), LogError> {
        self.do_durably(|state, completion| {
            state.save_committed(Some(committed))?;
            state.barrier(completion)
        })
    }

    /// Replaces the vote.
    ///
    /// # Errors
    /// When the log stops.
    pub fn vote_durably(&self, vote: Vote) -> Result<(), LogError> {
        self.do_durably(|state, completion| state.save_vote(vote, completion))
    }

    fn do_durably(
        &self,
        operation: impl FnOnce(&mut State, Completion) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (sender, receiver) = sync_channel(1);
        let completion: Completion = Box::new(move |result| drop(sender.send(result)));
        self.ask(|state| operation(state, completion))?;
        receiver.recv().unwrap_or_else(|_| Err(self.closed()))
    }
}
