//! What background tasks of the leader wait for: something was applied, or somebody else leads.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::raft::Leadership;
use crate::types::Lsn;

/// Both, as they change.
pub(super) struct Changes {
    applied: watch::Receiver<Lsn>,
    leadership: watch::Receiver<Leadership>,
}

impl Changes {
    pub fn of(cluster: &Cluster) -> Self {
        Self { applied: cluster.machine().subscribe(), leadership: cluster.node().watch() }
    }

    /// What there is now is about to be looked at.
    pub fn seen(&mut self) {
        self.leadership.borrow_and_update();
        self.applied.borrow_and_update();
    }

    /// Waits for what was not seen yet. False: it was told to stop, or there is nobody any more who
    /// could change anything. Under load every entry is a change, and looking at each would cost
    /// more than applying it: rest before the next look.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            changed = self.applied.changed() => changed.is_ok(),
            changed = self.leadership.changed() => changed.is_ok(),
        }
    }
}
