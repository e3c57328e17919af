//! Who watches what the commands of modules take: fuel, time and how they end.

use crate::runtime::{EntryRun, Event, Facts, Fault, Overlay, Ran, Witness};
use crate::types::{Lsn, Outcome};

/// Is told of each command that a module runs. Reads the clock itself, if it wants to: nothing here
/// may.
pub trait Watch {
    /// A command is about to run.
    fn begin(&mut self);

    /// Command `index` of entry `lsn` has run; these are the calls of the module that it took.
    fn end(&mut self, lsn: Lsn, index: u32, calls: &[Ran]);
}

/// A watch, and the witness that sees for it.
pub(super) struct Watching<'a> {
    watch: &'a mut dyn Watch,
    witness: Witness,
}

impl<'a> Watching<'a> {
    pub fn new(watch: &'a mut dyn Watch) -> Self {
        Self { watch, witness: Witness::of_calls() }
    }

    pub fn witness(&self) -> Witness {
        self.witness.clone()
    }
}

/// Runs a command of a module, watched if somebody wants that.
pub(super) fn apply(
    watching: &mut Option<Watching<'_>>,
    run: &mut EntryRun,
    overlay: &mut Overlay,
    facts: Facts,
    payload: &[u8],
) -> Result<(Outcome, Vec<Event>), Fault> {
    let Some(Watching { watch, witness }) = watching else {
        return run.apply(overlay, facts, payload);
    };
    let (lsn, index) = (facts.lsn, facts.index);
    watch.begin();
    let ended = run.apply(overlay, facts, payload);
    watch.end(lsn, index, &witness.take());
    ended
}
