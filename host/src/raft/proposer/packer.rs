//! The one task that takes commands out of the queue: into the log where this frontend leads, to
//! the leader where it does not.
//!
//! One pack is under way at a time, so that the next one fills while it is synced. When the
//! leader or the term changes, what is under way has an unknown outcome: its proposers send it
//! again, under the same request ids, to whoever leads then.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use openraft::errors::ClientWriteError;
use openraft::impls::ProgressResponder;
use openraft::raft::ClientWriteResult;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use super::Stamp;
use super::queue::{Origin, Pack, Queue};
use crate::raft::Raft;
use crate::raft::forward::{GROUPS_MAX, Link};
use crate::raft::leadership::Leadership;
use crate::raft::network::Peers;
use crate::types::{Batch, Lsn, ModuleDigest, NodeId, TypeConfig};

/// Tells the active module, and an LSN at which it is.
pub type Active = Arc<dyn Fn() -> Option<(Lsn, ModuleDigest)> + Send + Sync>;

/// Most entries of the leader under way: the next one fills while this one is synced and applied.
/// With a second one under way entries are half as large, and the processor time that each costs
/// decides: measured beside etcd with 64 clients, one gave more puts per second than two.
const ENTRIES_MAX: usize = 1;
/// First and longest pause before the leader is called again. Between them it doubles.
const RECONNECT_PAUSE: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(200));
/// How often commands whose proposers gave up are dropped; they count as under way until then.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

pub(in crate::raft) struct Packer {
    pub own: NodeId,
    pub raft: Raft,
    pub queue: Arc<Queue>,
    pub peers: Arc<Peers>,
    pub leadership: watch::Receiver<Leadership>,
    pub stamp: Stamp,
    pub active: Option<Active>,
    /// See [`Defect`](crate::raft::Defect).
    pub discarded_is_refused: bool,
}

/// Where packs go.
enum Outlet {
    Log {
        raft: Raft,
        stamp: Stamp,
        lies: bool,
        under_way: FuturesUnordered<BoxFuture<'static, bool>>,
        /// An entry of this term has an outcome, so with none under way all that is in the log is
        /// applied here.
        is_current: bool,
    },
    Leader(Box<Link>),
}

impl Packer {
    /// Runs until it is dropped or consensus stops; then the queue is closed.
    pub async fn run(mut self) {
        let mut pause = RECONNECT_PAUSE.0;
        loop {
            let current = self.leadership.borrow_and_update().clone();
            if current.stopped.is_some() {
                return;
            }
            let wait = match self.outlet(&current).await {
                Some(outlet) => {
                    if self.pump(outlet, &current).await {
                        pause = RECONNECT_PAUSE.0;
                        continue;
                    }
                    pause
                }
                None if current.leader.is_some() => pause,
                None => SWEEP_INTERVAL,
            };
            if let Ok(Err(_closed)) = timeout(wait, self.leadership.changed()).await {
                return;
            }
            self.queue.sweep();
            pause = (pause * 2).min(RECONNECT_PAUSE.1);
        }
    }

    async fn outlet(&mut self, current: &Leadership) -> Option<Outlet> {
        let leader = current.leader.as_ref()?;
        if leader.id == self.own {
            let (raft, stamp) = (self.raft.clone(), self.stamp.clone());
            let (lies, under_way) = (self.discarded_is_refused, FuturesUnordered::new());
            return Some(Outlet::Log { raft, stamp, lies, under_way, is_current: false });
        }
        let remote = match self.peers.get(leader.id, &leader.address) {
            Ok(remote) => remote,
            Err(reason) => {
                tracing::warn!(%reason, "cannot forward to the leader");
                return None;
            }
        };
        tokio::select! {
            opened = Link::open(&remote) => match opened {
                Ok(link) => Some(Outlet::Leader(Box::new(link))),
                Err(status) => {
                    tracing::debug!(leader = %leader.id, %status, "cannot forward to the leader");
                    None
                }
            },
            () = changed(&mut self.leadership, current) => None,
        }
    }

    /// Moves commands through the outlet, until leadership changes (true) or it breaks (false).
    async fn pump(&mut self, mut outlet: Outlet, current: &Leadership) -> bool {
        let active = self.active.clone();
        let mut sweep = interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                biased;
                () = changed(&mut self.leadership, current) => return true,
                open = outlet.settle(), if outlet.is_watched() => if !open {
                    return false;
                },
                () = self.queue.ready(), if outlet.has_room() => {
                    while outlet.has_room()
                        && let Some(pack) = self.queue.pack(outlet.origin(active.as_ref()))
                    {
                        if !outlet.submit(pack).await {
                            return false;
                        }
                    }
                }
                _ = sweep.tick() => self.queue.sweep(),
            }
        }
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Waits until another leader, another term or the end is seen.
async fn changed(leadership: &mut watch::Receiver<Leadership>, current: &Leadership) {
    // An error means that the frontend shuts down, which ends the packer as a whole.
    let _ = leadership.wait_for(|now| !now.same_leader(current)).await;
}

impl Outlet {
    fn origin(&self, active: Option<&Active>) -> Origin {
        match self {
            Self::Leader(_) => Origin::Here,
            Self::Log { under_way, is_current, .. } => {
                let knows = *is_current && under_way.is_empty();
                Origin::Anywhere(active.filter(|_| knows).and_then(|active| active()))
            }
        }
    }

    fn has_room(&self) -> bool {
        match self {
            Self::Log { under_way, .. } => under_way.len() < ENTRIES_MAX,
            Self::Leader(link) => link.pending() < GROUPS_MAX,
        }
    }

    /// Whether there is something to wait for: an answer, or the end of the stream.
    fn is_watched(&self) -> bool {
        match self {
            Self::Log { under_way, .. } => !under_way.is_empty(),
            Self::Leader(_) => true,
        }
    }

    /// Sends a pack. False: the outlet is broken.
    async fn submit(&mut self, pack: Pack) -> bool {
        match self {
            Self::Leader(link) => link.submit(pack).await,
            Self::Log { raft, stamp, lies, under_way, .. } => {
                let lies = *lies;
                let batch = Batch::pack(stamp(), pack.commands.iter());
                let (responder, result) =
                    ProgressResponder::<TypeConfig, ClientWriteResult<TypeConfig>>::complete_only();
                if raft.client_write_ff(batch, Some(responder)).await.is_err() {
                    pack.not_appended();
                    return false;
                }
                under_way.push(result.map(move |result| settle(pack, result.ok(), lies)).boxed());
                true
            }
        }
    }

    /// Waits until a pack is answered. False: the outlet is broken.
    async fn settle(&mut self) -> bool {
        match self {
            Self::Log { under_way, is_current, .. } => {
                let settled = under_way.next().await;
                *is_current |= settled == Some(true);
                settled.is_some()
            }
            Self::Leader(link) => link.settle().await,
        }
    }
}

/// Whether the pack was applied.
fn settle(pack: Pack, result: Option<ClientWriteResult<TypeConfig>>, lies: bool) -> bool {
    match result {
        Some(Ok(response)) => {
            pack.answer(&response.data.outcomes);
            return true;
        }
        Some(Err(ClientWriteError::ForwardToLeader(_))) => pack.not_appended(),
        Some(Err(ClientWriteError::LogEntryDiscarded(_))) if lies => pack.not_appended(),
        // Discarded when another leader's log was adopted, or never answered: nobody knows.
        Some(Err(_)) | None => drop(pack),
    }
    false
}
