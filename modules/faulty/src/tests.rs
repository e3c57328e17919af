#![allow(clippy::unwrap_used)]
use quorate_guest::testing::Harness;
use quorate_guest::{Body, Description, Machine, ReadStore, Value};

use crate::Faulty;

fn faulty() -> Harness<Faulty> {
    Harness::new()
}

#[test]
fn a_script_with_an_unknown_step_is_refused_whole() {
    let mut faulty = faulty();
    for script in ["PUT a 1; JUMP", "PUT a", "EMIT t many", "FAIL 70000 too large", "TRAP now"] {
        assert_eq!(faulty.text(script).unwrap_err().code, 1064, "{script}");
    }
    assert_eq!(faulty.store.pairs().count(), 0);
}

#[test]
fn a_failure_after_writes_drops_them_and_its_events() {
    let mut faulty = faulty();
    let failure = faulty.text("PUT a 1; EMIT t 2; FAIL 1234 as asked").unwrap_err();
    assert_eq!((failure.code, failure.message.as_str()), (1234, "as asked"));
    assert_eq!(faulty.store.pairs().count(), 0);
    assert!(faulty.events.is_empty());
    faulty.text("PUT a 1 2; EMIT t 2").unwrap();
    assert_eq!(faulty.store.get(b"a").unwrap(), b"1 2");
    assert_eq!(faulty.events.len(), 2);
}

#[test]
#[should_panic(expected = "asked to trap")]
fn trap_panics() {
    let _ = faulty().text("TRAP");
}

#[test]
#[should_panic(expected = "a read-only call wrote to the store")]
fn a_write_in_evaluate_goes_past_the_read_only_view() {
    let _ = faulty().text("EVALUATE PUT a 1");
}

#[test]
#[should_panic(expected = "bytes traps")]
fn oversize_goes_over_the_limit() {
    let _ = faulty().text("OVERSIZE");
}

#[test]
#[should_panic(expected = "gave two outcomes")]
fn counting_in_memory_is_not_deterministic() {
    let _ = faulty().text("COUNT");
}

#[test]
fn the_context_is_that_of_the_entry() {
    let mut faulty = faulty();
    faulty.text("PUT a 1").unwrap();
    let Body::Rows(rows) = faulty.text("CONTEXT").unwrap().body else { panic!("expected a row") };
    assert_eq!(rows.rows[0][..2], [Value::UInt(2), Value::UInt(0)]);
    assert_eq!(rows.rows[0][4], Value::from("root"));
}

#[test]
fn stored_scripts_run_in_scan_and_check() {
    let mut faulty = faulty();
    for key in ["a", "b", "c"] {
        faulty.text(&format!("PUT {key} 1")).unwrap();
    }
    assert_eq!(faulty.rows("pairs", &[]).unwrap().len(), 3);
    faulty.text("PUT scan FAIL 1105 no scan").unwrap();
    assert_eq!(faulty.rows("pairs", &[]).unwrap_err().message, "no scan");
    faulty.text("PUT wrong quite wrong").unwrap();
    assert_eq!(faulty.check().unwrap()[0].note, "quite wrong");
    faulty.text("PUT check FAIL 1105 no check").unwrap();
    assert_eq!(faulty.check().unwrap_err().message, "no check");
}

/// This version as the cluster sees its other version: same code, the other schema number.
struct Older;

impl Machine for Older {
    type Command = <Faulty as Machine>::Command;

    fn describe() -> Description {
        let schema = Faulty::describe().migrates_from[0];
        Description::new("faulty", "0.0.0", schema)
    }

    fn evaluate(
        session: &quorate_guest::Session,
        context: &quorate_guest::Context,
        store: &dyn ReadStore,
        request: quorate_guest::Request<'_>,
    ) -> Result<quorate_guest::Evaluation<Self::Command>, quorate_guest::Failure> {
        Faulty::evaluate(session, context, store, request)
    }

    fn apply(
        context: &quorate_guest::Context,
        store: &mut dyn quorate_guest::WriteStore,
        command: Self::Command,
    ) -> Result<quorate_guest::Reply, quorate_guest::Failure> {
        Faulty::apply(context, store, command)
    }
}

#[test]
fn a_migration_visits_every_pair_once_or_fails_as_asked() {
    let mut older = Harness::<Older>::new();
    older.text("PUT a 1; PUT b 2+").unwrap();
    let newer = older.activate::<Faulty>().unwrap();
    let values = if cfg!(feature = "schema2") { [&b"1+"[..], b"2++"] } else { [&b"1"[..], b"2"] };
    assert_eq!(newer.store.pairs().map(|(_, value)| value).collect::<Vec<_>>(), values);
    older.text("PUT migrate FAIL 1105 no migration").unwrap();
    assert_eq!(older.activate::<Faulty>().err().unwrap().message, "no migration");
}
