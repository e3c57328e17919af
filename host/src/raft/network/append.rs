//! The append stream to one peer: pipelined, bounded in bytes, never silent for long.
//!
//! openraft opens one such stream per peer and keeps it while it leads; replies come in the order
//! of requests. openraft puts no limit on it, and a stream that hangs would keep the leader from
//! ever purging its log, so the limits are here: how many bytes may be unanswered, and for how
//! long. gRPC's keepalive finds a dead connection; these limits find a peer that does not answer.
//!
//! openraft takes an answer for one to every request up to the log id that it names, and notes that
//! the peer was heard from when the last of them was sent. Requests without entries share their log
//! id with the one before, so an answer that comes late would vouch for a request that was sent
//! long after, and a leader that was deposed meanwhile could confirm a read by it. Therefore an
//! answer is kept back while a later request that it would also answer is under way: that one's own
//! answer comes right behind, and says the same.

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
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Streaming;

use super::granted::Granted;
use super::{Error, Remote, failed, malformed};
use crate::proto::peer;
use crate::raft::wire;
use crate::types::{LeaderId, LogId, TypeConfig};

/// Most bytes sent and not answered; then the stream reads no more entries until replies come. One
/// request may exceed it when none is unanswered.
const UNANSWERED_BYTES_MAX: usize = 8 << 20;
/// How long the peer may take to accept the stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a request may go unanswered. Long, because an answer waits for the peer's disk; after
/// it the stream is opened anew.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Before a peer that could not be called is called again.
const AWAY_PAUSE: Duration = Duration::from_millis(100);

/// Requests sent and not answered.
#[derive(Default)]
struct Unanswered {
    requests: VecDeque<Sent>,
    bytes: usize,
    sender: Option<Waker>,
    /// Who leads on this stream; none before the first request.
    leader: Option<LeaderId>,
}

struct Sent {
    bytes: usize,
    at: Instant,
    /// The last log id that an answer to it confirms.
    last: Option<LogId>,
}

impl Unanswered {
    /// The oldest request is answered.
    fn answered(&mut self) {
        if let Some(sent) = self.requests.pop_front() {
            self.bytes -= sent.bytes;
        }
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// Whether an answer would be taken for that to another request, which is under way.
    fn vouches_for_more(&self, matched: &Option<LogId>) -> bool {
        self.requests.front().is_some_and(|sent| sent.last <= *matched)
    }
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
    let opened = timeout(OPEN_TIMEOUT, client.append(remote.request(requests))).await;
    let opened = opened
        .map_err(|_| failed(&tonic::Status::unavailable("the append stream did not open")))
        .and_then(|opened| opened.map_err(|status| failed(&status)));
    if opened.is_err() {
        // openraft pauses before it asks for entries, and a call that cannot connect never comes to
        // that: without this it would be made again and again.
        sleep(AWAY_PAUSE).await;
    }
    let begin = Some((opened?.into_inner(), unanswered, remote.granted()));
    let replies = stream::unfold(begin, |state| async move {
        let (mut replies, unanswered, granted) = state?;
        let reply = next(&mut replies, &unanswered, &granted).await?;
        let rest = matches!(reply, Ok(Ok(_))).then_some((replies, unanswered, granted));
        Some((reply, rest))
    });
    Ok(replies)
}

async fn next(
    replies: &mut Streaming<peer::AppendReply>,
    unanswered: &Mutex<Unanswered>,
    granted: &Granted,
) -> Option<Result<StreamAppendResult<TypeConfig>, Error>> {
    loop {
        let reply = match reply_in_time(replies, unanswered).await {
            Ok(None) => return None,
            Ok(Some(reply)) => wire::appended_in(reply).map_err(malformed),
            Err(error) => return Some(Err(error)),
        };
        let mut unanswered = unanswered.lock();
        unanswered.answered();
        // What was there when it voted is there still, if the peer follows at all.
        let shared = unanswered.leader.and_then(|leader| granted.shared(leader));
        let reply = reply.map(|result| result.map(|matched| matched.max(shared)));
        match reply {
            Ok(Ok(matched)) if unanswered.vouches_for_more(&matched) => {}
            reply => return Some(reply),
        }
    }
}

async fn reply_in_time(
    replies: &mut Streaming<peer::AppendReply>,
    unanswered: &Mutex<Unanswered>,
) -> Result<Option<peer::AppendReply>, Error> {
    let broken =
        |reason: &dyn ToString| Error::Network(NetworkError::from_string(reason.to_string()));
    // The oldest request's time is looked at when the timer ends, so waiting costs no locking.
    let mut limit = Instant::now() + ANSWER_TIMEOUT;
    loop {
        match timeout_at(limit, replies.message()).await {
            Ok(reply) => return reply.map_err(|status| broken(&status)),
            Err(_elapsed) => {
                let oldest = unanswered.lock().requests.front().map(|sent| sent.at);
                limit = oldest.unwrap_or_else(Instant::now) + ANSWER_TIMEOUT;
                if limit <= Instant::now() {
                    return Err(broken(&"the peer left an append unanswered"));
                }
            }
        }
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
        let (request, last, leader) = match this.requests.poll_next_unpin(context) {
            Poll::Ready(Some(request)) => {
                let last = request.entries.last().map(|entry| entry.log_id);
                let last = last.or(request.prev_log_id);
                (wire::append_out(&request), last, request.vote.leader_id)
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let bytes = request.encoded_len();
        let mut unanswered = this.unanswered.lock();
        unanswered.requests.push_back(Sent { bytes, at: Instant::now(), last });
        unanswered.bytes += bytes;
        unanswered.leader = Some(leader);
        Poll::Ready(Some(request))
    }
}
