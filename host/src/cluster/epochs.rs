//! A frontend tells the cluster which engine epochs its program can run.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::changes::next_look;
use super::{Cluster, command_deadline};
use crate::types::{Epoch, HostCommand, Lsn};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(250);

impl Cluster {
    /// Has it recorded what this program can run, whenever that is not what is recorded: what was
    /// said by another release, which ran here before, may come about long after. The active module
    /// is compiled for all of it before, so that a step to another epoch need not wait for that.
    /// Runs until told to stop.
    pub async fn announce_epochs(&self, stop: CancellationToken) {
        let (node, epochs) = (self.identity().node, self.machine().epochs());
        let mut applied = self.machine().subscribe();
        while !stop.is_cancelled() {
            applied.borrow_and_update();
            let view = self.machine().view();
            let is_new = view.frontend(node).is_some() && view.epochs_of(node) != epochs;
            drop(view);
            if is_new {
                if self.has_compiled_all().await {
                    let command = HostCommand::AnnounceEpochs { node, epochs };
                    if let Err(failure) = self.run("", command, command_deadline()).await {
                        tracing::debug!("announcing epochs goes on: {failure}");
                    }
                }
                tokio::time::sleep(INTERVAL).await;
            } else if !next_look(&mut applied, INTERVAL, &stop).await {
                return;
            }
        }
    }

    async fn has_compiled_all(&self) -> bool {
        let machine = self.machine().clone();
        let Some(active) = machine.view().active().map(|active| active.digest) else {
            return true;
        };
        let loaded = self.apart(move || machine.load_module(active)).await;
        matches!(loaded, Ok(Ok(_)))
    }

    /// Puts another engine epoch in force.
    ///
    /// # Errors
    /// A refusal by the state: a voter cannot run it, or it is not after the present one.
    pub async fn change_epoch(
        &self,
        caller: &str,
        to: Epoch,
        deadline: tokio::time::Instant,
    ) -> Result<Lsn, quorate_wire::Failure> {
        let from = self.machine().view().epoch();
        self.run(caller, HostCommand::ChangeEpoch { from, to }, deadline).await
    }
}
