//! Machine and log put together: the state is never ahead of the log on this disk.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::machine::{Applier, Machine};
use crate::raft::{Apply, ApplyError, LogBarrier};
use crate::runtime::Fault;
use crate::storage::Log;
use crate::types::{BatchReply, Entry, LogId, Lsn, StoredMembership};

/// Applies to the machine, behind the log's fsync.
pub struct Gated {
    /// The write side.
    pub applier: Applier,
    /// The read side of the same state.
    pub machine: Machine,
    /// The log that the entries come from.
    pub log: Log,
}

impl Apply for Gated {
    fn applied(&self) -> (Option<LogId>, StoredMembership) {
        let applied = self.machine.applied();
        (applied.log_id, applied.membership)
    }

    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<BatchReply>, ApplyError> {
        let log = &self.log;
        let durable = |id: &LogId| log.wait_durable(id).map_err(|error| Fault(error.to_string()));
        let applied = self.applier.apply(entries, &durable);
        // A log that has stopped and a commit that failed stay so; any other fault may pass.
        let retryable = log.check().is_ok() && !self.applier.is_broken();
        let replies =
            applied.map_err(|fault| ApplyError { retryable, message: fault.to_string() })?;
        self.machine.count_rejected(entries, &replies);
        if let Some(last) = entries.last() {
            self.log.set_applied(Lsn(last.log_id.index));
        }
        Ok(replies)
    }

    fn gate(&self, last: LogId) -> BoxFuture<'static, Result<(), ApplyError>> {
        let log = self.log.clone();
        async move {
            let durable = log.until_durable(&last).await;
            durable.map_err(|error| ApplyError { retryable: false, message: error.to_string() })
        }
        .boxed()
    }

    fn barrier(&self) -> LogBarrier {
        let log = self.log.clone();
        Arc::new(move || {
            let log = log.clone();
            async move {
                let settled = log.barrier().await;
                settled.map_err(|error| ApplyError { retryable: false, message: error.to_string() })
            }
            .boxed()
        })
    }

    fn reload(&mut self) -> Result<(), ApplyError> {
        let reloaded = self.applier.reload();
        reloaded.map_err(|fault| ApplyError { retryable: true, message: fault.to_string() })?;
        self.log.set_applied(self.machine.applied().lsn);
        Ok(())
    }
}
