//! Commands from a frontend that does not lead to the one that does.
//!
//! One stream per follower and leader. A request carries a group of commands, packed as for an
//! entry; the leader queues it beside its own commands and replies when all of it has an outcome.
//! If the stream breaks, what was sent and not answered has an unknown outcome; its proposers try
//! again with the same request ids.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use quorate_wire::{DecodeError, Reader, Writer};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::leadership::Leadership;
use super::network::Remote;
use super::proposer::{Answer, Kind, Pack, Queue};
use crate::proto::peer::{Fate, ForwardReply, ForwardRequest};
use crate::types::{Command, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, Lsn, Outcome, Rejection};

/// Most groups of one follower under way; it packs more commands into the next one meanwhile.
pub(super) const GROUPS_MAX: usize = 1;
/// How long the leader may take to accept the stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// A follower's stream to the leader.
pub(super) struct Link {
    requests: mpsc::Sender<ForwardRequest>,
    replies: Streaming<ForwardReply>,
    pending: BTreeMap<u64, Pack>,
    groups: u64,
}

impl Link {
    /// Opens the stream. Nothing is sent on it before it is accepted.
    pub async fn open(leader: &Remote) -> Result<Self, Status> {
        let (requests, queue) = mpsc::channel(GROUPS_MAX);
        let mut client = leader.bulk();
        let call = client.forward(leader.request(ReceiverStream::new(queue)));
        let replies = timeout(OPEN_TIMEOUT, call)
            .await
            .map_err(|_| Status::unavailable("the leader did not accept the stream"))??
            .into_inner();
        Ok(Self { requests, replies, pending: BTreeMap::new(), groups: 0 })
    }

    /// How many groups are under way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Sends a group. False: the stream is broken, and the group was not sent.
    pub async fn submit(&mut self, mut pack: Pack) -> bool {
        let Ok(slot) = self.requests.reserve().await else {
            pack.not_appended();
            return false;
        };
        self.groups += 1;
        let (commands, fresh) = (mem::take(&mut pack.commands), pack.fresh);
        self.pending.insert(self.groups, pack);
        slot.send(ForwardRequest { group: self.groups, commands, fresh });
        true
    }

    /// Waits for a reply and hands it out. False: the stream is broken. Cancel safe.
    pub async fn settle(&mut self) -> bool {
        let reply = match self.replies.message().await {
            Ok(Some(reply)) => reply,
            Ok(None) => return false,
            Err(status) => {
                tracing::debug!(%status, "the stream to the leader broke");
                return false;
            }
        };
        let Some(pack) = self.pending.remove(&reply.group) else { return false };
        match reply.fate() {
            Fate::Unknown => drop(pack),
            Fate::NotAppended => pack.not_appended(),
            Fate::NoSpace => pack.no_space(),
            Fate::Unconfirmed => pack.unconfirmed(),
            Fate::Answered => match unpack(&reply.outcomes) {
                Ok(outcomes) => pack.answer(&outcomes.into()),
                Err(error) => {
                    tracing::error!(%error, "the leader's outcomes are malformed");
                    return false;
                }
            },
        }
        true
    }
}

fn pack(outcomes: &[(Lsn, Outcome)]) -> Bytes {
    let mut out = Writer::new();
    out.count(outcomes.len());
    for (lsn, outcome) in outcomes {
        lsn.encode(&mut out);
        outcome.encode(&mut out);
    }
    out.finish().into()
}

fn unpack(packed: &[u8]) -> Result<Vec<(Lsn, Outcome)>, DecodeError> {
    let mut input = Reader::new(packed);
    let outcomes = (0..input.count()?)
        .map(|_| Ok((Lsn::decode(&mut input)?, Outcome::decode(&mut input)?)))
        .collect::<Result<_, DecodeError>>()?;
    input.finish()?;
    Ok(outcomes)
}

/// The leader's side of a stream: queues every group in the order of arrival, and replies to each
/// when it is done.
pub(super) fn serve(
    requests: Streaming<ForwardRequest>,
    queue: Arc<Queue>,
    leadership: watch::Receiver<Leadership>,
    confirmed: Option<Confirmed>,
) -> impl Stream<Item = Result<ForwardReply, Status>> + Send {
    requests
        .map(move |request| {
            let queued = request.and_then(|request| accept(request, &queue, &leadership));
            let confirmed = confirmed.clone();
            async move {
                let (group, commands, answer) = queued?;
                let (fate, outcomes) = match answer.await {
                    Ok(Answer::Outcomes { all, first }) => {
                        let outcomes = &all[first..first + commands];
                        // What has to be planned again tells nothing of the state.
                        let told = outcomes.iter().filter(|(_, outcome)| {
                            *outcome != Outcome::Rejected(Rejection::ModuleChanged)
                        });
                        let newest = told.map(|(lsn, _)| *lsn).max();
                        let is_confirmed = match confirmed.zip(newest) {
                            Some((confirmed, newest)) => confirmed(newest).await,
                            None => true,
                        };
                        match is_confirmed {
                            true => (Fate::Answered, pack(outcomes)),
                            false => (Fate::Unconfirmed, Bytes::new()),
                        }
                    }
                    Ok(Answer::NotAppended) => (Fate::NotAppended, Bytes::new()),
                    Ok(Answer::NoSpace) => (Fate::NoSpace, Bytes::new()),
                    Ok(Answer::Unconfirmed) => (Fate::Unconfirmed, Bytes::new()),
                    Err(_unanswered) => (Fate::Unknown, Bytes::new()),
                };
                Ok(ForwardReply { group, fate: fate.into(), outcomes })
            }
        })
        .buffer_unordered(GROUPS_MAX)
}

/// Waits until what came of an entry can be answered for; whether it can.
pub type Confirmed = Arc<dyn Fn(Lsn) -> BoxFuture<'static, bool> + Send + Sync>;

type Accepted = (u64, usize, oneshot::Receiver<Answer>);

fn accept(
    request: ForwardRequest,
    queue: &Queue,
    leadership: &watch::Receiver<Leadership>,
) -> Result<Accepted, Status> {
    let commands = request.commands.len();
    let bytes: usize = request.commands.iter().map(Bytes::len).sum();
    if commands == 0 || commands > ENTRY_COMMANDS_MAX || bytes > ENTRY_BYTES_MAX {
        return Err(Status::invalid_argument(format!(
            "a group of {commands} commands, {bytes} bytes"
        )));
    }
    let mut refused = (!leadership.borrow().is_leader).then_some(Answer::NotAppended);
    let mut kind: Option<Kind> = None;
    for command in &request.commands {
        let own = match Command::unpack(command) {
            Ok(Command { action, .. }) => {
                // The host's own commands come again without those of the module.
                if action.module().is_some() && queue.is_full() {
                    refused.get_or_insert(Answer::NoSpace);
                }
                Kind::of(&action, request.fresh)
            }
            Err(DecodeError::Version(_)) => {
                let message = "a command of a newer version than the leader's";
                return Err(Status::failed_precondition(message));
            }
            // It is logged, and then rejected as malformed.
            Err(_) => Kind::default(),
        };
        kind = Some(kind.map_or(own, |kind| kind.and(own)));
    }
    let answer = match refused {
        None => queue.push_forwarded(request.commands, kind.unwrap_or_default()),
        Some(refusal) => {
            let (reply, answer) = oneshot::channel();
            let _ = reply.send(refusal);
            answer
        }
    };
    Ok((request.group, commands, answer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::Rejection;

    #[test]
    fn cut_outcomes_are_refused_and_whole_ones_come_back() {
        let outcomes = [
            (Lsn(3), Outcome::Applied(Bytes::from_static(b"reply"))),
            (Lsn(2), Outcome::Rejected(Rejection::Stale)),
        ];
        let packed = pack(&outcomes);
        for length in 0..packed.len() {
            assert!(unpack(&packed[..length]).is_err());
        }
        assert_eq!(unpack(&packed).unwrap(), outcomes);
    }
}
