//! A log in memory that is as durable as its handle: a restarted frontend finds it again.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use parking_lot::Mutex;

use crate::types::{Entry, LogId, TypeConfig, Vote, encode_entry};

/// As the real log: entries are read in pieces that fit into a message.
const READ_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Default)]
pub(super) struct MemoryLog(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    entries: BTreeMap<u64, Entry>,
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
}

impl RaftLogReader<TypeConfig> for MemoryLog {
    async fn try_get_log_entries<R>(&mut self, range: R) -> io::Result<Vec<Entry>>
    where
        R: RangeBounds<u64> + Clone + Debug + Send,
    {
        Ok(self.0.lock().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut bytes = 0;
        let mut within = |entry: &Entry| {
            let first = bytes == 0;
            bytes += encode_entry(entry).len();
            first || bytes <= READ_BYTES_MAX
        };
        let content = self.0.lock();
        let entries = content.entries.range(start..end).map(|(_, entry)| entry.clone());
        Ok(entries.take_while(|entry| within(entry)).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.0.lock().vote)
    }
}

impl RaftLogStorage<TypeConfig> for MemoryLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let content = self.0.lock();
        let last_log_id = content.entries.last_key_value().map(|(_, entry)| entry.log_id);
        let last_purged_log_id = content.purged;
        Ok(LogState { last_purged_log_id, last_log_id: last_log_id.max(last_purged_log_id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.0.lock().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.0.lock().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.0.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let entries = entries.into_iter().map(|entry| (entry.log_id.index, entry));
        self.0.lock().entries.extend(entries);
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.0.lock().entries.split_off(&last.map_or(0, |id| id.index + 1));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let mut content = self.0.lock();
        content.purged = content.purged.max(Some(upto));
        content.entries.retain(|index, _| *index > upto.index);
        Ok(())
    }
}
