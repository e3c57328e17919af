//! The log database: entries, the vote and two positions, with one fsync for all that waits.
//!
//! ```text
//!  RaftCore ── append, save_vote, … ──> State ── queue ──> LogWriter ── groups ──> LogDevice
//!  readers  <── tail, or the device ──   │                     │
//!  apply    <── wait_durable ────────────┴──── durable ────────┘
//! ```
//!
//! An operation takes effect for readers when it is asked for and is written later, in order, by
//! one writer. Nobody waits for a disk but who asks to: `save_vote`, [`Log::wait_durable`] and
//! [`Log::barrier`]. `append` waits only when [`QUEUE_BYTES_MAX`] are queued.
//!
//! Invariants:
//! - Operations reach the device in the order they were asked for; a crash keeps a prefix of them,
//!   so a lost truncation is as if it never happened, and a commit position never points past the
//!   entries it covers.
//! - A completion is called, and an entry counts as durable, only after an fsync that covers its
//!   operation. Durability is tracked by operation, not by index: an index that was truncated and
//!   written again is not taken for the entry that was there before.
//! - Every entry that is not durable is in the tail. Readers see one unbroken run of entries.
//! - After a failed write or fsync nothing is written any more, and every operation fails.
//!
//! The vote and the entries together make Raft safe only if neither is ever taken back, so a log
//! that lacks something it had made durable is refused at open (see `fence`).

mod device;
mod error;
mod fence;
mod group;
mod layout;
mod offline;
mod raft;
mod rocks;
mod sim;
mod sizes;
mod state;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use device::{Change, DeviceError, Kept, LogDevice, Slot, entry_key};
pub use error::LogError;
pub use fence::{FENCE_INTERVAL, fenced};
pub use group::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX};
pub use layout::unseal_entry;
pub use offline::Positions;
pub use rocks::RocksLogDevice;
pub use sim::{SimFault, SimLogDevice};
pub use state::Written;
pub use tail::TailLimits;
pub use writer::{LogWriter, Step};

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, Semaphore, oneshot};

use crate::storage::crash::crash_point;
use crate::storage::record::Damage;
use crate::types::{Entry, LogId, Lsn, Vote};

use fence::Fence;
use group::Completion;
use layout::entry_size;
use state::{Phase, Plan, State};

/// Bytes of entries that may wait for the writer. At the limit `append` waits, which holds up Raft;
/// what is proposed is bounded well below it.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Bytes of entries that one bounded read returns, more only for a single larger entry.
pub const READ_BYTES_MAX: usize = 2 << 20;

/// How often a read is begun again because entries were removed meanwhile, before it fails.
const READ_ATTEMPTS_MAX: u32 = 8;

/// How a log is opened.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// How much stays in memory.
    pub tail: TailLimits,
}

/// The log. A clone is another hold on the same log. When the last one is dropped without
/// [`close`](Self::close), what is queued is lost, as in a crash.
#[derive(Clone)]
pub struct Log {
    hold: Arc<Hold>,
}

/// What the users and the writer share.
struct Shared {
    state: Mutex<State>,
    /// There is something to write, or the phase changed.
    work: Condvar,
    /// More is durable, or never will be; for blocking and for async waiters.
    durable: Condvar,
    durable_async: Notify,
    /// Permits are bytes that may be queued; closed when the log stops.
    room: Semaphore,
    device: Arc<dyn LogDevice>,
}

impl Shared {
    fn announce(&self) {
        self.durable.notify_all();
        self.durable_async.notify_waiters();
    }
}

struct Hold {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Hold {
    fn end(&self, phase: Phase) {
        {
            let mut state = self.shared.state.lock();
            if state.phase == Phase::Open {
                state.phase = phase;
            }
        }
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the writer was reported by its thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end(Phase::Abandoned);
    }
}

impl Log {
    /// Opens a log, with a thread that writes it.
    ///
    /// # Errors
    /// When what the device kept is damaged or incomplete, or cannot be read.
    pub fn open(device: Arc<dyn LogDevice>, options: LogOptions) -> Result<Self, LogError> {
        let (log, writer) = Self::open_stepped(device, options)?;
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || {
                let run = std::panic::AssertUnwindSafe(|| writer.run());
                if std::panic::catch_unwind(run).is_err() {
                    // Nobody may take the log for alive, or wait for it.
                    std::process::abort();
                }
            })
            .map_err(|error| LogError::Thread(error.to_string()))?;
        *log.hold.thread.lock() = Some(thread);
        Ok(log)
    }

    /// Opens a log without a thread: nothing is written but by the writer's steps.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_stepped(
        device: Arc<dyn LogDevice>,
        options: LogOptions,
    ) -> Result<(Self, LogWriter), LogError> {
        let state = State::load(device.location(), &device.load()?, options.tail)?;
        let loaded = state.loaded();
        let fence = Fence::open(&*device, &loaded)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            durable: Condvar::new(),
            durable_async: Notify::new(),
            room: Semaphore::new(QUEUE_BYTES_MAX),
            device,
        });
        let writer = LogWriter::new(Arc::clone(&shared), fence, loaded);
        Ok((Self { hold: Arc::new(Hold { shared, thread: Mutex::new(None) }) }, writer))
    }

    /// Takes no more operations, writes what is queued and waits for that. The device is released
    /// once the last clone is dropped. Blocks. Without a thread, the writer's next steps do it.
    ///
    /// # Errors
    /// When the log had stopped, or stops now.
    pub fn close(self) -> Result<(), LogError> {
        self.hold.end(Phase::Closing);
        let state = self.state();
        match &state.stopped {
            Some(_) => state.check(),
            None => Ok(()),
        }
    }

    /// Tells how far the log is applied; entries up to there need not stay in memory.
    pub fn set_applied(&self, lsn: Lsn) {
        let mut state = self.state();
        let durable = state.durable;
        state.tail.set_applied(lsn.0);
        state.tail.evict(durable);
    }

    /// About how many bytes the entries after this one have.
    pub fn bytes_after(&self, lsn: Lsn) -> u64 {
        self.state().sizes.since(lsn.0.saturating_add(1))
    }

    /// The first entry of the longest tail of the log that has at most about `bytes`; the next
    /// entry's when even the last one has more.
    pub fn start_of_tail(&self, bytes: u64) -> Lsn {
        Lsn(self.state().sizes.start_of_tail(bytes))
    }

    /// Whether the log still takes operations.
    ///
    /// # Errors
    /// Why not: a failed write or fsync, or it was closed.
    pub fn check(&self) -> Result<(), LogError> {
        self.state().check()
    }

    /// Why it cannot go on, if that is so: a write or an fsync failed, or an entry that was read is
    /// damaged.
    pub fn failure(&self) -> Option<LogError> {
        let state = self.state();
        match &state.stopped {
            Some(_) => state.check().err(),
            None => state.unreadable.clone(),
        }
    }

    /// Waits until there is a [`failure`](Self::failure). Cancel safe.
    pub async fn failed(&self) -> LogError {
        loop {
            // As in `until_durable`.
            let mut announced = std::pin::pin!(self.hold.shared.durable_async.notified());
            announced.as_mut().enable();
            if let Some(failure) = self.failure() {
                return failure;
            }
            announced.await;
        }
    }

    /// What was written since it was opened, and what waits.
    pub fn written(&self) -> Written {
        let state = self.state();
        Written { queued: state.queue.len(), ..state.written }
    }

    /// Since when the writer has been busy with one group, if it is.
    pub fn writing_since(&self) -> Option<Instant> {
        self.state().writing_since
    }

    /// The last entry that is durable, also after a purge.
    pub fn durable(&self) -> Option<LogId> {
        self.state().durable_last
    }

    /// Blocks until an entry is durable, as it must be before its effects are committed to the
    /// state: a crash could otherwise leave a state that is ahead of its own log.
    ///
    /// # Errors
    /// When the log does not hold that entry (another one at its index is not it), or it stops.
    pub fn wait_durable(&self, id: &LogId) -> Result<(), LogError> {
        let mut state = self.state();
        while !state.is_durable(id)? {
            self.hold.shared.durable.wait(&mut state);
        }
        Ok(())
    }

    /// [`wait_durable`](Self::wait_durable) for async callers. Cancel safe.
    ///
    /// # Errors
    /// As [`wait_durable`](Self::wait_durable).
    pub async fn until_durable(&self, id: &LogId) -> Result<(), LogError> {
        loop {
            // Registered before the check, so that no announcement falls between the two.
            let mut announced = std::pin::pin!(self.hold.shared.durable_async.notified());
            announced.as_mut().enable();
            if self.state().is_durable(id)? {
                return Ok(());
            }
            announced.await;
        }
    }

    /// Waits until everything that was asked for before is durable: removals too, which is what
    /// installing a snapshot needs.
    ///
    /// # Errors
    /// When the log stops or is closed.
    pub async fn barrier(&self) -> Result<(), LogError> {
        self.ask_and_wait(State::barrier).await
    }

    /// The entries of a range that the log holds, in order, until one of them makes `bytes_max`
    /// full. Blocks on the device for entries that are not in memory.
    ///
    /// # Errors
    /// When a record is damaged or missing, or the device fails.
    pub fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        let read = self.read_unnoted(range, bytes_max);
        if let Err(error) = &read
            && error.trouble().is_some()
        {
            self.state().unreadable.get_or_insert_with(|| error.clone());
            self.hold.shared.announce();
        }
        read
    }

    fn read_unnoted(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        let mut plan = self.state().plan(range.clone(), bytes_max);
        for _ in 0..READ_ATTEMPTS_MAX {
            let entries = self.read_disk(&plan, bytes_max);
            let state = self.state();
            if plan.disk.is_empty() || state.removals == plan.removals {
                let mut entries = entries?;
                entries.append(&mut plan.cached);
                return Ok(entries);
            }
            plan = state.plan(range.clone(), bytes_max);
        }
        Err(LogError::Unstable(READ_ATTEMPTS_MAX))
    }

    fn read_disk(&self, plan: &Plan, bytes_max: usize) -> Result<Vec<Entry>, LogError> {
        if plan.disk.is_empty() {
            return Ok(Vec::new());
        }
        let device = &self.hold.shared.device;
        let damaged =
            |index, damage| LogError::Damaged { location: device.location(), index, damage };
        let records = device.read(plan.disk.clone(), bytes_max)?;
        let short = bytes_max == usize::MAX || records.is_empty();
        let mut entries = Vec::with_capacity(records.len());
        let mut next = plan.disk.start;
        for (index, record) in records {
            if index != next {
                return Err(damaged(next, Damage::Missing));
            }
            entries.push(unseal_entry(index, &record).map_err(|damage| damaged(index, damage))?);
            next += 1;
        }
        if short && next < plan.disk.end {
            return Err(damaged(next, Damage::Missing));
        }
        Ok(entries)
    }

    fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.hold.shared.state.lock()
    }

    fn ask(
        &self,
        operation: impl FnOnce(&mut State) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let wake = {
            let mut state = self.state();
            operation(&mut state)?;
            state.waking > 0
        };
        if wake {
            self.hold.shared.work.notify_one();
        }
        Ok(())
    }

    async fn ask_and_wait(
        &self,
        operation: impl FnOnce(&mut State, Completion) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let (sender, receiver) = oneshot::channel();
        let completion: Completion = Box::new(move |result| {
            // Nobody listens any more when the caller was cancelled.
            let _ = sender.send(result);
        });
        self.ask(|state| operation(state, completion))?;
        receiver.await.unwrap_or_else(|_| Err(self.closed()))
    }

    fn closed(&self) -> LogError {
        LogError::Closed { location: self.hold.shared.device.location() }
    }

    async fn save(&self, vote: Vote) -> Result<(), LogError> {
        self.ask_and_wait(|state, completion| state.save_vote(vote, completion)).await
    }

    async fn add(&self, entries: Vec<Entry>, completion: Completion) -> Result<(), LogError> {
        let bytes = entries.iter().map(entry_size).sum::<usize>().min(QUEUE_BYTES_MAX);
        let permits = u32::try_from(bytes).expect("the queue's limit fits");
        let room = self.hold.shared.room.acquire_many(permits).await;
        let Ok(room) = room else {
            // Closed, so the log has stopped and says why.
            self.state().check()?;
            return Err(self.closed());
        };
        self.ask(|state| state.append(entries, bytes, completion))?;
        crash_point("log-queued");
        // The writer gives the room back.
        room.forget();
        Ok(())
    }
}
