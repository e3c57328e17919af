//! Statements that show the frontends.

use quorate_wire::{Column, Failure, Rows, Value, Warning};

use super::Services;
use super::cluster::refused;
use crate::cluster::wall_clock_us;
use crate::session::{Answer, Consistency, StatementContext};

/// Below this much time to its deadline a listing does not wait for the leader.
const CONFIRM_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(1500);

impl Services {
    /// Linearizable when there is a quorum; without one, what this frontend knows, with a warning.
    pub(super) async fn show_frontends(
        &self,
        mut context: StatementContext,
    ) -> Result<Answer, Failure> {
        context.consistency = Consistency::Linearizable;
        context.deadline = context.deadline.min(tokio::time::Instant::now() + CONFIRM_TIMEOUT);
        let confirmed = self.barrier.wait(&context).await;
        let rows = self.cluster.frontends(wall_clock_us()).await;
        let mut answer = self.here(rows);
        if let Err(failure) = confirmed {
            let message = format!("may be out of date: {}", failure.message);
            answer.reply.warnings.push(Warning { code: failure.code, message });
        }
        Ok(answer)
    }

    pub(super) async fn show_proc(
        &self,
        context: StatementContext,
        path: &str,
    ) -> Result<Answer, Failure> {
        match path.trim_end_matches('/') {
            "/frontends" => self.show_frontends(context).await,
            "" if path.starts_with('/') => Ok(self.here(proc_root())),
            _ if !path.starts_with('/') => {
                Err(refused(format!("Path({path}) does not start with '/'")))
            }
            _ => Err(refused(format!("Cannot find path: {path}"))),
        }
    }
}

fn proc_root() -> Rows {
    let rows = vec![vec![Value::from("frontends")]];
    Rows { columns: vec![Column::text("name")], rows }
}
