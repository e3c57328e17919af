//! How a command ended. Outcomes are replicated: stored for deduplication and hashed.

use std::fmt;

use bytes::Bytes;
use quorate_wire::{DecodeError, Failure, Reader, Writer};

/// The replicated outcome of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its writes are in the state. Carries the packed [`Reply`](quorate_wire::Reply).
    Applied(Bytes),
    /// The module or the host refused it, by its rules; nothing was written.
    Refused(Failure),
    /// The host ended it; nothing was written.
    Rejected(Rejection),
}

/// Why the host ended a command. Only facts that are the same on every frontend: no trap message,
/// no address, no amount of fuel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// The module trapped.
    Aborted,
    /// The module used up the fuel that its activation granted.
    OutOfFuel,
    /// The command went over a size limit of the store, of events or of its reply.
    Limit,
    /// Another module is active than the one that made the command: evaluate again.
    ModuleChanged,
    /// No module is active.
    NoModule,
    /// The request's outcome was already delivered and forgotten.
    Stale,
    /// The command's bytes are not those of a command.
    Malformed,
}

impl Rejection {
    const ALL: [Self; 7] = [
        Self::Aborted,
        Self::OutOfFuel,
        Self::Limit,
        Self::ModuleChanged,
        Self::NoModule,
        Self::Stale,
        Self::Malformed,
    ];

    /// Those of a command that cannot run, whoever repeats it and when: something is wrong with the
    /// module, or with what was granted to it.
    pub const DEFECTS: [Self; 4] = [Self::Aborted, Self::OutOfFuel, Self::Limit, Self::Malformed];

    /// Its name, for people and tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::OutOfFuel => "out-of-fuel",
            Self::Limit => "limit",
            Self::ModuleChanged => "module-changed",
            Self::NoModule => "no-module",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
        }
    }

    /// What the client is told.
    pub fn failure(self) -> Failure {
        let (code, message) = match self {
            Self::Aborted => (1105, "the module aborted the command; nothing was changed"),
            Self::OutOfFuel => {
                (1105, "the command used up the fuel granted to it; nothing was changed")
            }
            Self::Limit => (1105, "the command went over a size limit; nothing was changed"),
            Self::ModuleChanged => {
                (1105, "the active module changed while the statement ran; run it again")
            }
            Self::NoModule => (1105, "no module is active; install and activate one"),
            Self::Stale => (1105, "the request is older than its client's acknowledged requests"),
            Self::Malformed => (1105, "the command could not be read"),
        };
        Failure::new(code, "HY000", message)
    }
}

/// The code, and why it was refused: for people. Without the reply.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(_) => f.write_str("applied"),
            Self::Refused(Failure { code, sqlstate, message }) => {
                write!(f, "refused with {code} ({sqlstate}): {message}")
            }
            Self::Rejected(rejection) => write!(f, "rejected: {}", rejection.name()),
        }
    }
}

impl Outcome {
    /// Packs a tag and the content.
    pub fn encode(&self, out: &mut Writer) {
        match self {
            Self::Applied(reply) => {
                out.byte(0);
                out.bytes(reply);
            }
            Self::Refused(failure) => {
                out.byte(1);
                failure.encode(out);
            }
            Self::Rejected(rejection) => {
                out.byte(2);
                out.byte(*rejection as u8);
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short or hold an unknown tag.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            0 => Self::Applied(Bytes::copy_from_slice(input.bytes()?)),
            1 => Self::Refused(Failure::decode(input)?),
            2 => {
                let tag = usize::from(input.byte()?);
                Self::Rejected(*Rejection::ALL.get(tag).ok_or(DecodeError::Range)?)
            }
            _ => return Err(DecodeError::Range),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_tags_of_outcomes_never_change() {
        for (tag, rejection) in Rejection::ALL.into_iter().enumerate() {
            let mut out = Writer::new();
            Outcome::Rejected(rejection).encode(&mut out);
            let bytes = out.finish();
            assert_eq!(bytes, [2, u8::try_from(tag).unwrap()]);
            let back = Outcome::decode(&mut Reader::new(&bytes));
            assert_eq!(back, Ok(Outcome::Rejected(rejection)));
        }
    }
}
