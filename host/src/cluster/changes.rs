//! What background tasks wait for before they look again: something was applied; for those of the
//! leader, or somebody else leads.
//!
//! Under load every entry is a change, and looking at each would cost more than applying it: so
//! they rest before they look.

use std::time::Duration;

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

    /// Waits for what was not seen yet; to rest is the caller's business. False: it was told to
    /// stop, or there is nobody any more who could change anything.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            changed = self.applied.changed() => changed.is_ok(),
            changed = self.leadership.changed() => changed.is_ok(),
        }
    }
}

/// Waits until something is applied that was not seen yet, and rests. False: it was told to stop,
/// or nothing will be applied any more.
pub(crate) async fn next_look(
    applied: &mut watch::Receiver<Lsn>,
    rest: Duration,
    stop: &CancellationToken,
) -> bool {
    let waited = async {
        let changed = applied.changed().await.is_ok();
        tokio::time::sleep(rest).await;
        changed
    };
    stop.run_until_cancelled(waited).await.unwrap_or(false)
}
