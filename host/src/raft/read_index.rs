//! The position that a linearizable read must have seen.
//!
//! Only a leader that just heard from a majority knows it. One question is under way per frontend;
//! reads that arrive meanwhile share the next one. A read may use an answer only if the question
//! was asked after the read began, which is why they do not share the one under way.

use std::sync::Arc;
use std::time::Duration;

use openraft::ReadPolicy;
use quorate_wire::Failure;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::Status;

use super::Raft;
use super::leadership::Leadership;
use super::network::Peers;
use crate::proto::peer::ReadIndexRequest;
use crate::types::{Lsn, NodeId};

/// Most reads waiting for the next question; more wait to be counted in.
const WAITING_MAX: usize = 1 << 16;
/// How long one question may take before it is asked again, perhaps of another leader.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before asking again; a new leader ends it early.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// Gives positions for linearizable reads. Cheap to clone.
#[derive(Clone)]
pub struct ReadIndex {
    reads: mpsc::Sender<oneshot::Sender<Lsn>>,
}

impl ReadIndex {
    /// The LSN that this frontend must have applied before a read that begins now may be answered,
    /// so that it sees every write acknowledged before, anywhere.
    ///
    /// # Errors
    /// When no leader confirms it before the deadline, or this frontend has stopped.
    pub async fn get(&self, deadline: Instant) -> Result<Lsn, ReadError> {
        let (read, position) = oneshot::channel();
        let asked = async {
            self.reads.send(read).await.map_err(|_| ReadError::Stopped)?;
            position.await.map_err(|_| ReadError::Stopped)
        };
        timeout_at(deadline, asked).await.unwrap_or(Err(ReadError::NoLeader))
    }
}

/// Why there is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed the position before the deadline.
    #[error("no leader could confirm the read in time")]
    NoLeader,
    /// This frontend shuts down or has failed.
    #[error("this frontend has stopped")]
    Stopped,
}

impl ReadError {
    /// What the client is told.
    pub fn failure(self) -> Failure {
        match self {
            Self::NoLeader => Failure::new(
                1105,
                "08S01",
                "no leader could confirm a linearizable read in time. Check with SHOW FRONTENDS that \
                 a majority of the followers is alive, or read with read_consistency = 'session'",
            ),
            Self::Stopped => Failure::new(1053, "08S01", "this frontend is shutting down"),
        }
    }
}

/// The task that asks.
pub(super) struct Reads {
    raft: Raft,
    peers: Arc<Peers>,
    own: NodeId,
    leadership: watch::Receiver<Leadership>,
    waiting: mpsc::Receiver<oneshot::Sender<Lsn>>,
}

impl Reads {
    pub fn new(
        raft: Raft,
        peers: Arc<Peers>,
        own: NodeId,
        leadership: watch::Receiver<Leadership>,
    ) -> (ReadIndex, Self) {
        let (reads, waiting) = mpsc::channel(WAITING_MAX);
        (ReadIndex { reads }, Self { raft, peers, own, leadership, waiting })
    }

    /// Runs until it is dropped or consensus stops.
    pub async fn run(mut self) {
        let mut reads = Vec::new();
        while self.waiting.recv_many(&mut reads, WAITING_MAX).await > 0 {
            let Some(position) = self.position(&mut reads).await else { return };
            for read in reads.drain(..) {
                // A read that stopped waiting needs no answer.
                let _ = read.send(position);
            }
        }
    }

    /// Asks until there is an answer, nobody waits for it any more, or consensus stops (`None`).
    async fn position(&mut self, reads: &mut Vec<oneshot::Sender<Lsn>>) -> Option<Lsn> {
        loop {
            self.leadership.mark_unchanged();
            let mut seen = self.leadership.clone();
            let asked = tokio::select! {
                asked = timeout(ASK_TIMEOUT, self.ask()) => asked,
                _ = seen.changed() => Ok(Err(Status::unavailable("leadership changed"))),
            };
            match asked {
                Ok(Ok(position)) => return Some(position),
                Ok(Err(status)) => tracing::debug!(%status, "no read position"),
                Err(_elapsed) => tracing::debug!("no read position in time"),
            }
            if self.leadership.borrow().stopped.is_some() {
                return None;
            }
            reads.retain(|read| !read.is_closed());
            if reads.is_empty() {
                return Some(Lsn(0));
            }
            if let Ok(Err(_closed)) = timeout(RETRY_PAUSE, self.leadership.changed()).await {
                return None;
            }
            // Reads that began meanwhile may share the question about to be asked.
            while reads.len() < WAITING_MAX
                && let Ok(read) = self.waiting.try_recv()
            {
                reads.push(read);
            }
        }
    }

    async fn ask(&self) -> Result<Lsn, Status> {
        let leader = self.leadership.borrow().leader.clone();
        let leader = leader.ok_or_else(|| Status::unavailable("there is no leader"))?;
        if leader.id == self.own {
            return confirm(&self.raft).await;
        }
        let remote = self.peers.get(leader.id, &leader.address).map_err(Status::unavailable)?;
        let reply = remote.control().read_index(remote.request(ReadIndexRequest {})).await?;
        Ok(Lsn(reply.into_inner().lsn))
    }
}

/// The leader's answer: it hears from a majority first.
pub(super) async fn confirm(raft: &Raft) -> Result<Lsn, Status> {
    let position = raft
        .get_read_linearizer(ReadPolicy::ReadIndex)
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(Lsn(position.read_log_id().index()))
}
