//! What a module did while it ran, written down for people: every import that it called, in order,
//! with what was asked and given and how much fuel was gone by then.
//!
//! For tools that explain an entry. A frontend applies without a witness, which costs it one test
//! per import. Nothing here reaches an outcome: a witness is only written to.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes of one key or value that are kept; of the rest only how many there were.
pub const SHOWN_BYTES_MAX: usize = 1 << 10;

/// Imports of one call that are kept; the rest are counted.
pub const SHOWN_IMPORTS_MAX: usize = 10_000;

/// Pairs of one page that are kept; the rest are counted.
pub const SHOWN_PAIRS_MAX: usize = 64;

/// Something that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// Bytes, of which the beginning is kept.
    Bytes {
        /// At most [`SHOWN_BYTES_MAX`] of them.
        head: Bytes,
        /// How many there were.
        length: usize,
    },
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Nothing, where there could have been something.
    Absent,
}

impl Datum {
    /// Bytes, cut.
    pub fn bytes(bytes: &[u8]) -> Self {
        let head = Bytes::copy_from_slice(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]);
        Self::Bytes { head, length: bytes.len() }
    }

    /// Bytes that may be missing.
    pub fn optional(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Absent, Self::bytes)
    }
}

/// Named data, in the order of the interface.
pub type Data = Vec<(&'static str, Datum)>;

/// An import that a module called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name in the interface.
    pub name: &'static str,
    /// What was asked.
    pub asked: Data,
    /// What was given; none when it ended the call of the module.
    pub given: Option<Data>,
    /// Fuel that the module had used when it called.
    pub fuel_at: u64,
    /// Fuel that the import took.
    pub fuel: u64,
}

/// A call of a module's export, from beginning to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// The export's name in the interface.
    pub export: &'static str,
    /// Fuel that it was granted.
    pub granted: u64,
    /// Fuel that it used.
    pub used: u64,
    /// What it imported.
    pub imports: Vec<Imported>,
    /// Imports that were not kept.
    pub imports_omitted: u64,
    /// Why it was ended, in words of this frontend; nothing when it returned.
    pub ended: Option<String>,
}

/// Sees calls of a module. Clones write to the same list.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    runs: Arc<Mutex<Vec<Ran>>>,
    /// Only calls, not what they import: that costs what a measurement must not.
    blind: bool,
}

impl Witness {
    /// One that sees how calls end and what fuel they use, and nothing of what they import.
    pub fn of_calls() -> Self {
        Self { blind: true, ..Self::default() }
    }

    pub(super) fn sees_imports(&self) -> bool {
        !self.blind
    }

    /// All calls so far, which are then forgotten.
    pub fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut self.runs.lock())
    }

    pub(super) fn begin(&self, export: &'static str, granted: u64) {
        self.runs.lock().push(Ran { export, granted, ..Ran::default() });
    }

    pub(super) fn end(&self, left: u64, why: Option<String>) {
        if let Some(ran) = self.runs.lock().last_mut() {
            ran.used = ran.granted.saturating_sub(left);
            ran.ended = why;
        }
    }

    pub(super) fn asked(&self, name: &'static str, left: u64, asked: Data) {
        let mut runs = self.runs.lock();
        let Some(ran) = runs.last_mut() else { return };
        if ran.imports.len() >= SHOWN_IMPORTS_MAX {
            ran.imports_omitted += 1;
            return;
        }
        let fuel_at = ran.granted.saturating_sub(left);
        ran.imports.push(Imported { name, asked, given: None, fuel_at, fuel: 0 });
    }

    pub(super) fn given(&self, left: u64, given: Data) {
        let mut runs = self.runs.lock();
        let Some(ran) = runs.last_mut().filter(|ran| ran.imports_omitted == 0) else { return };
        let used = ran.granted.saturating_sub(left);
        if let Some(import) = ran.imports.last_mut() {
            import.fuel = used.saturating_sub(import.fuel_at);
            import.given = Some(given);
        }
    }
}
