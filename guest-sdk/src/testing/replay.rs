//! The same log gives the same state, however it comes to be applied.
//!
//! Frontends are handed the log in runs of different lengths, are killed and start again, and run
//! other calls in between. What a module answers, writes and emits must depend on none of that. A
//! [`Log`] is replayed here under such conditions, and [`assert_same_digest`] tells the first
//! command at which two replays part. The usual causes: a `static` or thread-local that outlives
//! the call, the order of a `HashMap`, an address, a clock.

use std::fmt::Write;

use quorate_wire::{Failure, Reply, Writer};

use super::harness::{context, packed};
use super::memory::{Effects, MemoryStore};
use crate::codec::Codec;
use crate::machine::{Machine, undecodable};

/// Entries that are applied before a restart, in the replays that restart.
const RUNS: [usize; 4] = [1, 2, 3, 7];

/// Entries of a log, and the state that they begin on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    pub(super) store: MemoryStore,
    /// Log sequence number before the first entry.
    pub(super) lsn: u64,
    pub(super) entries: Vec<Entry>,
}

/// What one entry carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub time_us: u64,
    pub caller: String,
    pub commands: Vec<Vec<u8>>,
}

/// What a command came to.
#[derive(PartialEq)]
struct Step {
    lsn: u64,
    index: u32,
    outcome: Result<Reply, Failure>,
    effects: Effects,
}

/// The state of one replay, and what it did so far.
struct Replay {
    store: MemoryStore,
    steps: Vec<Step>,
}

impl Log {
    /// An empty log on an empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry: commands that the leader packed together, by `root`, a second after the entry
    /// before.
    pub fn push<C: Codec>(&mut self, commands: &[C]) {
        let seconds = self.entries.len() as u64 + 1;
        self.entries.push(Entry {
            time_us: super::harness::NOON_US + seconds * 1_000_000,
            caller: "root".to_owned(),
            commands: commands.iter().map(Codec::to_bytes).collect(),
        });
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Replays a log in one go, in runs with restarts between them, and with other work between its
/// entries, and checks that all of them agree at every command: in outcome, writes and events.
/// Gives their digest, which chains all of that.
///
/// # Panics
/// When two replays disagree, naming the command and both of what it came to.
pub fn assert_same_digest<M: Machine + 'static>(log: &Log) -> u64 {
    let at_once = replay::<M>(log, usize::MAX, false);
    for entries in RUNS {
        compare(&at_once, &replay::<M>(log, entries, false), &format!("restarts every {entries}"));
    }
    // On this thread too, where the first one has left its memory.
    let mut here = Replay { store: log.store.clone(), steps: Vec::new() };
    for _ in 0..2 {
        here = Replay { store: log.store.clone(), steps: Vec::new() };
        here.run::<M>(log, 0..log.entries.len(), true);
    }
    compare(&at_once, &here, "other work in between");
    digest(&at_once.steps)
}

/// Applies a log in runs of so many entries, each in memory of its own: on a thread of its own,
/// with nothing but the stored pairs of the run before.
fn replay<M: Machine + 'static>(log: &Log, run_entries: usize, soiled: bool) -> Replay {
    let mut replay = Replay { store: log.store.clone(), steps: Vec::new() };
    let mut first = 0;
    while first < log.entries.len() {
        let end = first.saturating_add(run_entries).min(log.entries.len());
        let run = || replay.run::<M>(log, first..end, soiled);
        let ended = std::thread::scope(|scope| scope.spawn(run).join());
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
        first = end;
    }
    replay
}

impl Replay {
    /// Applies some entries. If `soiled`, each is applied to a copy of the state first, which is
    /// thrown away: all that can be left of it is in memory.
    fn run<M: Machine>(&mut self, log: &Log, entries: std::ops::Range<usize>, soiled: bool) {
        for at in entries {
            let (entry, lsn) = (&log.entries[at], log.lsn + at as u64 + 1);
            if soiled {
                let store = self.store.clone();
                Self { store, steps: Vec::new() }.entry::<M>(entry, lsn);
            }
            self.entry::<M>(entry, lsn);
        }
    }

    fn entry<M: Machine>(&mut self, entry: &Entry, lsn: u64) {
        let schema = M::describe().schema;
        for (index, command) in (0u32..).zip(&entry.commands) {
            let context = context(lsn, index, entry.time_us, schema, &entry.caller);
            let outcome = M::Command::from_bytes(command)
                .map_err(undecodable)
                .and_then(|command| M::apply(&context, &mut self.store, command).map(packed));
            if outcome.is_err() {
                self.store.roll_back();
            }
            let effects = self.store.effects();
            self.store.savepoint();
            self.steps.push(Step { lsn, index, outcome, effects });
        }
    }
}

fn compare(one: &Replay, other: &Replay, what: &str) {
    for (a, b) in one.steps.iter().zip(&other.steps) {
        assert!(
            a == b,
            "with {what}, the command at LSN {} ({} in its entry) came to another end:\n{}\n{}",
            a.lsn,
            a.index,
            told(a),
            told(b)
        );
    }
    assert!(one.store == other.store, "with {what}, another state is left");
}

fn told(step: &Step) -> String {
    let mut text = format!("  {:?}", step.outcome);
    let (writes, events) = &step.effects;
    for (key, value) in writes {
        let key = key.escape_ascii();
        let written = match value {
            Some(value) => write!(text, "\n    {key} = {}", value.escape_ascii()),
            None => write!(text, "\n    {key} deleted"),
        };
        written.expect("a string takes all");
    }
    for event in events {
        write!(text, "\n    emits {event:?}").expect("a string takes all");
    }
    text
}

/// FNV-1a over all steps. Natively only: a cluster's digest is another.
fn digest(steps: &[Step]) -> u64 {
    let mut out = Writer::new();
    for Step { lsn, index, outcome, effects: (writes, events) } in steps {
        out.unsigned(*lsn);
        out.unsigned(u64::from(*index));
        match outcome {
            Ok(reply) => out.bytes(&reply.pack()),
            Err(failure) => failure.encode(&mut out),
        }
        for (key, value) in writes {
            out.bytes(key);
            out.optional_bytes(value.as_deref());
        }
        for event in events {
            out.text(&event.topic);
            out.bytes(&event.key);
            out.bytes(&event.body);
        }
    }
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    out.finish().iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests;
