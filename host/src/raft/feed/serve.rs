//! The sender's side of a feed.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openraft::RaftLogReader;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::batches::{Batches, Portion};
use super::{
    COALESCE, Distance, FEEDS_MAX, HOPS_MAX, LAG_TIMEOUT, LEADER_FEEDS_MAX, OPEN_TIMEOUT,
    PULSE_INTERVAL, SILENCE_MAX,
};
use crate::proto::peer::feed_part::Part;
use crate::proto::peer::feed_request::Request as Asked;
use crate::proto::peer::{FeedBatch, FeedHello, FeedPart, FeedPulse, FeedRequest};
use crate::raft::network::Peers;
use crate::raft::node::Defect;
use crate::raft::snapshot::{self, Transfer};
use crate::raft::{Raft, wire};
use crate::types::{LogId, NodeId, TypeConfig, Vote};

/// Parts that are made and not sent yet.
const PARTS_QUEUED_MAX: usize = 2;
/// A batch of so many bytes is sent without waiting for more.
const FULL_BYTES: usize = 64 << 10;

/// Serves feeds.
#[derive(Clone)]
pub(in crate::raft) struct Feeds {
    shared: Arc<Shared>,
}

struct Shared {
    raft: Raft,
    peers: Arc<Peers>,
    transfer: Transfer,
    distance: Distance,
    batches: Batches,
    open: AtomicUsize,
    defect: Option<Defect>,
    /// The vote of the newest leader that was followed here.
    vote: Mutex<Option<Vote>>,
}

type Requests = Streaming<FeedRequest>;
type Parts = mpsc::Sender<Result<FeedPart, Status>>;

impl Feeds {
    pub fn new(
        raft: Raft,
        log: impl RaftLogReader<TypeConfig>,
        peers: Arc<Peers>,
        transfer: Transfer,
        distance: Distance,
    ) -> Self {
        let (batches, open, vote) = (Batches::new(log), AtomicUsize::new(0), Mutex::default());
        let defect = None;
        let shared = Shared { raft, peers, transfer, distance, batches, open, defect, vote };
        Self { shared: Arc::new(shared) }
    }

    /// The same, before it serves, with a defect put in on purpose.
    pub fn with(mut self, defect: Option<Defect>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.defect = defect;
        }
        self
    }

    /// How many there are.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Serves one, until either side ends it.
    pub fn serve(
        &self,
        subscriber: NodeId,
        requests: Requests,
    ) -> Result<ReceiverStream<Result<FeedPart, Status>>, Status> {
        let place = Place::take(&self.shared)?;
        let (parts, queue) = mpsc::channel(PARTS_QUEUED_MAX);
        tokio::spawn(async move {
            let feed = Feed {
                shared: &place.shared,
                subscriber,
                requests,
                parts: parts.clone(),
                pulses: pulses(),
                position: None,
                credit: 0,
                address: String::new(),
            };
            if let Err(status) = feed.run().await {
                tracing::debug!(%subscriber, %status, "a feed ends");
                // A subscriber that is gone needs no reason.
                let _ = parts.send(Err(status)).await;
            }
        });
        Ok(ReceiverStream::new(queue))
    }
}

fn pulses() -> Interval {
    let mut pulses = interval(PULSE_INTERVAL);
    pulses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pulses
}

impl Shared {
    /// The vote of the newest leader that was followed here: an entry vouches for its leader.
    fn followed(&self, held: Vote, applied: Option<LogId>) -> Option<Vote> {
        let held = Some(held).filter(|vote| vote.committed);
        let of_entry = applied.map(|id| Vote { leader_id: id.leader_id, committed: true });
        let mut followed = self.vote.lock();
        for vote in held.into_iter().chain(of_entry) {
            if followed.is_none_or(|known| known < vote) {
                *followed = Some(vote);
            }
        }
        *followed
    }
}

/// One of the places for subscribers, given back when it is dropped.
struct Place {
    shared: Arc<Shared>,
}

impl Place {
    fn take(shared: &Arc<Shared>) -> Result<Self, Status> {
        let leads = shared.raft.metrics().borrow_watched().state.is_leader();
        let most = if leads { LEADER_FEEDS_MAX } else { FEEDS_MAX };
        let place = Self { shared: Arc::clone(shared) };
        if shared.open.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Status::resource_exhausted(format!("{most} frontends are fed already")));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One subscriber.
struct Feed<'a> {
    shared: &'a Shared,
    subscriber: NodeId,
    requests: Requests,
    parts: Parts,
    pulses: Interval,
    /// The last entry that it has, or is about to get.
    position: Option<LogId>,
    /// Bytes of entries that it takes.
    credit: u64,
    /// Where snapshots go.
    address: String,
}

impl Feed<'_> {
    async fn run(mut self) -> Result<(), Status> {
        let hello = timeout(OPEN_TIMEOUT, self.requests.message())
            .await
            .map_err(|_| Status::deadline_exceeded("a feed begins with a hello"))??;
        let Some(FeedRequest { request: Some(Asked::Hello(hello)) }) = hello else {
            return Err(Status::invalid_argument("a feed begins with a hello"));
        };
        let FeedHello { committed, credit, address } = hello;
        (self.credit, self.address) = (credit, address);
        self.position = committed.map(wire::log_id_in);
        self.pulse().await?;
        let mut needs_snapshot = self.check().await?;
        let mut metrics = self.shared.raft.data_metrics();
        let mut lagging_since = Instant::now();
        let mut next_batch = Instant::now();
        loop {
            if needs_snapshot {
                self.snapshot().await?;
            }
            let end = {
                let now = metrics.borrow_and_update();
                match self.shared.defect {
                    Some(Defect::FeedUncommitted) => next(now.last_log),
                    _ => next(now.last_applied),
                }
            };
            let start = next(self.position);
            let has_more = start < end;
            let may_send = self.credit > 0;
            if !has_more || may_send {
                lagging_since = Instant::now();
            }
            tokio::select! {
                request = self.requests.message() => self.take(request?)?,
                changed = metrics.changed(), if !has_more => {
                    changed.map_err(|_| Status::unavailable("this frontend stops"))?;
                }
                () = sleep_until(next_batch), if has_more && may_send => {
                    let portion = self.shared.batches.get(start, end).await.map_err(unreadable)?;
                    needs_snapshot = portion.is_none();
                    if let Some(portion) = portion {
                        let full = portion.bytes >= FULL_BYTES;
                        self.send(portion).await?;
                        next_batch = Instant::now();
                        if !full {
                            next_batch += COALESCE;
                        }
                    }
                }
                () = sleep_until(lagging_since + LAG_TIMEOUT), if has_more && !may_send => {
                    return Err(Status::deadline_exceeded(format!(
                        "the subscriber has stored nothing for {LAG_TIMEOUT:?}"
                    )));
                }
                _ = self.pulses.tick() => self.pulse().await?,
            }
        }
    }

    /// Whether the subscriber needs a snapshot first.
    ///
    /// # Errors
    /// When it cannot be fed from here.
    async fn check(&self) -> Result<bool, Status> {
        let metrics = self.shared.raft.metrics().borrow_watched().clone();
        let Some(position) = self.position else { return Ok(metrics.purged.is_some()) };
        if metrics.last_applied.is_none_or(|applied| applied.index < position.index) {
            let applied = metrics.last_applied.map_or(0, |applied| applied.index);
            return Err(Status::out_of_range(format!(
                "this frontend has applied LSN {applied}, the subscriber {}",
                position.index
            )));
        }
        let here = match metrics.purged {
            Some(purged) if purged.index > position.index => return Ok(true),
            Some(purged) if purged.index == position.index => Some(purged),
            _ => self.shared.batches.id(position.index).await.map_err(unreadable)?,
        };
        match here {
            // Purged meanwhile.
            None => Ok(true),
            Some(here) if here == position => Ok(false),
            Some(here) => Err(Status::data_loss(format!(
                "{here} is committed here and {position} at the subscriber: one of the two is \
                 damaged"
            ))),
        }
    }

    fn take(&mut self, request: Option<FeedRequest>) -> Result<(), Status> {
        match request.and_then(|request| request.request) {
            Some(Asked::Credit(bytes)) => {
                self.credit = self.credit.saturating_add(bytes);
                Ok(())
            }
            Some(Asked::Hello(_)) => Err(Status::invalid_argument("a feed has one hello")),
            None => Err(Status::cancelled("the subscriber is gone")),
        }
    }

    async fn pulse(&mut self) -> Result<(), Status> {
        let measured = self.shared.distance.measure();
        let Some((hops, silence)) = measured.filter(|(_, silence)| *silence < SILENCE_MAX) else {
            return Err(Status::unavailable("this frontend does not hear of a leader"));
        };
        if hops > HOPS_MAX {
            return Err(Status::unavailable(format!(
                "this frontend is {hops} hops from the leader and feeds nobody"
            )));
        }
        let metrics = self.shared.raft.metrics().borrow_watched().clone();
        let vote = self.shared.followed(metrics.vote, metrics.last_applied);
        let pulse = FeedPulse {
            vote: vote.as_ref().map(wire::vote_out),
            applied: metrics.last_applied.as_ref().map(wire::log_id_out),
            hops,
            silence_ms: u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
        };
        self.pulses.reset();
        self.put(Part::Pulse(pulse)).await
    }

    async fn send(&mut self, portion: Portion) -> Result<(), Status> {
        // Entries go under a vote that covers them.
        let known = *self.shared.vote.lock();
        if known.is_none_or(|vote| vote.leader_id < portion.last.leader_id) {
            self.pulse().await?;
        }
        let previous = self.position.as_ref().map(wire::log_id_out);
        self.position = Some(portion.last);
        self.credit = self.credit.saturating_sub(portion.bytes as u64);
        self.put(Part::Batch(FeedBatch { previous, entries: portion.entries })).await
    }

    async fn put(&self, part: Part) -> Result<(), Status> {
        let part = FeedPart { part: Some(part) };
        let sent = timeout(LAG_TIMEOUT, self.parts.send(Ok(part))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("the subscriber is gone")),
            Err(_elapsed) => Err(Status::deadline_exceeded("the subscriber reads nothing")),
        }
    }

    /// Sends the newest snapshot, as a leader does to a follower.
    async fn snapshot(&mut self) -> Result<(), Status> {
        if self.shared.defect == Some(Defect::FeedSkipsPurged) {
            self.position = self.shared.raft.metrics().borrow_watched().purged;
            return Ok(());
        }
        let newest = self.shared.transfer.snapshots.newest();
        let newest = newest.ok_or_else(|| Status::unavailable("there is no snapshot here"))?;
        let last = newest.manifest().last;
        let vote = *self.shared.vote.lock();
        let vote = vote.ok_or_else(|| Status::unavailable("no leader was heard of"))?;
        let remote = self.shared.peers.get(self.subscriber, &self.address);
        let remote = remote.map_err(Status::invalid_argument)?;
        tracing::info!(subscriber = %self.subscriber, lsn = last.index, "sending a snapshot");
        let transfer = self.shared.transfer.clone();
        let mut sending = pin!(snapshot::send(remote, transfer, vote, newest, pending()));
        let voted = loop {
            tokio::select! {
                sent = &mut sending => {
                    break sent.map_err(|error| Status::unavailable(error.to_string()))?;
                }
                request = self.requests.message() => self.take(request?)?,
                _ = self.pulses.tick() => self.pulse().await?,
            }
        };
        if voted.vote > vote {
            return Err(Status::unavailable("the subscriber knows of a newer leader"));
        }
        self.position = Some(last);
        Ok(())
    }
}

fn next(position: Option<LogId>) -> u64 {
    position.map_or(0, |last| last.index + 1)
}

fn unreadable(error: io::Error) -> Status {
    Status::unavailable(format!("the log cannot be read here: {error}"))
}
