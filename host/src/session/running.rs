//! A statement on its way: when it ends at the latest, and who can end it earlier.

use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::Instant;

use crate::query;
use crate::session::sessions::Statement;

/// How long past its deadline a statement waits for the backend, which knows better what came of
/// it. Then the session answers by itself that the time is up.
const GRACE: Duration = Duration::from_secs(1);

/// Whether a statement that was given up may still have an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    None,
    /// What it does is known to the backend only.
    Possible,
}

/// Tells the backend to stop when it is dropped.
pub(super) struct Running {
    statement: Statement,
    deadline: Instant,
    cancel: query::Cancel,
}

impl Running {
    pub fn new(statement: Statement, timeout: Duration) -> Self {
        Self { statement, deadline: Instant::now() + timeout, cancel: query::Cancel::default() }
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn cancel(&self) -> query::Cancel {
        self.cancel.clone()
    }

    /// Waits for the backend, but not after `KILL` nor for ever.
    pub async fn wait<T>(
        &self,
        effect: Effect,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let (code, state, reason) = tokio::select! {
            biased;
            answer = answer => return answer,
            () = self.statement.token.cancelled() => {
                (1317, "70100", "Query execution was interrupted")
            }
            () = tokio::time::sleep_until(self.deadline + GRACE) => {
                (3024, "HY000", "Query execution was interrupted, query_timeout exceeded")
            }
        };
        let doubt = match effect {
            Effect::None => "",
            Effect::Possible => "; whether it took effect is unknown",
        };
        Err(Failure::new(code, state, format!("{reason}{doubt}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
