//! How commands ended with the one module and with the other.

use std::collections::BTreeMap;

use quorate_wire::{Body, Reply};

use super::report::{Report, Weight};
use crate::machine::Tried;
use crate::types::{Lsn, Outcome};

/// Commands that end differently and are told; more are counted.
const OUTCOMES_MAX: u64 = 100;
/// Replies that differ and are told; more are counted.
const REPLIES_MAX: u64 = 20;
/// Bytes of a command that are told.
const PAYLOAD_BYTES_MAX: usize = 200;

/// All commands that were judged.
#[derive(Default)]
pub struct Judgement {
    commands: u64,
    outcomes: u64,
    replies: u64,
    told: Vec<(Weight, String, String)>,
}

impl Judgement {
    /// Judges commands; `ended` says why calls were ended that did not return.
    pub fn add(&mut self, tried: &[Tried], ended: &BTreeMap<(Lsn, u32), String>) {
        for Tried { lsn, index, payload, active, tried } in tried {
            self.commands += 1;
            let subject = || format!("LSN {lsn}, command {index}");
            if !end_alike(active, tried) {
                self.outcomes += 1;
                if self.outcomes <= OUTCOMES_MAX {
                    let why = ended.get(&(*lsn, *index));
                    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                    let finding =
                        format!("was {active}; now {tried}{why}; its payload: {}", shown(payload));
                    self.told.push((Weight::Error, subject(), finding));
                }
            } else if active != tried {
                self.replies += 1;
                if self.replies <= REPLIES_MAX {
                    let (old, new) = (answer(active), answer(tried));
                    let finding =
                        format!("answered {old}; now {new}; its payload: {}", shown(payload));
                    self.told.push((Weight::Notice, subject(), finding));
                }
            }
        }
    }

    /// Tells all of it.
    pub fn tell(self, report: &mut Report) {
        let Self { commands, outcomes, replies, told } = self;
        let weigh = |count: u64, weight| if count == 0 { Weight::Info } else { weight };
        report.add(
            weigh(outcomes, Weight::Error),
            "outcomes",
            format!("{outcomes} of {commands} commands end differently"),
        );
        report.add(
            weigh(replies, Weight::Notice),
            "replies",
            format!("{replies} of {commands} replies differ"),
        );
        for (weight, subject, finding) in told {
            report.add(weight, &subject, finding);
        }
    }
}

/// A payload for people. The log has no statements, only what modules made of them.
fn shown(payload: &[u8]) -> String {
    let told = &payload[..payload.len().min(PAYLOAD_BYTES_MAX)];
    let escaped = told.escape_ascii();
    match payload.len() - told.len() {
        0 => format!("'{escaped}'"),
        more => format!("'{escaped}' and {more} bytes more"),
    }
}

/// Whether a client would take both for the same, but for what is answered.
fn end_alike(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Applied(_), Outcome::Applied(_)) => true,
        (Outcome::Refused(one), Outcome::Refused(other)) => {
            (one.code, &one.sqlstate) == (other.code, &other.sqlstate)
        }
        (Outcome::Rejected(one), Outcome::Rejected(other)) => one == other,
        _ => false,
    }
}

/// An answer in a few words.
fn answer(outcome: &Outcome) -> String {
    let Outcome::Applied(packed) = outcome else { return outcome.to_string() };
    let Ok(reply) = Reply::unpack(packed) else {
        return format!("{} bytes that are no reply", packed.len());
    };
    let warnings = match reply.warnings.len() {
        0 => String::new(),
        some => format!(", {some} warnings"),
    };
    let body = match &reply.body {
        Body::Done { affected } => format!("{affected} affected"),
        Body::Rows(rows) => format!("{} rows", rows.rows.len()),
        Body::Bytes(bytes) => format!("{} bytes", bytes.len()),
    };
    let hash = blake3::hash(packed).to_hex();
    format!("{body}{warnings} (hash {})", &hash[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_escaped_and_cut() {
        assert_eq!(shown(b"PUT 'a'\n\xff"), r"'PUT \'a\'\n\xff'");
        let whole = [b'x'; PAYLOAD_BYTES_MAX];
        assert_eq!(shown(&whole), format!("'{}'", "x".repeat(PAYLOAD_BYTES_MAX)));
        let longer = [&whole[..], b"yz"].concat();
        assert_eq!(shown(&longer), format!("{} and 2 bytes more", shown(&whole)));
    }
}
