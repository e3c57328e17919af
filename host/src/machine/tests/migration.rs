//! Migrations that run step by step, beside the work of the module that they are for.

use super::support::*;
use super::swaps::*;
use crate::machine::Migration;
use crate::types::{HostCommand, Lsn, Outcome};

impl Cluster {
    fn migration(&self) -> Option<Migration> {
        self.node.machine.view().migration().cloned()
    }

    /// What the leader proposes next.
    fn step(&self) -> HostCommand {
        let Migration { since, steps, .. } = self.migration().unwrap();
        HostCommand::MigrateStep { since, step: steps }
    }
}

/// A module of schema 7 that serves rows of another one as well.
fn serving(version: &str, from: u32) -> Guest {
    Guest::serving("m", version, 7, &[from])
}

#[test]
fn the_new_module_serves_from_the_activation_on_and_its_rows_follow_step_by_step() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let (first, second) = (Guest::first(), serving("2.0.0", 1));
        let mut cluster = Cluster::on(&disk, &runtime, first.clone());
        cluster.ready(&second);
        let outcomes = cluster
            .run([host(second.activate(Some(&first))), module(&second, put('a', "meanwhile"))]);
        assert_eq!(affected(&outcomes[0]), 1);
        assert!(matches!(outcomes[1], Outcome::Applied(_)));
        assert_eq!(cluster.active(), (second.digest(), 7, cluster.log.lsn()));
        assert_eq!(cluster.node.value("m1"), None, "no step was taken");

        let first_step = cluster.step();
        assert_eq!(affected(&cluster.host(first_step.clone())), 1);
        assert_eq!(cluster.node.value("m1"), Some("m1".into()));
        assert_eq!(cluster.node.value("m2"), None);
        // How far it is is in the state, and a step that two leaders propose is taken once.
        let mut cluster = cluster.restart(&disk, &runtime);
        assert_eq!(cluster.migration().unwrap().steps, 1);
        assert_eq!(affected(&cluster.host(first_step)), 0);
        assert_eq!(cluster.node.value("m2"), None);
        let second_step = cluster.step();
        assert_eq!(affected(&cluster.host(second_step.clone())), 1);
        assert_eq!(cluster.node.value("m2"), Some("m2".into()));
        assert_eq!(cluster.migration(), None);
        assert_eq!(affected(&cluster.host(second_step)), 0);

        // All has the new schema, which the older module cannot read.
        let mut cluster = cluster.restart(&disk, &runtime);
        let back = cluster.host(first.activate(Some(&second)));
        assert_eq!(refusal(&back), "the module cannot migrate schema 7");
        assert_eq!(cluster.active().1, 7);
    }
}

#[test]
fn while_rows_of_both_schemas_are_there_only_a_module_that_serves_both_can_take_over() {
    let mut cluster = Cluster::started(Guest::first());
    let (first, second) = (Guest::first(), serving("2.0.0", 1));
    let others = [
        Guest::written("m", "3.0.0", 7, &[1]),
        Guest::serving("m", "4.0.0", 8, &[1, 7]),
        Guest::serving("other", "1.0.0", 7, &[1]),
    ];
    cluster.ready(&second);
    others.iter().for_each(|other| cluster.ready(other));
    cluster.host(second.activate(Some(&first)));
    let step = cluster.step();
    cluster.host(step);
    for other in others.iter().chain([&first]) {
        let refused = cluster.host(other.activate(Some(&second)));
        let text = "schema 1 is being migrated to 7, 1 steps are done";
        assert!(refusal(&refused).starts_with(text), "{refused:?}");
    }
    let fixed = serving("2.0.1", 1);
    cluster.ready(&fixed);
    assert_eq!(affected(&cluster.host(fixed.activate(Some(&second)))), 1);
    // It begins anew: steps find rows that are migrated already.
    let since = cluster.log.lsn();
    let anew = Migration { since, from: 1, steps: 0, cursor: None, stopped: None };
    assert_eq!(cluster.migration(), Some(anew));
    for _ in 0..2 {
        let step = cluster.step();
        assert_eq!(affected(&cluster.host(step)), 1);
    }
    assert_eq!(cluster.migration(), None);
}

#[test]
fn a_step_that_fails_stops_the_migration_and_nothing_else() {
    // From schema 2 it traps, from 3 it refuses; each time after a put.
    for (schema, text) in [(2, "the module aborted the command"), (3, "refused")] {
        for disk in Disk::kinds() {
            let runtime = runtime();
            let first = Guest::written("m", "1.0.0", schema, &[]);
            let second = serving("2.0.0", schema);
            let mut cluster = Cluster::on(&disk, &runtime, first.clone());
            cluster.ready(&second);
            cluster.host(second.activate(Some(&first)));
            let step = cluster.step();
            let outcomes = cluster.run([host(step.clone()), module(&second, put('b', "2"))]);
            assert_eq!(affected(&outcomes[0]), 1);
            assert!(matches!(outcomes[1], Outcome::Applied(_)));
            let mut cluster = cluster.restart(&disk, &runtime);
            let stopped = cluster.migration().unwrap();
            assert!(stopped.stopped.as_ref().unwrap().starts_with(text), "{stopped:?}");
            assert_eq!((stopped.steps, cluster.node.value("m1")), (0, None));
            // It stays so until the module is activated once more.
            assert_eq!(affected(&cluster.host(step.clone())), 0);
            let again = second.activate(Some(&second));
            assert_eq!(affected(&cluster.host(again.clone())), 1);
            assert_eq!(cluster.migration(), Some(Migration { stopped: None, ..stopped.clone() }));
            assert!(refusal(&cluster.host(again)).contains("is active already"));
            // It was active already then, so that is not what it is rolled back to.
            let previous = cluster.node.machine.view().previous().unwrap();
            assert_eq!(previous, Some(first.digest()));
            cluster.host(step);
            assert_eq!(cluster.migration(), Some(stopped));
        }
    }
}

#[test]
fn a_step_of_no_migration_does_nothing() {
    let mut cluster = Cluster::started(Guest::first());
    let step = HostCommand::MigrateStep { since: Lsn(1), step: 0 };
    assert_eq!(affected(&cluster.host(step)), 0);
}
