//! The leader has an activation carried out when its time has come.
//!
//! What is scheduled stands in the state with its time, so whoever leads then sees to it. One that
//! waits for an LSN needs nobody: it takes effect with the entry there.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::{Cluster, command_deadline};
use crate::types::{HostCommand, Lifecycle};

/// Longest time between two looks at the clock: by so much an activation can be late after the
/// clock was set.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Before a command that did not come about is proposed again.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

impl Cluster {
    /// Runs until told to stop.
    pub async fn keep_schedule(&self, stop: CancellationToken) {
        let mut changes = Changes::of(self);
        while !stop.is_cancelled() {
            changes.seen();
            let pause = match self.next_scheduled() {
                Some((command, Duration::ZERO)) => {
                    if let Err(failure) = self.run("", command, command_deadline()).await {
                        tracing::debug!("the scheduled activation waits: {failure}");
                    }
                    RETRY_PAUSE
                }
                Some((_, left)) => left.min(LOOK_INTERVAL),
                None if changes.wait(&stop).await => RETRY_PAUSE,
                None => return,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The command that carries out what is scheduled for a time, and how long it has to wait, if
    /// this frontend leads.
    fn next_scheduled(&self) -> Option<(HostCommand, Duration)> {
        let view = self.machine().view();
        let scheduled = view.scheduled()?;
        let due_us = scheduled.time_us?;
        if !self.node().status().is_leader {
            return None;
        }
        // The state's clock never runs backwards; this machine's may.
        let now_us = u64::try_from(self.clock_us()).unwrap_or_default().max(view.time_us());
        let command = Lifecycle::RunScheduled { since: scheduled.since };
        let left = Duration::from_micros(due_us.saturating_sub(now_us));
        Some((HostCommand::Lifecycle(command), left))
    }
}
