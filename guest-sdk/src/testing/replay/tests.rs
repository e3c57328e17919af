use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::testing::Harness;
use crate::*;

const SUMS: Table<String, u64> = Table::new(1);

/// Adds numbers up; misbehaves when a name says so.
struct Sums;

impl Machine for Sums {
    type Command = (String, u64);

    fn describe() -> Description {
        Description::new("sums", "1.0.0", 1)
    }

    fn evaluate(
        _: &Session,
        _: &Context,
        _: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<Self::Command>, Failure> {
        match request {
            Request::Text(text) => Ok(Evaluation::Command((text.into(), 1))),
            Request::Bytes(_) => Err(refusal::MALFORMED.because("text only")),
        }
    }

    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        (name, number): Self::Command,
    ) -> Result<Reply, Failure> {
        static EVER: AtomicU64 = AtomicU64::new(0);
        thread_local!(static HERE: Cell<u64> = const { Cell::new(0) });
        HERE.set(HERE.get() + 1);
        let sum = SUMS.get(store, &name).unwrap_or(0) + number;
        SUMS.put(store, &name, &sum);
        match name.as_str() {
            "refused" => Err(refusal::OTHER.because("refused")),
            // Outlives the call.
            "remembers" => Ok(Reply::affected(EVER.fetch_add(1, Ordering::Relaxed))),
            // Outlives the call, but not a restart: equal in all replays that start anew.
            "remembers here" => {
                SUMS.put(store, &"here".into(), &HERE.get());
                Ok(Reply::done())
            }
            _ => Ok(Reply::affected(sum + context.lsn + u64::from(context.index))),
        }
    }
}

fn log(entries: &[&[&str]]) -> Log {
    let mut log = Log::new();
    for names in entries {
        log.push(&names.iter().map(|name| ((*name).to_owned(), 1u64)).collect::<Vec<_>>());
    }
    log
}

#[test]
#[should_panic(expected = "the command at LSN 2 (1 in its entry) came to another end")]
fn memory_that_outlives_a_process_is_caught_at_its_command() {
    assert_same_digest::<Sums>(&log(&[&["a"], &["b", "remembers"]]));
}

#[test]
#[should_panic(expected = "with restarts every 1")]
fn memory_that_outlives_an_entry_is_caught() {
    assert_same_digest::<Sums>(&log(&[&["a"], &["remembers here"]]));
}

#[test]
#[should_panic(expected = "with other work in between")]
fn memory_that_outlives_a_call_is_caught() {
    assert_same_digest::<Sums>(&log(&[&["remembers here"]]));
}

#[test]
fn another_log_has_another_digest() {
    let digest = |entries: &[&[&str]]| assert_same_digest::<Sums>(&log(entries));
    let one = digest(&[&["a", "refused"], &["b"]]);
    assert_eq!(one, digest(&[&["a", "refused"], &["b"]]));
    for other in
        [&[&["a"][..], &["b"]][..], &[&["a", "refused", "b"]], &[&["b", "refused"], &["a"]]]
    {
        assert_ne!(one, digest(other), "{other:?}");
    }
}

#[test]
fn a_harness_replays_what_it_was_asked() {
    let mut harness = Harness::<Sums>::new();
    for statement in ["a", "b", "a", "refused"] {
        let _ = harness.text(statement);
    }
    assert_eq!(harness.log().len(), 4);
    harness.assert_replays();
}

proptest! {
    #[test]
    fn any_log_of_a_sound_machine_replays(
        entries in prop::collection::vec(
            prop::collection::vec(
                (prop::sample::select(vec!["a", "b", "refused"]), 0u64..9),
                1..4,
            ),
            0..12,
        ),
    ) {
        let mut log = Log::new();
        for entry in entries {
            let commands: Vec<_> =
                entry.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
            log.push(&commands);
        }
        assert_same_digest::<Sums>(&log);
    }
}
