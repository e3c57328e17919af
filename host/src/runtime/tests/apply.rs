//! Replicated calls: what they leave behind, and how they end.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::{Body, Failure, Limits, Reply, unpack_values};

use crate::runtime::testing::{BrokenView, MapView, PREFIX, description, facts, guest, module};
use crate::runtime::{Codegen, EntryRun, Event, Facts, Fault, Overlay, Runtime, RuntimeOptions};
use crate::types::{Outcome, Rejection, View};

struct Entry {
    run: EntryRun,
    overlay: Overlay,
}

impl Entry {
    fn over(view: impl View + 'static) -> Self {
        Self::limited(view, description().limits)
    }

    fn limited(view: impl View + 'static, limits: Limits) -> Self {
        let run = EntryRun::new(&module(), limits, PREFIX.into());
        Self { run, overlay: Overlay::new(Arc::new(view)) }
    }

    fn new() -> Self {
        Self::over(MapView::default())
    }

    fn try_apply(&mut self, command: &str) -> Result<(Outcome, Vec<Event>), Fault> {
        self.run.apply(&mut self.overlay, facts(), command.as_bytes())
    }

    fn apply(&mut self, command: &str) -> Outcome {
        self.try_apply(command).unwrap().0
    }

    fn body(&mut self, command: &str) -> Body {
        match self.apply(command) {
            Outcome::Applied(reply) => Reply::unpack(&reply).unwrap().body,
            other => panic!("{command}: {other:?}"),
        }
    }

    fn text(&mut self, command: &str) -> String {
        match self.body(command) {
            Body::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{command}: {other:?}"),
        }
    }

    fn migrate(&mut self, from: u32, cursor: Option<&[u8]>) -> Result<Option<Vec<u8>>, Outcome> {
        self.run.migrate(&mut self.overlay, facts(), from, cursor).unwrap()
    }

    fn written(&self) -> Vec<(String, Option<usize>)> {
        let text = |key: &Bytes| String::from_utf8(key.to_vec()).unwrap();
        let writes = self.overlay.top().iter();
        writes.map(|(key, value)| (text(key), value.as_ref().map(Bytes::len))).collect()
    }
}

fn put(key: &str, length: usize) -> (String, Option<usize>) {
    (format!("{PREFIX}{key}"), Some(length))
}

const ABORTED: Outcome = Outcome::Rejected(Rejection::Aborted);
const LIMIT: Outcome = Outcome::Rejected(Rejection::Limit);

#[test]
fn a_trap_drops_its_own_writes_and_keeps_those_before_and_after() {
    let mut entry = Entry::new();
    entry.body("pavalue");
    assert_eq!(entry.apply("Pb"), ABORTED);
    entry.body("pcvv");
    assert_eq!(entry.written(), [put("a", 5), put("c", 2)]);
}

#[test]
fn memory_is_shared_in_an_entry_until_a_trap_and_never_reaches_the_next() {
    let mut entry = Entry::new();
    for count in 1..=3 {
        assert_eq!(entry.body("n"), Body::Done { affected: count });
    }
    assert!(matches!(entry.apply("f"), Outcome::Refused(_)));
    assert_eq!(entry.body("n"), Body::Done { affected: 4 });
    assert_eq!(entry.apply("t"), ABORTED);
    assert_eq!(entry.body("n"), Body::Done { affected: 1 });
    assert_eq!(Entry::new().body("n"), Body::Done { affected: 1 });
}

#[test]
fn an_endless_command_runs_out_of_fuel() {
    assert_eq!(Entry::new().apply("l"), Outcome::Rejected(Rejection::OutOfFuel));
}

#[test]
fn fuel_is_granted_anew_to_each_command_and_imports_cost_some() {
    let limits = Limits { fuel: 1_000, ..description().limits };
    let mut entry = Entry::limited(MapView::default(), limits);
    for _ in 0..5 {
        entry.body("pav");
    }
    let large = format!("pa{}", "v".repeat(1_000));
    assert_eq!(entry.apply(&large), Outcome::Rejected(Rejection::OutOfFuel));
    assert_eq!(entry.written(), [put("a", 1)]);
}

#[test]
fn memory_and_stack_end_where_the_limits_say() {
    assert_eq!(Entry::new().apply("m"), ABORTED);
    assert_eq!(Entry::new().apply("r"), ABORTED);
    let limits = Limits { memory_bytes: 1 << 20, ..description().limits };
    assert_eq!(Entry::limited(MapView::default(), limits).apply("pav"), LIMIT);
}

#[test]
fn a_table_ends_at_the_same_length_on_every_engine() {
    for codegen in [Codegen::Native, Codegen::Unoptimised, Codegen::Interpreted] {
        let runtime = Runtime::with_codegen(RuntimeOptions { read_slots: 1 }, codegen).unwrap();
        let module = runtime.load(&guest()).unwrap();
        let run = EntryRun::new(&module, description().limits, PREFIX.into());
        let mut entry = Entry { run, overlay: Overlay::new(Arc::new(MapView::default())) };
        entry.body("Ta");
        // A thousand at a time on top of the first: the limit is 20,000.
        assert_eq!(entry.written(), [put("a", 19)], "{codegen:?}");
        // The next entry begins with a fresh one, and a legal depth is one on every engine.
        entry.body("R\x02");
    }
}

#[test]
fn a_guest_that_breaks_the_abi_is_aborted() {
    for command in ["b", "u", "j", "J"] {
        assert_eq!(Entry::new().apply(command), ABORTED, "{command}");
    }
    // Its allocator hands out addresses beyond its memory.
    let mut entry = Entry::over(MapView::of([("m/k", &*"v".repeat(4_190_000))], 9));
    assert_eq!(entry.apply("gk"), ABORTED);
}

#[test]
fn what_is_over_a_size_limit_is_rejected() {
    for command in ["k", "va", "L", "E", "wa", "sza\0"] {
        let mut entry = Entry::new();
        assert_eq!(entry.apply(command), LIMIT, "{command}");
        assert!(entry.written().is_empty(), "{command}");
    }
}

#[test]
fn an_unreadable_state_is_a_fault_and_no_outcome() {
    let mut entry = Entry::over(BrokenView);
    entry.body("pav");
    for command in ["gb", "Daz", "saz\x09", "G\x01b"] {
        let fault = entry.try_apply(command).unwrap_err();
        assert!(fault.to_string().contains("no disk"), "{fault}");
        assert_eq!(entry.written(), [put("a", 1)]);
    }
    // Not read, so not missed.
    assert_eq!(entry.text("ga"), "v");
}

#[test]
fn events_come_with_the_outcome_and_go_with_a_failure() {
    let mut entry = Entry::new();
    let (outcome, events) = entry.try_apply("exyz").unwrap();
    assert!(matches!(outcome, Outcome::Applied(_)));
    let event = Event { topic: "x".into(), key: "x".into(), body: "xyz".into() };
    assert_eq!(events, [event]);
    let (outcome, events) = entry.try_apply("Fx").unwrap();
    assert_eq!(outcome, Outcome::Refused(Failure::new(1050, "42S01", "refused")));
    assert_eq!((events, entry.written()), (vec![], vec![]));
    // None is left over for the next one.
    assert!(entry.try_apply("pav").unwrap().1.is_empty());
}

#[test]
fn a_module_sees_its_own_keys_without_the_prefix_and_no_others() {
    let pairs = [("m", "no"), ("m/a", "1"), ("m/b", "22"), ("m/d", "4"), ("m0", "no"), ("z", "no")];
    let mut entry = Entry::over(MapView::of(pairs, 2));
    entry.body("pc333");
    assert_eq!(entry.text("sAz\x09"), "\x01a\x011\x01b\x0222\x01c\x03333\x01d\x014");
    assert_eq!(entry.text("sAz\x02"), "\x01a\x011\x01b\x0222|b\0");
    assert_eq!(entry.text("SAz\x02"), "\x01d\x014\x01c\x03333|c");
    assert_eq!(entry.text("gb"), "22");
    assert_eq!(entry.body("g0"), Body::Done { affected: 0 });
    assert_eq!(entry.body("Dbd"), Body::Done { affected: 2 });
    entry.body("da");
    let Body::Bytes(values) = entry.body("G\x01a\x01b\x01d\0") else { panic!("no bytes") };
    assert_eq!(unpack_values(&values).unwrap(), [None, None, Some(&b"4"[..]), None]);
    let gone = |key: &str| (format!("m/{key}"), None);
    assert_eq!(entry.written(), [gone("a"), gone("b"), gone("c")]);
}

#[test]
fn a_module_is_told_the_facts_of_the_entry() {
    let mut entry = Entry::new();
    let mut told = |facts: Facts, command: &[u8]| {
        let (outcome, _) = entry.run.apply(&mut entry.overlay, facts, command).unwrap();
        let Outcome::Applied(reply) = outcome else { panic!("{outcome:?}") };
        let Body::Bytes(bytes) = Reply::unpack(&reply).unwrap().body else { panic!("no bytes") };
        bytes
    };
    assert_eq!(told(facts(), b"c"), [7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(told(Facts { index: 3, ..facts() }, b"c")[8], 3);
    assert_eq!(told(facts(), b"a"), [9; 32]);
}

#[test]
fn outcomes_are_the_same_in_every_run_and_in_a_slot_that_was_left_dirty() {
    let commands = ["pav", "n", "t", "n", "ga", "Pb", "saz\x09", "f", "exy", "m", "r", "n", "c"];
    let run = || {
        let mut entry = Entry::over(MapView::of([("m/b", "2"), ("m/c", "3")], 1));
        let results: Vec<_> =
            commands.iter().map(|command| entry.try_apply(command).unwrap()).collect();
        (results, entry.overlay.into_writes())
    };
    let first = run();
    for _ in 0..20 {
        assert_eq!(Entry::new().apply("x"), ABORTED);
        assert_eq!(run(), first);
    }
}

#[test]
fn a_migration_goes_on_from_its_cursor() {
    let mut entry = Entry::new();
    let cursor = entry.migrate(1, None).unwrap();
    assert_eq!(cursor.as_deref(), Some(&b"m1"[..]));
    assert_eq!(entry.migrate(1, cursor.as_deref()).unwrap(), None);
    assert_eq!(entry.written(), [put("m1", 2), put("m2", 2)]);
}

#[test]
fn a_step_of_a_migration_that_fails_leaves_nothing() {
    for (from, outcome) in
        [(2, ABORTED), (3, Outcome::Refused(Failure::new(1050, "42S01", "refused"))), (4, ABORTED)]
    {
        let mut entry = Entry::new();
        assert_eq!(entry.migrate(from, None), Err(outcome));
        assert!(entry.written().is_empty());
    }
}

#[test]
fn lines_beyond_the_bound_are_dropped_and_change_nothing() {
    let mut entry = Entry::new();
    let long = format!("i{}", "ä".repeat(2_000));
    assert_eq!(entry.body(&long), Body::Done { affected: 0 });
}
