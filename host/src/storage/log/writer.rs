//! The log's writer: forms groups, writes them, reports what is durable.
//!
//! No lingering: while one group syncs, the next one gathers. The newest operation of a group is
//! completed first, as openraft treats each completion as a watermark: older ones that come after
//! it wake nobody.

use std::sync::Arc;
use std::time::Instant;

use crate::storage::crash::crash_point;

use super::Shared;
use super::device::DeviceError;
use super::error::LogError;
use super::fence::{Durable, FENCE_INTERVAL, Fence};
use super::group::{Completion, Group};
use super::state::Phase;

/// What one step of the writer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing was queued.
    Idle,
    /// One group was dealt with.
    Wrote,
    /// The log is closed or dropped; further steps do nothing.
    Ended,
}

/// Drives a log. [`Log::open`](super::Log::open) gives it a thread; a simulation calls
/// [`step`](Self::step) itself.
pub struct LogWriter {
    shared: Arc<Shared>,
    fence: Fence,
    /// After the last group.
    written: Durable,
    /// Whether groups were written since the last fsync.
    unsynced: bool,
}

impl LogWriter {
    pub(super) fn new(shared: Arc<Shared>, fence: Fence, loaded: Durable) -> Self {
        Self { shared, fence, written: loaded, unsynced: false }
    }

    /// Writes what is queued, one group of it, and syncs it if somebody waits for that. With
    /// nothing to write, brings the fence up to date. Blocks on the device.
    pub fn step(&mut self, now: Instant) -> Step {
        let (operations, phase, stopped) = {
            let mut state = self.shared.state.lock();
            if state.phase == Phase::Abandoned {
                return Step::Ended;
            }
            let operations = state.take_group();
            state.writing_since = (!operations.is_empty()).then_some(now);
            (operations, state.phase, state.stopped.is_some())
        };
        if operations.is_empty() {
            let result = match (stopped, phase) {
                (true, _) => Ok(()),
                (false, Phase::Open) => self.settle(now),
                (false, _) => self.finish(),
            };
            if let Err(cause) = result {
                self.stop(&cause, Vec::new());
            }
            return if phase == Phase::Open { Step::Idle } else { Step::Ended };
        }
        let mut group = Group::form(operations, self.written);
        let completions = std::mem::take(&mut group.completions);
        match self.write(group) {
            Ok(()) => {
                complete(completions, &Ok(()));
                if let Err(cause) = self.settle(now) {
                    self.stop(&cause, Vec::new());
                }
            }
            Err(cause) => self.stop(&cause, completions),
        }
        Step::Wrote
    }

    fn write(&mut self, group: Group) -> Result<(), DeviceError> {
        let device = &*self.shared.device;
        if let Some(last) = group.lowest {
            self.fence.lower(device, last)?;
        }
        let began = Instant::now();
        device.write(group.changes, group.sync)?;
        let took = began.elapsed();
        if group.durable.last != self.written.last {
            crash_point("log-synced");
        }
        if group.durable.vote != self.written.vote {
            crash_point("vote-synced");
        }
        // A commit position is advice: only what the fence speaks of has to be synced before it.
        let moved = group.durable != self.written;
        self.written = group.durable;
        self.unsynced = !group.sync && (self.unsynced || moved);
        let mut state = self.shared.state.lock();
        state.writing_since = None;
        state.written.groups += 1;
        state.written.entries += group.entries as u64;
        state.written.bytes += group.bytes as u64;
        state.written.time += took;
        if group.sync {
            state.durable = group.through;
            state.durable_last = group.durable.last;
        }
        let durable = state.durable;
        state.tail.evict(durable);
        drop(state);
        self.shared.room.add_permits(group.bytes);
        if group.sync {
            self.shared.announce();
        }
        Ok(())
    }

    fn settle(&mut self, now: Instant) -> Result<(), DeviceError> {
        if self.unsynced {
            return Ok(());
        }
        self.fence.advance(&*self.shared.device, &self.written, now)
    }

    fn finish(&mut self) -> Result<(), DeviceError> {
        if std::mem::take(&mut self.unsynced) {
            self.shared.device.write(Vec::new(), true)?;
        }
        self.fence.close(&*self.shared.device, &self.written)
    }

    /// After a failure nothing more is written: what is on disk is unknown.
    fn stop(&self, cause: &DeviceError, mut completions: Vec<Completion>) {
        let error = {
            let mut state = self.shared.state.lock();
            let cause = state.stopped.get_or_insert_with(|| cause.clone()).clone();
            completions.extend(state.queue.drain(..).filter_map(|queued| queued.completion));
            state.waking = 0;
            LogError::Stopped { location: self.shared.device.location(), cause }
        };
        tracing::error!(%error, "the log stops");
        self.shared.room.close();
        self.shared.announce();
        complete(completions, &Err(error));
    }

    /// The writer's thread.
    pub(super) fn run(mut self) {
        loop {
            {
                let mut state = self.shared.state.lock();
                let lags = !self.unsynced && self.fence.lags(&self.written);
                while state.phase == Phase::Open && state.waking == 0 {
                    if state.stopped.is_some() || !lags {
                        self.shared.work.wait(&mut state);
                    } else if self.shared.work.wait_for(&mut state, FENCE_INTERVAL).timed_out() {
                        break;
                    }
                }
            }
            if self.step(Instant::now()) == Step::Ended {
                return;
            }
        }
    }
}

/// The newest first.
fn complete(completions: Vec<Completion>, result: &Result<(), LogError>) {
    for completion in completions.into_iter().rev() {
        completion(result.clone());
    }
}
