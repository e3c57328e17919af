//! A fault leaves nothing behind, and the same entries can be applied afterwards.

use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::support::*;
use crate::machine::Machine;
use crate::machine::OpenError;
use crate::types::{Lsn, Outcome, StateDigest};

#[test]
fn a_run_whose_log_entries_are_not_durable_is_not_committed() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut client = Client::new(1);
        let log = started(&Guest::first(), &mut client);
        let mut node = Node::open(disk.open(), &runtime);
        let before = node.dump();
        let fault = node.applier.apply(&log.entries, &not_durable).unwrap_err();
        assert_eq!(fault.0, "the log is not durable");
        assert_eq!(node.dump(), before);
        assert_eq!(node.machine.applied().log_id, None);
        assert_eq!(node.machine.view().frontends(), []);

        let replies = node.apply(&log.entries);
        assert!(matches!(replies.last().unwrap().outcomes[1].1, Outcome::Applied(_)));
        assert_eq!(node.machine.view().lsn(), log.lsn());
    }
}

#[test]
fn durability_is_asked_for_once_per_run_and_before_anything_is_visible() {
    let runtime = runtime();
    let mut client = Client::new(1);
    let log = started(&Guest::first(), &mut client);
    let Node { machine, mut applier } = Node::open(Disk::memory().open(), &runtime);
    let asked = std::cell::RefCell::new(Vec::new());
    let durable = |id: &crate::types::LogId| {
        assert_eq!(machine.applied().lsn, Lsn(0));
        asked.borrow_mut().push(*id);
        Ok(())
    };
    applier.apply(&log.entries, &durable).unwrap();
    assert_eq!(asked.into_inner(), [log.entries.last().unwrap().log_id]);
}

#[test]
fn failing_storage_is_a_fault_and_a_retry_gives_what_it_would_have_given() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut client = Client::new(1);
        let guest = Guest::first();
        let mut log = started(&guest, &mut client);
        let failing = Arc::new(Failing::over(disk.open()));
        let mut node = Node::open(Arc::clone(&failing) as _, &runtime);
        node.apply(&log.entries);
        // A deletion of a range reads, a put does not.
        let payloads = [put('a', "1"), put('c', "2"), "Dab".into()];
        let commands = payloads.map(|payload| client.module(guest.digest(), payload));
        let entry = log.commands(&commands[..2]).clone();
        let second = log.commands(&commands[2..]).clone();
        let before = node.dump();

        failing.commits.store(true, Ordering::Relaxed);
        assert!(node.applier.apply(from_ref(&entry), &|_| Ok(())).is_err());
        failing.reads.store(true, Ordering::Relaxed);
        failing.commits.store(false, Ordering::Relaxed);
        assert!(node.applier.apply(from_ref(&entry), &|_| Ok(())).is_err());
        failing.reads.store(false, Ordering::Relaxed);
        assert_eq!(node.dump(), before);
        assert_eq!(node.outcomes(&entry).len(), 2);

        failing.reads.store(true, Ordering::Relaxed);
        assert!(node.applier.apply(from_ref(&second), &|_| Ok(())).is_err());
        failing.reads.store(false, Ordering::Relaxed);
        node.outcomes(&second);
        assert_eq!(node.value("a"), None);
        assert_eq!(node.value("c"), Some("2".into()));

        let mut undisturbed = Node::open(Disk::memory().open(), &runtime);
        undisturbed.apply(&log.entries);
        assert_eq!(undisturbed.machine.applied(), node.machine.applied());
        assert_eq!(undisturbed.dump(), node.dump());
    }
}

#[test]
fn a_gap_is_a_fault_and_what_was_applied_is_passed_over() {
    let runtime = runtime();
    let mut log = Log::default();
    let mut client = Client::new(1);
    log.push(voters(&[1]));
    log.commands(&[client.host(found())]);
    log.commands(&[client.host(found())]);
    let mut node = Node::open(Disk::memory().open(), &runtime);
    let fault = node.applier.apply(&log.entries[1..], &|_| Ok(())).unwrap_err();
    assert!(fault.0.contains("but 0 comes next"), "{fault}");
    node.apply(&log.entries[..2]);
    let before = node.machine.applied();
    let replies = node.apply(&log.entries[..2]);
    assert!(replies.iter().all(|reply| reply.outcomes.is_empty()));
    assert_eq!(node.machine.applied(), before);
    let replies = node.apply(&log.entries);
    assert_eq!(refusal(&replies[2].outcomes[0].1), "cluster 77 was founded before");
}

#[test]
fn a_command_of_a_later_version_is_a_fault_not_an_outcome() {
    let runtime = runtime();
    let mut log = Log::default();
    log.push(voters(&[1]));
    let mut newer = Client::new(1).host(found()).pack().to_vec();
    newer[0] = 9;
    log.packed(&[Bytes::from(newer)]);
    let mut node = Node::open(Disk::memory().open(), &runtime);
    let fault = node.applier.apply(&log.entries, &|_| Ok(())).unwrap_err();
    assert!(fault.0.contains("version 9"), "{fault}");
    assert_eq!(node.machine.applied().digest, StateDigest::default());
}

#[test]
fn a_state_of_another_format_is_not_opened() {
    let runtime = runtime();
    let state = Disk::memory().open();
    drop(Node::open(Arc::clone(&state), &runtime));
    let row = (Bytes::from_static(&[0, 0]), Some(Bytes::from_static(&[9])));
    state.commit([row].into()).unwrap();
    assert!(matches!(Machine::open(state, runtime), Err(OpenError::Format(9))));
}

/// A log in which `next` is activated after a first module, and how many entries come before that.
fn switched(next: &Guest) -> (Log, usize) {
    let (first, mut client) = (Guest::first(), Client::new(1));
    let mut log = started(&first, &mut client);
    for command in next.install().into_iter().chain([next.acknowledge(1)]) {
        log.commands(&[client.host(command)]);
    }
    let before = log.entries.len();
    log.commands(&[client.host(next.activate(Some(&first)))]);
    (log, before)
}

#[test]
fn a_module_that_is_not_compiled_stalls_apply_until_it_is_and_changes_nothing_else() {
    const LIMIT: Duration = Duration::from_secs(120);
    let (log, before) = switched(&Guest::written("m", "2.0.0", 1, &[]));
    let mut ready = Node::open(Disk::memory().open(), &runtime());
    ready.apply(&log.entries);

    let aside = runtime().compiling_aside().unwrap();
    let mut node = Node::open(Disk::memory().open(), &aside);
    // There is nothing that the first one could hold up.
    node.apply(&log.entries[..before]);
    let (began, lsn) = (Instant::now(), node.machine.lsn());
    let mut stalls = 0;
    while let Err(fault) = node.applier.apply(&log.entries[before..], &|_| Ok(())) {
        assert!(fault.0.ends_with("is being compiled on this frontend"), "{fault}");
        assert_eq!(node.machine.lsn(), lsn);
        assert!(began.elapsed() < LIMIT, "it is never compiled");
        stalls += 1;
        std::thread::yield_now();
    }
    assert!(stalls > 0);
    assert_eq!(node.machine.applied(), ready.machine.applied());
    assert_eq!(node.dump(), ready.dump());
}

#[test]
fn a_module_that_cannot_be_compiled_here_stalls_apply_with_the_reason() {
    const LIMIT: Duration = Duration::from_secs(120);
    let broken = Guest::described(Bytes::from_static(b"no module"), describe("m", "2", 1, &[]));
    let (log, before) = switched(&broken);
    let aside = runtime().compiling_aside().unwrap();
    let mut node = Node::open(Disk::memory().open(), &aside);
    node.apply(&log.entries[..before]);
    let (began, lsn) = (Instant::now(), node.machine.lsn());
    loop {
        let fault = node.applier.apply(&log.entries[before..], &|_| Ok(())).unwrap_err();
        if fault.0.contains("cannot run on this frontend: not a WebAssembly component") {
            break;
        }
        assert!(fault.0.ends_with("is being compiled on this frontend"), "{fault}");
        assert!(began.elapsed() < LIMIT, "the reason is never told");
        std::thread::yield_now();
    }
    assert_eq!(node.machine.lsn(), lsn);
}
