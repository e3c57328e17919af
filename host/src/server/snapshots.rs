//! Takes snapshots and purges the log, by bytes, entries and time.
//!
//! Each frontend does it for itself. Nothing that another one lacks holds it up: whoever needs what
//! is gone gets a snapshot. Building runs beside applying, one at a time. A snapshot that could not
//! be made is tried again later, and the log grows meanwhile. On a disk that is nearly full,
//! snapshots come sooner, and less of the log is kept behind them.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::config::SnapshotConfig;
use crate::storage::Log;
use crate::types::Lsn;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// After a snapshot could not be made.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);
/// Purging a few entries is not worth an fsync: so many at least, or a tenth of what is kept.
const PURGE_ENTRIES_MIN: u64 = 1000;
/// Between two snapshots when the disk is nearly full, and the entries that are kept then.
const LOW_INTERVAL: Duration = Duration::from_secs(10);
const LOW_KEEP_ENTRIES: u64 = 1000;

/// Looks after the snapshots of one frontend.
pub(super) struct Keeper {
    pub cluster: Cluster,
    pub log: Log,
}

impl Keeper {
    /// Runs until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut last_taken = Instant::now();
        while !stop.is_cancelled() {
            let mut pause = LOOK_INTERVAL;
            if self.is_due(last_taken.elapsed()) {
                match self.cluster.node().take_snapshot().await {
                    Ok(lsn) => {
                        tracing::info!(%lsn, "took a snapshot");
                        last_taken = Instant::now();
                    }
                    Err(error) => {
                        tracing::error!("take a snapshot: {error}");
                        pause = FAILURE_PAUSE;
                    }
                }
            }
            if let Some(upto) = self.dispensable() {
                tracing::info!(%upto, "purging the log");
                if let Err(error) = self.cluster.node().purge(upto).await {
                    tracing::warn!("purge the log: {error}");
                }
                self.forget_changes(upto).await;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn rules(&self) -> SnapshotConfig {
        self.cluster.config().get().snapshots
    }

    /// What subscribers are given goes with the log that it follows from.
    async fn forget_changes(&self, upto: Lsn) {
        let machine = self.cluster.machine().clone();
        let forgotten = tokio::task::spawn_blocking(move || machine.forget_changes(upto)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!("remove old changes: {error}");
        }
    }

    fn is_due(&self, since_last: Duration) -> bool {
        let machine = self.cluster.machine();
        let applied = machine.lsn();
        // What a majority may yet find to be wrong is not kept, and given to others.
        if machine.usable().is_err() || !machine.is_confirmed(applied) {
            return false;
        }
        let rules = self.rules();
        let newest = self.cluster.node().status().snapshot_lsn.unwrap_or_default();
        let entries = applied.0.saturating_sub(newest.0);
        entries > 0
            && ((self.is_low() && since_last >= LOW_INTERVAL)
                || entries >= rules.log_entries
                || self.log.bytes_after(newest) >= rules.log_bytes
                || since_last >= rules.interval)
    }

    /// Whether the disk is nearly full.
    fn is_low(&self) -> bool {
        self.cluster.node().proposer().is_full()
    }

    /// Up to where the log may go, if that is worth it.
    fn dispensable(&self) -> Option<Lsn> {
        let rules = self.rules();
        let status = self.cluster.node().status();
        let (newest, applied) = (status.snapshot_lsn?.0, self.cluster.machine().lsn().0);
        let purged = status.purged_lsn.unwrap_or_default().0;
        let keep_entries =
            if self.is_low() { LOW_KEEP_ENTRIES } else { u64::MAX }.min(rules.keep_entries);
        let by_entries = applied.saturating_sub(keep_entries);
        let by_bytes = self.log.start_of_tail(rules.keep_bytes).0.saturating_sub(1);
        let upto = by_entries.max(by_bytes).min(newest);
        let batch = PURGE_ENTRIES_MIN.min(keep_entries / 10 + 1);
        let is_over = by_bytes > purged;
        (upto > purged && (is_over || upto - purged >= batch)).then_some(Lsn(upto))
    }
}
