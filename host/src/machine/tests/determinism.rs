//! The same log gives the same digests, whatever else is different.

use std::thread;

use super::replay::{fixed_steps, log_of};
use super::support::*;
use crate::runtime::{Codegen, Runtime};
use crate::types::{Entry, StateDigest};

/// Entries that bring everything into play: all commands of the module written by hand, requests
/// that are repeated, registrations, traps and limits.
fn log(guest: &Guest) -> Log {
    let mut log = log_of(guest, fixed_steps());
    let mut client = Client::new(9);
    for payload in ["m", "r", "x", "w0", "E", "L", "b", "u", "j", "paafter"] {
        let commands = [put('k', "1"), payload.into(), put('l', payload), "n".into()];
        let commands = commands.map(|payload| client.module(guest.digest(), payload));
        log.commands(&commands);
    }
    log
}

/// The digest after each entry.
fn digests(node: &mut Node, entries: &[Entry], size: usize) -> Vec<StateDigest> {
    for run in entries.chunks(size) {
        node.apply(run);
    }
    let view = node.machine.view();
    let each = entries.iter().map(|entry| view.digest_at(crate::types::Lsn(entry.log_id.index)));
    each.map(|digest| digest.unwrap().expect("all are kept")).collect()
}

fn expected(log: &Log, runtime: &Runtime) -> Vec<StateDigest> {
    digests(&mut Node::open(Disk::memory().open(), runtime), &log.entries, usize::MAX)
}

#[test]
fn other_code_for_the_same_module_gives_the_same_digests() {
    let guest = Guest::first();
    let log = log(&guest);
    let [native, others @ ..] = CODEGENS.map(|codegen| {
        let mut node = Node::open(Disk::memory().open(), &runtime_of(codegen));
        let digests = digests(&mut node, &log.entries, 5);
        (codegen, digests, node.dump())
    });
    for (codegen, digests, dump) in others {
        let first = native.1.iter().zip(&digests).position(|(one, other)| one != other);
        assert_eq!(first, None, "the first entry that differs on {codegen:?}");
        assert_eq!(dump, native.2, "{codegen:?}");
    }
}

#[test]
fn the_size_of_runs_and_a_restart_before_each_entry_give_the_same_digests() {
    let guest = Guest::first();
    let (log, compiled) = (log(&guest), tempfile::tempdir().unwrap());
    let runtime = runtime().keeping(compiled.path());
    let expected = expected(&log, &runtime);
    for size in [1, 2, 3, 16] {
        let mut node = Node::open(Disk::memory().open(), &runtime);
        assert_eq!(digests(&mut node, &log.entries, size), expected, "runs of {size}");
    }
    let disk = Disk::memory();
    for (at, entry) in log.entries.iter().enumerate() {
        let mut node = Node::open(disk.open(), &runtime);
        node.apply(std::slice::from_ref(entry));
        assert_eq!(node.machine.applied().digest, expected[at], "entry {at}");
    }
}

#[test]
fn machines_that_run_beside_each_other_give_the_same_digests() {
    let guest = Guest::first();
    let log = log(&guest);
    for codegen in [Codegen::Native, Codegen::Interpreted] {
        // One engine for all: they take turns in the slots of its pool.
        let runtime = runtime_of(codegen);
        let expected = expected(&log, &runtime);
        thread::scope(|scope| {
            let machines: Vec<_> = (1..=6)
                .map(|size| {
                    let (log, runtime) = (&log, &runtime);
                    scope.spawn(move || {
                        let mut node = Node::open(Disk::memory().open(), runtime);
                        digests(&mut node, &log.entries, size)
                    })
                })
                .collect();
            for machine in machines {
                assert_eq!(machine.join().unwrap(), expected, "{codegen:?}");
            }
        });
    }
}

#[test]
fn a_state_from_a_snapshot_goes_on_to_the_same_digests() {
    let guest = Guest::first();
    let (log, dirs) = (log(&guest), tempfile::tempdir().unwrap());
    let runtime = runtime().keeping(dirs.path());
    let expected = expected(&log, &runtime);
    for cut in [1, 7, 20, log.entries.len() - 3] {
        for disk in Disk::kinds() {
            let state = disk.open();
            let mut node = Node::open(std::sync::Arc::clone(&state), &runtime);
            node.apply(&log.entries[..cut]);
            let (place, is_memory) =
                (dirs.path().join(format!("cut{cut}")), matches!(disk, Disk::Memory(_)));
            state.checkpoint(&place).unwrap();
            let mut restored = Node::open(restore(&place, is_memory), &runtime);
            assert_eq!(restored.machine.applied(), node.machine.applied());
            restored.apply(&log.entries[cut..]);
            assert_eq!(Some(&restored.machine.applied().digest), expected.last(), "cut at {cut}");
            node.apply(&log.entries[cut..]);
            assert_eq!(restored.dump(), node.dump());
            drop(restored);
            std::fs::remove_dir_all(&place).unwrap();
        }
    }
}
