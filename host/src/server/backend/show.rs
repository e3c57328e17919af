//! `SHOW FRONTENDS`.

use std::time::Duration;

use quorate_wire::{Failure, Warning};
use tokio::time::Instant;

use super::Services;
use crate::raft::ReadError;
use crate::session::{Answer, Consistency, StatementContext};

/// A listing waits no longer than this for the leader.
const CONFIRM_TIMEOUT: Duration = Duration::from_millis(1500);

impl Services {
    /// Linearizable when there is a quorum; without one, what this frontend knows, with a warning.
    pub(super) async fn show_frontends(
        &self,
        mut context: StatementContext,
    ) -> Result<Answer, Failure> {
        context.consistency = Consistency::Linearizable;
        context.deadline = context.deadline.min(Instant::now() + CONFIRM_TIMEOUT);
        let confirmed = self.barrier.wait(&context).await;
        let rows = self.cluster.frontends().await;
        let mut answer = self.here(rows);
        if let Err(failure) = confirmed {
            answer.reply.warnings.push(outdated(failure, answer.lsn));
        }
        Ok(answer)
    }
}

/// That a listing is only what this frontend knows, and why.
fn outdated(failure: Failure, lsn: u64) -> Warning {
    let reason = match failure == ReadError::NoLeader.failure() {
        // What that advises is to look at this listing.
        true => "no majority of the followers answers".to_owned(),
        false => failure.message,
    };
    let message =
        format!("{reason}; this is what this frontend knows at LSN {lsn}, it may be out of date");
    Warning { code: failure.code, message }
}
