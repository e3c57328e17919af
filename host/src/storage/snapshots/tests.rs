//! Both kinds of snapshots do the same; what only a disk can do to them comes last.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::storage::folder::names;
use crate::storage::state::{Generations, MemoryState, RocksStateOptions, StateStore, Writes};
use crate::types::{LeaderId, LogId, NodeId, Range, StateDigest, StoredMembership};

/// Enough for several chunks of every kind of file.
const VALUE_BYTES: usize = 200_000;

fn at(index: u64) -> LogId {
    LogId { leader_id: LeaderId { term: 3, node_id: NodeId(2) }, index }
}

/// The state's own position is under one key; its digest too.
fn mark(view: &dyn View) -> Result<StateMark, ViewError> {
    let last = view.get(b"last")?.map(|raw| u64::from_be_bytes(raw[..].try_into().unwrap()));
    let digest = view.get(b"digest")?.map_or([0; 32], |raw| raw[..].try_into().unwrap());
    let membership = StoredMembership::default();
    Ok(StateMark { cluster: None, last: last.map(at), membership, digest: StateDigest(digest) })
}

fn noise(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; VALUE_BYTES];
    let hash = blake3::Hasher::new_keyed(&[7; 32]).update(&seed.to_be_bytes()).clone();
    hash.finalize_xof().fill(&mut bytes);
    bytes
}

/// Brings a state to an index. Entry n writes key n, which does not compress.
fn apply(state: &dyn StateStore, index: u64) {
    let put = |key: Vec<u8>, value: Vec<u8>| (Bytes::from(key), Some(Bytes::from(value)));
    let from = mark(&*state.view()).unwrap().last.map_or(1, |last| last.index + 1);
    for index in from..=index {
        let digest = blake3::hash(&index.to_be_bytes());
        state
            .commit(Writes::from([
                put(b"last".to_vec(), index.to_be_bytes().to_vec()),
                put(b"digest".to_vec(), digest.as_bytes().to_vec()),
                put([b"key".as_slice(), &index.to_be_bytes()].concat(), noise(index)),
            ]))
            .unwrap();
    }
}

fn content(state: &dyn StateStore) -> Vec<(Bytes, Bytes)> {
    let range = Range { low: b"", high: b"\xff", reverse: false };
    state.view().scan(range, usize::MAX, usize::MAX).unwrap().pairs
}

fn open(path: &Path) -> (Arc<Generations>, DirectorySnapshots) {
    let options = RocksStateOptions { block_cache_bytes: 1 << 20 };
    let state = Arc::new(Generations::open(&path.join("state"), options).unwrap());
    let snapshots = DirectorySnapshots::open(&path.join("snapshots"), state.clone(), mark).unwrap();
    (state, snapshots)
}

/// A frontend's state and snapshots.
struct Place {
    state: Arc<dyn StateStore>,
    snapshots: Box<dyn Snapshots>,
    _dir: Option<tempfile::TempDir>,
}

fn on_disk() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let (state, snapshots) = open(dir.path());
    Place { state, snapshots: Box::new(snapshots), _dir: Some(dir) }
}

fn in_memory() -> Place {
    let state = Arc::new(MemoryState::new());
    let snapshots = Box::new(MemorySnapshots::new(state.clone(), mark));
    Place { state, snapshots, _dir: None }
}

/// Two places of each kind.
fn pairs() -> [(Place, Place); 2] {
    [(on_disk(), on_disk()), (in_memory(), in_memory())]
}

/// Sends what is missing, at most `bytes_max` bytes of it, and tells how many were sent.
fn send(from: &dyn StoredSnapshot, to: &mut dyn Incoming, bytes_max: u64) -> u64 {
    let mut sent = 0;
    for (number, file) in from.manifest().files.iter().enumerate() {
        while to.held()[number] < file.size && sent < bytes_max {
            let offset = to.held()[number];
            let chunk = from.read(number, offset).unwrap();
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK_BYTES_MAX);
            to.write(number, offset, &chunk).unwrap();
            sent += chunk.len() as u64;
        }
    }
    sent
}

fn transfer(snapshot: &dyn StoredSnapshot, to: &Place) -> Arc<dyn StoredSnapshot> {
    let mut incoming = to.snapshots.receive(snapshot.manifest().clone()).unwrap();
    send(snapshot, &mut *incoming, u64::MAX);
    incoming.finish().unwrap()
}

#[test]
fn of_an_empty_state_there_is_no_snapshot() {
    for place in [on_disk(), in_memory()] {
        assert_eq!(place.snapshots.build(1).unwrap_err(), SnapshotError::Empty);
        assert!(place.snapshots.newest().is_none());
    }
}

#[test]
fn a_snapshot_holds_the_state_as_of_when_it_was_built() {
    for (from, to) in pairs() {
        apply(&*from.state, 10);
        let before = content(&*from.state);
        let snapshot = from.snapshots.build(77).unwrap();
        apply(&*from.state, 20);
        snapshot.verify().unwrap();
        let manifest = snapshot.manifest();
        assert_eq!((manifest.last, manifest.created_us), (at(10), 77));
        assert_eq!(manifest.name(), "10-3-2");
        apply(&*to.state, 4);
        let old_view = to.state.view();
        let received = transfer(&*snapshot, &to);
        assert_eq!(mark(&*to.state.view()).unwrap().last, Some(at(4)), "installed too early");
        to.snapshots.install(&*received).unwrap();
        assert_eq!(content(&*to.state), before);
        assert_eq!(mark(&*old_view).unwrap().last, Some(at(4)), "an old view changed");
        assert_eq!(to.snapshots.newest().unwrap().manifest(), manifest);
        // It goes on from there, and the next snapshot is of it.
        apply(&*to.state, 20);
        assert_eq!(content(&*to.state), content(&*from.state));
        assert_eq!(to.snapshots.build(78).unwrap().manifest().last, at(20));
    }
}

#[test]
fn without_new_entries_the_newest_snapshot_is_given_again() {
    for place in [on_disk(), in_memory()] {
        apply(&*place.state, 3);
        let first = place.snapshots.build(1).unwrap();
        assert_eq!(place.snapshots.build(2).unwrap().manifest(), first.manifest());
        apply(&*place.state, 4);
        let second = place.snapshots.build(3).unwrap();
        assert_eq!((second.manifest().last, second.manifest().created_us), (at(4), 3));
        assert_eq!(place.snapshots.newest().unwrap().manifest(), second.manifest());
        // The older one is held here, so it can be read to its end.
        first.verify().unwrap();
    }
}

#[test]
fn what_arrived_before_a_drop_is_not_sent_again() {
    for (from, to) in pairs() {
        apply(&*from.state, 30);
        let snapshot = from.snapshots.build(1).unwrap();
        let size = snapshot.manifest().size();
        let mut incoming = to.snapshots.receive(snapshot.manifest().clone()).unwrap();
        let early = send(&*snapshot, &mut *incoming, size / 2);
        drop(incoming);
        let mut incoming = to.snapshots.receive(snapshot.manifest().clone()).unwrap();
        assert_eq!(incoming.held().iter().sum::<u64>(), early);
        assert_eq!(send(&*snapshot, &mut *incoming, u64::MAX), size - early);
        let received = incoming.finish().unwrap();
        let busy = to.snapshots.receive(snapshot.manifest().clone()).unwrap_err();
        assert_eq!(busy, SnapshotError::Busy("being received"), "it waits to be installed");
        to.snapshots.install(&*received).unwrap();
        assert_eq!(content(&*to.state), content(&*from.state));
        drop(received);
        to.snapshots.receive(snapshot.manifest().clone()).unwrap();
    }
}

#[test]
fn bytes_that_do_not_belong_there_are_refused() {
    for (from, to) in pairs() {
        apply(&*from.state, 10);
        let snapshot = from.snapshots.build(1).unwrap();
        let manifest = snapshot.manifest();
        let mut incoming = to.snapshots.receive(manifest.clone()).unwrap();
        let busy = to.snapshots.receive(manifest.clone()).unwrap_err();
        assert_eq!(busy, SnapshotError::Busy("being received"));
        let largest = (0..manifest.files.len()).max_by_key(|n| manifest.files[*n].size).unwrap();
        let size = usize::try_from(manifest.files[largest].size).unwrap();
        for (file, offset, length) in [
            (manifest.files.len(), 0, 1),
            (usize::MAX, 0, 1),
            (largest, 1, 1),
            (largest, u64::MAX, 1),
            (largest, 0, size + 1),
        ] {
            let error = incoming.write(file, offset, &vec![0; length]).unwrap_err();
            assert!(matches!(error, SnapshotError::Refused(_)), "{error}");
        }
        let early = incoming.finish().unwrap_err();
        assert!(matches!(early, SnapshotError::Refused(_)), "{early}");
        // A flipped bit costs the file, which then can be sent again.
        let mut incoming = to.snapshots.receive(manifest.clone()).unwrap();
        let mut flipped = Vec::new();
        while flipped.len() < size {
            flipped.extend_from_slice(&snapshot.read(largest, flipped.len() as u64).unwrap());
        }
        flipped[size / 2] ^= 1;
        let error = incoming.write(largest, 0, &flipped).unwrap_err();
        assert!(matches!(error, SnapshotError::Damaged { .. }), "{error}");
        assert_eq!(incoming.held()[largest], 0);
        send(&*snapshot, &mut *incoming, u64::MAX);
        to.snapshots.install(&*incoming.finish().unwrap()).unwrap();
        assert_eq!(content(&*to.state), content(&*from.state));
    }
}

#[test]
fn a_manifest_that_lies_about_its_files_is_found_out_before_the_state_changes() {
    for (from, to) in pairs() {
        apply(&*from.state, 10);
        apply(&*to.state, 2);
        let snapshot = from.snapshots.build(1).unwrap();
        let mut manifest = snapshot.manifest().clone();
        manifest.digest = StateDigest([9; 32]);
        let mut incoming = to.snapshots.receive(manifest).unwrap();
        send(&*snapshot, &mut *incoming, u64::MAX);
        let received = incoming.finish().unwrap();
        let error = to.snapshots.install(&*received).unwrap_err();
        assert!(matches!(error, SnapshotError::Damaged { .. }), "{error}");
        assert_eq!(mark(&*to.state.view()).unwrap().last, Some(at(2)));
        assert!(to.snapshots.newest().is_none());
    }
}

#[test]
fn any_changed_bit_and_any_cut_of_a_manifest_is_damage() {
    let place = in_memory();
    apply(&*place.state, 3);
    let manifest = place.snapshots.build(1).unwrap().manifest().clone();
    let packed = manifest.pack();
    assert_eq!(Manifest::unpack(&packed).unwrap(), manifest);
    for bit in 0..packed.len() * 8 {
        let mut changed = packed.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::unpack(&changed.into()).is_err(), "bit {bit}");
    }
    for length in 0..packed.len() {
        assert!(Manifest::unpack(&packed.slice(..length)).is_err(), "{length} bytes");
    }
    for name in ["", "..", "../state", "a/b", "/etc", ".hidden", "MANIFEST.quorate", "a\0"] {
        let mut other = manifest.clone();
        other.files[0].name = name.to_owned();
        assert!(Manifest::unpack(&other.pack()).is_err(), "'{name}'");
    }
    let mut twice = manifest.clone();
    twice.files.push(manifest.files[0].clone());
    assert!(Manifest::unpack(&twice.pack()).is_err());
}

#[test]
fn a_complete_transfer_that_was_not_installed_need_not_be_sent_again() {
    let (from, dir) = (on_disk(), tempfile::tempdir().unwrap());
    apply(&*from.state, 10);
    let snapshot = from.snapshots.build(1).unwrap();
    let (state, snapshots) = open(dir.path());
    let foreign = snapshots.install(&*snapshot).unwrap_err();
    assert!(matches!(foreign, SnapshotError::Refused(_)), "{foreign}");
    let mut incoming = snapshots.receive(snapshot.manifest().clone()).unwrap();
    send(&*snapshot, &mut *incoming, u64::MAX);
    drop(incoming.finish().unwrap());
    let incoming = snapshots.receive(snapshot.manifest().clone()).unwrap();
    assert_eq!(incoming.held().iter().sum::<u64>(), snapshot.manifest().size());
    snapshots.install(&*incoming.finish().unwrap()).unwrap();
    assert_eq!(content(&*state), content(&*from.state));
}

#[test]
fn a_crash_in_memory_keeps_what_was_built_and_loses_what_was_on_its_way() {
    let from = in_memory();
    apply(&*from.state, 10);
    let snapshot = from.snapshots.build(1).unwrap();
    let state = Arc::new(MemoryState::new());
    let snapshots = MemorySnapshots::new(state.clone(), mark);
    apply(&*state, 2);
    snapshots.build(1).unwrap();
    apply(&*state, 4);
    let mut incoming = snapshots.receive(snapshot.manifest().clone()).unwrap();
    send(&*snapshot, &mut *incoming, 1);
    drop(incoming);
    state.crash(0);
    snapshots.crash();
    assert_eq!(mark(&*state.view()).unwrap().last, Some(at(2)), "a snapshot is durable");
    assert_eq!(snapshots.newest().unwrap().manifest().last, at(2));
    let mut incoming = snapshots.receive(snapshot.manifest().clone()).unwrap();
    assert_eq!(incoming.held(), [0]);
    send(&*snapshot, &mut *incoming, u64::MAX);
    snapshots.install(&*incoming.finish().unwrap()).unwrap();
    apply(&*state, 12);
    state.crash(0);
    assert_eq!(mark(&*state.view()).unwrap().last, Some(at(10)), "an installation is durable");
}

#[test]
fn only_usable_snapshots_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("snapshots");
    {
        let (state, snapshots) = open(dir.path());
        apply(&*state, 5);
        let first = snapshots.build(1).unwrap();
        apply(&*state, 6);
        snapshots.build(2).unwrap();
        assert_eq!(names(&path).unwrap(), ["snap-5-3-2", "snap-6-3-2"]);
        drop(first);
        assert_eq!(names(&path).unwrap(), ["snap-6-3-2"], "nobody uses the older one");
    }
    for extra in ["tmp-build", "tmp-build.tmp", "snap-9-3-2", "incoming-9-3-2", "incoming-1-1-1"] {
        fs::create_dir(path.join(extra)).unwrap();
    }
    // Without a manifest, newer than the state, and without a file that the manifest names.
    let copy = |name: &str| {
        fs::create_dir(path.join(name)).unwrap();
        for file in names(&path.join("snap-6-3-2")).unwrap() {
            fs::copy(path.join("snap-6-3-2").join(&file), path.join(name).join(&file)).unwrap();
        }
    };
    copy("snap-7-3-2");
    let sst = names(&path.join("snap-7-3-2")).unwrap();
    let sst = sst.iter().find(|name| name.ends_with(".sst")).unwrap();
    fs::remove_file(path.join("snap-7-3-2").join(sst)).unwrap();
    copy("snap-8-3-2");
    let newer = Manifest { last: at(8), ..files::read_manifest(&path.join("snap-8-3-2")).unwrap() };
    files::write_manifest(&path.join("snap-8-3-2"), &newer).unwrap();
    let (_state, snapshots) = open(dir.path());
    assert_eq!(names(&path).unwrap(), ["snap-6-3-2"]);
    let newest = snapshots.newest().unwrap();
    assert_eq!((newest.manifest().last, newest.manifest().created_us), (at(6), 2));
    newest.verify().unwrap();
}

#[test]
fn verify_names_the_file_that_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (state, snapshots) = open(dir.path());
    apply(&*state, 5);
    let snapshot = snapshots.build(1).unwrap();
    let folder = dir.path().join("snapshots/snap-5-3-2");
    for name in names(&folder).unwrap() {
        let path = folder.join(&name);
        let whole = fs::read(&path).unwrap();
        if whole.is_empty() {
            continue;
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        // A new file: the bytes of a table file are the state's too.
        let replace = |bytes: &[u8]| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        for bytes in [&flipped[..], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            replace(bytes);
            let error = snapshot.verify().unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, SnapshotError::Damaged { .. }), "{name}: {text}");
            assert!(text.contains(&name) && text.contains("CREATE IMAGE"), "{text}");
        }
        replace(&whole);
    }
    snapshot.verify().unwrap();
}

#[test]
fn a_transfer_goes_on_after_a_restart_and_takes_over_files_of_another_snapshot() {
    let (from, dir) = (on_disk(), tempfile::tempdir().unwrap());
    apply(&*from.state, 20);
    let first = from.snapshots.build(1).unwrap();
    {
        let (_state, snapshots) = open(dir.path());
        let mut incoming = snapshots.receive(first.manifest().clone()).unwrap();
        send(&*first, &mut *incoming, first.manifest().size() - 1);
    }
    let (state, snapshots) = open(dir.path());
    let mut incoming = snapshots.receive(first.manifest().clone()).unwrap();
    let held: u64 = incoming.held().iter().sum();
    assert!(held > first.manifest().size() / 2, "{held} bytes survived the restart");
    assert_eq!(send(&*first, &mut *incoming, u64::MAX), first.manifest().size() - held);
    drop(incoming.finish().unwrap());
    // Half-way the sender has made another one. It has the same tables and some more.
    apply(&*from.state, 21);
    let second = from.snapshots.build(2).unwrap();
    let mut incoming = snapshots.receive(second.manifest().clone()).unwrap();
    assert_eq!(names(&dir.path().join("snapshots")).unwrap(), ["incoming-21-3-2"]);
    send(&*second, &mut *incoming, u64::MAX);
    snapshots.install(&*incoming.finish().unwrap()).unwrap();
    assert_eq!(content(&*state), content(&*from.state));
    assert_eq!(names(&dir.path().join("snapshots")).unwrap(), ["snap-21-3-2"]);
}

#[test]
fn the_old_state_goes_with_its_last_reader() {
    let (from, dir) = (on_disk(), tempfile::tempdir().unwrap());
    apply(&*from.state, 20);
    let snapshot = from.snapshots.build(1).unwrap();
    let generations = dir.path().join("state");
    let (state, snapshots) = open(dir.path());
    apply(&*state, 3);
    assert_eq!(names(&generations).unwrap(), ["current", "gen-1"]);
    let reader = state.view();
    let mut incoming = snapshots.receive(snapshot.manifest().clone()).unwrap();
    send(&*snapshot, &mut *incoming, u64::MAX);
    snapshots.install(&*incoming.finish().unwrap()).unwrap();
    assert_eq!(names(&generations).unwrap(), ["current", "gen-1", "gen-2"]);
    assert_eq!(reader.get(b"key\0\0\0\0\0\0\0\x03").unwrap().unwrap(), noise(3));
    drop(reader);
    assert_eq!(names(&generations).unwrap(), ["current", "gen-2"]);
    drop((snapshots, state));
    let (state, snapshots) = open(dir.path());
    assert_eq!(content(&*state), content(&*from.state));
    assert_eq!(snapshots.newest().unwrap().manifest(), snapshot.manifest());
}

#[test]
fn a_state_that_did_not_come_in_force_is_removed_and_a_lost_pointer_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let options = RocksStateOptions { block_cache_bytes: 1 << 20 };
    let path = dir.path().join("state");
    let reopen = || Generations::open(&path, options).map(drop).map_err(|e| e.to_string());
    reopen().unwrap();
    // The first pointer had not been written yet.
    fs::remove_file(path.join("current")).unwrap();
    reopen().unwrap();
    fs::create_dir(path.join("gen-2")).unwrap();
    fs::write(path.join("gen-2/CURRENT"), "half").unwrap();
    reopen().unwrap();
    assert_eq!(names(&path).unwrap(), ["current", "gen-1"]);
    fs::create_dir(path.join("gen-2")).unwrap();
    let pointer = fs::read(path.join("current")).unwrap();
    fs::remove_file(path.join("current")).unwrap();
    let text = reopen().unwrap_err();
    assert!(text.contains("state/current") && text.contains("it is missing"), "{text}");
    fs::write(path.join("current"), &pointer[1..]).unwrap();
    assert!(reopen().unwrap_err().contains("checksum"));
    fs::write(path.join("current"), &pointer).unwrap();
    fs::rename(path.join("gen-1"), path.join("gen-7")).unwrap();
    let text = reopen().unwrap_err();
    assert!(text.contains("gen-1 is not there"), "{text}");
    assert!(PathBuf::from(&path).join("gen-7").exists(), "evidence was removed");
}

#[test]
fn a_state_that_was_removed_is_made_anew_from_the_newest_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let (state, snapshots) = open(dir.path());
    apply(&*state, 3);
    snapshots.build(1).unwrap();
    let expected = content(&*state);
    apply(&*state, 4);
    drop((state, snapshots));

    let generation = dir.path().join("state/gen-1");
    fs::remove_dir_all(&generation).unwrap();
    let (state, snapshots) = open(dir.path());
    assert_eq!(content(&*state), expected);
    assert_eq!(snapshots.newest().unwrap().manifest().last, at(3));
    apply(&*state, 4);
    drop((state, snapshots));
    let (state, _snapshots) = open(dir.path());
    assert_eq!(mark(&*state.view()).unwrap().last, Some(at(4)));
}
