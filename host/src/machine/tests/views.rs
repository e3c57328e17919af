//! What readers see.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::support::*;
use super::swaps::*;
use crate::machine::{DIGESTS_KEPT, Lagging, LoadError, MachineView, ModuleState, keys};
use crate::runtime::{Caller, Evaluation, Request};
use crate::types::{EntryPayload, HostCommand, Lifecycle, Lsn, ModuleDigest};

#[test]
fn a_view_shows_one_lsn_for_good() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut client = Client::new(1);
        let guest = Guest::first();
        let mut log = started(&guest, &mut client);
        log.commands(&[client.module(guest.digest(), put('a', "old"))]);
        let mut node = Node::open(disk.open(), &runtime);
        node.apply(&log.entries);
        let (view, lsn) = (node.machine.view(), log.lsn());
        let later = log.commands(&[client.module(guest.digest(), put('a', "new"))]).clone();
        node.outcomes(&later);

        let read = |view: &crate::machine::MachineView| {
            let call = view.read_call(Instant::now() + Duration::from_secs(10)).unwrap();
            assert_eq!(call.facts.lsn, view.lsn());
            let caller = Caller { session_id: 1, user: "root".into(), database: None };
            let request = Request::Text("ga".into());
            match view.active().unwrap().module.evaluate(call, caller, request).unwrap() {
                Evaluation::Reply(reply) => reply.body,
                Evaluation::Command(_) => panic!("a read is no command"),
            }
        };
        let bytes = |text: &str| quorate_wire::Body::Bytes(text.into());
        assert_eq!(view.lsn(), lsn);
        assert_eq!(read(&view), bytes("old"));
        assert_eq!(read(&node.machine.view()), bytes("new"));
    }
}

#[test]
fn a_view_that_is_held_over_an_activation_goes_on_with_the_module_of_its_lsn() {
    let (mut cluster, second) = (Cluster::started(Guest::first()), successor());
    let first = cluster.first.clone();
    cluster.ready(&second);
    cluster.run([module(&first, put('a', "old"))]);
    let held = cluster.node.machine.view();
    // In one entry, so that nothing but the activation lies between.
    let put = module(&second, put('a', "new"));
    cluster.run([host(second.activate(Some(&first))), put]);
    let seen = |view: &MachineView| {
        let active = view.active().unwrap();
        let call = view.read_call(Instant::now() + Duration::from_secs(10)).unwrap();
        assert_eq!((call.facts.lsn, call.facts.schema), (view.lsn(), active.schema));
        let caller = Caller { session_id: 1, user: "root".into(), database: None };
        let evaluated = active.module.evaluate(call, caller, Request::Text("ga".into()));
        let Ok(Evaluation::Reply(reply)) = evaluated else { panic!("{evaluated:?}") };
        (active.digest, reply.body)
    };
    let bytes = |text: &str| quorate_wire::Body::Bytes(text.into());
    assert_eq!(seen(&held), (first.digest(), bytes("old")));
    assert_eq!(seen(&cluster.node.machine.view()), (second.digest(), bytes("new")));
    // Nor does it matter that the old module's file is gone by now.
    let retire = Lifecycle::Retire { digest: first.digest() };
    assert_eq!(affected(&cluster.host(HostCommand::Lifecycle(retire))), 1);
    assert_eq!(seen(&held), (first.digest(), bytes("old")));
}

fn successor() -> Guest {
    Guest::written("m", "2.0.0", 2, &[1])
}

#[test]
fn a_file_that_is_not_what_its_manifest_names_is_a_fault_that_names_it() {
    let disk = Disk::memory();
    let mut cluster = Cluster::on(&disk, &runtime(), Guest::first());
    let second = successor();
    cluster.install(&second);
    let key = keys::chunk(second.digest(), 0);
    let mut chunk = cluster.node.machine.view().store().get(&key).unwrap().unwrap().to_vec();
    *chunk.last_mut().unwrap() ^= 1;
    disk.open().commit(BTreeMap::from([(key, Some(chunk.into()))])).unwrap();
    let cluster = cluster.restart(&disk, &runtime());
    let Err(error) = cluster.node.machine.load_module(second.digest()) else { panic!("it runs") };
    assert!(matches!(error, LoadError::State(_)), "{error}");
    let told = format!("not the file of module {}", second.digest());
    assert!(error.to_string().contains(&told), "{error}");
}

#[test]
fn the_registry_is_the_same_after_a_restart() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut client = Client::new(1);
        let guest = Guest::first();
        let log = started(&guest, &mut client);
        let mut node = Node::open(disk.open(), &runtime);
        node.apply(&log.entries);
        let tables = |node: &Node| {
            let view = node.machine.view();
            let active = view.active().unwrap();
            assert_eq!(active.module.digest(), active.digest);
            let history = view.history().unwrap();
            assert_eq!(history.len(), 1);
            (
                (view.cluster(), view.frontends(), view.modules(), history, view.settings()),
                (active.digest, active.schema, active.since, node.machine.applied()),
            )
        };
        let before = tables(&node);
        assert_eq!(before.0.2[0].state, ModuleState::Active);
        assert_eq!(before.0.2[0].active_since, Some(log.lsn()));
        drop(node);
        assert_eq!(tables(&Node::open(disk.open(), &runtime)), before);
    }
}

#[test]
fn a_replaced_state_is_taken_over() {
    let runtime = runtime();
    let mut client = Client::new(1);
    let log = started(&Guest::first(), &mut client);
    let state = Disk::memory().open();
    let mut node = Node::open(std::sync::Arc::clone(&state), &runtime);
    let mut ahead = Node::open(Disk::memory().open(), &runtime);
    ahead.apply(&log.entries);
    let snapshot = ahead.dump().into_iter().map(|(key, value)| (key, Some(value)));
    state.commit(snapshot.collect()).unwrap();
    node.applier.reload().unwrap();
    assert_eq!(node.machine.applied(), ahead.machine.applied());
    assert_eq!(node.machine.view().frontends(), ahead.machine.view().frontends());
    assert!(node.machine.view().active().is_some());
}

#[test]
fn the_ring_keeps_the_newest_digests() {
    let runtime = runtime();
    let mut log = Log::default();
    for _ in 0..DIGESTS_KEPT + 2 {
        log.push(EntryPayload::Blank);
    }
    let mut node = Node::open(Disk::memory().open(), &runtime);
    node.apply(&log.entries);
    let view = node.machine.view();
    assert_eq!(view.digest_at(Lsn(1)), Ok(None));
    assert!(view.digest_at(Lsn(2)).unwrap().is_some());
    assert_eq!(view.digest_at(log.lsn()), Ok(Some(view.digest())));
    assert_eq!(view.digest_at(Lsn(log.lsn().0 + 1)), Ok(None));
}

#[tokio::test]
async fn waiting_ends_with_the_lsn_or_the_deadline() {
    let runtime = runtime();
    let mut log = Log::default();
    (0..3).for_each(|_| drop(log.push(EntryPayload::Blank).clone()));
    let Node { machine, mut applier } = Node::open(Disk::memory().open(), &runtime);
    let lagging = machine.wait_applied(Lsn(2), Instant::now() + Duration::from_millis(1)).await;
    assert_eq!(lagging, Err(Lagging { wanted: Lsn(2), applied: Lsn(0) }));
    let waiting = machine.wait_applied(Lsn(2), Instant::now() + Duration::from_secs(30));
    let applied = machine.subscribe();
    let applier = std::thread::spawn(move || applier.apply(&log.entries, &|_| Ok(())).map(drop));
    waiting.await.unwrap();
    assert_eq!(machine.view().lsn(), Lsn(2));
    assert_eq!(*applied.borrow(), Lsn(2));
    applier.join().unwrap().unwrap();
}

#[test]
fn an_unknown_module_cannot_be_loaded() {
    let node = Node::open(Disk::memory().open(), &runtime());
    let Err(error) = node.machine.load_module(ModuleDigest([5; 32])) else { panic!("it was") };
    assert_eq!(error.to_string(), "module 050505050505 is not installed");
}
