#![allow(clippy::unwrap_used)]
use super::*;
use crate::*;

const NAMES: Table<String, u64> = Table::new(1);

/// Stores names; misbehaves when a name says so.
struct Names<const SCHEMA: u32>;

impl<const SCHEMA: u32> Machine for Names<SCHEMA> {
    type Command = String;

    fn describe() -> Description {
        let mut description = Description::new("names", "1.0.0", SCHEMA);
        description.migrates_from = if SCHEMA == 2 { vec![1] } else { vec![] };
        description.relations = vec![Relation {
            schema: "names".into(),
            name: "names".into(),
            columns: vec![RelationColumn::new("name", ColumnType::Text)],
        }];
        description
    }

    fn evaluate(
        _: &Session,
        _: &Context,
        _: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<String>, Failure> {
        match request {
            Request::Text("USE d") => {
                let change = SessionChange::Database("d".into());
                Ok(Evaluation::Reply(Reply::done().with_session(change)))
            }
            Request::Text(text) => Ok(Evaluation::Command(text.into())),
            Request::Bytes(_) => Err(Failure::new(1064, "42000", "text only")),
        }
    }

    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        name: String,
    ) -> Result<Reply, Failure> {
        NAMES.put(store, &name, &context.lsn);
        store.emit("named", name.as_bytes(), b"");
        match &*name {
            "bad" => Err(Failure::new(1105, "HY000", "bad name")),
            "flaky" => {
                // Memory that outlives the call, which the host would have thrown away.
                use std::cell::Cell;
                thread_local!(static CALLS: Cell<u64> = const { Cell::new(0) });
                CALLS.set(CALLS.get() + 1);
                Ok(Reply::affected(CALLS.get()))
            }
            _ => Ok(Reply::affected(1)),
        }
    }

    fn scan(
        _: &Context,
        store: &dyn ReadStore,
        _: &str,
        _: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        let page = NAMES.page(store, cursor, 2);
        let rows = page.entries.into_iter().map(|(name, _)| vec![name.into()]).collect();
        Ok(RelationPage { rows, next: page.next })
    }

    fn migrate(
        store: &mut dyn WriteStore,
        _: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let page = NAMES.page(store, cursor, 1);
        for (name, lsn) in page.entries {
            if name == "stuck" {
                return Err(Failure::new(1105, "HY000", "stuck"));
            }
            NAMES.put(store, &name, &(lsn + 1000));
        }
        Ok(page.next)
    }

    fn check(store: &dyn ReadStore, _: Option<&[u8]>) -> Result<CheckPage, Failure> {
        let severity = Severity::Error;
        let wrong = NAMES.contains(store, &"wrong".into());
        let findings = wrong.then(|| Finding { severity, key: vec![], note: "wrong".into() });
        Ok(CheckPage { findings: findings.into_iter().collect(), next: None })
    }
}

fn named(names: &[&str]) -> Harness<Names<1>> {
    let mut harness = Harness::new();
    for name in names {
        harness.text(name).unwrap();
    }
    harness
}

#[test]
fn a_failure_drops_writes_and_events_but_uses_its_lsn() {
    let mut harness = named(&["a"]);
    assert_eq!(harness.text("bad").unwrap_err().message, "bad name");
    harness.text("b").unwrap();
    assert_eq!(NAMES.iter(&harness.store).collect::<Vec<_>>(), [("a".into(), 1), ("b".into(), 3)]);
    assert_eq!(harness.events.len(), 2);
}

#[test]
#[should_panic(expected = "gave two outcomes")]
fn a_command_that_differs_when_applied_again_is_caught() {
    let _ = Harness::<Names<1>>::new().text("flaky");
}

#[test]
fn a_scan_follows_its_cursors_to_the_end() {
    let harness = named(&["a", "b", "c", "d", "e"]);
    let rows = harness.rows("names", &[]).unwrap();
    assert_eq!(rows, ["a", "b", "c", "d", "e"].map(|name| vec![Value::from(name)]));
}

#[test]
fn an_activation_migrates_a_copy() {
    let harness = named(&["a", "b"]);
    let next = harness.activate::<Names<2>>().unwrap();
    assert_eq!(NAMES.get(&next.store, &"b".into()), Some(1002));
    assert_eq!(NAMES.get(&harness.store, &"b".into()), Some(2));
    assert!(next.activate::<Names<1>>().is_err(), "schema 1 migrates from nothing");
}

#[test]
fn an_activation_that_cannot_migrate_or_fails_its_check_is_refused() {
    let stuck = named(&["a", "stuck"]).activate::<Names<2>>().err();
    assert_eq!(stuck.unwrap().message, "stuck");
    let wrong = named(&["wrong"]).activate::<Names<2>>().err();
    assert_eq!(wrong.unwrap().message, "check found: wrong");
}

#[test]
fn a_reply_changes_the_session() {
    let mut harness = named(&[]);
    harness.text("USE d").unwrap();
    assert_eq!(harness.session.database.as_deref(), Some("d"));
    assert_eq!(harness.lsn, 0, "a reply needs no entry");
}

#[test]
fn seeds_differ_by_position_and_repeat() {
    assert_eq!(seed(1, 0), seed(1, 0));
    assert_ne!(seed(1, 0), seed(1, 1));
    assert_ne!(seed(1, 0), seed(2, 0));
}

#[test]
fn a_store_pages_forward_and_backward() {
    let mut store = MemoryStore::default();
    for key in [b"a", b"b", b"c", b"d"] {
        store.put(key, key);
    }
    let keys = |page: &Page| page.pairs.iter().map(|(key, _)| key[0]).collect::<Vec<_>>();
    let first = store.scan(b"a", b"d", false, 2);
    assert_eq!((keys(&first), first.next.as_deref()), (b"ab".to_vec(), Some(&b"b\0"[..])));
    assert_eq!(keys(&store.scan(b"b\0", b"d", false, 2)), b"c");
    let last = store.scan(b"a", b"d", true, 2);
    assert_eq!((keys(&last), last.next.as_deref()), (b"cb".to_vec(), Some(&b"b"[..])));
    assert_eq!(keys(&store.scan(b"a", b"b", true, 2)), b"a");
    assert_eq!(store.scan(b"d", b"a", false, 2), Page::default());
}

#[test]
#[should_panic(expected = "traps")]
fn a_key_over_its_limit_panics() {
    MemoryStore::default().put(&[0; store::KEY_BYTES_MAX + 1], b"");
}

#[test]
#[should_panic(expected = "traps")]
fn a_value_over_its_limit_panics() {
    MemoryStore::default().put(b"k", &vec![0; store::VALUE_BYTES_MAX + 1]);
}

#[test]
fn the_end_of_a_prefix_is_above_all_its_keys() {
    assert_eq!(store::prefix_end(b"a"), b"b");
    assert_eq!(store::prefix_end(b"a\xff\xff"), b"b");
    let mut store = MemoryStore::default();
    let longest = vec![u8::MAX; store::KEY_BYTES_MAX];
    store.put(&longest, b"v");
    assert_eq!(store::prefix(&store, b"\xff").count(), 1);
    assert_eq!(store::prefix(&store, b"").count(), 1);
}
