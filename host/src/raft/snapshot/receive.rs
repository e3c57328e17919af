//! The receiver's side of a transfer.
//!
//! What arrives is checked before openraft sees it: an installation that contradicts what is
//! committed here would stop this frontend. A transfer that begins ends the one before it: its
//! sender has given up, though this end may not have noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{IDLE_TIMEOUT, blocking, described};
use crate::proto::peer::snapshot_part::Part;
use crate::proto::peer::snapshot_reply::Reply;
use crate::proto::peer::{SnapshotChunk, SnapshotHeld, SnapshotPart, SnapshotReply};
use crate::raft::{Raft, wire};
use crate::storage::SnapshotError;
use crate::storage::snapshots::{Incoming, Manifest, Snapshots};
use crate::types::{ClusterId, Generation, Vote};

/// How long the transfer before may take to end.
const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks whether it has.
const TAKEOVER_PAUSE: Duration = Duration::from_millis(10);
/// A transfer has two replies: what is held, and the vote.
const REPLIES_QUEUED_MAX: usize = 2;

/// Receives snapshots, one at a time.
#[derive(Clone)]
pub(in crate::raft) struct Receiver {
    shared: Arc<Shared>,
}

struct Shared {
    raft: Raft,
    snapshots: Arc<dyn Snapshots>,
    identity: (ClusterId, Generation),
    /// Ends the transfer that runs.
    current: Mutex<CancellationToken>,
    /// Bytes of chunks that arrived since start.
    bytes: AtomicU64,
    /// Bytes held and of all, of the transfer that runs.
    progress: Mutex<Option<(u64, u64)>>,
}

type Parts = Streaming<SnapshotPart>;
type Replies = ReceiverStream<Result<SnapshotReply, Status>>;

impl Receiver {
    pub fn new(
        raft: Raft,
        snapshots: Arc<dyn Snapshots>,
        identity: (ClusterId, Generation),
    ) -> Self {
        let (current, bytes) = (Mutex::default(), AtomicU64::new(0));
        let progress = Mutex::default();
        Self { shared: Arc::new(Shared { raft, snapshots, identity, current, bytes, progress }) }
    }

    /// How many bytes arrived since start.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Of the snapshot that is arriving: the bytes that are held, and those of all of it.
    pub fn progress(&self) -> Option<(u64, u64)> {
        *self.shared.progress.lock()
    }

    /// Serves a transfer.
    pub fn serve(&self, parts: Parts) -> Replies {
        let (replies, queue) = mpsc::channel(REPLIES_QUEUED_MAX);
        let shared = Arc::clone(&self.shared);
        let token = CancellationToken::new();
        std::mem::replace(&mut *shared.current.lock(), token.clone()).cancel();
        tokio::spawn(async move {
            let received = tokio::select! {
                () = token.cancelled() => Err(Status::aborted("another transfer took over")),
                received = shared.receive(parts, &replies) => received,
            };
            let reply = received
                .map(|vote| SnapshotReply { reply: Some(Reply::Vote(wire::vote_out(&vote))) });
            if let Err(status) = &reply {
                tracing::warn!(%status, "a snapshot was not received");
            }
            // A sender that is gone learns the vote from the next message.
            let _ = replies.send(reply).await;
        });
        ReceiverStream::new(queue)
    }
}

/// A transfer has ended, however.
struct Done<'a>(&'a Mutex<Option<(u64, u64)>>);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

impl Shared {
    async fn receive(
        &self,
        mut parts: Parts,
        replies: &mpsc::Sender<Result<SnapshotReply, Status>>,
    ) -> Result<Vote, Status> {
        let Some(Part::Header(header)) = next(&mut parts).await? else {
            return Err(Status::invalid_argument("a transfer begins with its header"));
        };
        let malformed = |error: &dyn ToString| {
            Status::invalid_argument(format!("the header is malformed: {}", error.to_string()))
        };
        let vote = wire::vote_in(header.vote).map_err(|error| malformed(&error))?;
        let manifest = Manifest::unpack(&header.manifest).map_err(|error| malformed(&error))?;
        if let Some(answer) = self.answer(&vote, &manifest)? {
            return Ok(answer);
        }
        tracing::info!(snapshot = manifest.name(), bytes = manifest.size(), "receiving a snapshot");
        let mut incoming = self.begin(manifest.clone()).await?;
        let held = incoming.held().iter().sum();
        *self.progress.lock() = Some((held, manifest.size()));
        let _done = Done(&self.progress);
        let held = SnapshotHeld { bytes: incoming.held().to_vec() };
        let reply = SnapshotReply { reply: Some(Reply::Held(held)) };
        let gone = |_| Status::cancelled("the sender is gone");
        replies.send(Ok(reply)).await.map_err(gone)?;
        while let Some(part) = next(&mut parts).await? {
            let Part::Chunk(SnapshotChunk { file, offset, bytes }) = part else {
                return Err(Status::invalid_argument("a transfer has one header"));
            };
            let known = self.vote();
            if known > vote {
                return Ok(known);
            }
            let length = bytes.len() as u64;
            self.bytes.fetch_add(length, Ordering::Relaxed);
            incoming = self.write(incoming, file, offset, bytes).await?;
            if let Some((held, _)) = &mut *self.progress.lock() {
                *held += length;
            }
        }
        let received = blocking(&self.snapshots, |_| incoming.finish()).await.map_err(refused)?;
        if let Some(answer) = self.answer(&vote, &manifest)? {
            return Ok(answer);
        }
        let installed = self.raft.install_full_snapshot(vote, described(received)).await;
        let installed = installed.map_err(|error| Status::unavailable(error.to_string()))?;
        tracing::info!(snapshot = manifest.name(), "installed a snapshot");
        Ok(installed.vote)
    }

    fn vote(&self) -> Vote {
        self.raft.metrics().borrow_watched().vote
    }

    /// What to say at once: the vote here, if it is higher or the snapshot brings nothing new.
    ///
    /// # Errors
    /// When no leader of this cluster can have sent this.
    fn answer(&self, vote: &Vote, manifest: &Manifest) -> Result<Option<Vote>, Status> {
        if manifest.cluster.is_some_and(|cluster| cluster != self.identity) {
            return Err(Status::failed_precondition("the snapshot is of another cluster"));
        }
        if !vote.committed || manifest.last.leader_id > vote.leader_id {
            return Err(Status::failed_precondition(
                "the snapshot is newer than its sender's term",
            ));
        }
        let known = self.vote();
        if known > *vote {
            return Ok(Some(known));
        }
        let committed = self.raft.metrics().borrow_watched().local_committed;
        match committed {
            Some(committed) if committed >= manifest.last => Ok(Some(*vote)),
            Some(committed) if committed.index >= manifest.last.index => {
                Err(Status::failed_precondition(format!(
                    "the snapshot ends with {}, but {committed} is committed here",
                    manifest.last
                )))
            }
            _ => Ok(None),
        }
    }

    async fn begin(&self, manifest: Manifest) -> Result<Box<dyn Incoming>, Status> {
        let limit = Instant::now() + TAKEOVER_TIMEOUT;
        loop {
            let manifest = manifest.clone();
            match blocking(&self.snapshots, move |snapshots| snapshots.receive(manifest)).await {
                Err(SnapshotError::Busy(_)) if Instant::now() < limit => {
                    sleep(TAKEOVER_PAUSE).await
                }
                begun => return begun.map_err(refused),
            }
        }
    }

    async fn write(
        &self,
        mut incoming: Box<dyn Incoming>,
        file: u32,
        offset: u64,
        bytes: bytes::Bytes,
    ) -> Result<Box<dyn Incoming>, Status> {
        let file = usize::try_from(file).unwrap_or(usize::MAX);
        let write = move |_: &dyn Snapshots| {
            incoming.write(file, offset, &bytes)?;
            Ok(incoming)
        };
        blocking(&self.snapshots, write).await.map_err(refused)
    }
}

/// The next part; `None` at the end of the stream.
async fn next(parts: &mut Parts) -> Result<Option<Part>, Status> {
    match timeout(IDLE_TIMEOUT, parts.message()).await {
        Ok(Ok(None)) => Ok(None),
        Ok(Ok(Some(SnapshotPart { part: Some(part) }))) => Ok(Some(part)),
        Ok(Ok(Some(_))) => Err(Status::invalid_argument("a part of a transfer is empty")),
        Ok(Err(status)) => Err(status),
        Err(_elapsed) => Err(Status::deadline_exceeded("the transfer stands still")),
    }
}

fn refused(error: SnapshotError) -> Status {
    Status::failed_precondition(error.to_string())
}
