//! What clients were told, and whether it can be true.
//!
//! Every answer names an LSN, so no search for an order is needed: the log is the order. Checked
//! are, for all operations of a run:
//!
//! - what was acknowledged is in the log, once, at the LSN that was said, with the effect that was
//!   said; what was definitely refused is not; what is unknown is there at most once;
//! - real time: what began after an acknowledged write ended has a greater LSN;
//! - a read shows exactly the state of its LSN; a session's is not before its token, a linearizable
//!   one not before anything that was acknowledged or read when it began.

use bytes::Bytes;
use quorate::types::Lsn;

use super::context::Context;
use super::model::Model;

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
        /// Whether it must see everything that was acknowledged before.
        linearizable: bool,
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
        /// The LSN that the session has seen by then.
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
        if let Err(what) = self.real_time() {
            context.violate(what);
        }
    }

    /// Whoever begins after an answer came must not be before it.
    fn real_time(&self) -> Result<(), String> {
        let mut ends: Vec<_> = self
            .operations
            .iter()
            .filter(|operation| match &operation.answer {
                Answer::Done { .. } => true,
                Answer::Read { .. } => {
                    matches!(operation.question, Question::Get { linearizable: true, .. })
                }
                _ => false,
            })
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
                (Question::Get { linearizable: true, .. }, _) => lsn < floor,
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
        (Answer::Done { lsn, changed: true }, _) if value.is_some() => {
            if written != [*lsn] {
                return Err(format!("acknowledged at {lsn}, but written at {written:?}"));
            }
        }
        (Answer::Done { changed: false, .. } | Answer::Refused(_), _) if !written.is_empty() => {
            return Err(format!("said not to be done, but written at {written:?}"));
        }
        (Answer::Read { lsn, value }, Question::Get { key, .. }) => {
            if lsn.0 < operation.token {
                return Err(format!("read at {lsn}, before the session's {}", operation.token));
            }
            // The session's LSN may be ahead of the read's own; the value tells which it was.
            let holds = model.at(key, *lsn);
            if holds != *value && !was_ever(model, key, value.as_ref(), operation, *lsn) {
                return Err(format!("read at {lsn}, where the key held {holds:?}"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// With `any`, a read may be older than what its session has seen; then it must still be a state
/// that the key was in.
fn was_ever(
    model: &Model,
    key: &Bytes,
    value: Option<&(Bytes, Lsn)>,
    operation: &Operation,
    lsn: Lsn,
) -> bool {
    if operation.token > 0 || matches!(operation.question, Question::Get { linearizable: true, .. })
    {
        return false;
    }
    match value {
        Some((_, version)) => *version <= lsn && model.at(key, *version).as_ref() == value,
        None => true,
    }
}
