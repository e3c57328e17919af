//! Where a proof can have this process killed while a module comes into the cluster and becomes the
//! active one: before and after the commit of the run that holds the step.

use crate::storage::crash::crash_point;
use crate::types::{HostCommand, Lifecycle};

/// Crash points of one step: worked out but not committed, and committed.
#[derive(Clone, Copy)]
pub struct Step {
    worked_out: &'static str,
    committed: &'static str,
}

impl Step {
    /// The step that a command is, if it is one.
    pub fn of(command: &HostCommand) -> Option<Self> {
        let (worked_out, committed) = match command {
            HostCommand::PutModuleChunk { .. } => ("chunk-worked-out", "chunk-committed"),
            HostCommand::InstallModule(_)
            | HostCommand::Lifecycle(Lifecycle::InstallSigned { .. }) => {
                ("module-worked-out", "module-committed")
            }
            HostCommand::AcknowledgeModule { .. } => {
                ("acknowledge-worked-out", "acknowledge-committed")
            }
            HostCommand::Lifecycle(Lifecycle::Activate(_) | Lifecycle::RunScheduled { .. }) => {
                ("activate-worked-out", "activate-committed")
            }
            HostCommand::MigrateStep { .. } => ("migrate-worked-out", "migrate-committed"),
            _ => return None,
        };
        Some(Self { worked_out, committed })
    }
}

/// Steps of a run that is about to be committed.
pub fn worked_out(steps: &[Step]) {
    steps.iter().for_each(|step| crash_point(step.worked_out));
}

/// Steps of a run that is committed.
pub fn committed(steps: &[Step]) {
    steps.iter().for_each(|step| crash_point(step.committed));
}
