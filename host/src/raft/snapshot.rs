//! Snapshots between frontends: a leader sends its newest one to a follower whose next entry is
//! purged from its log.
//!
//! ```text
//!  sender                              receiver
//!  vote, manifest ───────────────────> vote and manifest acceptable?
//!             <─────────────────────── what it holds of each file
//!  chunks of what is missing ────────> checked file by file, durable
//!  end of stream ────────────────────> complete: installed through openraft
//!             <─────────────────────── its vote
//! ```
//!
//! Limits: [`TRANSFERS_MAX`] sent at once, one received at once, [`RATE_MAX`] unless configured,
//! [`IDLE_TIMEOUT`] without progress. There is no limit on the whole: it takes as long as it has
//! to. A transfer that broke off costs only what was missing.

mod receive;
mod send;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use openraft::storage::SnapshotMeta;

pub(super) use receive::Receiver;
pub(super) use send::{Transfer, send};

use crate::storage::SnapshotError;
use crate::storage::snapshots::{Manifest, Snapshots, StoredSnapshot};
use crate::types::{LeaderId, NodeId, Peer};

/// Snapshots that a frontend sends at once; more wait, and ask again.
pub const TRANSFERS_MAX: usize = 2;
/// Bytes of snapshots per second and target, unless configured.
pub const RATE_MAX: u64 = 64 << 20;
/// Slower than this is not possible: a transfer whose chunks are far apart would count as standing
/// still.
pub const RATE_MIN: u64 = 64 << 10;
/// How long a transfer may stand still. Long, because the receiver's disk may have much to write,
/// and installing opens a whole database.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// openraft's snapshot: the description it knows and a handle that keeps the files.
pub(super) type Snapshot = openraft::Snapshot<LeaderId, NodeId, Peer, Handle>;
/// Keeps a snapshot's files as long as it lives.
pub(super) type Handle = Arc<dyn StoredSnapshot>;

/// What openraft knows of a snapshot.
pub(super) fn meta(manifest: &Manifest) -> SnapshotMeta<LeaderId, NodeId, Peer> {
    SnapshotMeta { last_log_id: Some(manifest.last), last_membership: manifest.membership.clone() }
}

/// A snapshot as openraft wants it.
pub(super) fn described(handle: Handle) -> Snapshot {
    Snapshot { meta: meta(handle.manifest()), snapshot: handle }
}

/// Calls what may wait for a disk: not on an async thread, if it does.
pub(super) async fn blocking<T: Send + 'static>(
    snapshots: &Arc<dyn Snapshots>,
    call: impl FnOnce(&dyn Snapshots) -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, SnapshotError> {
    if !snapshots.blocks() {
        return call(&**snapshots);
    }
    let snapshots = Arc::clone(snapshots);
    let called = tokio::task::spawn_blocking(move || call(&*snapshots)).await;
    called.unwrap_or_else(|error| {
        let (path, reason) = ("snapshots".to_owned(), io::Error::other(error).to_string());
        Err(SnapshotError::Failed { path, reason })
    })
}
