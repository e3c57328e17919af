//! Snapshots of this frontend's state, and the log that they make dispensable.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{interval, timeout};

use super::Node;
use crate::raft::snapshot::blocking;
use crate::storage::SnapshotError;
use crate::types::Lsn;

/// How long openraft may take to note a snapshot.
const NOTE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const NOTE_PAUSE: Duration = Duration::from_millis(5);

impl Node {
    /// Makes a snapshot of what is applied here, beside applying. It is durable when this returns,
    /// and the log up to its LSN may be [purged](Self::purge). If nothing was applied since the
    /// newest one, that is it.
    ///
    /// # Errors
    /// When one is being made, nothing was ever applied, the disk fails, or consensus has stopped.
    pub async fn take_snapshot(&self) -> Result<Lsn, SnapshotError> {
        let created_us = (self.stamp)().time_us;
        let before = self.snapshots.newest().map(|newest| newest.manifest().last);
        let built = blocking(&self.snapshots, move |snapshots| snapshots.build(created_us)).await?;
        let last = built.manifest().last;
        if before != Some(last) {
            self.snapshots_made.fetch_add(1, Ordering::Relaxed);
        }
        // openraft finds it there, and purges nothing that is in no snapshot.
        let mut looks = interval(NOTE_PAUSE);
        let noted = async {
            loop {
                let metrics = self.raft.metrics().borrow_watched().clone();
                if metrics.snapshot >= Some(last) {
                    return Ok(());
                }
                let asked = self.raft.trigger().snapshot().await;
                asked.map_err(|error| SnapshotError::Refused(error.to_string()))?;
                looks.tick().await;
            }
        };
        match timeout(NOTE_TIMEOUT, noted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            // Applying takes its time; the next snapshot is noted again.
            Err(_elapsed) => tracing::warn!(lsn = last.index, "a snapshot was not noted in time"),
        }
        Ok(Lsn(last.index))
    }

    /// Purges the log up to an LSN, but nothing that the newest snapshot does not hold. A leader
    /// does it when it is not just sending what is to be purged, so a peer that answers nothing
    /// delays it by as long as an append may go unanswered, and no more.
    ///
    /// # Errors
    /// When consensus has stopped.
    pub async fn purge(&self, upto: Lsn) -> Result<(), SnapshotError> {
        let asked = self.raft.trigger().purge_log(upto.0).await;
        asked.map_err(|error| SnapshotError::Refused(error.to_string()))
    }
}
