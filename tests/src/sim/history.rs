//! What clients were told, and whether it can be true.
//!
//! Every answer names an LSN, so no search for an order is needed: the log is the order. Checked
//! are, for all operations of a run:
//!
//! - what was acknowledged is in the log, once, at the LSN that was said, with the effect that was
//!   said; what was definitely refused is not; what is unknown is there at most once;
//! - real time: what began after an acknowledged write ended has a greater LSN;
//! - a read shows exactly the state of its LSN; unless `any` will do, that is not before its
//!   session's token, which may have come from another frontend; a linearizable one is not before
//!   anything that was acknowledged or read when it began, a bounded one not before anything that
//!   was acknowledged or read earlier than its bound before it began.
//!
//! A bound is measured by the clock of the frontend that reads. Frontends' clocks run at one rate,
//! and one that was paused finds its clock a millisecond ahead, never behind: so what it takes for
//! recent enough is recent enough by the world's clock too, but for the step it is in.

use bytes::Bytes;
use quorate::types::Lsn;

use super::context::Context;
use super::level::Level;
use super::model::Model;

/// Two clocks that are moved in steps of a millisecond may differ by so much.
const STEP_MS: u64 = 2;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Sets a key.
    Put {
        /// The key.
        key: Bytes,
        /// Never used before.
        value: Bytes,
    },
    /// Sets a key if its value is `old`.
    Swap {
        /// The key.
        key: Bytes,
        /// What it must be.
        old: Option<Bytes>,
        /// Never used before.
        new: Bytes,
    },
    /// Removes a key.
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Reads a key.
    Get {
        /// The key.
        key: Bytes,
        /// How fresh its value must be.
        level: Level,
    },
}

/// What it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A write was applied.
    Done {
        /// Where.
        lsn: Lsn,
        /// Whether it changed anything.
        changed: bool,
    },
    /// What a key holds, and since when.
    Read {
        /// The state that it is from.
        lsn: Lsn,
        /// Value and version.
        value: Option<(Bytes, Lsn)>,
    },
    /// It was not done and will not be.
    Refused(String),
    /// It may have been done.
    Unknown,
    /// The connection is gone: it may have been done.
    Lost,
}

impl Answer {
    /// The LSN that it names.
    pub fn lsn(&self) -> Option<Lsn> {
        match self {
            Self::Done { lsn, .. } | Self::Read { lsn, .. } => Some(*lsn),
            Self::Refused(_) | Self::Unknown | Self::Lost => None,
        }
    }
}

/// A question and its answer.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// Whom.
    pub host: usize,
    /// What.
    pub question: Question,
    /// When, by a clock that counts everything that happens.
    pub began: u64,
    /// The simulated time of that.
    pub began_ms: u64,
    /// When the answer came.
    pub ended: u64,
    /// The simulated time of that.
    pub at_ms: u64,
    /// The LSN that the state it is answered from must have reached.
    pub token: u64,
    /// The answer.
    pub answer: Answer,
}

/// All that clients asked.
#[derive(Default)]
pub struct History {
    operations: Vec<Operation>,
}

impl History {
    /// Writes down an operation.
    pub fn add(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Checks everything against what the log means.
    pub fn check(&self, model: &Model, context: &Context) {
        for operation in &self.operations {
            context.count(match &operation.answer {
                Answer::Done { .. } => "writes acknowledged",
                Answer::Read { .. } => "reads answered",
                Answer::Refused(_) => "refused",
                Answer::Unknown => "outcome unknown",
                Answer::Lost => "connections lost",
            });
            if let Err(what) = effect(operation, model) {
                context.violate(format!("{what}: {operation:?}"));
                return;
            }
        }
        if let Err(what) = self.real_time().and_then(|()| self.bounded()) {
            context.violate(what);
        }
    }

    /// What was known so long before a bounded read began must be visible to it.
    fn bounded(&self) -> Result<(), String> {
        let mut known: Vec<_> =
            self.operations.iter().filter(|operation| operation.answer.lsn().is_some()).collect();
        known.sort_by_key(|operation| operation.at_ms);
        // The newest that was known at each time.
        let mut newest: Vec<&Operation> = Vec::new();
        for operation in &known {
            let before = newest.last().copied().unwrap_or(operation);
            let is_newer = operation.answer.lsn() > before.answer.lsn();
            newest.push(if is_newer { operation } else { before });
        }
        for operation in &known {
            let Question::Get { level: Level::Bounded(bound_ms), .. } = operation.question else {
                continue;
            };
            let since_ms = operation.began_ms.saturating_sub(bound_ms + STEP_MS);
            let at = known.partition_point(|known| known.at_ms < since_ms);
            let Some(before) = at.checked_sub(1).map(|at| newest[at]) else { continue };
            if operation.answer.lsn() < before.answer.lsn() {
                return Err(format!(
                    "bounded staleness: {operation:?} is older than {bound_ms} ms, by {before:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whoever begins after an answer came must not be before it.
    fn real_time(&self) -> Result<(), String> {
        let mut ends: Vec<_> = self
            .operations
            .iter()
            // Whatever was read was committed, at whichever level.
            .filter(|operation| operation.answer.lsn().is_some())
            .collect();
        ends.sort_by_key(|operation| operation.ended);
        let mut begins: Vec<_> = self.operations.iter().collect();
        begins.sort_by_key(|operation| operation.began);
        let (mut seen, mut next) = (None::<&Operation>, 0);
        for operation in begins {
            while let Some(ended) = ends.get(next)
                && ended.ended < operation.began
            {
                if seen.and_then(|seen| seen.answer.lsn()) < ended.answer.lsn() {
                    seen = Some(ended);
                }
                next += 1;
            }
            let (Some(before), Some(lsn)) = (seen, operation.answer.lsn()) else { continue };
            let floor = before.answer.lsn().unwrap_or_default();
            let wrong = match (&operation.question, &before.question) {
                (Question::Get { level: Level::Linearizable, .. }, _) => lsn < floor,
                (Question::Get { .. }, _) => false,
                // A write is after a write strictly, and not before what a read has seen.
                (_, Question::Get { .. }) => lsn < floor,
                (_, _) => lsn <= floor,
            };
            if wrong {
                return Err(format!(
                    "real time: {operation:?} is before {before:?}, which had ended when it began"
                ));
            }
        }
        Ok(())
    }
}

fn effect(operation: &Operation, model: &Model) -> Result<(), String> {
    let value = match &operation.question {
        Question::Put { value, .. } => Some(value),
        Question::Swap { new, .. } => Some(new),
        Question::Delete { .. } | Question::Get { .. } => None,
    };
    let written = value.map_or(&[][..], |value| model.written(value));
    if written.len() > 1 {
        return Err("applied twice".to_owned());
    }
    match (&operation.answer, &operation.question) {
        (Answer::Done { lsn, changed: true }, _) if value.is_some() && written != [*lsn] => {
            return Err(format!("acknowledged at {lsn}, but written at {written:?}"));
        }
        (Answer::Done { changed: false, .. } | Answer::Refused(_), _) if !written.is_empty() => {
            return Err(format!("said not to be done, but written at {written:?}"));
        }
        (Answer::Read { lsn, value }, Question::Get { key, level }) => {
            if level.keeps_token() && lsn.0 < operation.token {
                return Err(format!("read at {lsn}, before the session's {}", operation.token));
            }
            let holds = model.at(key, *lsn);
            if holds != *value {
                return Err(format!("read at {lsn}, where the key held {holds:?}"));
            }
        }
        _ => {}
    }
    Ok(())
}
