//! What ends a query early: its deadline, its cancellation, its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use quorate_wire::Failure;

use super::{Limits, failure};

/// The handle that stops a running query from outside (`KILL QUERY`). Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Cancel {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the query: it fails with error 1317 soon after.
    pub fn cancel(&self) {
        self.0.rung.store(true, Ordering::Release);
        let _held = self.0.lock.lock();
        self.0.changed.notify_all();
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.rung.load(Ordering::Acquire)
    }

    /// Waits until `end`, or until cancelled.
    fn wait_until(&self, end: Instant) {
        let mut held = self.0.lock.lock();
        while !self.is_cancelled() && !self.0.changed.wait_until(&mut held, end).timed_out() {}
    }
}

/// Shared by everything that works for one query.
#[derive(Debug)]
pub(super) struct Guard {
    deadline: Instant,
    cancel: Cancel,
    memory_max: usize,
    memory: AtomicUsize,
    /// Why SQLite was made to stop: it passes on no more than a text of ours.
    reason: Mutex<Option<Failure>>,
}

impl Guard {
    pub(super) fn new(limits: &Limits, cancel: &Cancel) -> Self {
        Self {
            deadline: limits.deadline,
            cancel: cancel.clone(),
            memory_max: limits.memory_bytes,
            memory: AtomicUsize::new(0),
            reason: Mutex::new(None),
        }
    }

    /// Fails when the query is cancelled or late.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(failure::cancelled());
        }
        if Instant::now() >= self.deadline { Err(failure::late()) } else { Ok(()) }
    }

    /// Waits for `time`; fails as soon as the query is cancelled or late.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), Failure> {
        let end =
            Instant::now().checked_add(time).map_or(self.deadline, |end| end.min(self.deadline));
        self.cancel.wait_until(end);
        self.check()
    }

    /// Takes `bytes` from the query's memory; fails when there is no more.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Failure> {
        let before = self.memory.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.memory_max {
            return Err(failure::memory(self.memory_max));
        }
        Ok(())
    }

    /// Gives back what [`charge`](Self::charge) took.
    pub(super) fn release(&self, bytes: usize) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Notes why the query ends (the first reason counts), as the error that makes SQLite stop.
    pub(super) fn stop(&self, reason: Failure) -> rusqlite::Error {
        let error = rusqlite::Error::ModuleError(reason.message.clone());
        self.reason.lock().get_or_insert(reason);
        error
    }

    /// The failure behind an error of SQLite.
    pub(super) fn failure(&self, error: &rusqlite::Error) -> Failure {
        self.reason.lock().clone().unwrap_or_else(|| failure::from_sqlite(error))
    }
}
