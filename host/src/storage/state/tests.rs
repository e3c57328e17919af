//! Both stores do the same.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::storage::record::seal;

fn key(number: u8) -> Bytes {
    Bytes::copy_from_slice(&[b'k', number])
}

fn small() -> RocksStateOptions {
    RocksStateOptions { block_cache_bytes: 1 << 20 }
}

fn put(pairs: &[(u8, &'static [u8])]) -> Writes {
    pairs.iter().map(|(number, value)| (key(*number), Some(Bytes::from_static(value)))).collect()
}

fn all(store: &dyn StateStore) -> Vec<(Bytes, Bytes)> {
    let range = Range { low: b"", high: b"\xff", reverse: false };
    let scan = store.view().scan(range, usize::MAX, usize::MAX).unwrap();
    assert!(scan.done);
    scan.pairs
}

fn both() -> (tempfile::TempDir, [Box<dyn StateStore>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let rocks = RocksState::open(&dir.path().join("state"), small()).unwrap();
    (dir, [Box::new(rocks), Box::new(MemoryState::new())])
}

#[test]
fn a_view_does_not_change_and_outlives_its_store() {
    let (_dir, stores) = both();
    for store in stores {
        store.commit(put(&[(1, b"old"), (2, b"stays")])).unwrap();
        let before = store.view();
        let mut writes = put(&[(1, b"new")]);
        writes.insert(key(2), None);
        store.commit(writes).unwrap();
        let after = store.view();
        drop(store);
        assert_eq!(before.get(&key(1)).unwrap().unwrap(), "old");
        assert_eq!(before.get(&key(2)).unwrap().unwrap(), "stays");
        assert_eq!(after.get(&key(1)).unwrap().unwrap(), "new");
        assert_eq!(after.get(&key(2)).unwrap(), None);
        assert_eq!(after.get(b"other").unwrap(), None);
    }
}

#[test]
fn scans_end_at_their_limits_and_say_whether_more_is_there() {
    let (_dir, stores) = both();
    for store in stores {
        store.commit(put(&[(1, b"aaaa"), (2, b"bbbb"), (3, b"cccc"), (9, b"out")])).unwrap();
        let view = store.view();
        let scan = |reverse, rows_max, bytes_max| {
            let range = Range { low: b"k", high: &[b'k', 9], reverse };
            let scan = view.scan(range, rows_max, bytes_max).unwrap();
            let numbers: Vec<_> = scan.pairs.iter().map(|(key, _)| key[1]).collect();
            (numbers, scan.done)
        };
        assert_eq!(scan(false, 9, 999), (vec![1, 2, 3], true));
        assert_eq!(scan(true, 9, 999), (vec![3, 2, 1], true));
        assert_eq!(scan(false, 2, 999), (vec![1, 2], false));
        assert_eq!(scan(false, 3, 999), (vec![1, 2, 3], true));
        assert_eq!(scan(true, 1, 999), (vec![3], false));
        assert_eq!(scan(false, 0, 999), (vec![], false));
        // A pair has six bytes.
        assert_eq!(scan(false, 9, 12), (vec![1, 2], false));
        assert_eq!(scan(false, 9, 11), (vec![1], false));
        assert_eq!(scan(true, 9, 1), (vec![3], false), "never stuck at a large pair");
        let void = Range { low: b"z", high: b"a", reverse: false };
        assert_eq!(view.scan(void, 9, 9).unwrap(), Scan { pairs: vec![], done: true });
    }
}

#[test]
fn a_checkpoint_is_a_copy_of_its_own() {
    let (dir, stores) = both();
    let [rocks, memory] = stores;
    for (store, name) in [(&rocks, "rocks"), (&memory, "memory")] {
        let path = dir.path().join(name);
        store.commit(put(&[(1, b"in")])).unwrap();
        store.checkpoint(&path).unwrap();
        store.commit(put(&[(2, b"not in")])).unwrap();
        assert!(store.checkpoint(&path).is_err(), "an existing directory is refused");
    }
    let rocks = RocksState::open(&dir.path().join("rocks"), small()).unwrap();
    let memory = MemoryState::open_checkpoint(&dir.path().join("memory")).unwrap();
    for store in [&rocks as &dyn StateStore, &memory] {
        assert_eq!(all(store), [(key(1), Bytes::from_static(b"in"))]);
        store.commit(put(&[(3, b"usable")])).unwrap();
    }
}

#[test]
fn a_damaged_memory_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy");
    let store = MemoryState::new();
    store.commit(put(&[(1, b"in")])).unwrap();
    store.checkpoint(&path).unwrap();
    let mut bytes = std::fs::read(path.join("pairs")).unwrap();
    bytes[5] ^= 1;
    std::fs::write(path.join("pairs"), bytes).unwrap();
    assert!(matches!(MemoryState::open_checkpoint(&path), Err(StateError::Damaged { .. })));
}

#[test]
fn power_loss_takes_back_the_latest_commits_since_the_flush() {
    for kept in 0..=3 {
        let store = MemoryState::new();
        store.commit(put(&[(0, b"flushed")])).unwrap();
        store.flush().unwrap();
        for number in 1..=3 {
            store.commit(put(&[(number, b"x")])).unwrap();
        }
        assert_eq!(store.unflushed(), 3);
        store.crash(kept);
        assert_eq!(all(&store).len(), 1 + kept);
    }
}

#[test]
fn a_state_on_disk_opens_again_after_a_drop() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let store = RocksState::open(dir.path(), small()).unwrap();
        assert_eq!(all(&store).len(), usize::from(number));
        store.commit(put(&[(number, b"x")])).unwrap();
    }
    let store = RocksState::open(dir.path(), small()).unwrap();
    let error = RocksState::open(dir.path(), small()).err().unwrap().to_string();
    assert!(error.contains(&dir.path().display().to_string()), "{error}");
    store.flush().unwrap();
}

#[test]
fn a_damaged_value_is_named_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    RocksState::open(dir.path(), small())
        .and_then(|store| store.commit(put(&[(1, b"one"), (2, b"two"), (3, b"three")])))
        .unwrap();
    {
        let db = rocksdb::DB::open_default(dir.path()).unwrap();
        let mut record = seal(&key(2), b"two");
        record[2] ^= 4;
        db.put(key(2), record).unwrap();
        // Intact, but written under another key.
        db.put(key(3), seal(&key(1), b"one")).unwrap();
    }
    let store = RocksState::open(dir.path(), small()).unwrap();
    let view = store.view();
    assert_eq!(view.get(&key(1)).unwrap().unwrap(), "one");
    let error = view.get(&key(2)).unwrap_err().to_string();
    assert!(error.contains("k\\x02") && error.contains("damaged"), "{error}");
    assert!(view.get(&key(3)).is_err());
    let range = Range { low: b"", high: b"\xff", reverse: false };
    assert!(view.scan(range, 9, 999).is_err());
    assert_eq!(view.scan(range, 1, 999), Err(view.get(&key(2)).unwrap_err()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_stores_give_the_same(
        commits in prop::collection::vec(
            prop::collection::btree_map(any::<u8>(), prop::option::of(0..40usize), 0..20), 1..10),
        scans in prop::collection::vec(
            (any::<u8>(), any::<u8>(), any::<bool>(), 0..30usize, 0..400usize), 10),
    ) {
        let (_dir, [rocks, memory]) = both();
        for commit in commits {
            let writes: Writes = commit
                .into_iter()
                .map(|(number, size)| (key(number), size.map(|size| vec![number; size].into())))
                .collect();
            rocks.commit(writes.clone()).unwrap();
            memory.commit(writes).unwrap();
            for (low, high, reverse, rows_max, bytes_max) in &scans {
                let (low, high) = (key(*low), key(*high));
                let range = Range { low: &low, high: &high, reverse: *reverse };
                let found = rocks.view().scan(range, *rows_max, *bytes_max);
                prop_assert_eq!(&found, &memory.view().scan(range, *rows_max, *bytes_max));
                prop_assert_eq!(rocks.view().get(&low), memory.view().get(&low));
            }
        }
    }
}
