//! Engine epochs: the step to another one is one entry, the same on all frontends that can take it.

use super::support::*;
use super::swaps::*;
use crate::machine::Machine;
use crate::runtime::Runtime;
use crate::types::{Epoch, Epochs, HostCommand, NodeId, Outcome, Rejection};

const BOTH: Epochs = Epochs { oldest: Epoch(1), newest: Epoch(2) };

fn announce(epochs: Epochs) -> HostCommand {
    HostCommand::AnnounceEpochs { node: NodeId(1), epochs }
}

fn change(from: u32, to: u32) -> HostCommand {
    HostCommand::ChangeEpoch { from: Epoch(from), to: Epoch(to) }
}

/// The module `m`, with fuel for its commands in the first epoch, but not in the second.
fn frugal() -> Guest {
    Guest::granted("m", "1.0.0", 10_000)
}

#[test]
fn the_step_to_another_epoch_waits_until_every_voter_can_run_it() {
    let runtime = Runtime::with_epochs(BOTH).unwrap();
    let mut cluster = Cluster::on(&Disk::memory(), &runtime, Guest::first());
    let told = cluster.host(change(1, 2));
    assert!(refusal(&told).starts_with("frontends 1 cannot run engine epoch 2"), "{told:?}");
    assert_eq!(affected(&cluster.host(announce(BOTH))), 1);
    assert_eq!(affected(&cluster.host(announce(BOTH))), 0);
    assert_eq!(refusal(&cluster.host(change(2, 3))), "engine epoch 1 is in force, not 2");
    assert!(refusal(&cluster.host(change(1, 1))).ends_with("1 is not after it"));
    let wrong = Epochs { oldest: Epoch(2), newest: Epoch(1) };
    assert!(refusal(&cluster.host(announce(wrong))).ends_with("are no epochs"));
    assert_eq!(affected(&cluster.host(change(1, 2))), 1);
    assert_eq!(cluster.node.machine.view().epoch(), Epoch(2));
    assert!(refusal(&cluster.host(change(2, 1))).ends_with("1 is not after it"));
}

#[test]
fn from_the_step_on_and_not_before_modules_run_by_the_rules_of_the_new_epoch() {
    for disk in Disk::kinds() {
        let runtime = Runtime::with_epochs(BOTH).unwrap();
        let mut cluster = Cluster::on(&disk, &runtime, frugal());
        let outcomes = cluster.run([
            module(&frugal(), put('a', "before")),
            host(announce(BOTH)),
            host(change(1, 2)),
            module(&frugal(), put('a', "after")),
        ]);
        assert!(matches!(outcomes[0], Outcome::Applied(_)), "{:?}", outcomes[0]);
        assert_eq!(outcomes[3], Outcome::Rejected(Rejection::OutOfFuel));
        assert_eq!(cluster.node.value("a"), Some("before".into()));
        // What was said of modules was said of the epoch before.
        let said = cluster.node.machine.view().modules()[0].acknowledgements.clone();
        assert_eq!(said, []);
        // Whoever starts anew is in the same epoch.
        let applied = cluster.node.machine.applied();
        drop(cluster);
        let reopened = Node::open(disk.open(), &runtime);
        assert_eq!(reopened.machine.applied(), applied);
        assert_eq!(reopened.machine.view().epoch(), Epoch(2));
    }
}

#[test]
fn a_program_that_lacks_the_epoch_stalls_at_the_step_and_does_not_open_the_state_after_it() {
    let both = Runtime::with_epochs(BOTH).unwrap();
    let disk = Disk::memory();
    let mut cluster = Cluster::on(&disk, &both, Guest::first());
    cluster.host(announce(BOTH));
    let mut old = Node::open(Disk::memory().open(), &runtime());
    old.apply(&cluster.log.entries);
    cluster.host(change(1, 2));
    let step = cluster.log.entries.last().unwrap();
    let told = "the cluster is in engine epoch 2, and this program runs 1 to 1";
    let fault = old.applier.apply(std::slice::from_ref(step), &|_| Ok(())).unwrap_err();
    assert!(fault.0.contains(told), "{fault}");
    assert_eq!(old.machine.lsn().0 + 1, cluster.node.machine.lsn().0);
    let Err(error) = Machine::open(disk.open(), runtime()) else { panic!("it was opened") };
    assert!(error.to_string().contains(told), "{error}");
}
