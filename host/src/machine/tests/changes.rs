//! What is kept for subscribers, and that it decides nothing.

use super::support::*;
use crate::machine::{
    BEFORE_READS_MAX, Before, CHANGE_FEED, Change, ChangeCursor, ChangesError, EntryChanges, OFF,
    What,
};
use crate::runtime::Runtime;
use crate::types::{Action, EntryPayload, HostCommand, Lsn, NodeId, Outcome};

/// A log that ends in an active module, and what is applied of it.
struct Cluster {
    node: Node,
    log: Log,
    client: Client,
    guest: Guest,
}

impl Cluster {
    fn started() -> Self {
        Self::on(&Disk::memory(), &runtime())
    }

    fn on(disk: &Disk, runtime: &Runtime) -> Self {
        let (mut client, guest) = (Client::new(1), Guest::first());
        let log = started(&guest, &mut client);
        let mut node = Node::open(disk.open(), runtime);
        node.apply(&log.entries);
        Self { node, log, client, guest }
    }

    fn run(&mut self, actions: Vec<Action>) -> Vec<Outcome> {
        let commands: Vec<_> =
            actions.into_iter().map(|action| self.client.command(action)).collect();
        let entry = self.log.commands(&commands);
        self.node.outcomes(entry).into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn module(&self, payload: &str) -> Action {
        Action::Module { digest: self.guest.digest(), payload: payload.to_owned().into() }
    }

    /// Applies an entry of commands of the module, and gives what it changed.
    fn changes(&mut self, payloads: &[&str]) -> Vec<Change> {
        let actions = payloads.iter().map(|payload| self.module(payload)).collect();
        self.run(actions);
        self.newest().changes
    }

    fn set(&mut self, value: &str) {
        let set = HostCommand::Set { key: CHANGE_FEED.into(), value: value.into() };
        self.run(vec![Action::Host(set)]);
    }

    fn newest(&self) -> EntryChanges {
        let read = self.read(self.log.lsn()).unwrap();
        let [entry] = read.as_slice() else { panic!("one part: {read:?}") };
        entry.clone()
    }

    fn read(&self, from: Lsn) -> Result<Vec<EntryChanges>, ChangesError> {
        read(&self.node, from)
    }
}

/// All that is kept from an entry on, in reads of a few rows.
fn read(node: &Node, from: Lsn) -> Result<Vec<EntryChanges>, ChangesError> {
    let mut cursor = ChangeCursor::at(from);
    let mut all = Vec::new();
    loop {
        let part = node.machine.view().changes(&mut cursor, 3, 1 << 20)?;
        if part.is_empty() {
            assert_eq!(cursor, ChangeCursor::at(Lsn(node.machine.lsn().0 + 1)));
            return Ok(all);
        }
        all.extend(part);
    }
}

fn first(node: &Node) -> Lsn {
    node.machine.view().first_changes().unwrap()
}

fn key(index: u32, key: &str, before: Option<&str>, after: Option<&str>) -> Change {
    let bytes = |text: &str| bytes::Bytes::copy_from_slice(text.as_bytes());
    let before = before.map_or(Before::Absent, |value| Before::Value(bytes(value)));
    let (module, key, after) = ("m".to_owned(), bytes(key), after.map(bytes));
    Change { index, what: What::Key { module, key, before, after } }
}

fn told_of(change: &Change) -> (&str, serde_json::Value) {
    let What::Cluster { command, details, .. } = &change.what else { panic!("{change:?}") };
    (command, serde_json::from_str(details).unwrap())
}

#[test]
fn keys_are_kept_with_their_values_before_and_after_by_command() {
    for disk in Disk::kinds() {
        let mut cluster = Cluster::on(&disk, &runtime());
        let time = cluster.log.time_us;
        assert_eq!(
            cluster.changes(&["pa1", "pb2"]),
            [key(0, "a", None, Some("1")), key(1, "b", None, Some("2")),]
        );
        assert_eq!(cluster.newest().time_us, time + 1000);
        // Of one entry, each command sees the one before.
        assert_eq!(
            cluster.changes(&["pa3", "pa4", "da"]),
            [
                key(0, "a", Some("1"), Some("3")),
                key(1, "a", Some("3"), Some("4")),
                key(2, "a", Some("4"), None),
            ]
        );
        assert_eq!(cluster.changes(&["da"]), [], "an absent key was not removed");
        cluster.changes(&["pa5"]);
        assert_eq!(
            cluster.changes(&["Dac"]),
            [key(0, "a", Some("5"), None), key(0, "b", Some("2"), None),]
        );
    }
}

#[test]
fn a_command_that_fails_leaves_nothing_and_the_next_sees_the_state_without_it() {
    let mut cluster = Cluster::started();
    cluster.changes(&["pa1"]);
    // Writes and emits, then refuses; writes, then traps.
    let actions = ["Fa", "Pa", "pa2"].map(|payload| cluster.module(payload)).to_vec();
    let outcomes = cluster.run(actions);
    assert!(!matches!(outcomes[0], Outcome::Applied(_)), "{outcomes:?}");
    assert!(!matches!(outcomes[1], Outcome::Applied(_)), "{outcomes:?}");
    assert_eq!(cluster.newest().changes, [key(2, "a", Some("1"), Some("2"))]);
    cluster.log.push(EntryPayload::Blank);
    cluster.node.apply(&cluster.log.entries);
    assert_eq!(cluster.newest().changes, []);
}

#[test]
fn a_repeated_command_changes_nothing_the_second_time() {
    let mut cluster = Cluster::started();
    let command = cluster.client.module(cluster.guest.digest(), put('a', "1"));
    let entry = cluster.log.commands(&[command.clone(), command.clone()]).clone();
    cluster.node.outcomes(&entry);
    assert_eq!(cluster.newest().changes, [key(0, "a", None, Some("1"))]);
    let entry = cluster.log.commands(&[command]).clone();
    cluster.node.outcomes(&entry);
    assert_eq!(cluster.newest().changes, []);
}

#[test]
fn events_follow_the_keys_of_their_command() {
    let mut cluster = Cluster::started();
    let changes = cluster.changes(&["ee", "pa1"]);
    let events: Vec<_> = changes
        .iter()
        .filter_map(|change| match &change.what {
            What::Event { module, .. } => Some((change.index, module.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(events, [(0, "m")], "{changes:?}");
    assert_eq!(changes.last(), Some(&key(1, "a", None, Some("1"))));
}

#[test]
fn commands_of_the_host_and_memberships_are_told_when_they_change_something() {
    let mut cluster = Cluster::started();
    let set = || Action::Host(HostCommand::Set { key: "s".into(), value: "v".into() });
    let drop_unknown = Action::Host(HostCommand::DropFrontend(NodeId(99)));
    let add = Action::Host(HostCommand::AddFrontend(frontend(2)));
    cluster.run(vec![set(), set(), drop_unknown, add]);
    let entry = cluster.newest();
    let told: Vec<_> = entry.changes.iter().map(|c| (c.index, told_of(c))).collect();
    let lsn = cluster.log.lsn().0;
    let added = serde_json::json!({
        "frontend": { "node": lsn, "address": "h2:9010", "role": "FOLLOWER" },
    });
    assert_eq!(
        told,
        [
            (0, ("set", serde_json::json!({ "name": "s", "value": "v" }))),
            (3, ("add_frontend", added)),
        ]
    );
    cluster.log.push(voters(&[1, lsn]));
    cluster.node.apply(&cluster.log.entries);
    let entry = cluster.newest();
    let (command, details) = told_of(&entry.changes[0]);
    assert_eq!(command, "membership");
    assert_eq!(details["voters"], serde_json::json!([[1, lsn]]));
}

#[test]
fn an_activation_is_told_with_every_key_that_its_migration_changed() {
    let mut cluster = Cluster::started();
    cluster.changes(&["pa1"]);
    let second = Guest::written("m", "2.0.0", 2, &[1]);
    for command in second.install() {
        cluster.run(vec![Action::Host(command)]);
    }
    let refused = second.activate(Some(&cluster.guest));
    cluster.run(vec![Action::Host(refused.clone())]);
    let entry = cluster.newest();
    let (command, details) = told_of(&entry.changes[0]);
    assert_eq!((command, entry.changes.len()), ("activate_module", 1));
    assert!(details["refused"].as_str().unwrap().contains("not acknowledged"), "{details}");

    let keys = |node: &Node| {
        let pairs = node.dump().into_iter();
        pairs.filter(|(key, _)| key.starts_with(b"\x10\x01m")).collect::<Vec<_>>()
    };
    let mut mirror: std::collections::BTreeMap<_, _> = keys(&cluster.node).into_iter().collect();
    cluster.run(vec![Action::Host(second.acknowledge(1)), Action::Host(refused)]);
    let entry = cluster.newest();
    assert_eq!(told_of(&entry.changes[1]).0, "activate_module");
    let mut migrated = 0;
    for change in &entry.changes {
        let What::Key { key, after, .. } = &change.what else { continue };
        assert_eq!(change.index, 1);
        let stored = bytes::Bytes::from([b"\x10\x01m", &key[..]].concat());
        match after {
            Some(value) => mirror.insert(stored, value.clone()),
            None => mirror.remove(&stored),
        };
        migrated += 1;
    }
    assert!(migrated > 0, "{entry:?}");
    assert_eq!(mirror.into_iter().collect::<Vec<_>>(), keys(&cluster.node));
}

#[test]
fn what_is_kept_follows_the_setting_and_no_digest_does() {
    let mut on = Cluster::started();
    let begin = Lsn(0);
    assert_eq!(first(&on.node), begin);
    assert_eq!(on.read(begin).unwrap().len(), on.log.entries.len());

    on.set(OFF);
    on.changes_unread(&["pa1"]);
    assert!(!on.node.machine.view().records_changes());
    let next = Lsn(on.log.lsn().0 + 1);
    assert_eq!(first(&on.node), next);
    assert_eq!(on.read(on.log.lsn()), Err(ChangesError::Off));

    on.set("on");
    on.changes_unread(&["pa2", "pb1"]);
    let since = on.log.lsn();
    assert_eq!(first(&on.node), since, "from the entry after the one that turned it on");
    assert_eq!(on.newest().changes[0], key(0, "a", Some("1"), Some("2")));
    let gone = ChangesError::Gone { wanted: Lsn(2), first: since };
    assert_eq!(on.read(Lsn(2)), Err(gone), "what is behind the hole is not given either");
}

#[test]
fn what_is_kept_is_in_no_digest() {
    let runtime = runtime();
    let mut cluster = Cluster::started();
    cluster.changes_unread(&["pa1", "ee", "Fa", "Pb", "da"]);
    cluster.run(vec![Action::Host(HostCommand::AddFrontend(frontend(2)))]);
    let second = Guest::written("m", "2.0.0", 2, &[1]);
    for command in second.install() {
        cluster.run(vec![Action::Host(command)]);
    }
    let expected = Some(&cluster.guest);
    let activate = [second.acknowledge(1), second.activate(expected)].map(Action::Host);
    cluster.run(activate.to_vec());
    cluster.changes_unread(&["pa2"]);

    // The setting is put into this state by hand and not by the log, which is the same.
    let state = Disk::memory().open();
    let off = crate::machine::rows::pack(|out| out.text(OFF));
    let setting = crate::machine::keys::setting(CHANGE_FEED);
    state.commit([(setting.clone(), Some(off))].into()).unwrap();
    let mut silent = Node::open(state, &runtime);
    silent.apply(&cluster.log.entries);
    assert_eq!(silent.machine.applied(), cluster.node.machine.applied());
    let replicated = |node: &Node| {
        let pairs = node.dump().into_iter();
        pairs.filter(|(key, _)| key[0] != 0x0c && *key != setting).collect::<Vec<_>>()
    };
    assert_eq!(replicated(&silent), replicated(&cluster.node));
    assert!(silent.dump().iter().all(|(key, _)| key[0] != 0x0c));
}

impl Cluster {
    fn changes_unread(&mut self, payloads: &[&str]) {
        let actions = payloads.iter().map(|payload| self.module(payload)).collect();
        self.run(actions);
    }
}

#[test]
fn a_version_that_does_not_record_leaves_a_hole_that_is_seen() {
    let state = Disk::memory().open();
    let runtime = runtime();
    let (mut client, guest) = (Client::new(1), Guest::first());
    let mut log = started(&guest, &mut client);
    let mut node = Node::open(std::sync::Arc::clone(&state), &runtime);
    node.apply(&log.entries);
    let newest = log.lsn();
    assert_eq!(first(&node), Lsn(0));
    // As if the last entry had been applied by such a version.
    drop(node);
    let row = [b"\x0c\x01", &newest.0.to_be_bytes()[..], &[0; 4]].concat();
    state.commit([(row.into(), None)].into()).unwrap();
    let mut node = Node::open(state, &runtime);
    assert_eq!(first(&node), Lsn(newest.0 + 1));
    let gone = ChangesError::Gone { wanted: newest, first: Lsn(newest.0 + 1) };
    assert_eq!(read(&node, newest), Err(gone));
    log.commands(&[client.module(guest.digest(), put('a', "1"))]);
    node.apply(&log.entries);
    assert_eq!(first(&node), log.lsn());
    assert_eq!(read(&node, log.lsn()).unwrap().len(), 1);
    let gone = ChangesError::Gone { wanted: Lsn(1), first: log.lsn() };
    assert_eq!(read(&node, Lsn(1)), Err(gone));
}

#[test]
fn old_changes_are_removed_and_the_newest_never() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let mut cluster = Cluster::on(&disk, &runtime);
        let applied = cluster.node.machine.applied();
        cluster.node.machine.forget_changes(Lsn(3)).unwrap();
        assert_eq!(cluster.node.machine.applied(), applied);
        cluster.changes_unread(&["pa1"]);
        assert_eq!(first(&cluster.node), Lsn(4));
        let gone = ChangesError::Gone { wanted: Lsn(3), first: Lsn(4) };
        assert_eq!(cluster.read(Lsn(3)), Err(gone));
        assert_eq!(cluster.read(Lsn(4)).unwrap()[0].lsn, Lsn(4));

        cluster.node.machine.forget_changes(Lsn(u64::MAX - 1)).unwrap();
        let Cluster { node, log, client, guest } = cluster;
        drop(node);
        let node = Node::open(disk.open(), &runtime);
        assert_eq!(first(&node), log.lsn());
        let mut cluster = Cluster { node, log, client, guest };
        cluster.changes_unread(&["pa2"]);
        assert_eq!(first(&cluster.node).0, cluster.log.lsn().0 - 1);
        assert_eq!(cluster.newest().changes, [key(0, "a", Some("1"), Some("2"))]);
    }
}

#[test]
fn a_state_from_a_snapshot_has_the_changes_that_came_with_it_and_goes_on() {
    let runtime = runtime();
    let mut ahead = Cluster::on(&Disk::memory(), &runtime);
    ahead.changes_unread(&["pa1"]);
    ahead.node.machine.forget_changes(Lsn(4)).unwrap();
    ahead.changes_unread(&["pa2"]);
    let state = Disk::memory().open();
    let mut behind = Node::open(std::sync::Arc::clone(&state), &runtime);
    behind.apply(&ahead.log.entries[..3]);
    let old = behind.dump().into_iter().map(|(key, _)| (key, None));
    state.commit(old.collect()).unwrap();
    let snapshot = ahead.node.dump().into_iter().map(|(key, value)| (key, Some(value)));
    state.commit(snapshot.collect()).unwrap();
    behind.applier.reload().unwrap();
    assert_eq!(first(&behind), Lsn(5));
    ahead.changes_unread(&["pa3"]);
    behind.apply(&ahead.log.entries);
    assert_eq!(read(&behind, Lsn(5)), ahead.read(Lsn(5)));
    assert_eq!(behind.dump(), ahead.node.dump());
    let gone = ChangesError::Gone { wanted: Lsn(4), first: Lsn(5) };
    assert_eq!(read(&behind, Lsn(4)), Err(gone));
}

#[test]
fn a_large_entry_is_kept_in_parts_and_reads_as_one() {
    let mut cluster = Cluster::started();
    let value = "v".repeat(100 << 10);
    let payloads: Vec<_> = ('a'..='j').map(|key| format!("p{key}{value}")).collect();
    let payloads: Vec<_> = payloads.iter().map(String::as_str).collect();
    cluster.changes_unread(&payloads);
    let parts = cluster.read(cluster.log.lsn()).unwrap();
    assert!(parts.len() > 3, "{}", parts.len());
    let (last, others) = parts.split_last().unwrap();
    assert!(!last.more && others.iter().all(|part| part.more));
    let mut count = 0;
    for part in &parts {
        assert_eq!((part.lsn, part.ordinal), (cluster.log.lsn(), count));
        count += u32::try_from(part.changes.len()).unwrap();
    }
    let changes: Vec<_> = parts.iter().flat_map(|part| &part.changes).cloned().collect();
    let expected: Vec<_> = ('a'..='j')
        .zip(0..)
        .map(|(letter, index)| key(index, &letter.to_string(), None, Some(&value)))
        .collect();
    assert_eq!(changes, expected);
}

#[test]
fn beyond_a_bound_values_before_are_omitted_and_no_change_is() {
    let overlay_of = |count: usize| {
        let mut overlay = crate::runtime::Overlay::default();
        let key = |number: usize| format!("\u{10}\u{1}m{number:08}");
        (0..count).for_each(|n| overlay.put(key(n).into(), "old".into()));
        overlay.savepoint();
        (0..count).for_each(|n| overlay.put(key(n).into(), "new".into()));
        overlay
    };
    let count = BEFORE_READS_MAX + 3;
    let mut overlay = overlay_of(count);
    let mut recorder = crate::machine::changes::Recorder::new(Lsn(7));
    recorder.written(0, &overlay).unwrap();
    overlay.rollback();
    recorder.finish(&mut overlay);
    let rows = overlay.into_writes();
    let rows = rows.into_iter().filter(|(key, _)| key.starts_with(&[0x0c]));
    let changes: Vec<_> = rows
        .flat_map(|(_, row)| {
            crate::machine::changes::decode(Lsn(7), &row.unwrap()).unwrap().changes
        })
        .collect();
    assert_eq!(changes.len(), count);
    let omitted = |change: &&Change| {
        matches!(&change.what, What::Key { before: Before::Omitted, after: Some(_), .. })
    };
    assert_eq!(changes.iter().filter(omitted).count(), 3);
}
