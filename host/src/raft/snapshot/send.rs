//! The sender's side of a transfer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openraft::errors::{NetworkError, ReplicationClosed, StreamingError, Unreachable};
use openraft::raft::SnapshotResponse;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{Handle, IDLE_TIMEOUT, RATE_MIN, TRANSFERS_MAX, blocking};
use crate::proto::peer::snapshot_part::Part;
use crate::proto::peer::snapshot_reply::Reply;
use crate::proto::peer::{SnapshotChunk, SnapshotHeader, SnapshotPart, SnapshotReply};
use crate::raft::network::Remote;
use crate::raft::wire;
use crate::storage::snapshots::Snapshots;
use crate::types::{TypeConfig, Vote};

/// Parts that are read and not sent yet.
const PARTS_QUEUED_MAX: usize = 2;

type Error = StreamingError<TypeConfig>;
type Response = SnapshotResponse<TypeConfig>;

/// What all transfers of a frontend share.
#[derive(Clone)]
pub(in crate::raft) struct Transfer {
    pub snapshots: Arc<dyn Snapshots>,
    turns: Arc<Semaphore>,
    bytes_per_second: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

impl Transfer {
    /// `bytes_per_second` holds for each transfer; less than [`RATE_MIN`] counts as that.
    pub fn new(snapshots: Arc<dyn Snapshots>, bytes_per_second: u64) -> Self {
        let turns = Arc::new(Semaphore::new(TRANSFERS_MAX));
        let rate = Arc::new(AtomicU64::new(bytes_per_second));
        Self { snapshots, turns, bytes_per_second: rate, sent: Arc::default() }
    }

    /// Changes the rate, also of the transfers that run.
    pub fn set_rate(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second, Ordering::Relaxed);
    }

    /// How many snapshots were sent to their end.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn rate(&self) -> u64 {
        self.bytes_per_second.load(Ordering::Relaxed).max(RATE_MIN)
    }
}

/// Sends a snapshot and returns the receiver's vote once it is installed there, or refused because
/// of a higher vote.
pub(in crate::raft) async fn send(
    remote: Arc<Remote>,
    transfer: Transfer,
    vote: Vote,
    snapshot: Handle,
    cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
) -> Result<Response, Error> {
    let Ok(_turn) = Arc::clone(&transfer.turns).try_acquire_owned() else {
        let reason = format!("{TRANSFERS_MAX} snapshots are being sent already");
        return Err(Error::Unreachable(Unreachable::from_string(reason)));
    };
    tokio::select! {
        closed = cancel => Err(Error::Closed(closed)),
        sent = run(&remote, &transfer, vote, snapshot) => sent,
    }
}

async fn run(
    remote: &Remote,
    transfer: &Transfer,
    vote: Vote,
    snapshot: Handle,
) -> Result<Response, Error> {
    let (parts, queue) = mpsc::channel(PARTS_QUEUED_MAX);
    let header =
        SnapshotHeader { vote: Some(wire::vote_out(&vote)), manifest: snapshot.manifest().pack() };
    // The channel is empty, so this does not wait.
    parts.send(SnapshotPart { part: Some(Part::Header(header)) }).await.map_err(broken)?;
    let mut client = remote.snapshots();
    let call = client.install_snapshot(remote.request(ReceiverStream::new(queue)));
    let mut replies = within(IDLE_TIMEOUT, call).await?.into_inner();
    let mut held = match next(&mut replies).await? {
        Reply::Held(held) => held.bytes,
        Reply::Vote(vote) => return voted(vote),
    };
    held.resize(snapshot.manifest().files.len(), 0);
    let mut pace = Pace { due: Instant::now() };
    for (number, file) in snapshot.manifest().files.iter().enumerate() {
        let mut offset = held[number];
        while offset < file.size {
            let (source, from) = (Arc::clone(&snapshot), offset);
            let chunk = blocking(&transfer.snapshots, move |_| source.read(number, from)).await;
            // Nothing is wrong with the state, and another snapshot can be made.
            let chunk = chunk.map_err(|error| {
                tracing::error!("send a snapshot: {error}");
                Error::Unreachable(Unreachable::new(&error))
            })?;
            let length = chunk.len() as u64;
            let file = u32::try_from(number).expect("a manifest's files are few");
            let chunk = SnapshotChunk { file, offset, bytes: chunk };
            let part = SnapshotPart { part: Some(Part::Chunk(chunk)) };
            let accepted = timeout(IDLE_TIMEOUT, parts.send(part)).await;
            match accepted {
                Ok(Ok(())) => {}
                // The receiver ended the stream, and says why.
                Ok(Err(_)) => return ending(&mut replies).await,
                Err(_elapsed) => return Err(stuck()),
            }
            offset += length;
            sleep_until(pace.after(length, transfer.rate())).await;
        }
    }
    drop(parts);
    let ended = ending(&mut replies).await;
    if ended.is_ok() {
        transfer.sent.fetch_add(1, Ordering::Relaxed);
    }
    ended
}

/// How fast it goes.
struct Pace {
    due: Instant,
}

impl Pace {
    /// When to go on after so many more bytes.
    fn after(&mut self, bytes: u64, bytes_per_second: u64) -> Instant {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second);
        self.due += Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.due
    }
}

async fn ending(replies: &mut Streaming<SnapshotReply>) -> Result<Response, Error> {
    match next(replies).await? {
        Reply::Vote(vote) => voted(vote),
        Reply::Held(_) => {
            Err(Error::Network(NetworkError::from_string("the peer asked for a snapshot twice")))
        }
    }
}

fn voted(vote: crate::proto::peer::Vote) -> Result<Response, Error> {
    let vote = wire::vote_in(Some(vote)).map_err(|error| {
        let reason = format!("the peer's reply is malformed: {error}");
        Error::Unreachable(Unreachable::from_string(reason))
    })?;
    Ok(Response::new(vote))
}

async fn next(replies: &mut Streaming<SnapshotReply>) -> Result<Reply, Error> {
    let reply = within(IDLE_TIMEOUT, replies.message()).await?;
    reply.and_then(|reply| reply.reply).ok_or_else(|| {
        Error::Network(NetworkError::from_string("the peer ended the transfer without a word"))
    })
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Error> {
    match timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(failed(&status)),
        Err(_elapsed) => Err(stuck()),
    }
}

/// What the peer refuses may be accepted after a pause; what broke goes on at once.
fn failed(status: &Status) -> Error {
    tracing::warn!(%status, "sending a snapshot was interrupted");
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => {
            Error::Network(NetworkError::from_string(status))
        }
        _ => Error::Unreachable(Unreachable::from_string(status)),
    }
}

fn stuck() -> Error {
    let reason = format!("a snapshot's transfer stood still for {IDLE_TIMEOUT:?}");
    Error::Network(NetworkError::from_string(reason))
}

fn broken<T>(_: mpsc::error::SendError<T>) -> Error {
    Error::Network(NetworkError::from_string("the transfer ended before it began"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_not_faster_than_it_may_be() {
        let (since, ms) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace { due: since };
        for (bytes, milliseconds) in [(0, 0), (1, 1), (499, 500), (2000, 2500)] {
            assert_eq!(pace.after(bytes, 1000), since + ms(milliseconds));
        }
        assert_eq!(pace.after(1000, 500), since + ms(4500), "a change holds from then on");
        let mut slowest = Pace { due: since };
        assert_eq!(slowest.after(3, 1), since + Duration::from_secs(3));
    }
}
