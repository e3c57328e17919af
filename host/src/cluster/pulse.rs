//! The leader's look at all frontends, every few seconds: what monitoring reads without asking
//! anybody, and what `SHOW FRONTENDS` knows of a frontend that has died since.
//!
//! Only the leader looks, so that the cost grows with the frontends and not with their square.
//! Nothing of it is logged.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::status::Asked;

/// Between two looks, as in StarRocks.
const PULSE_INTERVAL: Duration = Duration::from_secs(5);

/// What the leader found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pulse {
    /// Frontends that answered, with this one.
    pub alive: usize,
    /// Registered frontends that did not.
    pub dead: usize,
    /// Committed entries that the slowest of the others that are alive has not applied.
    pub lag_lsn_max: u64,
    /// Of each frontend that is alive, its address and what its clock is ahead of the leader's, in
    /// microseconds.
    pub clock_offsets_us: Vec<(String, i64)>,
}

impl Cluster {
    /// Looks at all frontends again and again while this one leads. Runs until told to stop.
    pub async fn keep_pulse(&self, stop: CancellationToken) {
        let mut leadership = self.node().watch();
        while !stop.is_cancelled() {
            let leads = leadership.borrow_and_update().is_leader;
            let pulse = match leads {
                true => Some(Arc::new(self.look().await)),
                false => None,
            };
            *self.inner.pulse.lock() = pulse;
            tokio::select! {
                () = stop.cancelled() => {}
                changed = leadership.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(PULSE_INTERVAL), if leads => {}
            }
        }
    }

    /// What this frontend found when it last looked; nothing unless it leads.
    pub fn pulse(&self) -> Option<Arc<Pulse>> {
        self.inner.pulse.lock().clone().filter(|_| self.node().watch().borrow().is_leader)
    }

    async fn look(&self) -> Pulse {
        let asked = self.ask_all().await;
        let committed = self.node().status().committed_lsn.unwrap_or_default();
        let own = self.identity().node;
        let alive = || asked.iter().filter(|one| one.status.is_ok());
        let lag = |one: &Asked| {
            let applied = one.status.as_ref().map_or(0, |status| status.applied_lsn);
            committed.0.saturating_sub(applied)
        };
        Pulse {
            alive: alive().count(),
            dead: asked.len() - alive().count(),
            lag_lsn_max: alive().filter(|one| one.node != own).map(lag).max().unwrap_or_default(),
            clock_offsets_us: alive()
                .filter_map(|one| Some((one.name(), one.offset?.us)))
                .collect(),
        }
    }
}
