//! Committed entries, read from the log and encoded once for all subscribers.
//!
//! The newest ones are kept; most subscribers are there. One that is further behind reads for
//! itself, a few at a time, so that catching up does not slow the others.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use openraft::RaftLogReader;
use tokio::sync::{Mutex, Semaphore};

use crate::types::{Entry, LogId, TypeConfig, encode_entry};

/// Bytes of batches that are kept.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// Subscribers that read for themselves at once; more wait.
const READS_MAX: usize = 2;

/// Consecutive entries.
pub(super) struct Batch {
    ids: Vec<LogId>,
    entries: Vec<Bytes>,
    bytes: usize,
}

/// What a subscriber is sent: entries from one that it needs on.
#[derive(Debug)]
pub(super) struct Portion {
    pub entries: Vec<Bytes>,
    pub last: LogId,
    pub bytes: usize,
}

type Read = dyn Fn(u64, u64) -> BoxFuture<'static, io::Result<Vec<Entry>>> + Send + Sync;

/// Gives out portions of the log.
pub(super) struct Batches {
    read: Box<Read>,
    kept: Mutex<VecDeque<Arc<Batch>>>,
    reads: Semaphore,
}

impl Batch {
    fn new(entries: &[Entry]) -> Self {
        let ids = entries.iter().map(|entry| entry.log_id).collect();
        let entries: Vec<_> = entries.iter().map(|e| Bytes::from(encode_entry(e))).collect();
        let bytes = entries.iter().map(Bytes::len).sum();
        Self { ids, entries, bytes }
    }

    fn next(&self) -> u64 {
        self.ids.last().map_or(0, |last| last.index + 1)
    }

    /// The entries from `start` on.
    fn portion(&self, start: u64) -> Option<Portion> {
        let first = self.ids.first()?.index;
        let skip = usize::try_from(start.checked_sub(first)?).ok()?;
        let entries = self.entries.get(skip..).filter(|entries| !entries.is_empty())?.to_vec();
        let bytes = entries.iter().map(Bytes::len).sum();
        Some(Portion { entries, last: *self.ids.last()?, bytes })
    }
}

impl Batches {
    pub fn new(log: impl RaftLogReader<TypeConfig>) -> Self {
        let log = Mutex::new(log);
        let log = Arc::new(log);
        let read = move |start, end| {
            let log = Arc::clone(&log);
            async move { log.lock().await.limited_get_log_entries(start, end).await }.boxed()
        };
        Self { read: Box::new(read), kept: Mutex::default(), reads: Semaphore::new(READS_MAX) }
    }

    /// Entries from `start` on, none of them at or after `end`. `None`: the log no longer has the
    /// first one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn get(&self, start: u64, end: u64) -> io::Result<Option<Portion>> {
        let mut kept = self.kept.lock().await;
        if let Some(portion) = kept.iter().rev().find_map(|batch| batch.portion(start)) {
            return Ok(Some(portion));
        }
        let next = kept.back().map(|newest| newest.next());
        if next.is_some_and(|next| start < next) {
            drop(kept);
            let _turn = self.reads.acquire().await.map_err(io::Error::other)?;
            let entries = (self.read)(start, end).await?;
            return Ok(Batch::new(&entries).portion(start));
        }
        let batch = Batch::new(&(self.read)(start, end).await?);
        let portion = batch.portion(start);
        if portion.is_some() {
            if next != Some(start) {
                kept.clear();
            }
            kept.push_back(Arc::new(batch));
            let mut bytes: usize = kept.iter().map(|batch| batch.bytes).sum();
            while bytes > KEPT_BYTES_MAX
                && kept.len() > 1
                && let Some(oldest) = kept.pop_front()
            {
                bytes -= oldest.bytes;
            }
        }
        Ok(portion)
    }

    /// The id of the entry at `index`, if the log has it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn id(&self, index: u64) -> io::Result<Option<LogId>> {
        let _turn = self.reads.acquire().await.map_err(io::Error::other)?;
        let entries = (self.read)(index, index + 1).await?;
        Ok(entries.first().map(|entry| entry.log_id).filter(|id| id.index == index))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Debug;
    use std::ops::RangeBounds;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::types::{EntryPayload, LeaderId, NodeId, Vote};

    /// A log with entries `first..end` that counts how often it is read.
    #[derive(Clone)]
    struct Shelf {
        first: u64,
        reads: Arc<AtomicUsize>,
    }

    impl RaftLogReader<TypeConfig> for Shelf {
        async fn try_get_log_entries<R>(&mut self, _: R) -> io::Result<Vec<Entry>>
        where
            R: RangeBounds<u64> + Clone + Debug + Send,
        {
            unreachable!("the feed reads in portions")
        }

        async fn limited_get_log_entries(&mut self, from: u64, end: u64) -> io::Result<Vec<Entry>> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let purged = from < self.first;
            let end = if purged { from } else { end.min(from + 10) };
            Ok((from..end).map(entry).collect())
        }

        async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
            Ok(None)
        }
    }

    fn entry(index: u64) -> Entry {
        let leader_id = LeaderId { term: 1, node_id: NodeId(1) };
        Entry { log_id: LogId { leader_id, index }, payload: EntryPayload::Blank }
    }

    fn shelf(first: u64) -> (Batches, Arc<AtomicUsize>) {
        let reads = Arc::new(AtomicUsize::new(0));
        (Batches::new(Shelf { first, reads: Arc::clone(&reads) }), reads)
    }

    #[tokio::test]
    async fn what_is_purged_is_not_given_and_leaves_nothing_behind() {
        let (batches, _) = shelf(50);
        assert!(batches.get(49, 60).await.unwrap().is_none());
        assert!(batches.id(49).await.unwrap().is_none());
        assert_eq!(batches.get(50, 60).await.unwrap().unwrap().last.index, 59);
    }

    #[tokio::test]
    async fn the_newest_entries_are_read_once_for_all_and_every_portion_is_unbroken() {
        let (batches, reads) = shelf(0);
        for subscriber in 0..5 {
            let mut next = subscriber;
            while next < 40 {
                let portion = batches.get(next, 40).await.unwrap().unwrap();
                assert_eq!(portion.last.index + 1 - next, portion.entries.len() as u64);
                next = portion.last.index + 1;
            }
        }
        assert_eq!(reads.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn one_that_is_far_behind_reads_for_itself_and_disturbs_nobody() {
        let (batches, reads) = shelf(0);
        batches.get(100, 110).await.unwrap().unwrap();
        assert_eq!(batches.get(3, 110).await.unwrap().unwrap().last.index, 12);
        batches.get(100, 110).await.unwrap().unwrap();
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}
