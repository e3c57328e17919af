//! Refuses writes while the disk is nearly full, and takes them again by itself.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::raft::Proposer;
use crate::storage::{Level, Space, Watermarks};

/// Between two looks at the disk.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Looks after the disk that `path` is on until told to stop. `low_bytes` is the free space below
/// which writes are refused.
pub async fn watch(path: &Path, low_bytes: u64, proposer: Proposer, stop: CancellationToken) {
    let space = Space::new(path, Watermarks { low_bytes, ..Watermarks::default() });
    let mut was_full = false;
    while !stop.is_cancelled() {
        match space.check() {
            Ok(room) => {
                let is_full = room.level >= Level::Low;
                if is_full != was_full {
                    tracing::warn!(
                        "{} bytes are free: writes are {}",
                        room.free_bytes,
                        if is_full { "refused" } else { "taken again" }
                    );
                }
                proposer.set_full(is_full);
                was_full = is_full;
            }
            Err(error) => tracing::warn!("{error}"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}
