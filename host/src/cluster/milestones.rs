//! At a milestone, an activation or the end of a migration, a frontend compares its state with the
//! others' at once, and nothing later is answered for until a majority has the same.
//!
//! One that is outvoted puts its state aside before it has acknowledged anything that it did with
//! it. How others are asked and who is right: `agreement`.

use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::agreement::{Verdict, Whom};
use crate::machine::{Doubt, Milestone};
use crate::types::Lsn;

/// How long an answer is held back at most; then its client is told that the outcome is unknown.
pub const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// First and longest pause before the others are asked again who could not say. Between them it
/// doubles.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));
/// How long the one that is asked waits to apply the entry in question.
const APPLY_PATIENCE: Duration = Duration::from_millis(250);

impl Cluster {
    /// Confirms milestones as they are applied. Runs until told to stop.
    pub async fn confirm_milestones(&self, stop: CancellationToken) {
        let mut unconfirmed = self.machine().unconfirmed();
        loop {
            let milestone = tokio::select! {
                () = stop.cancelled() => return,
                known = unconfirmed.wait_for(Option::is_some) => match known {
                    Ok(known) => known.map(|known| known.newest),
                    Err(_) => return,
                },
            };
            let Some(milestone) = milestone else { continue };
            tokio::select! {
                () = stop.cancelled() => return,
                is_right = self.settle(milestone) => {
                    if !is_right {
                        // Only another state in its place makes it go on.
                        let mut applied = self.machine().subscribe();
                        tokio::select! {
                            () = stop.cancelled() => return,
                            _ = applied.changed() => {}
                        }
                    }
                }
            }
        }
    }

    /// Asks until it is known who is right. A digest covers all before it, so later ones will do
    /// when the others have not kept that of the milestone.
    async fn settle(&self, milestone: Milestone) -> bool {
        let Milestone { mut lsn, mut digest } = milestone;
        let mut pause = RETRY_PAUSE.0;
        loop {
            let (differs, agreed) = match self.compare(lsn, digest, Whom::Enough).await {
                Verdict::Agreed { .. } => {
                    self.machine().confirm(lsn);
                    return true;
                }
                Verdict::Outvoted(theirs) => {
                    let differs = format!("a majority of the followers has {theirs}");
                    (differs, Some((lsn, theirs)))
                }
                Verdict::Split => {
                    ("others have others, and none can have a majority".to_owned(), None)
                }
                Verdict::Unknown => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE.1);
                    let applied = self.machine().applied();
                    (lsn, digest) = (applied.lsn, applied.digest);
                    continue;
                }
            };
            self.put_aside(lsn, &format!("its digest is {digest}, {differs}"), agreed).await;
            return false;
        }
    }

    /// Waits, for another frontend that asks, until this one has applied an entry; not for long.
    pub(super) async fn wait_for_comparison(&self, lsn: Lsn) {
        let deadline = (Instant::now() + APPLY_PATIENCE).into_std();
        // Late: then it is asked again.
        let _ = self.machine().wait_applied(lsn, deadline).await;
    }

    /// Waits until what came of entry `lsn` can be answered for: after a milestone, until a
    /// majority has confirmed it. Else it takes one look at a number.
    ///
    /// # Errors
    /// Outcome unknown, when that cannot be confirmed.
    pub async fn wait_confirmed(&self, lsn: Lsn, deadline: Instant) -> Result<(), Failure> {
        if self.machine().is_confirmed(lsn) {
            return Ok(());
        }
        let deadline = deadline.min(Instant::now() + CONFIRM_TIMEOUT);
        let confirmed = self.machine().wait_confirmed(lsn, deadline.into_std()).await;
        confirmed.map_err(|doubt| {
            let message = match &doubt {
                Doubt::Late(_) => format!(
                    "the outcome is unknown: the statement is in the log at LSN {lsn}, after a \
                     change of the module, and {doubt}. Check its effect on a frontend that has a \
                     majority before running it again"
                ),
                Doubt::PutAside(_) => format!(
                    "the outcome is unknown: the statement is in the log at LSN {lsn}, but this \
                     frontend cannot serve: {doubt}. Check its effect on another frontend"
                ),
            };
            Failure::new(1105, "08007", message)
        })
    }
}
