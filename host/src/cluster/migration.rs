//! The leader has the rows of a module's older schema migrated, step by step.
//!
//! How far it is stands in the state, so whoever leads goes on. Between two steps clients have
//! their turn.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::{Cluster, command_deadline};
use crate::types::HostCommand;

/// Between two looks for a migration, and before a step that did not come about is proposed again.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// For each time that a step took, so many times as long nothing is migrated.
const REST: u32 = 1;

impl Cluster {
    /// Runs until told to stop.
    pub async fn keep_migrating(&self, stop: CancellationToken) {
        let mut changes = Changes::of(self);
        while !stop.is_cancelled() {
            changes.seen();
            let pause = match self.next_migration_step() {
                Some(step) => self.take_step(step).await,
                None if changes.wait(&stop).await => LOOK_INTERVAL,
                None => return,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn next_migration_step(&self) -> Option<HostCommand> {
        let view = self.machine().view();
        let migration = view.migration().filter(|migration| migration.stopped.is_none())?;
        let (since, step) = (migration.since, migration.steps);
        self.node().status().is_leader.then_some(HostCommand::MigrateStep { since, step })
    }

    /// Takes a step, and tells how long to rest.
    async fn take_step(&self, step: HostCommand) -> Duration {
        let began = Instant::now();
        if let Err(failure) = self.run("", step, command_deadline()).await {
            tracing::debug!("the migration goes on: {failure}");
            return LOOK_INTERVAL;
        }
        let view = self.machine().view();
        match view.migration() {
            None => tracing::info!("the migration is done"),
            Some(migration) => {
                if let Some(reason) = &migration.stopped {
                    tracing::error!(
                        "the migration stopped after {} steps: {reason}",
                        migration.steps
                    );
                }
            }
        }
        began.elapsed() * REST
    }
}
