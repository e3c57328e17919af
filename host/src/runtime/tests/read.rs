//! Read-only calls.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_wire::{Body, ColumnType, Failure, RelationColumn, Value};

use crate::runtime::testing::{
    BrokenView, MapView, description, guest, guest_with, module, read_call, runtime,
};
use crate::runtime::{Caller, Evaluation, Module, ReadCall, ReadError, Request};

fn caller() -> Caller {
    Caller { session_id: 1, user: "root".into(), database: Some("d".into()) }
}

fn evaluate_on(module: &Module, call: ReadCall, request: &str) -> Result<Evaluation, ReadError> {
    module.evaluate(call, caller(), Request::Text(request.into()))
}

fn evaluate(request: &str) -> Result<Evaluation, ReadError> {
    let view = MapView::of([("m/a", "1"), ("m/b", "2")], 9);
    evaluate_on(&module(), read_call(Arc::new(view)), request)
}

#[test]
fn a_write_or_an_event_in_a_read_only_call_traps() {
    for request in ["pav", "da", "Daz", "exy"] {
        match evaluate(request) {
            Err(ReadError::Trap(why)) => assert!(why.contains("read-only"), "{request}: {why}"),
            other => panic!("{request}: {other:?}"),
        }
    }
}

#[test]
fn a_trap_a_refusal_and_a_limit_are_told_apart() {
    assert!(matches!(evaluate("t"), Err(ReadError::Trap(_))));
    assert!(matches!(evaluate("m"), Err(ReadError::Trap(_))));
    assert!(matches!(evaluate("r"), Err(ReadError::Trap(_))));
    assert!(matches!(evaluate("k"), Err(ReadError::Trap(_))));
    assert!(matches!(evaluate("j"), Err(ReadError::Trap(_))));
    let refused = Failure::new(1050, "42S01", "refused");
    assert_eq!(evaluate("f"), Err(ReadError::Failure(refused.clone())));
    assert_eq!(evaluate("f").unwrap_err().failure(), refused);
}

#[test]
fn an_unreadable_state_is_a_fault() {
    let error = evaluate_on(&module(), read_call(Arc::new(BrokenView)), "ga").unwrap_err();
    assert!(matches!(error, ReadError::Fault(_)), "{error:?}");
}

#[test]
fn a_deadline_ends_an_endless_call() {
    let deadline = Instant::now() + Duration::from_millis(50);
    let call = ReadCall { deadline, ..read_call(Arc::new(MapView::default())) };
    assert_eq!(evaluate_on(&module(), call, "l"), Err(ReadError::Deadline));
    assert!(Instant::now() >= deadline);
}

#[test]
fn calls_wait_for_a_slot_and_endless_ones_do_not_keep_it() {
    let module = runtime().load(&guest()).unwrap();
    std::thread::scope(|scope| {
        let evaluate = |after, text| {
            let deadline = Instant::now() + Duration::from_millis(after);
            let call = ReadCall { deadline, ..read_call(Arc::new(MapView::default())) };
            let module = &module;
            scope.spawn(move || evaluate_on(module, call, text))
        };
        // Two slots, taken for some time; whoever comes waits, or gives up at its own deadline.
        let endless: Vec<_> = (0..2).map(|_| evaluate(400, "l")).collect();
        let others: Vec<_> = (0..6).map(|_| evaluate(60_000, "ga")).collect();
        for thread in endless {
            assert_eq!(thread.join().unwrap(), Err(ReadError::Deadline));
        }
        for thread in others {
            assert!(matches!(thread.join().unwrap(), Ok(Evaluation::Reply(_))));
        }
    });
}

#[test]
fn evaluate_gives_a_reply_or_a_command() {
    let Ok(Evaluation::Reply(reply)) = evaluate("ga") else { panic!("no reply") };
    assert_eq!(reply.body, Body::Bytes(b"1".to_vec()));
    assert_eq!(evaluate("Cpav").unwrap(), Evaluation::Command("pav".into()));
    let call = read_call(Arc::new(MapView::default()));
    let bytes = Request::Bytes(b"Cx".to_vec());
    let command = module().evaluate(call, caller(), bytes).unwrap();
    assert_eq!(command, Evaluation::Command("x".into()));
    // Each call has an instance of its own. Nothing of the first is left.
    assert!(matches!(evaluate("x"), Err(ReadError::Trap(_))));
    assert!(matches!(evaluate("ga"), Ok(Evaluation::Reply(_))));
}

#[test]
fn a_relation_is_read_page_by_page() {
    let scan = |relation, cursor| {
        let call = read_call(Arc::new(MapView::default()));
        module().scan(call, relation, &[], cursor)
    };
    let error = scan("nothing", None).unwrap_err();
    assert_eq!(error.failure(), Failure::new(1109, "42S02", "Unknown table 'nothing'"));
    let (rows, next) = scan("names", None).unwrap();
    assert_eq!(rows, [[Value::from("one")]]);
    let (rows, next) = scan("names", Some(&next.unwrap())).unwrap();
    assert_eq!((rows, next), (vec![vec![Value::from("two")]], None));
}

#[test]
fn rows_of_another_width_than_described_are_an_error_that_names_the_relation() {
    let mut wider = description();
    wider.relations[0].columns.push(RelationColumn::new("age", ColumnType::UInt));
    let module = runtime().load(&guest_with(&wider, |text| text)).unwrap();
    let call = read_call(Arc::new(MapView::default()));
    let error = module.scan(call, "names", &[], None).unwrap_err().failure();
    assert_eq!(error.code, 1105);
    let told = "rows of relation 'names' are not 2 columns wide";
    assert!(error.message.contains(told), "{error}");
    // It goes on.
    let evaluated = evaluate_on(&module, read_call(Arc::new(MapView::default())), "Cx");
    assert_eq!(evaluated, Ok(Evaluation::Command("x".into())));
}

#[test]
fn a_sound_state_has_no_findings() {
    let call = read_call(Arc::new(MapView::default()));
    assert_eq!(module().check(call, None), Ok((vec![], None)));
}
