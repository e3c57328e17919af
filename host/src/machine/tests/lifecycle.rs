//! Activations that wait, breaking changes, retirement and signatures.

use super::support::*;
use super::swaps::*;
use crate::machine::{ModuleState, REQUIRE_SIGNATURES, RETIRED_MAX, TRUSTED_KEYS};
use crate::types::{
    BreakToken, ClusterId, Consent, Gate, HostCommand, Lifecycle, Lsn, Order, Outcome, When,
};

fn lifecycle(command: Lifecycle) -> HostCommand {
    HostCommand::Lifecycle(command)
}

fn activate(order: Order) -> HostCommand {
    lifecycle(Lifecycle::Activate(order))
}

/// A cluster with its first module, and the order to activate a second one.
fn with_successor() -> (Cluster, Guest, Order) {
    let mut cluster = Cluster::started(Guest::first());
    let second = Guest::written("m", "2.0.0", 1, &[]);
    cluster.ready(&second);
    let order = Order::new(second.digest(), Some(cluster.first.digest()));
    (cluster, second, order)
}

#[test]
fn an_activation_for_an_lsn_takes_effect_before_the_commands_of_that_entry() {
    for disk in Disk::kinds() {
        let mut cluster = Cluster::on(&disk, &runtime(), Guest::first());
        let (first, second) = (Guest::first(), Guest::written("m", "2.0.0", 1, &[]));
        cluster.ready(&second);
        let at = Lsn(cluster.log.lsn().0 + 3);
        let order = Order::new(second.digest(), Some(first.digest()));
        let order = Order { when: When::AtLsn(at), ..order };
        assert_eq!(affected(&cluster.host(activate(order))), 1);
        assert_eq!(cluster.active().0, first.digest());
        let outcomes = cluster.run([module(&first, put('a', "before"))]);
        assert!(matches!(outcomes[0], Outcome::Applied(_)));
        assert_eq!(cluster.log.lsn(), Lsn(at.0 - 1));
        let outcomes = cluster.run([module(&second, put('b', "after"))]);
        assert!(matches!(outcomes[0], Outcome::Applied(_)), "{outcomes:?}");
        assert_eq!(cluster.active(), (second.digest(), 1, at));
        let view = cluster.node.machine.view();
        assert_eq!(view.scheduled(), None);
        let history = view.history().unwrap();
        assert_eq!((history.len(), history[1].lsn), (2, at));
        assert_eq!(history[1].caller, "root");
    }
}

#[test]
fn a_scheduled_activation_is_judged_again_when_it_is_due() {
    let (mut cluster, _, order) = with_successor();
    let third = Guest::written("m", "3.0.0", 1, &[]);
    cluster.ready(&third);
    let at = Lsn(cluster.log.lsn().0 + 3);
    cluster.host(activate(Order { when: When::AtLsn(at), ..order }));
    assert_eq!(affected(&cluster.host(third.activate(Some(&cluster.first.clone())))), 1);
    let outcomes = cluster.run([module(&third, put('a', "x"))]);
    assert!(matches!(outcomes[0], Outcome::Applied(_)));
    assert_eq!(cluster.active().0, third.digest());
    let view = cluster.node.machine.view();
    assert_eq!(view.scheduled(), None);
    let last = view.history().unwrap().pop().unwrap();
    assert!(refusal(&last.outcome).contains("is active, not module"), "{last:?}");
}

#[test]
fn one_activation_waits_at_a_time_and_can_be_forgotten() {
    let (mut cluster, second, order) = with_successor();
    let cancel = lifecycle(Lifecycle::CancelScheduled);
    assert_eq!(refusal(&cluster.host(cancel.clone())), "no activation is scheduled");
    let passed = Order { when: When::AtLsn(Lsn(1)), ..order.clone() };
    assert!(refusal(&cluster.host(activate(passed))).starts_with("LSN 1 has passed"));
    let later = Order { when: When::AtLsn(Lsn(900)), ..order };
    assert_eq!(affected(&cluster.host(activate(later.clone()))), 1);
    assert!(
        refusal(&cluster.host(activate(later.clone()))).contains("scheduled already, at LSN 900")
    );
    let retire = lifecycle(Lifecycle::Retire { digest: second.digest() });
    assert!(refusal(&cluster.host(retire)).contains("scheduled to be activated"));
    assert_eq!(affected(&cluster.host(cancel)), 1);
    assert_eq!(cluster.node.machine.view().scheduled(), None);
    assert_eq!(affected(&cluster.host(activate(later))), 1);
}

#[test]
fn an_activation_at_a_time_waits_for_the_clock_of_the_log() {
    let (mut cluster, second, order) = with_successor();
    let later = Order { when: When::After(u64::MAX / 2), ..order.clone() };
    assert_eq!(affected(&cluster.host(activate(later))), 1);
    let since = cluster.log.lsn();
    let run = |since| lifecycle(Lifecycle::RunScheduled { since });
    assert_eq!(affected(&cluster.host(run(since))), 0);
    assert_ne!(cluster.active().0, second.digest());
    cluster.host(lifecycle(Lifecycle::CancelScheduled));
    cluster.host(activate(Order { when: When::After(0), ..order }));
    let since = cluster.log.lsn();
    assert_eq!(affected(&cluster.host(run(Lsn(since.0 - 1)))), 0);
    assert_eq!(affected(&cluster.host(run(since))), 1);
    assert_eq!(cluster.active().0, second.digest());
}

#[test]
fn a_majority_suffices_when_that_is_asked_for() {
    let (mut cluster, second, order) = with_successor();
    cluster.host(HostCommand::AddFrontend(frontend(2)));
    let (two, three) = (cluster.log.lsn().0, cluster.log.lsn().0 + 1);
    let entry = cluster.log.push(voters(&[1, two, three])).clone();
    cluster.node.apply(std::slice::from_ref(&entry));
    let quorum = Order { gate: Gate::Quorum, ..order.clone() };
    let refused = cluster.host(activate(quorum.clone()));
    let told = format!("is not acknowledged by frontends {two}, {three}");
    assert!(refusal(&refused).ends_with(&told), "{refused:?}");
    cluster.host(second.acknowledge(two));
    assert!(refusal(&cluster.host(activate(order))).ends_with(&format!("by frontends {three}")));
    assert_eq!(affected(&cluster.host(activate(quorum))), 1);
}

#[test]
fn what_takes_something_from_clients_needs_the_token_of_this_very_step() {
    let mut cluster = Cluster::started(Guest::first());
    let other = Guest::written("other", "1.0.0", 1, &[]);
    cluster.ready(&other);
    let from = cluster.first.digest();
    let order = Order::new(other.digest(), Some(from));
    let told = cluster.host(activate(order.clone()));
    assert!(refusal(&told).contains("it is another module, 'other' and not 'm'"), "{told:?}");
    let plan = cluster.node.machine.view().plan(&order).unwrap();
    assert_eq!((plan.breaks.len(), plan.refusal.is_some()), (1, true));
    let token = plan.token.unwrap();
    let wrong = BreakToken::new(ClusterId(999), from, other.digest());
    let with = |token| Order { consent: Consent::Token(token), ..order.clone() };
    let told = cluster.host(activate(with(wrong)));
    assert!(refusal(&told).contains("is not that of this step"), "{told:?}");
    assert_eq!(affected(&cluster.host(activate(with(token)))), 1);
    assert_eq!(cluster.active().0, other.digest());
}

#[test]
fn a_retired_module_is_gone_but_for_its_name_and_can_be_installed_again() {
    for disk in Disk::kinds() {
        let mut cluster = Cluster::on(&disk, &runtime(), Guest::first());
        let (first, second) = (Guest::first(), Guest::written("m", "2.0.0", 1, &[]));
        cluster.ready(&second);
        let retire = |guest: &Guest| lifecycle(Lifecycle::Retire { digest: guest.digest() });
        assert!(refusal(&cluster.host(retire(&first))).ends_with("is active"));
        assert_eq!(affected(&cluster.host(retire(&second))), 1);
        let lsn = cluster.log.lsn();
        let view = cluster.node.machine.view();
        let known = view.modules().into_iter().find(|one| one.manifest.digest == second.digest());
        let known = known.unwrap();
        assert_eq!(known.state, ModuleState::Retired(lsn));
        assert_eq!(known.acknowledgements, []);
        assert!(view.module_bytes(second.digest()).is_err());
        for command in [retire(&second), second.activate(Some(&first)), second.acknowledge(1)] {
            assert!(refusal(&cluster.host(command)).contains("was retired at LSN"));
        }
        cluster.ready(&second);
        assert_eq!(affected(&cluster.host(second.activate(Some(&first)))), 1);
    }
}

#[test]
fn the_module_that_was_retired_first_is_forgotten_first() {
    let mut cluster = Cluster::started(Guest::first());
    let guests: Vec<Guest> =
        (0..=RETIRED_MAX).map(|at| Guest::written("m", &format!("9.{at}.0"), 1, &[])).collect();
    for guest in &guests {
        cluster.install(guest);
        cluster.host(lifecycle(Lifecycle::Retire { digest: guest.digest() }));
    }
    let known = cluster.node.machine.view().modules();
    let is_known = |guest: &Guest| known.iter().any(|one| one.manifest.digest == guest.digest());
    assert!(!is_known(&guests[0]));
    assert!(guests[1..].iter().all(is_known));
}

#[test]
fn settings_of_signatures_are_checked_and_a_module_without_one_is_refused_once_it_is_needed() {
    let (mut cluster, _, order) = with_successor();
    let set = |key: &str, value: &str| HostCommand::Set { key: key.into(), value: value.into() };
    // One that nobody has the secret key of any more.
    let trusted = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    for (key, value) in [(TRUSTED_KEYS, "nonsense"), (REQUIRE_SIGNATURES, "perhaps")] {
        let outcome = cluster.host(set(key, value));
        assert!(refusal(&outcome).contains("cannot have this value"), "{key}");
    }
    cluster.host(set(TRUSTED_KEYS, &format!("{trusted} ; {trusted};")));
    cluster.host(set(REQUIRE_SIGNATURES, "true"));
    assert!(refusal(&cluster.host(activate(order))).starts_with("the module is not signed"));

    let third = Guest::written("m", "3.0.0", 1, &[]);
    let mut commands = third.install();
    let unsigned = commands.pop().unwrap();
    for chunk in commands {
        cluster.host(chunk);
    }
    assert!(refusal(&cluster.host(unsigned)).starts_with("the module is not signed"));
    for (signature, told) in
        [("nonsense".to_owned(), "not one of minisign"), ("x".repeat(5000), "at most")]
    {
        let command = Lifecycle::InstallSigned { manifest: third.manifest.clone(), signature };
        let outcome = cluster.host(lifecycle(command));
        assert!(refusal(&outcome).contains(told), "{outcome:?}");
    }
}
