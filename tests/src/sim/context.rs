//! What everything in one simulated world shares: time, chance, the trace, the count of faults, and
//! the first violation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::dice::Dice;
use super::mutation::Mutation;

/// Most lines of the trace that are kept for a report.
const LINES_MAX: usize = 400;

/// The shared part of a world.
pub struct Context {
    /// Chance.
    pub dice: Dice,
    /// Which defect is put in on purpose.
    pub mutation: Option<Mutation>,
    now_ms: AtomicU64,
    moment: AtomicU64,
    notes: Mutex<Notes>,
    prints: bool,
}

#[derive(Default)]
struct Notes {
    counts: BTreeMap<&'static str, u64>,
    lines: std::collections::VecDeque<String>,
    digest: u64,
    violation: Option<String>,
}

impl Context {
    /// A world that begins now. With `prints`, the trace goes to standard output.
    pub fn new(seed: u64, mutation: Option<Mutation>, prints: bool) -> Arc<Self> {
        Arc::new(Self {
            dice: Dice::new(seed),
            mutation,
            now_ms: AtomicU64::new(0),
            moment: AtomicU64::new(0),
            notes: Mutex::default(),
            prints,
        })
    }

    /// Simulated milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Lets a millisecond pass.
    pub fn tick(&self) -> u64 {
        self.now_ms.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A number that grows with every call: orders what happens within a millisecond.
    pub fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a defect is put in.
    pub fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Counts something for the report.
    pub fn count(&self, what: &'static str) {
        *self.notes.lock().counts.entry(what).or_default() += 1;
    }

    /// Adds a line to the trace.
    pub fn say(&self, line: &str) {
        let line = format!("{:>7} ms  {line}", self.now_ms());
        let mut notes = self.notes.lock();
        for byte in line.bytes() {
            notes.digest = (notes.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.prints {
            println!("{line}");
        }
        if notes.lines.len() == LINES_MAX {
            notes.lines.pop_front();
        }
        notes.lines.push_back(line);
    }

    /// Notes that an invariant does not hold. The first one counts.
    pub fn violate(&self, what: String) {
        if self.notes.lock().violation.is_none() {
            self.say(&format!("VIOLATION {what}"));
        }
        self.notes.lock().violation.get_or_insert(what);
    }

    /// The first violation.
    pub fn violation(&self) -> Option<String> {
        self.notes.lock().violation.clone()
    }

    /// How often each thing was counted.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.notes.lock().counts.clone()
    }

    /// A digest of the whole trace: two runs of one seed have the same.
    pub fn trace_digest(&self) -> u64 {
        self.notes.lock().digest
    }

    /// The last lines of the trace.
    pub fn last_lines(&self) -> Vec<String> {
        self.notes.lock().lines.iter().cloned().collect()
    }
}
