//! The log as openraft uses it.
//!
//! openraft awaits these calls on its one core task, so none but `save_vote` may wait for a disk.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};

use futures_util::stream::{self, Stream, TryStreamExt};
use openraft::errors::LeaderChanged;
use openraft::storage::{
    IOFlushed, LeaderBoundedStreamError, LeaderBoundedStreamResult, LogState, RaftLogStorage,
};
use openraft::type_config::TypeConfigExt;
use openraft::{OptionalSend, RaftLogReader};

use crate::storage::crash::crash_point;
use crate::types::{Entry, LeaderId, LogId, TypeConfig, Vote};

use super::{Log, READ_BYTES_MAX};

impl Log {
    /// [`read`](Self::read) off the async threads, if it has to touch a disk.
    async fn fetch(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, io::Error> {
        if self.hold.shared.device.blocks() {
            let plan = self.state().plan(range.clone(), bytes_max);
            if !plan.disk.is_empty() {
                let log = self.clone();
                return Ok(TypeConfig::spawn_blocking(move || log.read(range, bytes_max)).await??);
            }
            return Ok(plan.cached);
        }
        Ok(self.read(range, bytes_max)?)
    }

    fn check_leader(&self, leader: LeaderId) -> Result<(), LeaderChanged<TypeConfig>> {
        match self.state().vote {
            Some(vote) if vote.committed && vote.leader_id == leader => Ok(()),
            vote => Err(LeaderChanged::new(leader, vote)),
        }
    }
}

fn indexes(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

/// A range in portions of [`READ_BYTES_MAX`]. Ends early where the log does.
fn portions<E: From<io::Error> + Send + 'static>(
    log: Log,
    range: Range<u64>,
    check: impl Fn(&Log) -> Result<(), E> + Send + Sync + 'static,
) -> impl Stream<Item = Result<Entry, E>> + Send + 'static {
    let entries = stream::try_unfold((log, range, check), |(log, range, check)| async move {
        if range.is_empty() {
            return Ok::<_, E>(None);
        }
        check(&log)?;
        let portion = log.fetch(range.clone(), READ_BYTES_MAX).await?;
        // What was read is one leader's only if that leader was still in office afterwards.
        check(&log)?;
        let next = portion.last().map(|entry| entry.log_id.index + 1);
        Ok(next.map(|next| {
            let portion = stream::iter(portion.into_iter().map(Ok::<_, E>));
            (portion, (log, next..range.end, check))
        }))
    });
    Box::pin(entries.try_flatten())
}

impl RaftLogReader<TypeConfig> for Log {
    async fn leader_bounded_stream<RB>(
        &mut self,
        leader: LeaderId,
        range: RB,
    ) -> impl Stream<Item = LeaderBoundedStreamResult<TypeConfig>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        portions(self.clone(), indexes(&range), move |log| {
            log.check_leader(leader).map_err(LeaderBoundedStreamError::from)
        })
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        portions(self.clone(), indexes(&range), |_| Ok(()))
    }

    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.fetch(indexes(&range), usize::MAX).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.state().vote)
    }

    /// At least one entry, unless the log no longer holds the first one: openraft then sends a
    /// heartbeat and looks again, where an error would end it.
    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        let mut entries = self.fetch(start..end, READ_BYTES_MAX).await?;
        if entries.first().is_some_and(|first| first.log_id.index != start) {
            entries.clear();
        }
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.state();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        Ok(self.save(*vote).await?)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        Ok(self.ask(|state| state.save_committed(committed))?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.state().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let completion = Box::new(move |result: Result<(), super::LogError>| {
            callback.io_completed(result.map_err(io::Error::from));
        });
        Ok(self.add(entries.into_iter().collect(), completion).await?)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        Ok(self.ask(|state| state.truncate(last))?)
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        self.ask(|state| state.purge(upto))?;
        crash_point("purge-asked");
        Ok(())
    }
}
