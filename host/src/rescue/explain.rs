//! One entry of a log, applied on a copy with everything written down that it did.

use super::error::RescueError;
use super::stage::{Base, ReplayOptions, Stage, on_stage};
use crate::machine::{Explained, Standing};
use crate::runtime::Fault;
use crate::types::{LogId, Lsn, Outcome, StateDigest};

/// What an entry did, and what the frontend had come to at it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What was replayed to come there.
    pub base: Base,
    /// What it did.
    pub entry: Explained,
    /// The digest that the frontend stored for it, if it is still kept.
    pub stored: Option<StateDigest>,
    /// How its commands ended on that frontend, where it remembers that.
    pub outcomes: Vec<Option<Outcome>>,
    /// Whether the frontend has applied it; else it need not even be committed.
    pub applied: bool,
}

/// Explains an entry.
///
/// # Errors
/// When the log does not hold it or does not reach back to a base, the directory is in use or
/// damaged, or an entry cannot be applied here.
pub fn explain(options: &ReplayOptions, lsn: Lsn) -> Result<Explanation, RescueError> {
    on_stage(options, Some(lsn.0), |stage| explain_on(stage, lsn))
}

fn explain_on(stage: &Stage, lsn: Lsn) -> Result<Explanation, RescueError> {
    let last = Lsn(stage.log.positions().last.map_or(0, |last| last.index));
    if lsn > last {
        return Err(RescueError::NotThere { wanted: lsn, what: "the log", last });
    }
    let (machine, mut applier) = stage.machine()?;
    let mut explained = None;
    stage.each_run(lsn.0, |entries| {
        let (before, at) = match entries.split_last() {
            Some((at, before)) if at.log_id.index == lsn.0 => (before, Some(at)),
            _ => (entries, None),
        };
        let durable = |_: &LogId| Ok::<(), Fault>(());
        applier.apply(before, &durable).map_err(RescueError::Apply)?;
        if let Some(entry) = at {
            explained = applier.explain(entry).map_err(RescueError::Apply)?;
        }
        Ok(())
    })?;
    let last = machine.lsn();
    let what = "what can be replayed";
    let entry = explained.ok_or(RescueError::NotThere { wanted: lsn, what, last })?;
    let outcomes = outcomes(&stage.stored, &entry)?;
    let stored = stage.stored.digest_at(lsn)?;
    let applied = lsn.0 <= stage.applied();
    Ok(Explanation { base: stage.base.clone(), entry, stored, outcomes, applied })
}

fn outcomes(stored: &Standing, entry: &Explained) -> Result<Vec<Option<Outcome>>, RescueError> {
    let remembered = entry.commands.iter().map(|command| {
        let Some(request) = command.request else { return Ok(None) };
        stored.outcome(request, command.at)
    });
    Ok(remembered.collect::<Result<_, _>>()?)
}
