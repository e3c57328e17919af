//! A leader that had better not lead hands over to a voter that can.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::storage::Log;

/// A log that is busy with one group for so long hangs: its fsync takes a thousandth of it.
const HANG_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at the log, and between two attempts to hand over.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Hands leadership, if this frontend has it, to the voter that has most of the log among those
/// that are alive, apply, and have room on their disks. Tells whether it tried.
pub async fn hand_over(cluster: &Cluster, why: &str) -> bool {
    let known = cluster.node().watch().borrow().clone();
    let own = cluster.identity().node;
    if !known.is_leader || known.voters.len() < 2 {
        return false;
    }
    let attempt = async {
        let asked = cluster.ask_all().await;
        let able = asked.into_iter().filter_map(|asked| {
            let status = asked.status.ok()?;
            let able = asked.node != own
                && known.voters.contains(&asked.node)
                && !status.low_on_disk
                && status.stalled.is_empty();
            able.then_some((status.last_lsn, asked.node))
        });
        let Some((_, to)) = able.max() else { return };
        tracing::warn!(%to, "handing over: {why}");
        if let Err(error) = cluster.node().transfer_leader(to).await {
            tracing::warn!("{error}");
        }
    };
    if timeout(ATTEMPT_TIMEOUT, attempt).await.is_err() {
        tracing::warn!("handing over took longer than {ATTEMPT_TIMEOUT:?}");
    }
    true
}

/// Has a leader hand over while its log hangs: it could not answer its clients, and its heartbeats
/// keep others from taking over. Runs until told to stop.
pub async fn watch_log(log: Log, cluster: Cluster, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if log.writing_since().is_some_and(|since| since.elapsed() >= HANG_LIMIT) {
            tracing::error!("the log's disk has not answered for {HANG_LIMIT:?}");
            hand_over(&cluster, "the disk does not answer").await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}
