//! One module gives way to another, within one entry, or nothing changes.

use std::slice::from_ref;

use super::support::*;
use super::swaps::*;
use crate::types::{Gate, HostCommand, Lifecycle, NodeId, Order, Outcome, Rejection};

#[test]
fn an_activation_that_expects_another_module_is_refused_and_recorded() {
    let mut cluster = Cluster::started(Guest::first());
    let second = Guest::written("m", "2.0.0", 1, &[]);
    let before = cluster.active();
    let unknown = cluster.host(second.activate(Some(&cluster.first)));
    assert!(refusal(&unknown).ends_with("is not installed"));
    cluster.ready(&second);
    let name = cluster.first.digest().short();
    let outcome = cluster.host(second.activate(None));
    assert_eq!(refusal(&outcome), format!("module {name} is active, not no module"));
    let outcome = cluster.host(second.activate(Some(&second)));
    assert!(refusal(&outcome).starts_with(&format!("module {name} is active, not module")));
    let outcome = cluster.host(cluster.first.activate(Some(&cluster.first)));
    assert_eq!(refusal(&outcome), format!("module {name} is active already"));
    assert_eq!(cluster.active(), before);

    let history = cluster.node.machine.view().history().unwrap();
    assert_eq!(history.len(), 5);
    assert_eq!(history[1].schema_to, None);
    assert_eq!(history[4].outcome, outcome);
    assert_eq!((history[4].lsn, history[4].caller.as_str()), (cluster.log.lsn(), "root"));
}

#[test]
fn every_voter_must_have_acknowledged_and_one_even_by_force() {
    let mut cluster = Cluster::started(Guest::first());
    let second = Guest::written("m", "2.0.0", 1, &[]);
    let entry = cluster.log.push(voters(&[1, 2, 3])).clone();
    cluster.node.apply(from_ref(&entry));
    cluster.install(&second);
    let first = cluster.first.clone();
    let order = Order::new(second.digest(), Some(first.digest()));
    let force = HostCommand::Lifecycle(Lifecycle::Activate(Order { gate: Gate::One, ..order }));
    let digest = second.digest();
    let refused = |node| HostCommand::AcknowledgeModule {
        node: NodeId(node),
        digest,
        refusal: Some("no room".into()),
    };
    let text = |missing: &str| {
        format!("module {} is not acknowledged by frontends {missing}", digest.short())
    };
    assert_eq!(refusal(&cluster.host(second.activate(Some(&first)))), text("1, 2, 3"));
    cluster.host(refused(1));
    assert_eq!(refusal(&cluster.host(force.clone())), text("1, 2, 3"));
    cluster.host(second.acknowledge(1));
    assert_eq!(refusal(&cluster.host(second.activate(Some(&first)))), text("2, 3"));
    assert_eq!(affected(&cluster.host(force)), 1);
    assert_eq!(cluster.active().0, digest);
}

#[test]
fn the_membership_of_the_same_run_counts() {
    let mut cluster = Cluster::started(Guest::first());
    let second = Guest::written("m", "2.0.0", 1, &[]);
    cluster.ready(&second);
    let from = cluster.log.entries.len();
    cluster.log.push(voters(&[1, 2]));
    let activate = cluster.client.host(second.activate(Some(&cluster.first)));
    cluster.log.commands(&[activate]);
    let replies = cluster.node.apply(&cluster.log.entries[from..]);
    assert!(refusal(&replies[1].outcomes[0].1).ends_with("frontends 2"));
}

#[test]
fn from_the_next_command_of_the_same_entry_on_the_new_module_runs() {
    for disk in Disk::kinds() {
        let mut cluster = Cluster::on(&disk, &runtime(), Guest::first());
        let (first, second) = (Guest::first(), Guest::written("m", "2.0.0", 1, &[]));
        cluster.ready(&second);
        let outcomes = cluster.run([
            module(&second, put('a', "early")),
            module(&first, put('a', "old")),
            host(second.activate(Some(&first))),
            module(&first, put('a', "late")),
            module(&second, put('b', "new")),
        ]);
        let changed = Outcome::Rejected(Rejection::ModuleChanged);
        assert_eq!(outcomes[0], changed);
        assert!(matches!(outcomes[1], Outcome::Applied(_)));
        assert_eq!(affected(&outcomes[2]), 1);
        assert_eq!(outcomes[3], changed);
        assert!(matches!(outcomes[4], Outcome::Applied(_)));
        assert_eq!(cluster.node.value("a"), Some("old".into()));
        assert_eq!(cluster.node.value("b"), Some("new".into()));
        assert_eq!(cluster.active(), (second.digest(), 1, cluster.log.lsn()));
    }
}

#[test]
fn no_memory_of_an_instance_outlives_an_activation() {
    let mut cluster = Cluster::started(Guest::first());
    let (first, second) = (Guest::first(), Guest::written("m", "2.0.0", 1, &[]));
    cluster.ready(&second);
    // `n` counts in memory.
    let outcomes = cluster.run([
        module(&first, "n"),
        module(&first, "n"),
        host(second.activate(Some(&first))),
        host(first.activate(Some(&second))),
        module(&first, "n"),
    ]);
    let counts = [0, 1, 4].map(|at| affected(&outcomes[at]));
    assert_eq!(counts, [1, 2, 1]);
}

#[test]
fn a_migration_takes_place_with_the_switch() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut cluster = Cluster::on(&disk, &runtime, Guest::first());
        let (first, second) = (Guest::first(), Guest::written("m", "2.0.0", 7, &[1]));
        cluster.ready(&second);
        let outcome = cluster.host(second.activate(Some(&first)));
        assert_eq!(affected(&outcome), 1);
        // What its two steps put.
        assert_eq!(cluster.node.value("m1"), Some("m1".into()));
        assert_eq!(cluster.node.value("m2"), Some("m2".into()));
        assert_eq!(cluster.active().1, 7);
        // The older module cannot read the newer schema.
        let back = cluster.host(first.activate(Some(&second)));
        assert_eq!(refusal(&back), "the module cannot migrate schema 7");
        let history = cluster.node.machine.view().history().unwrap();
        let schemas: Vec<_> = history.iter().map(|row| (row.schema_from, row.schema_to)).collect();
        assert_eq!(schemas, [(None, Some(1)), (Some(1), Some(7)), (Some(7), Some(1))]);

        let applied = cluster.node.machine.applied();
        drop(cluster);
        let node = Node::open(disk.open(), &runtime);
        assert_eq!(node.machine.applied(), applied);
        assert_eq!(node.machine.view().active().unwrap().digest, second.digest());
    }
}

#[test]
fn a_migration_that_traps_or_refuses_leaves_the_old_module_and_its_state() {
    // The migration of the module written by hand traps from schema 2, refuses from 3, and emits,
    // which no migration may, from 4; each time after a put.
    let ends = [(2, "the module aborted the command"), (3, "refused"), (4, "the module aborted")];
    for (schema, text) in ends {
        for disk in Disk::kinds() {
            let first = Guest::written("m", "1.0.0", schema, &[]);
            let second = Guest::written("m", "2.0.0", 7, &[schema]);
            let mut cluster = Cluster::on(&disk, &runtime(), first.clone());
            cluster.ready(&second);
            let before = cluster.active();
            let outcomes = cluster.run([
                module(&first, put('a', "1")),
                host(second.activate(Some(&first))),
                module(&first, put('b', "2")),
            ]);
            assert!(refusal(&outcomes[1]).starts_with(text), "{outcomes:?}");
            assert!(matches!(outcomes[2], Outcome::Applied(_)));
            assert_eq!(cluster.active(), before);
            let values = ["a", "b", "m1"].map(|key| cluster.node.value(key));
            assert_eq!(values, [Some("1".into()), Some("2".into()), None]);
            let history = cluster.node.machine.view().history().unwrap();
            assert_eq!(history[1].outcome, outcomes[1]);
        }
    }
}

#[test]
fn modules_of_different_names_keep_their_spaces_apart() {
    let mut cluster = Cluster::started(Guest::first());
    let (first, other) = (Guest::first(), Guest::written("other", "1.0.0", 5, &[]));
    cluster.ready(&other);
    // Not a migration: the other name's space is new.
    let outcomes = cluster.run([
        module(&first, put('a', "first")),
        host(other.activate(Some(&first))),
        module(&other, put('a', "other")),
        module(&other, "ga"),
        host(first.activate(Some(&other))),
        module(&first, "ga"),
    ]);
    let reads = [3, 5].map(|at| match &outcomes[at] {
        Outcome::Applied(reply) => quorate_wire::Reply::unpack(reply).unwrap().body,
        other => panic!("{other:?}"),
    });
    let bytes = |text: &str| quorate_wire::Body::Bytes(text.into());
    assert_eq!(reads, [bytes("other"), bytes("first")]);
    assert_eq!(cluster.active().1, 1);
}

#[test]
fn a_module_that_cannot_run_here_is_a_fault_not_an_outcome() {
    let mut cluster = Cluster::started(Guest::first());
    let broken = Guest::described(
        bytes::Bytes::from_static(b"\0asm nothing"),
        describe("m", "2.0.0", 1, &[]),
    );
    // Says that it can, but cannot.
    cluster.ready(&broken);
    assert!(cluster.node.machine.load_module(broken.digest()).is_err());
    let before = cluster.node.dump();
    let activate = cluster.client.host(broken.activate(Some(&cluster.first)));
    let entry = cluster.log.commands(&[activate]).clone();
    for _ in 0..2 {
        assert!(cluster.node.applier.apply(from_ref(&entry), &|_| Ok(())).is_err());
        assert_eq!(cluster.node.dump(), before);
    }
}

#[test]
fn a_manifest_that_describes_another_module_is_found_out_when_it_is_loaded() {
    let mut cluster = Cluster::started(Guest::first());
    let mut second = Guest::written("m", "2.0.0", 1, &[]);
    second.manifest.description = describe("m", "3.0.0", 1, &[]);
    cluster.install(&second);
    let Err(error) = cluster.node.machine.load_module(second.digest()) else { panic!("it was") };
    assert!(error.to_string().ends_with("does not describe itself as its manifest does"));
}
