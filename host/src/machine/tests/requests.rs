//! Commands that are logged twice run once.

use bytes::Bytes;

use super::support::*;
use crate::types::{Lsn, Outcome, Rejection};

#[test]
fn what_cannot_run_is_rejected_and_the_rest_of_the_entry_runs() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let (mut log, mut client) = (Log::default(), Client::new(1));
        let guest = Guest::first();
        log.push(voters(&[1]));
        let commands = [
            client.module(guest.digest(), put('a', "1")).pack(),
            Bytes::from_static(b"\x01nonsense"),
            client.host(found()).pack(),
        ];
        log.packed(&commands);
        let mut node = Node::open(disk.open(), &runtime);
        let replies = node.apply(&log.entries);
        let outcomes: Vec<_> = replies[1].outcomes.iter().map(|(_, outcome)| outcome).collect();
        assert_eq!(outcomes[0], &Outcome::Rejected(Rejection::NoModule));
        assert_eq!(outcomes[1], &Outcome::Rejected(Rejection::Malformed));
        assert_eq!(affected(outcomes[2]), 1);
        assert!(replies[0].outcomes.is_empty());
    }
}

#[test]
fn a_repeated_request_gets_its_first_outcome_and_lsn_also_after_a_restart() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut client = Client::new(1);
        let guest = Guest::first();
        let mut log = started(&guest, &mut client);
        let once = client.module(guest.digest(), put('a', "1"));
        let other = client.module(guest.digest(), put('a', "2"));
        log.commands(&[once.clone(), once.clone(), other]);
        let first = log.lsn();
        let mut node = Node::open(disk.open(), &runtime);
        let replies = node.apply(&log.entries);
        let outcomes = &replies.last().unwrap().outcomes;
        assert!(matches!(outcomes[0].1, Outcome::Applied(_)));
        assert_eq!(outcomes[0], outcomes[1]);

        let expected = outcomes[0].clone();
        assert_eq!(expected.0, first);
        let again = log.commands(std::slice::from_ref(&once)).clone();
        assert_eq!(node.outcomes(&again), std::slice::from_ref(&expected));
        drop(node);
        let mut node = Node::open(disk.open(), &runtime);
        let again = log.commands(std::slice::from_ref(&once)).clone();
        assert_eq!(node.outcomes(&again), [expected]);
        assert_eq!(node.value("a"), Some("2".into()));
    }
}

#[test]
fn below_its_clients_floor_a_request_is_stale_also_after_a_restart() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let (mut log, mut client) = (Log::default(), Client::new(1));
        let first = client.host(found());
        client.floor = 2;
        log.push(voters(&[1]));
        log.commands(std::slice::from_ref(&first));
        let mut node = Node::open(disk.open(), &runtime);
        node.apply(&log.entries);
        // Only the floor of a repeated request tells that its client has the outcome of the first.
        let second = client.host(found());
        let entry = log.commands(&[second.clone(), first.clone()]).clone();
        let outcomes = node.outcomes(&entry);
        assert_eq!(refusal(&outcomes[0].1), "cluster 77 was founded before");
        let stale = (Lsn(2), Outcome::Rejected(Rejection::Stale));
        assert_eq!(outcomes[1], stale);
        drop(node);
        let mut node = Node::open(disk.open(), &runtime);
        let entry = log.commands(&[first, second]).clone();
        let outcomes = node.outcomes(&entry);
        assert_eq!(outcomes[0], (Lsn(3), Outcome::Rejected(Rejection::Stale)));
        assert_eq!(outcomes[1].0, Lsn(2));
    }
}

#[test]
fn a_malformed_entry_moves_the_state_on_without_outcomes() {
    let runtime = runtime();
    let mut log = Log::default();
    log.push(voters(&[1]));
    let cut = crate::types::Batch(Bytes::from_static(&[1]));
    log.push(crate::types::EntryPayload::Normal(cut));
    let mut node = Node::open(Disk::memory().open(), &runtime);
    let replies = node.apply(&log.entries);
    assert!(replies[1].outcomes.is_empty());
    assert_eq!(node.machine.applied().lsn, Lsn(1));
}
