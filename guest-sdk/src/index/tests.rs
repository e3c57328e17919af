#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::testing::MemoryStore;

#[derive(Debug, Clone, PartialEq)]
struct Task {
    owner: String,
    due: Option<u32>,
}
codec!(struct Task { owner, due });

const BY_OWNER: Index<u64, Task, String> = Index::new(2, |_, task| Some(task.owner.clone()));
const BY_DUE: Index<u64, Task, (u32, String)> =
    Index::new(3, |_, task| Some((task.due?, task.owner.clone())));
const TASKS: IndexedTable<u64, Task> = IndexedTable::new(1, &[&BY_OWNER, &BY_DUE]);

fn task(owner: &str, due: Option<u32>) -> Task {
    Task { owner: owner.into(), due }
}

fn filled() -> MemoryStore {
    let mut store = MemoryStore::default();
    TASKS.put(&mut store, &1, &task("bob", Some(20)));
    TASKS.put(&mut store, &2, &task("ann", Some(10)));
    TASKS.put(&mut store, &3, &task("ann", None));
    store
}

/// All findings, page after page.
fn findings(store: &MemoryStore) -> Vec<Finding> {
    let (mut findings, mut cursor) = (Vec::new(), None);
    loop {
        let page = TASKS.check(store, cursor.as_deref(), 2);
        findings.extend(page.findings);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return findings,
        }
    }
}

#[test]
fn an_index_that_lacks_an_entry_or_has_one_too_many_is_found() {
    let mut store = filled();
    assert_eq!(findings(&store), []);
    let ann = BY_OWNER.stored(&3, &task("ann", None)).unwrap();
    store.delete(&ann);
    let nobody = BY_OWNER.stored(&9, &task("eve", None)).unwrap();
    store.put(&nobody, &[]);
    store.put(&[3, 1], &[]);
    let notes: Vec<_> = findings(&store).into_iter().map(|finding| finding.note).collect();
    assert_eq!(
        notes,
        [
            "index 2 lacks an entry of its table",
            "index 2 has a key that belongs to no entry",
            "index 3 has a key that belongs to no entry",
        ]
    );
}

#[test]
#[should_panic(expected = "a stored key of index 2 is corrupt")]
fn a_key_that_does_not_decode_panics() {
    let mut store = MemoryStore::default();
    store.put(&[2, 1], &[]);
    BY_OWNER.all(&store).count();
}

#[test]
fn entries_are_found_in_the_order_of_the_index() {
    let store = filled();
    let ann = String::from("ann");
    assert_eq!(BY_OWNER.keys(&store, &ann).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(BY_OWNER.first(&store, &String::from("bob")), Some(1));
    assert_eq!(BY_OWNER.first(&store, &String::from("an")), None, "a part of a text is not it");
    assert_eq!(BY_DUE.all(&store).collect::<Vec<_>>(), [2, 1], "what has no date is left out");
    assert_eq!(BY_DUE.keys_prefix(&store, &20u32).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_changed_entry_is_found_by_what_it_has_now() {
    let mut store = filled();
    TASKS.put(&mut store, &2, &task("bob", None));
    assert_eq!(BY_OWNER.keys(&store, &String::from("ann")).collect::<Vec<_>>(), [3]);
    assert_eq!(BY_DUE.all(&store).collect::<Vec<_>>(), [1]);
    assert_eq!(TASKS.delete(&mut store, &1), Some(task("bob", Some(20))));
    assert_eq!(TASKS.delete(&mut store, &1), None);
    assert_eq!(BY_DUE.all(&store).count(), 0);
    assert_eq!(findings(&store), []);
}

#[test]
fn indexes_are_made_anew_page_by_page() {
    let mut store = filled();
    store.delete_range(&[2], &[4]);
    assert_eq!(findings(&store).len(), 5);
    let mut cursor = None;
    loop {
        cursor = TASKS.reindex(&mut store, cursor.as_deref(), 2);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(findings(&store), []);
    assert_eq!(BY_DUE.all(&store).collect::<Vec<_>>(), [2, 1]);
}

proptest! {
    /// Whatever is done, an index finds what a look at all entries finds.
    #[test]
    fn an_index_finds_what_a_full_scan_finds(
        steps in prop::collection::vec((0u64..6, 0u8..4, prop::option::of(0u32..3)), 0..40),
    ) {
        let (mut store, mut model) = (MemoryStore::default(), BTreeMap::new());
        for (key, owner, due) in steps {
            if owner == 3 {
                prop_assert_eq!(TASKS.delete(&mut store, &key), model.remove(&key));
            } else {
                let task = task(["a", "b", "ab"][usize::from(owner)], due);
                TASKS.put(&mut store, &key, &task);
                model.insert(key, task);
            }
        }
        prop_assert_eq!(findings(&store), []);
        for owner in ["a", "b", "ab"] {
            let expected: Vec<u64> = model
                .iter()
                .filter(|(_, task)| task.owner == owner)
                .map(|(key, _)| *key)
                .collect();
            prop_assert_eq!(BY_OWNER.keys(&store, &owner.into()).collect::<Vec<_>>(), expected);
        }
    }
}
