//! Entries after which frontends compare their states before anything later is answered for.
//!
//! Where another module became active, or the last row was migrated, is where states part if they
//! ever do: by a defect of the module, or because one of them was wrong all along. What is answered
//! beyond such an entry could be taken back only by telling clients so. Whoever applies only notes
//! the entry and its digest here; to compare is another's business, and to say that a majority has
//! the same. Statements read one number to know that they need not wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::watch;

use super::Machine;
use crate::types::{Lsn, StateDigest};

/// No entry is waited for.
const NONE: u64 = u64::MAX;

/// An entry and the digest of the state with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milestone {
    /// The entry.
    pub lsn: Lsn,
    /// The chain of digests up to it.
    pub digest: StateDigest,
}

/// What is not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unconfirmed {
    /// What comes after this entry waits.
    pub after: Lsn,
    /// The newest one: to confirm it confirms all.
    pub newest: Milestone,
}

/// Why something was not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Not in time.
    #[error("the state at LSN {0} was not confirmed by a majority in time")]
    Late(Lsn),
    /// The state was put aside.
    #[error("{0}")]
    PutAside(String),
}

/// The milestones of one machine.
#[derive(Default)]
pub struct Milestones {
    is_kept: AtomicBool,
    /// What comes after it waits; [`NONE`] if nothing does.
    after: AtomicU64,
    unconfirmed: watch::Sender<Option<Unconfirmed>>,
}

impl Milestones {
    pub(super) fn new() -> Self {
        Self { after: AtomicU64::new(NONE), ..Self::default() }
    }

    /// Notes milestones of a run of entries: the LSN of the first, and the last one. Comes before
    /// anybody can see the entries.
    pub(super) fn note(&self, first: Lsn, newest: Milestone) {
        if !self.is_kept.load(Ordering::Relaxed) {
            return;
        }
        self.unconfirmed.send_modify(|unconfirmed| {
            let after = unconfirmed.map_or(first, |known| known.after.min(first));
            *unconfirmed = Some(Unconfirmed { after, newest });
            self.after.store(after.0, Ordering::Release);
        });
    }

    /// Forgets all: another state took the place of the one that they are of.
    pub(super) fn clear(&self) {
        self.unconfirmed.send_modify(|unconfirmed| {
            *unconfirmed = None;
            self.after.store(NONE, Ordering::Release);
        });
    }

    fn confirm(&self, upto: Lsn) {
        self.unconfirmed.send_modify(|unconfirmed| {
            let Some(known) = unconfirmed else { return };
            if known.newest.lsn <= upto {
                *unconfirmed = None;
                self.after.store(NONE, Ordering::Release);
            } else {
                known.after = known.after.max(upto);
                self.after.store(known.after.0, Ordering::Release);
            }
        });
    }
}

impl Machine {
    /// From now on milestones are kept, and must be confirmed: [`confirm`](Self::confirm). A state
    /// from before is one: whether those in it were confirmed, nobody remembers.
    pub fn keep_milestones(&self) {
        self.shared.milestones.is_kept.store(true, Ordering::Relaxed);
        let applied = self.applied();
        if applied.lsn > Lsn(0) {
            let newest = Milestone { lsn: applied.lsn, digest: applied.digest };
            self.shared.milestones.note(applied.lsn, newest);
        }
    }

    /// What is to be confirmed, whenever that changes.
    pub fn unconfirmed(&self) -> watch::Receiver<Option<Unconfirmed>> {
        self.shared.milestones.unconfirmed.subscribe()
    }

    /// A majority has the digests of this state up to an LSN.
    pub fn confirm(&self, upto: Lsn) {
        self.shared.milestones.confirm(upto);
    }

    /// Whether what came of an entry can be answered for. Reads one number.
    pub fn is_confirmed(&self, lsn: Lsn) -> bool {
        lsn.0 <= self.shared.milestones.after.load(Ordering::Acquire)
    }

    /// Waits until what came of an entry can be answered for.
    ///
    /// # Errors
    /// When it cannot be by `deadline`, or the state was put aside.
    pub async fn wait_confirmed(&self, lsn: Lsn, deadline: Instant) -> Result<(), Doubt> {
        if self.is_confirmed(lsn) {
            return Ok(());
        }
        let mut unconfirmed = self.unconfirmed();
        let mut aside = self.shared.quarantine.subscribe();
        let confirmed = unconfirmed.wait_for(|known| known.is_none_or(|known| lsn <= known.after));
        tokio::select! {
            biased;
            Ok(reason) = aside.wait_for(Option::is_some) => {
                return Err(Doubt::PutAside(reason.clone().unwrap_or_default()));
            }
            confirmed = tokio::time::timeout_at(deadline.into(), confirmed) => {
                if let Ok(Ok(_)) = confirmed {
                    return Ok(());
                }
            }
        }
        let waited = self.shared.milestones.unconfirmed.borrow().map(|known| known.newest.lsn);
        Err(Doubt::Late(waited.unwrap_or(lsn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milestone(lsn: u64) -> Milestone {
        Milestone { lsn: Lsn(lsn), digest: StateDigest([1; 32]) }
    }

    fn waits_after(milestones: &Milestones) -> Option<u64> {
        let after = milestones.after.load(Ordering::Acquire);
        let known = milestones.unconfirmed.borrow().map(|known| known.after.0);
        assert_eq!(known, (after != NONE).then_some(after));
        known
    }

    #[test]
    fn what_comes_after_the_oldest_waits_until_the_newest_is_confirmed() {
        let milestones = Milestones::new();
        milestones.note(Lsn(5), milestone(5));
        assert_eq!(waits_after(&milestones), None, "nobody would confirm it");
        milestones.is_kept.store(true, Ordering::Relaxed);
        milestones.note(Lsn(5), milestone(7));
        milestones.note(Lsn(9), milestone(9));
        assert_eq!(waits_after(&milestones), Some(5));
        milestones.confirm(Lsn(7));
        assert_eq!(waits_after(&milestones), Some(7));
        milestones.confirm(Lsn(6));
        assert_eq!(waits_after(&milestones), Some(7));
        milestones.confirm(Lsn(12));
        assert_eq!(waits_after(&milestones), None);
        milestones.note(Lsn(20), milestone(20));
        milestones.clear();
        assert_eq!(waits_after(&milestones), None);
    }
}
