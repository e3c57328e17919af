//! However a log is cut into runs, and wherever a frontend restarts, it comes to the same state.

use proptest::prelude::*;

use super::support::*;
use crate::runtime::Runtime;
use crate::types::{Command, EntryPayload, HostCommand, NodeId, Outcome};

/// A restart compiles the module again, so there are not many.
const RESTARTS_MAX: usize = 3;

/// What one command of a random log does.
#[derive(Debug, Clone)]
pub enum Step {
    /// What the module written by hand does at a letter.
    Module(&'static str, u8),
    /// Sends again what was sent this many commands ago.
    Repeat(u8),
    /// Tells that the client has all its outcomes.
    Floor,
    Set(u8),
    AddFrontend(u8),
    DropNewest,
}

/// Puts, deletes one or many, counts in memory, emits, tells LSN and seed, refuses, traps.
pub const LETTERS: &[&str] =
    &["pa", "pb", "pc", "da", "db", "Dac", "n", "ee", "c", "a", "f", "t", "Pa", "F"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop::sample::select(LETTERS), any::<u8>()).prop_map(|(l, v)| Step::Module(l, v)),
        2 => (1..20u8).prop_map(Step::Repeat),
        1 => Just(Step::Floor),
        1 => (0..4u8).prop_map(Step::Set),
        1 => (2..6u8).prop_map(Step::AddFrontend),
        1 => Just(Step::DropNewest),
    ]
}

/// Entries of commands, each by one of two clients; an empty one stands for a blank entry.
fn steps() -> impl Strategy<Value = Vec<Vec<(bool, Step)>>> {
    let entry = prop::collection::vec((any::<bool>(), step()), 0..6);
    prop::collection::vec(entry, 1..24)
}

/// The sizes of runs, and whether the frontend restarts before each, losing this many commits.
fn cuts() -> impl Strategy<Value = Vec<(usize, Option<usize>)>> {
    prop::collection::vec((1..6usize, prop::option::weighted(0.2, 0..4usize)), 1..64)
}

/// A log in which `guest` is active and these commands are run.
pub fn log_of(guest: &Guest, steps: Vec<Vec<(bool, Step)>>) -> Log {
    let mut installer = Client::new(1);
    let mut clients = [Client::new(2), Client::new(3)];
    let mut log = started(guest, &mut installer);
    let mut sent: Vec<Command> = Vec::new();
    let mut newest = 1;
    for entry in steps {
        if entry.is_empty() {
            let blank = sent.len().is_multiple_of(2);
            log.push(if blank { EntryPayload::Blank } else { voters(&[1, 2]) });
            continue;
        }
        let from = sent.len();
        for (client, step) in entry {
            let client = &mut clients[usize::from(client)];
            sent.push(match step {
                Step::Module(letters, value) => {
                    // Only what is put is followed by a value.
                    let value =
                        if letters.starts_with('p') { value.to_string() } else { "".into() };
                    client.module(guest.digest(), format!("{letters}{value}"))
                }
                Step::Repeat(ago) => match sent.len().checked_sub(usize::from(ago)) {
                    Some(at) => sent[at].clone(),
                    None => continue,
                },
                Step::Floor => {
                    client.floor = client.sequence;
                    continue;
                }
                Step::Set(value) => {
                    let (key, value) = (format!("s{}", value / 2), value.to_string());
                    client.host(HostCommand::Set { key, value })
                }
                Step::AddFrontend(number) => {
                    newest = log.lsn().0 + 1;
                    client.host(HostCommand::AddFrontend(frontend(u64::from(number))))
                }
                Step::DropNewest => client.host(HostCommand::DropFrontend(NodeId(newest))),
            });
        }
        log.commands(&sent[from..]);
    }
    log
}

/// Applies a log in the runs that `cuts` gives, with restarts, and gives all outcomes.
fn apply_cut(
    disk: &Disk,
    runtime: &Runtime,
    log: &Log,
    cuts: &[(usize, Option<usize>)],
) -> (Node, Vec<Vec<(crate::types::Lsn, Outcome)>>) {
    let mut node = Node::open(disk.open(), runtime);
    let mut outcomes = vec![Vec::new(); log.entries.len()];
    let mut cuts = cuts.iter().cycle();
    let mut restarts = 0;
    loop {
        let (size, restart) = cuts.next().unwrap();
        if let Some(lost) = restart
            && restarts < RESTARTS_MAX
        {
            restarts += 1;
            drop(node);
            if let Disk::Memory(state) = disk {
                state.crash(state.unflushed().saturating_sub(*lost));
            }
            node = Node::open(disk.open(), runtime);
        }
        let applied = node.machine.applied();
        let next = applied.log_id.map_or(0, |id| usize::try_from(id.index).unwrap() + 1);
        if next == log.entries.len() {
            return (node, outcomes);
        }
        let end = (next + size).min(log.entries.len());
        for (at, reply) in (next..end).zip(node.apply(&log.entries[next..end])) {
            outcomes[at] = reply.outcomes.to_vec();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn runs_and_restarts_leave_no_trace(steps in steps(), cuts in cuts()) {
        let runtime = runtime();
        let log = log_of(&Guest::first(), steps);
        let whole = [(usize::MAX >> 1, None)];
        let (expected, outcomes) = apply_cut(&Disk::memory(), &runtime, &log, &whole);
        for cuts in [vec![(1, None)], vec![(7, None)], cuts] {
            let (node, same) = apply_cut(&Disk::memory(), &runtime, &log, &cuts);
            prop_assert_eq!(node.machine.applied(), expected.machine.applied());
            prop_assert_eq!(node.dump(), expected.dump());
            prop_assert_eq!(&same, &outcomes);
        }
    }
}

/// Forty entries with commands of all kinds, always the same.
pub fn fixed_steps() -> Vec<Vec<(bool, Step)>> {
    let step = |number: u8| {
        (
            number.is_multiple_of(3),
            match number % 5 {
                0 => Step::Repeat(3),
                1 => Step::AddFrontend(number % 4 + 2),
                _ => Step::Module(LETTERS[usize::from(number) % LETTERS.len()], number),
            },
        )
    };
    (0..40u8).map(|entry| (0..entry % 7).map(|at| step(entry * 5 + at)).collect()).collect()
}

#[test]
fn both_kinds_of_storage_come_to_the_same_state() {
    let runtime = runtime();
    let log = log_of(&Guest::first(), fixed_steps());
    let cuts = [(3, None), (1, Some(0)), (5, None)];
    let [memory, rocks] = Disk::kinds().map(|disk| {
        let (node, outcomes) = apply_cut(&disk, &runtime, &log, &cuts);
        (node.machine.applied(), node.dump(), outcomes)
    });
    assert_eq!(memory, rocks);
}

#[test]
fn one_different_byte_makes_different_digests_from_there_on() {
    let runtime = runtime();
    let guest = Guest::first();
    let node_with = |value: &str| {
        let mut client = Client::new(1);
        let mut log = started(&guest, &mut client);
        log.commands(&[client.module(guest.digest(), put('a', value))]);
        log.push(EntryPayload::Blank);
        let mut node = Node::open(Disk::memory().open(), &runtime);
        node.apply(&log.entries);
        (node.machine.view(), log.lsn())
    };
    let ((one, lsn), (other, _)) = (node_with("1"), node_with("2"));
    let before = crate::types::Lsn(lsn.0 - 2);
    assert_eq!(one.digest_at(before), other.digest_at(before));
    assert_ne!(one.digest_at(lsn), other.digest_at(lsn));
    assert_eq!(one.digest_at(lsn), Ok(Some(one.digest())));
}
