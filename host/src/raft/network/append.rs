//! The append stream to one peer: pipelined, bounded in bytes, never silent for long.
//!
//! openraft opens one such stream per peer and keeps it while it leads; replies come in the order
//! of requests. openraft puts no limit on it, and a stream that hangs would keep the leader from
//! ever purging its log, so the limits are here: how many bytes may be unanswered, and for how
//! long. gRPC's keepalive finds a dead connection; these limits find a peer that does not answer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use openraft::errors::NetworkError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use parking_lot::Mutex;
use prost::Message;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::Streaming;

use super::{Error, Remote, failed, malformed};
use crate::proto::peer;
use crate::raft::wire;
use crate::types::TypeConfig;

/// Most bytes sent and not answered; then the stream reads no more entries until replies come. One
/// request may exceed it when none is unanswered.
const UNANSWERED_BYTES_MAX: usize = 8 << 20;
/// How long the peer may take to accept the stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a request may go unanswered. Long, because an answer waits for the peer's disk; after
/// it the stream is opened anew.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests sent and not answered: size and time of sending.
#[derive(Default)]
struct Unanswered {
    requests: VecDeque<(usize, Instant)>,
    bytes: usize,
    sender: Option<Waker>,
}

type Reply = Result<StreamAppendResult<TypeConfig>, Error>;

/// Opens the stream. Its replies end when the requests do, or after the first error.
pub(super) async fn open<S>(
    remote: &Remote,
    requests: S,
) -> Result<impl Stream<Item = Reply> + Send + use<S>, Error>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + Unpin + 'static,
{
    let unanswered = Arc::new(Mutex::new(Unanswered::default()));
    let requests = Requests { requests, unanswered: unanswered.clone() };
    let mut client = remote.bulk();
    let replies = timeout(OPEN_TIMEOUT, client.append(remote.request(requests)))
        .await
        .map_err(|_| failed(&tonic::Status::unavailable("the append stream did not open")))?
        .map_err(|status| failed(&status))?
        .into_inner();
    let replies = stream::unfold(Some((replies, unanswered)), |state| async move {
        let (mut replies, unanswered) = state?;
        let reply = next(&mut replies, &unanswered).await?;
        let rest = matches!(reply, Ok(Ok(_))).then_some((replies, unanswered));
        Some((reply, rest))
    });
    Ok(replies)
}

async fn next(
    replies: &mut Streaming<peer::AppendReply>,
    unanswered: &Mutex<Unanswered>,
) -> Option<Result<StreamAppendResult<TypeConfig>, Error>> {
    // The oldest request's time is looked at when the timer ends, so waiting costs no locking.
    let mut limit = Instant::now() + ANSWER_TIMEOUT;
    let reply = loop {
        match timeout_at(limit, replies.message()).await {
            Ok(reply) => break reply,
            Err(_elapsed) => {
                let oldest = unanswered.lock().requests.front().map(|(_, sent)| *sent);
                limit = oldest.unwrap_or_else(Instant::now) + ANSWER_TIMEOUT;
                if limit <= Instant::now() {
                    let reason = "the peer left an append unanswered";
                    return Some(Err(Error::Network(NetworkError::from_string(reason))));
                }
            }
        }
    };
    match reply {
        Ok(None) => None,
        Ok(Some(reply)) => {
            let mut unanswered = unanswered.lock();
            if let Some((bytes, _)) = unanswered.requests.pop_front() {
                unanswered.bytes -= bytes;
            }
            if let Some(sender) = unanswered.sender.take() {
                sender.wake();
            }
            Some(wire::appended_in(reply).map_err(malformed))
        }
        Err(status) => Some(Err(Error::Network(NetworkError::from_string(status)))),
    }
}

/// Turns openraft's requests into messages, as long as not too much is unanswered.
struct Requests<S> {
    requests: S,
    unanswered: Arc<Mutex<Unanswered>>,
}

impl<S> Stream for Requests<S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    type Item = peer::AppendRequest;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        {
            let mut unanswered = this.unanswered.lock();
            if unanswered.bytes >= UNANSWERED_BYTES_MAX {
                unanswered.sender = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        let request = match this.requests.poll_next_unpin(context) {
            Poll::Ready(Some(request)) => wire::append_out(&request),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let bytes = request.encoded_len();
        let mut unanswered = this.unanswered.lock();
        unanswered.requests.push_back((bytes, Instant::now()));
        unanswered.bytes += bytes;
        Poll::Ready(Some(request))
    }
}
