#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::runtime::testing::{BrokenView, MapView};

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn keys(scan: &Scan) -> Vec<&str> {
    scan.pairs.iter().map(|(key, _)| text(key)).collect()
}

fn all(reverse: bool) -> Range<'static> {
    Range { low: b"a", high: b"z", reverse }
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn an_unreadable_view_is_an_error_and_what_was_written_is_still_there() {
    let mut overlay = Overlay::new(Arc::new(BrokenView));
    overlay.put(bytes("k"), bytes("v"));
    assert_eq!(overlay.get(b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert!(overlay.get(b"other").is_err());
    assert!(overlay.scan(all(false), 10, 100).is_err());
    assert!(overlay.delete_range(b"a", b"z").is_err());
}

#[test]
fn a_view_that_gives_empty_pages_for_ever_is_an_error() {
    struct Endless;
    impl View for Endless {
        fn get(&self, _: &[u8]) -> Result<Option<Bytes>, ViewError> {
            Ok(None)
        }
        fn scan(&self, _: Range<'_>, _: usize, _: usize) -> Result<Scan, ViewError> {
            Ok(Scan { pairs: Pairs::new(), done: false })
        }
    }
    assert!(Overlay::new(Arc::new(Endless)).scan(all(false), 10, 100).is_err());
}

#[test]
fn a_rolled_back_savepoint_leaves_nothing() {
    let mut overlay = Overlay::new(Arc::new(MapView::of([("a", "1"), ("b", "2")], 1)));
    overlay.savepoint();
    overlay.delete(bytes("a"));
    overlay.put(bytes("b"), bytes("x"));
    overlay.put(bytes("c"), bytes("3"));
    assert_eq!(keys(&overlay.scan(all(false), 10, 100).unwrap()), ["b", "c"]);
    overlay.rollback();
    assert_eq!(keys(&overlay.scan(all(true), 10, 100).unwrap()), ["b", "a"]);
    assert_eq!((overlay.top().len(), overlay.written_bytes()), (0, 0));
}

#[test]
fn a_committed_savepoint_wins_over_what_was_below() {
    let mut overlay = Overlay::default();
    overlay.put(bytes("a"), bytes("1"));
    overlay.put(bytes("b"), bytes("1"));
    overlay.savepoint();
    overlay.put(bytes("a"), bytes("2"));
    overlay.delete(bytes("b"));
    assert_eq!((overlay.top().len(), overlay.written_bytes()), (2, 3));
    overlay.commit();
    assert_eq!((overlay.top().len(), overlay.written_bytes()), (2, 7));
    let writes = overlay.into_writes();
    assert_eq!(writes, Writes::from([(bytes("a"), Some(bytes("2"))), (bytes("b"), None)]));
}

#[test]
fn a_page_ends_at_its_limits_and_says_whether_there_is_more() {
    let pairs = [("a", "1"), ("b", "22"), ("c", "333"), ("d", "4")];
    for page_rows in [1, 2, 3, 100] {
        let mut overlay = Overlay::new(Arc::new(MapView::of(pairs, page_rows)));
        overlay.delete(bytes("d"));
        let scan = |reverse, rows, bytes| {
            let scan = overlay.scan(all(reverse), rows, bytes).unwrap();
            (scan.pairs.iter().map(|(key, _)| text(key)).collect::<String>(), scan.done)
        };
        assert_eq!(scan(false, 2, 100), ("ab".into(), false));
        assert_eq!(scan(false, 3, 100), ("abc".into(), true));
        assert_eq!(scan(true, 2, 100), ("cb".into(), false));
        assert_eq!(scan(false, 9, 5), ("ab".into(), false));
        assert_eq!(scan(true, 9, 1), ("c".into(), false));
        assert_eq!(scan(false, 0, 100), (String::new(), false));
    }
}

#[test]
fn an_empty_or_inverted_range_holds_nothing() {
    let mut overlay = Overlay::new(Arc::new(MapView::of([("b", "1")], 9)));
    overlay.put(bytes("c"), bytes("1"));
    for (low, high) in [("b", "b"), ("c", "a"), ("", "")] {
        let range = Range { low: low.as_bytes(), high: high.as_bytes(), reverse: false };
        assert_eq!(overlay.scan(range, 9, 9), Ok(Scan { pairs: Pairs::new(), done: true }));
        assert_eq!(overlay.delete_range(low.as_bytes(), high.as_bytes()), Ok(0));
    }
}

#[test]
fn deleting_a_range_goes_on_over_many_steps() {
    let pairs: Vec<_> = (0..3 * DELETE_STEP_ROWS).map(|n| format!("k{n:05}")).collect();
    let view = MapView::of(pairs.iter().map(|key| (key.as_str(), "v")), 700);
    let mut overlay = Overlay::new(Arc::new(view));
    overlay.delete(bytes("k00007"));
    overlay.put(bytes("kx"), bytes("v"));
    assert_eq!(overlay.delete_range(b"k", b"l").unwrap(), pairs.len() as u64);
    assert_eq!(overlay.scan(all(false), 9, 9), Ok(Scan { pairs: Pairs::new(), done: true }));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    DeleteRange(u8, u8),
    Savepoint,
    Commit,
    Rollback,
}

fn a_step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    prop_oneof![
        4 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => key.clone().prop_map(Step::Delete),
        1 => (key.clone(), key).prop_map(|(low, high)| Step::DeleteRange(low, high)),
        2 => Just(Step::Savepoint),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

fn key(number: u8) -> Bytes {
    vec![b'a', number].into()
}

proptest! {
    #[test]
    fn an_overlay_reads_as_if_its_writes_were_in_the_state(
        stored in prop::collection::btree_map(0..12u8, any::<u8>(), 0..12),
        steps in prop::collection::vec(a_step(), 0..40),
        page_rows in 1..5usize,
        rows_max in 1..6usize,
        reverse: bool,
        low in 0..12u8,
        high in 0..13u8,
    ) {
        let stored: BTreeMap<Bytes, Bytes> =
            stored.into_iter().map(|(number, value)| (key(number), vec![value].into())).collect();
        let view = MapView { pairs: stored.clone(), page_rows };
        let mut overlay = Overlay::new(Arc::new(view));
        let mut states = vec![stored.clone()];
        for step in steps {
            let open = states.len() > 1;
            let state = states.last_mut().unwrap();
            match step {
                Step::Put(number, value) => {
                    overlay.put(key(number), vec![value].into());
                    state.insert(key(number), vec![value].into());
                }
                Step::Delete(number) => {
                    overlay.delete(key(number));
                    state.remove(&key(number));
                }
                Step::DeleteRange(low, high) => {
                    let before = state.len();
                    state.retain(|k, _| !(key(low) <= *k && *k < key(high)));
                    let deleted = overlay.delete_range(&key(low), &key(high)).unwrap();
                    prop_assert_eq!(deleted, (before - state.len()) as u64);
                }
                Step::Savepoint => {
                    overlay.savepoint();
                    let state = state.clone();
                    states.push(state);
                }
                Step::Commit if open => {
                    overlay.commit();
                    let state = states.pop().unwrap();
                    *states.last_mut().unwrap() = state;
                }
                Step::Rollback if open => {
                    overlay.rollback();
                    states.pop();
                }
                Step::Commit | Step::Rollback => {}
            }
        }
        let state = states.pop().unwrap();
        for number in 0..12 {
            prop_assert_eq!(overlay.get(&key(number)).unwrap(), state.get(&key(number)).cloned());
        }
        let mut wanted: Pairs = state.clone().into_iter().collect();
        wanted.retain(|(k, _)| key(low) <= *k && *k < key(high));
        if reverse {
            wanted.reverse();
        }
        let done = wanted.len() <= rows_max;
        wanted.truncate(rows_max);
        let range = Range { low: &key(low), high: &key(high), reverse };
        prop_assert_eq!(overlay.scan(range, rows_max, 1000), Ok(Scan { pairs: wanted, done }));

        while states.pop().is_some() {}
        let mut result = stored;
        for (key, value) in overlay.into_writes() {
            match value {
                Some(value) => drop(result.insert(key, value)),
                None => drop(result.remove(&key)),
            }
        }
        prop_assert_eq!(result, state);
    }
}
