//! A backup archive as a stream of its bytes.
//!
//! Reading happens on the pool for blocking work, one part at a time, and not further ahead of the
//! client than a few parts. A client that takes nothing for too long is left.

use std::time::Duration;

use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::status;
use crate::cluster::Cluster;
use crate::proto::client::SaveSnapshotResponse;
use crate::rescue::RescueError;
use crate::rescue::archive::{Backups, Saving};

/// Parts that wait for the client; more are not read yet.
const PARTS_MAX: usize = 4;
/// A client that takes no part for this long is left.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a leader may take to confirm that nothing acknowledged is missing.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);

/// The parts of an archive.
pub type Parts = ReceiverStream<Result<SaveSnapshotResponse, Status>>;

/// Begins an archive of what is applied now; takes a snapshot if there was never one.
pub async fn begin(cluster: &Cluster, backups: &Backups, stale: bool) -> Result<Parts, Status> {
    cluster.machine().usable().map_err(|failure| status(&failure))?;
    if !stale {
        let deadline = Instant::now() + CONFIRM_TIMEOUT;
        let confirmed = cluster.node().read_index().get(deadline).await;
        let lsn = confirmed.map_err(|error| {
            let failure = error.failure();
            Status::unavailable(format!(
                "{}; or save what this frontend has, with --stale",
                failure.message
            ))
        })?;
        cluster.wait_applied(lsn, deadline).await.map_err(|failure| status(&failure))?;
    }
    if !backups.can_begin() {
        let taken = cluster.node().take_snapshot().await;
        taken.map_err(|error| Status::failed_precondition(error.to_string()))?;
    }
    let backups = backups.clone();
    let saving = blocking(move || backups.begin()).await?;
    let (parts, stream) = channel(PARTS_MAX);
    tokio::spawn(send(saving, parts));
    Ok(ReceiverStream::new(stream))
}

async fn send(mut saving: Saving, parts: Sender<Result<SaveSnapshotResponse, Status>>) {
    loop {
        let read = blocking(move || {
            let part = saving.next_part()?;
            Ok((saving, part))
        });
        let part = match read.await {
            Ok((rest, Some(part))) => {
                saving = rest;
                Ok(SaveSnapshotResponse {
                    part,
                    size_estimate: saving.size_estimate(),
                    snapshot_lsn: saving.manifest().snapshot.last.index,
                    last_lsn: saving.manifest().last.index,
                })
            }
            Ok((_, None)) => return,
            Err(status) => {
                // The client is gone or is told.
                let _ = parts.send(Err(status)).await;
                return;
            }
        };
        if !matches!(timeout(IDLE_TIMEOUT, parts.send(part)).await, Ok(Ok(()))) {
            tracing::warn!("a client that saves a snapshot has gone or takes nothing; it is left");
            return;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RescueError> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Status::failed_precondition(error.to_string())),
        Err(_) => Err(Status::unavailable("this frontend is shutting down")),
    }
}
