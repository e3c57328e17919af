//! The frontends as a cluster: how one begins, who belongs to it, how each of them is.
//!
//! Raft knows voters by id and address; the replicated registry knows frontends by name, ports and
//! kind. This layer keeps the two together:
//!
//! - [`bootstrap`]: a first frontend founds the cluster, a later one joins it through a helper.
//!   At later starts a helper only confirms what the data directory says.
//! - [`membership`]: the leader turns registered followers into learners and, once they have caught
//!   up, into voters. What is to be done follows from registry and membership alone, so a new
//!   leader goes on where the old one stopped.
//! - [`subscription`]: an observer takes the committed log from another frontend.
//! - `alter`: ADD, DROP and MODIFY from any frontend: who is alive is judged here, the rest in the
//!   log.
//! - `agreement`: frontends compare the digests of their states; one that is outvoted puts its
//!   state aside.
//! - [`milestones`]: at an activation they do so at once, before anything later is answered for.
//! - `announce`: a frontend that is reached elsewhere now has that recorded.
//! - [`standing`]: a frontend that does not belong to the cluster any more learns it.
//! - [`modules`]: installs modules through the log; every frontend tries an installed module and
//!   says through the log whether it can run it.
//! - [`migration`]: the leader has a module's rows migrated, step by step.
//! - `epochs`: a frontend tells which engine epochs its program can run.
//! - [`schedule`]: the leader has a module activated when its time has come.
//! - [`admission`]: what a frontend must be before it may join.
//! - [`status`]: how each frontend is, asked directly; nothing of it is logged, so an idle cluster
//!   writes nothing.

mod admission;
mod agreement;
mod alter;
mod announce;
pub mod bootstrap;
pub(crate) mod changes;
mod commits;
mod confirm;
mod contacts;
mod epochs;
pub mod frontends;
pub mod membership;
pub mod migration;
pub mod milestones;
pub mod modules;
mod problems;
pub mod pulse;
pub mod schedule;
pub mod service;
pub mod standing;
pub mod status;
pub mod subscription;
mod surroundings;
mod transfer;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use quorate_wire::Failure;
use tokio::sync::watch;
use tokio::time::Instant;

pub use surroundings::{Clock, Surroundings};

use crate::config::Live;
use crate::machine::Machine;
use crate::raft::{Node, ProposeError};
use crate::storage::Identity;
use crate::types::{Action, Frontend, HostCommand, Lsn, Outcome, Rejection};

/// How long a background task waits for one of its commands before it looks at the state anew.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Version of this program, as `SHOW FRONTENDS` prints it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// This frontend's part in its cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    identity: Identity,
    frontend: Frontend,
    machine: Machine,
    node: Node,
    channels: status::Channels,
    contacts: contacts::Contacts,
    commits: commits::Commits,
    pulse: Mutex<Option<Arc<pulse::Pulse>>>,
    surroundings: Surroundings,
    started_us: u64,
    /// This frontend as its state had it when it started.
    registered_at_start: Option<Frontend>,
    whereabouts: Mutex<announce::Whereabouts>,
    expelled: watch::Sender<Option<standing::Expulsion>>,
    transfers: transfer::Running,
}

impl Cluster {
    /// Puts the parts together. `frontend` is this frontend as it is to be registered: address,
    /// ports, version. `started_us` is the wall clock in microseconds since 1970.
    pub fn new(
        identity: Identity,
        frontend: Frontend,
        machine: Machine,
        node: Node,
        started_us: u64,
        surroundings: Surroundings,
    ) -> Self {
        let registered_at_start = machine.view().frontend(identity.node).cloned();
        let inner = Inner {
            identity,
            frontend,
            machine,
            node,
            channels: status::Channels::default(),
            contacts: contacts::Contacts::default(),
            commits: commits::Commits::default(),
            pulse: Mutex::default(),
            surroundings,
            started_us,
            registered_at_start,
            whereabouts: Mutex::default(),
            expelled: watch::Sender::new(None),
            transfers: transfer::Running::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Live {
        &self.inner.surroundings.config
    }

    /// The wall clock in microseconds since 1970, 0 when it is not known. Shown to people, never
    /// applied.
    pub fn clock_us(&self) -> i64 {
        (self.inner.surroundings.clock)()
    }

    /// The machine that this frontend runs on.
    pub fn surroundings(&self) -> &Surroundings {
        &self.inner.surroundings
    }

    /// When this frontend was started, by its wall clock, in microseconds since 1970.
    pub fn started_us(&self) -> u64 {
        self.inner.started_us
    }

    /// Who this frontend is.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// The replicated state.
    pub fn machine(&self) -> &Machine {
        &self.inner.machine
    }

    /// The consensus.
    pub fn node(&self) -> &Node {
        &self.inner.node
    }

    /// Proposes a command of the host and waits until this frontend has applied it, if it does in
    /// time.
    ///
    /// # Errors
    /// A refusal by the state, no leader before the deadline, or an unknown outcome.
    pub async fn run(
        &self,
        caller: &str,
        command: HostCommand,
        deadline: Instant,
    ) -> Result<Lsn, Failure> {
        let proposer = self.inner.node.proposer();
        let proposed = proposer.propose(caller, Action::Host(command), deadline).await;
        let (lsn, outcome) = proposed.map_err(|error| error.failure())?;
        if let Err(late) = self.wait_applied(lsn, deadline).await {
            // The outcome is known all the same.
            tracing::debug!("{late}");
        }
        self.wait_confirmed(lsn, deadline).await?;
        match outcome {
            Outcome::Applied(_) => Ok(lsn),
            Outcome::Refused(failure) => Err(failure),
            Outcome::Rejected(Rejection::Stale) => Err(ProposeError::OutcomeUnknown.failure()),
            Outcome::Rejected(rejection) => Err(rejection.failure()),
        }
    }

    /// Waits until this frontend has applied an LSN.
    ///
    /// # Errors
    /// When the deadline passes first.
    pub async fn wait_applied(&self, lsn: Lsn, deadline: Instant) -> Result<(), Failure> {
        self.inner.machine.wait_applied(lsn, deadline.into_std()).await.map_err(|_| {
            let applied = self.inner.machine.applied().lsn;
            let message = format!(
                "this frontend has applied LSN {applied} and did not reach {lsn} in time; \
                 ask another frontend or raise query_timeout"
            );
            Failure::new(1205, "HY000", message)
        })
    }
}

/// This machine's clock in microseconds since 1970. Shown to people, never applied.
pub fn wall_clock_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The deadline of one command of a background task.
fn command_deadline() -> Instant {
    Instant::now() + COMMAND_TIMEOUT
}
