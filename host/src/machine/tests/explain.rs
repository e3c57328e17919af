//! An explained entry comes to what an applied one comes to, and says what it did.

use super::support::*;
use crate::machine::Explained;
use crate::runtime::{Datum, Imported};
use crate::types::{HostCommand, Lsn, Outcome, Rejection};

/// The last entry of a log, explained; and a machine that has applied it as frontends do.
fn explained(log: &Log, codegen: crate::runtime::Codegen) -> (Explained, Node) {
    let (before, last) = log.entries.split_at(log.entries.len() - 1);
    let runtime = runtime_of(codegen);
    let mut node = Node::open(Disk::memory().open(), &runtime);
    node.apply(before);
    let explained = node.applier.explain(&last[0]).unwrap().expect("it is applied now");
    assert_eq!(node.applier.explain(&last[0]).unwrap(), None);
    let mut applied = Node::open(Disk::memory().open(), &runtime);
    applied.apply(&log.entries);
    assert_eq!(node.machine.applied(), applied.machine.applied());
    assert_eq!(node.dump(), applied.dump());
    assert_eq!(explained.digest, applied.machine.applied().digest);
    (explained, applied)
}

fn text(bytes: &str) -> Datum {
    Datum::bytes(bytes.as_bytes())
}

#[test]
fn every_call_of_the_module_is_told_with_keys_values_and_fuel() {
    let (guest, mut client) = (Guest::first(), Client::new(1));
    let mut log = started(&guest, &mut client);
    log.commands(&[client.module(guest.digest(), put('a', "old"))]);
    let payloads = ["ga", "panew", "t", "exyz", "saz\x05", "f"];
    let commands = payloads.map(|payload| client.module(guest.digest(), payload));
    log.commands(&commands);
    let (entry, _) = explained(&log, crate::runtime::Codegen::Native);
    assert_eq!(entry.log_id.index, log.lsn().0);
    assert_eq!(entry.commands.len(), payloads.len());
    let [get, puts, trap, emit, scan, refuse] = &entry.commands[..] else { panic!("six") };

    let [ran] = &get.runs[..] else { panic!("one call: {:?}", get.runs) };
    assert_eq!((ran.export, ran.ended.as_deref()), ("apply", None));
    let [Imported { name, asked, given, fuel_at, fuel }] = &ran.imports[..] else {
        panic!("one import: {ran:?}")
    };
    assert_eq!((*name, asked), ("get", &vec![("key", text("a"))]));
    assert_eq!(given.as_ref().unwrap(), &vec![("value", text("old"))]);
    // By the price of an import: 200, and each byte that is moved.
    assert_eq!(*fuel, 200 + 1 + 3);
    assert!(*fuel_at > 0 && ran.used > fuel_at + fuel && ran.used < ran.granted);

    assert_eq!(puts.runs[0].imports[0].name, "put");
    assert_eq!(puts.writes.values().next().unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!((puts.kind.as_str(), puts.at), ("module", log.lsn()));
    assert_eq!(puts.module.as_ref().unwrap().1, put('a', "new"));

    assert_eq!(trap.outcome, Outcome::Rejected(Rejection::Aborted));
    let why = trap.runs[0].ended.as_deref().unwrap();
    assert!(why.contains("unreachable"), "{why}");
    assert_eq!(emit.events.len(), 1);
    assert_eq!(emit.runs[0].imports[0].asked[0], ("topic", text("x")));
    let pairs = &scan.runs[0].imports[0].given.as_ref().unwrap()[..3];
    assert_eq!(pairs, [("pairs", Datum::Number(1)), ("key", text("a")), ("value", text("new"))]);
    assert!(matches!(refuse.outcome, Outcome::Refused(_)) && refuse.writes.is_empty());
    assert_eq!(entry.writes.len(), 1, "{:?}", entry.writes);
}

/// Fuel that commands use in the first engine epoch, on all releases of this program that run it.
const EPOCH_1: [u64; 13] =
    [587, 609, 843, 988, 597, 665, 615, 768, 55, 100_000_000, 249_267, 67_122_529, 367];

#[test]
fn fuel_is_the_same_to_the_unit_on_every_engine() {
    let (guest, mut client) = (Guest::first(), Client::new(1));
    let mut log = started(&guest, &mut client);
    let payloads = ["pav", "ga", "saz\x05", "Daz", "n", "a", "c", "exyz", "t", "l", "m", "w0", "f"];
    let commands = payloads.map(|payload| client.module(guest.digest(), payload));
    log.commands(&commands);
    let [native, others @ ..] = CODEGENS.map(|codegen| {
        let (entry, _) = explained(&log, codegen);
        let runs = entry.commands.into_iter().flat_map(|command| command.runs);
        (codegen, runs.map(|ran| (ran.used, ran.imports)).collect::<Vec<_>>())
    });
    assert_eq!(native.1.len(), payloads.len());
    let used: Vec<_> = native.1.iter().map(|(used, _)| *used).collect();
    assert_eq!(used, EPOCH_1, "another release of the engine, or other settings: another epoch");
    for (codegen, runs) in others {
        for ((payload, one), other) in payloads.iter().zip(&native.1).zip(&runs) {
            assert_eq!(other, one, "{payload} on {codegen:?}");
        }
    }
}

#[test]
fn commands_of_the_host_repetitions_and_migrations_are_told() {
    let (guest, mut client) = (Guest::first(), Client::new(1));
    let next = Guest::written("m", "2.0.0", 5, &[1]);
    let mut log = started(&guest, &mut client);
    let first = client.module(guest.digest(), put('a', "1"));
    let ran_at = Lsn(log.lsn().0 + 1);
    log.commands(std::slice::from_ref(&first));
    for command in next.install().into_iter().chain([next.acknowledge(1)]) {
        log.commands(&[client.host(command)]);
    }
    let set = HostCommand::Set { key: "s".into(), value: "v".into() };
    let switch = next.activate(Some(&guest));
    log.commands(&[client.host(set), first, client.host(switch)]);
    let (entry, _) = explained(&log, crate::runtime::Codegen::Interpreted);
    let [set, repeated, switch] = &entry.commands[..] else { panic!("three") };
    assert_eq!((set.kind.as_str(), set.runs.len()), ("set", 0));
    assert!(set.details.as_deref().unwrap().contains("\"v\""));
    assert_eq!(set.writes.len(), 1);
    assert_eq!((repeated.at, repeated.runs.len(), repeated.writes.len()), (ran_at, 0, 0));
    assert_eq!(switch.kind, "activate_module");
    let exports: Vec<_> = switch.runs.iter().map(|ran| ran.export).collect();
    assert_eq!(exports, ["migrate", "migrate", "check"]);
}
