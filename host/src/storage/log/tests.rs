//! What the log promises, mostly on the device in memory and without a thread.
#![allow(clippy::unwrap_used)]

mod crash;
mod fences;
mod reads;
mod rocks;
mod suite;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use openraft::storage::RaftLogStorage;
use parking_lot::Mutex;

use super::*;
use crate::types::{Batch, EntryPayload, LeaderId, NodeId};

fn id(term: u64, index: u64) -> LogId {
    LogId { leader_id: LeaderId { term, node_id: NodeId(1) }, index }
}

fn vote(term: u64) -> Vote {
    Vote { leader_id: LeaderId { term, node_id: NodeId(1) }, committed: false }
}

fn sized(term: u64, index: u64, bytes: usize) -> Entry {
    let content = Bytes::from(vec![index as u8; bytes]);
    Entry { log_id: id(term, index), payload: EntryPayload::Normal(Batch(content)) }
}

fn entries(term: u64, range: Range<u64>) -> Vec<Entry> {
    range.map(|index| sized(term, index, 10)).collect()
}

fn ids(entries: &[Entry]) -> Vec<LogId> {
    entries.iter().map(|entry| entry.log_id).collect()
}

/// The result of a future that must not wait.
fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("it must not wait")
}

fn stepped(device: &Arc<SimLogDevice>) -> (Log, LogWriter) {
    Log::open_stepped(Arc::clone(device) as Arc<dyn LogDevice>, LogOptions::default()).unwrap()
}

type Called = Vec<(u64, Result<(), LogError>)>;

/// What completions were called with, in the order of the calls.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Called>>);

impl Calls {
    fn completion(&self, name: u64) -> Completion {
        let calls = self.clone();
        Box::new(move |result| calls.0.lock().push((name, result)))
    }

    fn names(&self) -> Vec<u64> {
        self.0.lock().iter().map(|(name, _)| *name).collect()
    }

    fn failed(&self) -> bool {
        self.0.lock().iter().all(|(_, result)| matches!(result, Err(LogError::Stopped { .. })))
    }
}

fn ignore() -> Completion {
    Box::new(|_| {})
}

#[test]
fn one_fsync_serves_a_group_and_the_newest_completion_is_called_first() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    let calls = Calls::default();
    for index in 1..=100 {
        now(log.add(entries(1, index..index + 1), calls.completion(index))).unwrap();
    }
    assert!(calls.names().is_empty());
    assert_eq!(device.writes_and_syncs(), (0, 0));
    assert_eq!(writer.step(Instant::now()), Step::Wrote);
    assert_eq!(device.writes_and_syncs(), (1, 1));
    assert_eq!(calls.names(), (1..=100).rev().collect::<Vec<_>>());
    assert!(!calls.failed());
    assert_eq!(writer.step(Instant::now()), Step::Idle);
}

#[test]
fn only_operations_that_somebody_waits_for_are_synced() {
    let device = Arc::new(SimLogDevice::new());
    let (mut log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..9), ignore())).unwrap();
    writer.step(Instant::now());
    now(log.save_committed(Some(id(1, 3)))).unwrap();
    now(log.purge(id(1, 1))).unwrap();
    now(log.truncate_after(Some(id(1, 7)))).unwrap();
    writer.step(Instant::now());
    assert_eq!(device.writes_and_syncs(), (2, 1));
    let mut barrier = Box::pin(log.barrier());
    assert!(barrier.as_mut().now_or_never().is_none());
    writer.step(Instant::now());
    now(barrier).unwrap();
    assert_eq!(device.writes_and_syncs(), (3, 2));
    assert_eq!(device.unsynced(), 0);
}

#[test]
fn a_vote_waits_for_the_disk_and_nothing_else_does() {
    let device = Arc::new(SimLogDevice::new());
    let (mut log, mut writer) = stepped(&device);
    let mut voter = log.clone();
    let (first, second) = (vote(1), vote(2));
    {
        let mut saving = Box::pin(voter.save_vote(&first));
        assert!(saving.as_mut().now_or_never().is_none());
        now(log.add(entries(1, 0..3), ignore())).unwrap();
        now(log.truncate_after(Some(id(1, 0)))).unwrap();
        writer.step(Instant::now());
        now(saving).unwrap();
    }
    assert!(voter.save_vote(&second).now_or_never().is_none());
    device.crash(usize::MAX);
    let (log, _) = stepped(&device);
    assert_eq!(
        log.state().loaded(),
        super::fence::Durable { last: Some(id(1, 0)), vote: Some(first) }
    );
}

#[test]
fn groups_end_at_their_limits() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    for index in 0..3 {
        now(log.add(vec![sized(1, index, 3 << 19)], ignore())).unwrap();
    }
    writer.step(Instant::now());
    assert_eq!(log.durable(), Some(id(1, 1)));
    writer.step(Instant::now());
    assert_eq!(log.durable(), Some(id(1, 2)));
    // One operation alone may exceed them.
    now(log.add(vec![sized(1, 3, GROUP_BYTES_MAX * 2)], ignore())).unwrap();
    writer.step(Instant::now());
    assert_eq!(log.durable(), Some(id(1, 3)));
}

#[test]
fn appends_wait_for_room_once_the_queue_is_full() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    now(log.add(vec![sized(1, 0, QUEUE_BYTES_MAX)], ignore())).unwrap();
    let mut waiting = Box::pin(log.add(entries(1, 1..2), ignore()));
    assert!(waiting.as_mut().now_or_never().is_none());
    writer.step(Instant::now());
    now(waiting).unwrap();
    writer.step(Instant::now());
    assert_eq!(log.durable(), Some(id(1, 1)));
}

#[test]
fn an_index_written_again_is_not_taken_for_the_durable_entry_before() {
    let device = Arc::new(SimLogDevice::new());
    let (mut log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..6), ignore())).unwrap();
    writer.step(Instant::now());
    log.wait_durable(&id(1, 5)).unwrap();
    now(log.truncate_after(Some(id(1, 3)))).unwrap();
    now(log.add(entries(2, 4..6), ignore())).unwrap();

    // The old entry 5 is durable, index and all; the new one is not.
    assert_eq!(log.durable(), Some(id(1, 5)));
    assert_eq!(log.state().is_durable(&id(2, 5)), Ok(false));
    let waiting = log.clone();
    let target = id(2, 5);
    let mut waiting = Box::pin(waiting.until_durable(&target));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(log.wait_durable(&id(1, 5)), Err(LogError::NoSuchEntry(id(1, 5))));
    assert_eq!(log.wait_durable(&id(2, 6)), Err(LogError::NoSuchEntry(id(2, 6))));

    writer.step(Instant::now());
    now(waiting).unwrap();
    log.wait_durable(&id(2, 5)).unwrap();
    assert_eq!(log.durable(), Some(id(2, 5)));
}

#[test]
fn the_apply_thread_sleeps_until_its_entry_is_durable() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..2), ignore())).unwrap();
    let apply = {
        let log = log.clone();
        let device = Arc::clone(&device);
        std::thread::spawn(move || {
            log.wait_durable(&id(1, 1)).unwrap();
            device.writes_and_syncs()
        })
    };
    writer.step(Instant::now());
    assert_eq!(apply.join().unwrap(), (1, 1));
}

#[test]
fn a_failed_write_stops_the_log_for_good() {
    for fault in [SimFault::Write, SimFault::Sync, SimFault::Full] {
        let device = Arc::new(SimLogDevice::new());
        let (mut log, mut writer) = stepped(&device);
        now(log.add(entries(1, 0..2), ignore())).unwrap();
        writer.step(Instant::now());
        let calls = Calls::default();
        now(log.add(vec![sized(1, 2, GROUP_BYTES_MAX)], calls.completion(1))).unwrap();
        now(log.add(entries(1, 3..4), calls.completion(2))).unwrap();
        let waiting = log.clone();
        let target = id(1, 2);
        let mut waiting = Box::pin(waiting.until_durable(&target));
        assert!(waiting.as_mut().now_or_never().is_none());
        device.fail(fault);
        writer.step(Instant::now());

        assert!(calls.failed());
        assert_eq!(calls.names(), [2, 1], "also what was still queued");
        assert!(matches!(now(waiting), Err(LogError::Stopped { .. })));
        assert!(log.wait_durable(&id(1, 3)).is_err());
        log.wait_durable(&id(1, 1)).unwrap();
        let stopped = |result: io::Result<()>| {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("has stopped"), "{error}");
            let full = error.kind() == io::ErrorKind::StorageFull;
            assert_eq!(full, fault == SimFault::Full);
        };
        stopped(now(log.add(entries(1, 4..5), ignore())).map_err(Into::into));
        stopped(now(log.save_vote(&vote(9))));
        stopped(now(log.save_committed(None)));
        stopped(now(log.truncate_after(None)));
        stopped(now(log.purge(id(1, 0))));
        stopped(now(log.barrier()).map_err(Into::into));
        writer.step(Instant::now());
        assert_eq!(device.writes_and_syncs().1, 1, "nothing is synced after a failure");
        stopped(log.close().map_err(Into::into));
    }
}

#[test]
fn a_gap_is_refused() {
    let device = Arc::new(SimLogDevice::new());
    let (mut log, _writer) = stepped(&device);
    now(log.add(entries(1, 0..3), ignore())).unwrap();
    let gap = now(log.add(entries(1, 4..5), ignore()));
    assert_eq!(gap, Err(LogError::Gap { expected: 3, found: 4 }));
    let again = now(log.add(entries(1, 2..5), ignore()));
    assert_eq!(again, Err(LogError::Gap { expected: 3, found: 2 }));
    now(log.purge(id(1, 9))).unwrap();
    let gap = now(log.add(entries(1, 3..4), ignore()));
    assert_eq!(gap, Err(LogError::Gap { expected: 10, found: 3 }));
    now(log.add(entries(1, 10..11), ignore())).unwrap();
}

#[test]
fn a_closed_log_has_written_everything_and_takes_no_more() {
    let device = Arc::new(SimLogDevice::new());
    let log = Log::open(Arc::clone(&device) as Arc<dyn LogDevice>, LogOptions::default()).unwrap();
    let mut other = log.clone();
    now(log.add(entries(1, 0..50), ignore())).unwrap();
    now(other.save_committed(Some(id(1, 7)))).unwrap();
    // What asks for a sync takes along what came before.
    now(log.add(entries(1, 50..51), ignore())).unwrap();
    log.close().unwrap();
    assert!(now(other.purge(id(1, 1))).unwrap_err().to_string().contains("closed"));
    device.crash(0);
    let (log, _) = stepped(&device);
    assert_eq!(log.durable(), Some(id(1, 50)));
    assert_eq!(log.state().committed, Some(id(1, 7)));
}

#[test]
fn a_damaged_record_is_named_and_never_served() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..6), ignore())).unwrap();
    writer.step(Instant::now());
    device.damage(3);
    let (log, _) = stepped(&device);
    assert_eq!(ids(&log.read(0..3, usize::MAX).unwrap()), [id(1, 0), id(1, 1), id(1, 2)]);
    let error = log.read(0..6, usize::MAX).unwrap_err();
    assert!(matches!(error, LogError::Damaged { index: 3, damage: Damage::Checksum, .. }));
    assert!(error.to_string().contains("entry 3"), "{error}");
    device.damage(5);
    let refused = Log::open(device, LogOptions::default()).err().unwrap();
    assert!(matches!(refused, LogError::Damaged { index: 5, .. }), "the last is read at open");
}
