//! Statements of the active module: evaluate here, propose, answer once applied here.

use quorate_wire::{Failure, Reply};

use super::Services;
use crate::raft::ProposeError;
use crate::runtime::{Caller, Evaluation, ReadError};
use crate::session::{Answer, Request, StatementContext};
use crate::types::{Action, ModuleDigest, Outcome, Rejection};

/// How often a statement is evaluated when modules are activated while it runs; then, or at its
/// deadline, it fails with a retryable error. Each time another activation must have come between
/// evaluation and apply.
const EVALUATIONS_MAX: usize = 1000;

/// Most bytes of a statement in the log.
const EXCERPT_BYTES_MAX: usize = 1 << 10;

/// A statement as the log shows it.
fn excerpt(request: &Request) -> String {
    match request {
        Request::Text(text) if text.len() <= EXCERPT_BYTES_MAX => text.to_string(),
        Request::Text(text) => {
            format!("{}..", &text[..text.floor_char_boundary(EXCERPT_BYTES_MAX)])
        }
        Request::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

impl Services {
    pub(super) async fn run_module(
        &self,
        context: StatementContext,
        request: Request,
    ) -> Result<Answer, Failure> {
        self.barrier.wait(&context).await?;
        if self.cluster.machine().view().active().is_none() {
            // A frontend that has just joined has not come to the first activation yet.
            self.barrier.catch_up(context.deadline).await?;
        }
        for _ in 0..EVALUATIONS_MAX {
            let (lsn, digest, evaluation) = self.evaluate(&context, request.clone()).await?;
            let payload = match evaluation {
                Ok(Evaluation::Reply(reply)) => return Ok(Answer { reply, lsn }),
                Ok(Evaluation::Command(payload)) => payload,
                Err(error) => {
                    if let ReadError::Trap(why) = &error {
                        let statement = excerpt(&request);
                        tracing::warn!(lsn, statement, "a statement trapped: {why}");
                    }
                    return Err(error.failure());
                }
            };
            let action = Action::Module { digest, payload };
            let proposer = self.cluster.node().proposer();
            let proposed = proposer.propose(&context.user, action, context.deadline).await;
            let (lsn, outcome) = proposed.map_err(|error| error.failure())?;
            let caught_up = self.cluster.wait_applied(lsn, context.deadline).await;
            if outcome == Outcome::Rejected(Rejection::ModuleChanged) {
                // Once this frontend has applied the activation that came between, evaluate on it.
                caught_up?;
                continue;
            }
            self.cluster.wait_confirmed(lsn, context.deadline).await?;
            match outcome {
                // Also when this frontend is late: the outcome is known, and its LSN is the
                // session's token, so the next statement waits for it.
                Outcome::Applied(packed) => {
                    let reply = Reply::unpack(&packed).map_err(|error| {
                        let message = format!("the module's reply could not be read: {error}");
                        Failure::new(1105, "HY000", message)
                    })?;
                    return Ok(Answer { reply, lsn: lsn.0 });
                }
                Outcome::Refused(failure) => return Err(failure),
                // Forgotten means that it may have run.
                Outcome::Rejected(Rejection::Stale) => {
                    return Err(ProposeError::OutcomeUnknown.failure());
                }
                Outcome::Rejected(rejection) => {
                    // Frontends log the trap, with the module's functions, at the same LSN. Which
                    // statement it was is known here only.
                    let statement = excerpt(&request);
                    tracing::warn!(lsn = lsn.0, ?rejection, statement, "a command was rejected");
                    return Err(rejection.failure());
                }
            }
        }
        Err(Rejection::ModuleChanged.failure())
    }

    async fn evaluate(
        &self,
        context: &StatementContext,
        request: Request,
    ) -> Result<(u64, ModuleDigest, Result<Evaluation, ReadError>), Failure> {
        let machine = self.cluster.machine().clone();
        let deadline = self.evaluator.limit(context.deadline);
        let caller = Caller {
            session_id: context.session_id,
            user: context.user.clone(),
            database: context.database.clone(),
        };
        let request = match request {
            Request::Text(text) => crate::runtime::Request::Text(text),
            Request::Bytes(bytes) => crate::runtime::Request::Bytes(bytes),
        };
        let evaluation = move || {
            let view = machine.view();
            let active = view.active().ok_or_else(|| Rejection::NoModule.failure())?;
            let call = view.read_call(deadline).ok_or_else(|| Rejection::NoModule.failure())?;
            let evaluation = active.module.evaluate(call, caller, request);
            Ok((view.lsn().0, active.digest, evaluation))
        };
        self.evaluator.run(evaluation).await
    }
}
