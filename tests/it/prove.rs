//! The harness of `make prove-ha` and `make prove-modules`: what it counts as wrong, and that it measures.

use std::collections::BTreeMap;

use quorate_tests::endurance::history::{Ended, Found, History, Put, Swap};
use quorate_tests::prove::failover::{Fault, run};
use quorate_tests::prove::transfer::{self, Order};
use quorate_tests::prove::{Options, Profile, Row, stepped, swaps};

/// Three puts and three swaps that were acknowledged, and one of each that failed.
fn recorded() -> History {
    let put = |lsn: u64| Put { ended: Ended::Ok, lsn: Some(lsn) };
    let swap = |from: u64| Swap { from, ended: Ended::Ok };
    History {
        puts: vec![put(3), put(5), put(7), Put { ended: Ended::Failed, lsn: None }],
        swaps: vec![swap(0), swap(1), swap(2), Swap { from: 3, ended: Ended::Failed }],
    }
}

/// What a sound cluster holds of it.
fn sound() -> Found {
    let puts = [(0, (3, true)), (1, (5, true)), (2, (7, true))];
    Found { puts: BTreeMap::from(puts), last_swap: 3 }
}

/// The line of the report for that end of the recorded history.
fn account(found: &Found) -> Row {
    Row::account("recorded", &recorded().judge(found))
}

#[test]
fn a_lost_a_doubled_and_a_phantom_write_are_each_seen() {
    let row = account(&sound());
    assert!(row.ok, "{row:?}");
    let expect = |found: Found, counts: &str| {
        let row = account(&found);
        assert!(!row.ok && row.measured.starts_with(counts), "{row:?}");
    };
    let mut lost = sound();
    lost.puts.remove(&1);
    expect(lost, "1/0/0 ");
    // Applied once more: the key's version is not the LSN that was acknowledged.
    let mut doubled = sound();
    doubled.puts.insert(1, (6, true));
    expect(doubled, "0/1/0 ");
    let mut phantom = sound();
    phantom.puts.insert(3, (9, true));
    expect(phantom, "0/0/1 ");
    // The same in the chain of swaps.
    expect(Found { last_swap: 2, ..sound() }, "1/0/0 ");
    expect(Found { last_swap: 4, ..sound() }, "0/0/1 ");
}

#[test]
fn a_killed_leader_and_a_transfer_are_measured_and_all_writes_accounted_for() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let profiles = vec![Profile::Fast];
    let options = Options { runs: 2, seed: 3, profiles, proxies: false };
    let progress = |line: String| println!("{line}");
    let killed = run(&dir.path().join("kill"), Fault::Kill, &options, &progress);
    let moved = transfer::run(&dir.path().join("move"), Order::Statement, &options, &progress);
    let rows = [killed.expect("it can be measured"), moved.expect("it can be measured")].concat();
    for row in &rows {
        println!("{row:?}");
        // How long a gap may be is for a quiet machine to say; what is lost is for any.
        assert!(row.ok || row.what.ends_with("no writes"), "{row:?}");
    }
    let accounts = rows.iter().filter(|row| row.what.ends_with(": writes")).count();
    assert_eq!((rows.len(), accounts), (6, 2));
}

#[test]
fn activations_and_a_migration_under_load_fail_no_statement_and_lose_no_write() {
    const ACTIVATIONS: usize = 20;
    const ROWS: u64 = 2_000;
    let dir = tempfile::tempdir().expect("a test may create folders");
    let progress = |line: String| println!("{line}");
    let swapped = swaps::run(&dir.path().join("swaps"), ACTIVATIONS, &progress);
    let migrated = stepped::run(&dir.path().join("migration"), ROWS, &progress);
    let swapped = swapped.expect("it can be measured");
    let migrated = migrated.expect("it can be measured");
    for row in swapped.iter().chain(&migrated) {
        println!("{row:?}");
        // How long something takes is for a quiet machine to say.
        let is_time = row.aim.contains("steady state") || row.aim.contains(" ms");
        assert!(row.ok || is_time, "{row:?}");
    }
    let none_failed =
        |row: &Row| row.measured.starts_with("0 of ") || row.measured.contains(", 0 of ");
    assert!(none_failed(&swapped[0]) && none_failed(&migrated[1]), "{swapped:?} {migrated:?}");
    assert_eq!((swapped.len(), migrated.len()), (5, 3));
}
