//! What clients noted, and what must hold of it afterwards.
//!
//! A client writes two kinds. A *put* sets a key of its own to a value of its own, once: the key's
//! version is then the LSN that was acknowledged, unless the put was applied twice. A *swap* moves
//! the client's one chain from the value that it believes in to a new one: each value names the
//! swap that wrote it, so the last one gives the whole chain of swaps that took effect.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Acknowledged.
    Ok,
    /// It may have been done.
    Uncertain,
    /// For certain, nothing was changed.
    Failed,
    /// The swap ran and found another value than it expected.
    Refused,
}

/// A put.
#[derive(Debug, Clone, Copy)]
pub struct Put {
    /// How it ended.
    pub ended: Ended,
    /// The LSN that was acknowledged.
    pub lsn: Option<u64>,
}

/// A swap. Swaps of a chain are numbered from 1; 0 is the absent key.
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    /// The swap whose value it expected.
    pub from: u64,
    /// How it ended.
    pub ended: Ended,
}

/// What one client did, in its order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Puts, by number.
    pub puts: Vec<Put>,
    /// Swaps; the first one has number 1.
    pub swaps: Vec<Swap>,
}

/// What the cluster holds of one client afterwards.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Version of each put's key, by number, and whether it has the value that was put.
    pub puts: BTreeMap<u64, (u64, bool)>,
    /// The last swap of the chain; 0 when there is none.
    pub last_swap: u64,
}

/// Counts of what ended how, and of what is wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Writes.
    pub operations: u64,
    /// Those acknowledged.
    pub ok: u64,
    /// Those that may have been done.
    pub uncertain: u64,
    /// Those that failed for certain.
    pub failed: u64,
    /// Acknowledged, but not there.
    pub lost: u64,
    /// Applied twice.
    pub duplicate: u64,
    /// Failed for certain, but there.
    pub phantom: u64,
    /// Acknowledged with an LSN not above that of the write that was acknowledged before it began.
    pub disorder: u64,
}

impl History {
    /// Judges what was found.
    pub fn judge(&self, found: &Found) -> Verdict {
        let mut verdict = Verdict::default();
        let mut before = 0;
        for (number, put) in (0..).zip(&self.puts) {
            verdict.count(put.ended);
            match (put.ended, found.puts.get(&number)) {
                (Ended::Ok, None | Some((_, false))) => verdict.lost += 1,
                (Ended::Ok, Some((version, true))) if Some(*version) != put.lsn => {
                    verdict.duplicate += 1;
                }
                (Ended::Failed | Ended::Refused, Some(_)) => verdict.phantom += 1,
                _ => {}
            }
            if let Some(lsn) = put.lsn {
                verdict.disorder += u64::from(lsn <= before);
                before = lsn;
            }
        }
        let took_effect = self.chain(found.last_swap);
        for (number, swap) in (1..).zip(&self.swaps) {
            verdict.count(swap.ended);
            match (swap.ended, took_effect.contains(&number)) {
                (Ended::Ok, false) => verdict.lost += 1,
                // It ran, and ran again and found its own value.
                (Ended::Refused, true) => verdict.duplicate += 1,
                (Ended::Failed, true) => verdict.phantom += 1,
                _ => {}
            }
        }
        verdict
    }

    /// The swaps that led to the last one, and it.
    fn chain(&self, last: u64) -> BTreeSet<u64> {
        let from = |number: u64| {
            let index = usize::try_from(number.checked_sub(1)?).ok()?;
            self.swaps.get(index).map(|swap| swap.from)
        };
        std::iter::successors(Some(last), |number| from(*number)).filter(|n| *n > 0).collect()
    }
}

impl Verdict {
    fn count(&mut self, ended: Ended) {
        self.operations += 1;
        match ended {
            Ended::Ok => self.ok += 1,
            Ended::Uncertain => self.uncertain += 1,
            Ended::Failed | Ended::Refused => self.failed += 1,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            operations: self.operations + other.operations,
            ok: self.ok + other.ok,
            uncertain: self.uncertain + other.uncertain,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
            duplicate: self.duplicate + other.duplicate,
            phantom: self.phantom + other.phantom,
            disorder: self.disorder + other.disorder,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicate, self.phantom, self.disorder) == (0, 0, 0, 0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("operations", self.operations),
            ("OK", self.ok),
            ("UNCERTAIN", self.uncertain),
            ("FAIL", self.failed),
            ("LOST", self.lost),
            ("DUP", self.duplicate),
            ("PHANTOM", self.phantom),
            ("DISORDER", self.disorder),
        ];
        rows.iter().try_for_each(|(name, count)| writeln!(f, "{name:<12}{count:>10}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ended: Ended, lsn: Option<u64>) -> Put {
        Put { ended, lsn }
    }

    fn swap(from: u64, ended: Ended) -> Swap {
        Swap { from, ended }
    }

    #[test]
    fn each_kind_of_wrong_is_counted_as_what_it_is() {
        let history = History {
            puts: vec![
                put(Ended::Ok, Some(5)),
                put(Ended::Ok, Some(7)),
                put(Ended::Ok, Some(6)),
                put(Ended::Failed, None),
                put(Ended::Ok, Some(9)),
            ],
            swaps: vec![
                swap(0, Ended::Ok),
                swap(0, Ended::Ok),
                swap(2, Ended::Refused),
                swap(3, Ended::Failed),
            ],
        };
        let puts = [(1, (8, true)), (2, (6, true)), (3, (8, true)), (4, (9, false))];
        let found = Found { puts: puts.into(), last_swap: 4 };
        let verdict = history.judge(&found);
        assert_eq!((verdict.operations, verdict.ok, verdict.failed), (9, 6, 3));
        // Puts 0 and 4, and swap 1, which swap 2 did not follow.
        assert_eq!(verdict.lost, 3);
        // Put 1 has another version; swap 3 took effect and says that it did not.
        assert_eq!(verdict.duplicate, 2);
        assert_eq!(verdict.phantom, 2);
        assert_eq!(verdict.disorder, 1);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn what_is_uncertain_may_be_there_or_not() {
        let history = History {
            puts: vec![put(Ended::Uncertain, None), put(Ended::Uncertain, None)],
            swaps: vec![swap(0, Ended::Uncertain), swap(1, Ended::Ok), swap(2, Ended::Uncertain)],
        };
        let found = Found { puts: [(1, (4, true))].into(), last_swap: 2 };
        let verdict = history.judge(&found);
        assert!(verdict.is_clean(), "{verdict}");
        assert_eq!((verdict.uncertain, verdict.ok), (4, 1));
    }
}
