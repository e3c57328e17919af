//! Proposing a command, from any frontend, exactly once.
//!
//! `propose` gives the command a request id, queues it, and waits. A task, the [`packer`], packs
//! what is queued into entries or sends it to the leader. What comes back is an outcome, a definite
//! rejection (it is not in the log: try again), or nothing (it may be in the log: try again with
//! the same request id, which the state machine runs once at most). Only the deadline ends that,
//! and then the error says which of the two it was.
//!
//! The clock and the entropy of an entry's header come from the frontend that packs it, through
//! [`Stamp`]; below the log nothing reads either.

mod packer;
mod queue;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quorate_wire::Failure;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

pub use packer::Active;
pub(super) use packer::Packer;
use queue::{Admission, Ticket};
pub(super) use queue::{Answer, Kind, Pack, Queue};

use super::leadership::Leadership;
use crate::types::{
    Action, BatchHeader, Command, ENTRY_BYTES_MAX, Lsn, Outcome, Rejection, RequestId,
};

/// Gives the header of the next entry: the clock and fresh entropy. Simulation gives its own.
pub type Stamp = Arc<dyn Fn() -> BatchHeader + Send + Sync>;

/// First and longest pause before a rejected command is queued again. Between them it doubles; a
/// new leader ends it early.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// How long a command waits for a leader whose disk is nearly full to hand over to another one.
const NO_SPACE_PATIENCE: Duration = Duration::from_secs(2);

/// Proposes commands. Cheap to clone.
#[derive(Clone)]
pub struct Proposer {
    shared: Arc<Shared>,
}

struct Shared {
    client: u64,
    requests: Mutex<Requests>,
    admission: Arc<Admission>,
    queue: Arc<Queue>,
    leadership: watch::Receiver<Leadership>,
}

/// This client's sequence numbers: the last one given, and those whose outcome is awaited.
#[derive(Default)]
struct Requests {
    last: u64,
    open: BTreeSet<u64>,
}

impl Proposer {
    pub(super) fn new(
        client: u64,
        queue: Arc<Queue>,
        leadership: watch::Receiver<Leadership>,
    ) -> Self {
        let shared = Shared {
            client,
            requests: Mutex::default(),
            admission: Arc::default(),
            queue,
            leadership,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Refuses modules' commands from now on, or no longer: those of this frontend's clients and,
    /// where it leads, those of the others too. The host's own go on: they may be what makes room.
    pub fn set_full(&self, is_full: bool) {
        self.shared.queue.set_full(is_full);
    }

    /// Whether modules' commands are refused.
    pub fn is_full(&self) -> bool {
        self.shared.queue.is_full()
    }

    /// Has a command run, exactly once, and returns the LSN at which it ran and its outcome. This
    /// frontend may apply that LSN only later.
    ///
    /// Dropping the future gives up waiting: the command may still run.
    ///
    /// # Errors
    /// See [`ProposeError`]; only one of them leaves open whether the command runs.
    pub async fn propose(
        &self,
        caller: &str,
        action: Action,
        deadline: Instant,
    ) -> Result<(Lsn, Outcome), ProposeError> {
        let frees_room = matches!(action, Action::Host(_));
        if self.is_full() && !frees_room {
            return Err(ProposeError::NoSpace);
        }
        let kind = Kind::of(&action, true);
        let request = Request::open(&self.shared).ok_or(ProposeError::Overloaded)?;
        let command = request.command(caller, action);
        if command.len() > ENTRY_BYTES_MAX {
            return Err(ProposeError::TooLarge { bytes: command.len() });
        }
        let ticket = self.shared.admission.admit(command.len()).ok_or(ProposeError::Overloaded)?;
        let attempt = Attempt { ticket };
        let mut leadership = self.shared.leadership.clone();
        let mut unknown = false;
        let mut pause = RETRY_PAUSE.0;
        let patient_until = Instant::now() + NO_SPACE_PATIENCE;
        loop {
            leadership.mark_unchanged();
            let kind = Kind { fresh: !unknown, ..kind };
            let answer = self.shared.queue.push_own(command.clone(), kind, &attempt.ticket);
            match timeout_at(deadline, answer).await {
                Ok(Ok(Answer::Outcomes { all, first })) => {
                    let answer = all[first].clone();
                    // An earlier attempt may have run whose outcome is forgotten.
                    if unknown && answer.1 == Outcome::Rejected(Rejection::Stale) {
                        return Err(ProposeError::OutcomeUnknown);
                    }
                    return Ok(answer);
                }
                Ok(Ok(Answer::NotAppended)) => {}
                Ok(Ok(Answer::Unconfirmed)) => return Err(ProposeError::OutcomeUnknown),
                Ok(Ok(Answer::NoSpace)) if Instant::now() < patient_until || frees_room => {}
                Ok(Ok(Answer::NoSpace)) => return Err(ProposeError::leader_full(unknown)),
                Ok(Err(_unanswered)) if attempt.ticket.is_taken() => unknown = true,
                // The queue is closed, for good.
                Ok(Err(_unanswered)) => return Err(ProposeError::stopped(unknown)),
                Err(_elapsed) => {
                    unknown |= !attempt.ticket.withdraw();
                    return Err(ProposeError::expired(unknown));
                }
            }
            let again = (Instant::now() + pause).min(deadline);
            if let Ok(Err(_closed)) = timeout_at(again, leadership.changed()).await {
                return Err(ProposeError::stopped(unknown));
            }
            if Instant::now() >= deadline {
                return Err(ProposeError::expired(unknown));
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }
}

/// Most sequence numbers from the oldest open request to the newest; beyond it statements are
/// refused. Half of the outcomes that the cluster remembers per client.
const SEQUENCES_MAX: u64 = 4096;

/// An open request: as long as it lives, its outcome is kept for it.
struct Request<'a> {
    shared: &'a Shared,
    id: RequestId,
    floor: u64,
}

impl<'a> Request<'a> {
    /// None: the oldest open request is so old that the outcomes since then are all that the
    /// cluster remembers of a client.
    fn open(shared: &'a Shared) -> Option<Self> {
        let mut requests = shared.requests.lock();
        let oldest = requests.open.first().copied().unwrap_or(requests.last);
        if requests.last - oldest >= SEQUENCES_MAX {
            return None;
        }
        requests.last += 1;
        let sequence = requests.last;
        requests.open.insert(sequence);
        let floor = requests.open.first().copied().unwrap_or(sequence);
        Some(Self { shared, id: RequestId { client: shared.client, sequence }, floor })
    }

    fn command(&self, caller: &str, action: Action) -> Bytes {
        Command { request: self.id, floor: self.floor, caller: caller.to_owned(), action }.pack()
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.shared.requests.lock().open.remove(&self.id.sequence);
    }
}

/// Withdraws a command that is still waiting when its proposer goes away.
struct Attempt {
    ticket: Arc<Ticket>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.ticket.withdraw();
    }
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No leader took the command before the deadline. It did not run and will not.
    #[error("no leader could be reached in time")]
    NoLeader,
    /// The deadline passed after the command may have reached a log. It may have run, may run yet,
    /// or not at all.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// Too many commands are under way here. It did not run and will not.
    #[error("too many statements are under way")]
    Overloaded,
    /// This frontend's disk is nearly full. The command did not run and will not.
    #[error("the disk is nearly full")]
    NoSpace,
    /// The leader's disk is nearly full, and nobody took over from it. The command did not run and
    /// will not.
    #[error("the leader's disk is nearly full")]
    LeaderNoSpace,
    /// The command does not fit into an entry.
    #[error("the command has {bytes} bytes, the limit is {ENTRY_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// This frontend shuts down or has failed. The command did not run and will not.
    #[error("this frontend has stopped")]
    Stopped,
}

impl ProposeError {
    fn expired(unknown: bool) -> Self {
        if unknown { Self::OutcomeUnknown } else { Self::NoLeader }
    }

    fn leader_full(unknown: bool) -> Self {
        if unknown { Self::OutcomeUnknown } else { Self::LeaderNoSpace }
    }

    fn stopped(unknown: bool) -> Self {
        if unknown { Self::OutcomeUnknown } else { Self::Stopped }
    }

    /// What the client is told: what happened, and what to do.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NoLeader => Failure::new(
                1105,
                "08S01",
                "no leader could be reached in time; nothing was changed. Check with SHOW FRONTENDS \
                 that a majority of the followers is alive, then run the statement again",
            ),
            Self::OutcomeUnknown => Failure::new(
                1105,
                "08007",
                "the outcome is unknown: no answer came in time, and the statement may or may not \
                 have been executed. Check its effect before running it again",
            ),
            Self::Overloaded => Failure::new(
                1040,
                "08004",
                "too many statements are under way on this frontend; nothing was changed. Run the \
                 statement again later",
            ),
            Self::NoSpace => Failure::new(
                1021,
                "HY000",
                "the disk of this frontend is nearly full; nothing was changed. Make room, or run \
                 the statement on another frontend",
            ),
            Self::LeaderNoSpace => Failure::new(
                1021,
                "HY000",
                "the disk of the leader is nearly full, and no other frontend can lead; nothing \
                 was changed. Make room there (SHOW FRONTENDS names the leader), then run the \
                 statement again",
            ),
            Self::TooLarge { .. } => {
                Failure::new(1153, "08S01", format!("{self}; nothing was changed"))
            }
            Self::Stopped => Failure::new(
                1053,
                "08S01",
                "this frontend is shutting down; nothing was changed. Run the statement on another \
                 frontend",
            ),
        }
    }
}
