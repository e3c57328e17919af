//! A frontend's part in the consensus: started, changed, watched and stopped here.

mod member;
mod snapshot;
mod status;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, io};

use openraft::ConfigError;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use openraft::storage::RaftLogStorage;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use member::MemberError;
pub use status::NodeStatus;

use super::Raft;
use super::apply::Apply;
use super::config::{Profile, config};
use super::feed::{Distance, FeedEnd, Feeds, Follower, Upstream};
use super::fence::Fence;
use super::forward::Confirmed;
use super::leadership::Leadership;
use super::network::{Dial, Network, Peers, Tcp};
use super::proposer::{Active, Packer, Proposer, Queue, Stamp};
use super::read_index::{ReadIndex, Reads};
use super::service::{Heard, PeerService, Service};
use super::snapshot::{RATE_MAX, Receiver as SnapshotReceiver, Transfer};
use super::state_machine::{Place, Stall, StateMachine};
use crate::storage::Snapshots;
use crate::types::{BatchHeader, ClusterId, Generation, Lsn, NodeId, TypeConfig};

/// How long a stopping leader waits for its successor.
const HANDOVER_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a stop waits for the apply thread to end its run; then it is left behind.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Who this frontend is, and how it behaves.
#[derive(Clone)]
pub struct NodeOptions {
    /// Its id.
    pub id: NodeId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its cluster's generation.
    pub generation: Generation,
    /// How patient elections are.
    pub profile: Profile,
    /// Names this run of the frontend in request ids: must never have been used before.
    pub client: u64,
    /// Headers of the entries that this frontend packs.
    pub stamp: Stamp,
    /// How it reaches the others.
    pub dial: Arc<dyn Dial>,
    /// Where entries are applied.
    pub place: Place,
    /// Most bytes per second of each snapshot that it sends.
    pub snapshot_rate: u64,
    /// Asked before what came of forwarded commands is told.
    pub confirmed: Option<Confirmed>,
    /// Asked before commands are logged: those of another module are turned away.
    pub active: Option<Active>,
    /// A defect that is put in on purpose, so that a simulation can show that it finds it.
    pub defect: Option<Defect>,
}

/// A defect of a consensus, known from others' history. None of them is ever wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A leader that restarts goes on in its term.
    LeaderRestore,
    /// A leader never asks whether it still has a majority.
    NoQuorumProbe,
    /// An entry that was discarded counts as never appended.
    DiscardedIsRefused,
    /// A feed has what is in the log, committed or not.
    FeedUncommitted,
    /// A feed goes on behind what was purged, without a snapshot.
    FeedSkipsPurged,
    /// A subscriber has the feed go on where its log ends, whosever entry that is.
    FeedUnchecked,
}

impl NodeOptions {
    /// Options with the system's clock, randomness and network.
    pub fn new(id: NodeId, cluster: ClusterId, generation: Generation, profile: Profile) -> Self {
        let stamp = || BatchHeader { time_us: now_us(), entropy: rand::random() };
        let client = rand::random();
        Self {
            id,
            cluster,
            generation,
            profile,
            client,
            stamp: Arc::new(stamp),
            dial: Arc::new(Tcp),
            place: Place::Thread,
            snapshot_rate: RATE_MAX,
            confirmed: None,
            active: None,
            defect: None,
        }
    }
}

/// The system's clock. Before 1970 it counts as 1970: apply never lets time run backwards anyway.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Debug for NodeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frontend {} of cluster {}.{}", self.id, self.cluster, self.generation)
    }
}

/// Why the consensus could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is impossible.
    #[error("consensus settings: {0}")]
    Config(#[from] ConfigError),
    /// The apply thread could not be started.
    #[error("start the apply thread: {0}")]
    Thread(#[from] io::Error),
    /// The log or the state cannot be read, or contradict each other.
    #[error("start the consensus: {0}")]
    Raft(#[from] Fatal<TypeConfig>),
}

/// A frontend's part in the consensus. It runs on the runtime that started it, until
/// [`shutdown`](Self::shutdown).
pub struct Node {
    id: NodeId,
    raft: Raft,
    leadership: Receiver<Leadership>,
    stall: Receiver<Stall>,
    proposer: Proposer,
    reads: ReadIndex,
    service: Service,
    peers: Arc<Peers>,
    distance: Distance,
    snapshots: Arc<dyn Snapshots>,
    follower: Follower,
    snapshots_made: AtomicU64,
    transfer: Transfer,
    stamp: Stamp,
    dial: Arc<dyn Dial>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Node {
    /// Starts from what the log and the state hold, and applies what is known to be committed
    /// before it returns. A frontend that belongs to no membership yet waits for one: by
    /// [`initialize`](Self::initialize), or by a leader that adds it.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start<L>(
        options: NodeOptions,
        mut log: L,
        apply: impl Apply,
        snapshots: Arc<dyn Snapshots>,
    ) -> Result<Self, StartError>
    where
        L: RaftLogStorage<TypeConfig>,
    {
        let NodeOptions { id, cluster, generation, profile, client, .. } = options;
        let NodeOptions { stamp, dial, place, snapshot_rate, confirmed, active, defect, .. } =
            options;
        let votes_from = Instant::now() + profile.lease();
        let fence = Arc::new(Fence::new(cluster, generation, id));
        let peers = Arc::new(Peers::new(dial.clone(), fence.clone()));
        let (stalled, stall) = tokio::sync::watch::channel(None);
        let state_machine = StateMachine::start(apply, place, stalled, snapshots.clone())?;
        let transfer = Transfer::new(snapshots.clone(), snapshot_rate);
        let network = Network { own: id, peers: peers.clone(), transfer: transfer.clone() };
        let reader = log.get_log_reader().await;
        let mut config = config(profile)?;
        match defect {
            Some(Defect::LeaderRestore) => config.enable_leader_restore = Some(true),
            Some(Defect::NoQuorumProbe) => config.quorum_loss_probe_interval = None,
            Some(
                Defect::DiscardedIsRefused
                | Defect::FeedUncommitted
                | Defect::FeedSkipsPurged
                | Defect::FeedUnchecked,
            )
            | None => {}
        }
        let config = Arc::new(config);
        let raft = Raft::new(id, config, network, log, state_machine).await?;

        let (publish, leadership) = tokio::sync::watch::channel(Leadership::default());
        let queue = Arc::new(Queue::default());
        let proposer = Proposer::new(client, queue.clone(), leadership.clone());
        let (reads, asking) = Reads::new(raft.clone(), peers.clone(), id, leadership.clone());
        let packer = Packer {
            own: id,
            raft: raft.clone(),
            queue: queue.clone(),
            peers: peers.clone(),
            leadership: leadership.clone(),
            stamp: stamp.clone(),
            active,
            discarded_is_refused: defect == Some(Defect::DiscardedIsRefused),
        };
        let receiver =
            SnapshotReceiver::new(raft.clone(), snapshots.clone(), (cluster, generation));
        let heard = Heard::default();
        let upstream = tokio::sync::watch::Sender::new(None);
        let distance = Distance::new(raft.clone(), heard.clone(), upstream.subscribe());
        let feeds =
            Feeds::new(raft.clone(), reader, peers.clone(), transfer.clone(), distance.clone())
                .with(defect);
        let aside = tokio::sync::watch::Sender::new(false);
        let follower =
            Follower { raft: raft.clone(), peers: peers.clone(), upstream, aside, defect };
        let watch = watch::Watch {
            raft: raft.clone(),
            stall: stall.clone(),
            peers: peers.clone(),
            publish,
            addresses: BTreeMap::new(),
        };
        let service = Service {
            raft: raft.clone(),
            fence,
            queue,
            leadership: leadership.clone(),
            confirmed,
            receiver,
            feeds,
            votes_from,
            heard,
        };

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(stop.clone().run_until_cancelled_owned(watch.run()));
        tasks.spawn(stop.clone().run_until_cancelled_owned(packer.run()));
        tasks.spawn(stop.clone().run_until_cancelled_owned(asking.run()));
        tasks.close();
        Ok(Self {
            id,
            raft,
            leadership,
            stall,
            proposer,
            reads,
            service,
            peers,
            distance,
            snapshots,
            follower,
            snapshots_made: AtomicU64::new(0),
            transfer,
            stamp,
            dial,
            stop,
            tasks,
        })
    }

    /// This frontend's id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Who leads and who belongs, as it changes.
    pub fn watch(&self) -> Receiver<Leadership> {
        self.leadership.clone()
    }

    /// How long ago this frontend heard of a leader, through whomever; of a majority, if it leads.
    /// None: there is no way to one. A leader that is known may have been silent for long.
    pub fn leader_heard(&self) -> Option<Duration> {
        self.distance.measure().map(|(_, silence)| silence)
    }

    /// Calls a member at another address than the membership's, until that has a new one.
    pub fn redirect(&self, node: NodeId, address: String) {
        self.peers.redirect(node, address);
    }

    /// How this frontend reaches the others.
    pub fn dial(&self) -> &dyn Dial {
        &*self.dial
    }

    /// Proposes commands.
    pub fn proposer(&self) -> Proposer {
        self.proposer.clone()
    }

    /// Positions for linearizable reads.
    pub fn read_index(&self) -> ReadIndex {
        self.reads.clone()
    }

    /// The service to mount on a [`server`](super::server) at `edit_log_port`.
    pub fn service(&self) -> PeerService {
        self.service.clone().mountable()
    }

    /// Takes the committed log from a frontend until that ends; `own` is this frontend's address.
    /// For one that is in no membership. Cancel safe; nothing is lost by beginning anew, at the
    /// same frontend or another.
    pub async fn follow(&self, node: NodeId, address: &str, own: &str) -> FeedEnd {
        self.follower.follow(node, address, own).await
    }

    /// Whom it takes the committed log from, if it does.
    pub fn upstream(&self) -> Option<Upstream> {
        self.follower.upstream.borrow().clone()
    }

    /// How long ago a leader called this frontend itself. None: not since it started.
    pub fn leader_called(&self) -> Option<Duration> {
        self.service.heard.age()
    }

    /// Notes whether the others say that this frontend does not vote any more. Then it may follow
    /// a feed though its own log says that it votes: no leader will tell it.
    pub fn stand_aside(&self, aside: bool) {
        self.follower.aside.send_if_modified(|known| std::mem::replace(known, aside) != aside);
    }

    /// Whether that is so, as it changes.
    pub fn aside(&self) -> Receiver<bool> {
        self.follower.aside.subscribe()
    }

    /// How many frontends take the committed log from this one.
    pub fn feeds(&self) -> usize {
        self.service.feeds.open()
    }

    /// Where this frontend stands.
    pub fn status(&self) -> NodeStatus {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let newest = self.snapshots.newest();
        NodeStatus {
            refused_calls: self.service.fence.refused(),
            snapshot_lsn: newest.map(|newest| Lsn(newest.manifest().last.index)),
            snapshot_bytes_received: self.service.receiver.bytes(),
            snapshot_incoming: self.service.receiver.progress(),
            snapshots_made: self.snapshots_made.load(Ordering::Relaxed),
            snapshots_sent: self.transfer.sent(),
            ..NodeStatus::of(&metrics, self.leadership.borrow().clone())
        }
    }

    /// Changes how many bytes per second of each snapshot are sent at most, also of those under
    /// way.
    pub fn set_snapshot_rate(&self, bytes_per_second: u64) {
        self.transfer.set_rate(bytes_per_second);
    }

    /// Stops. A leader with a successor that has everything hands over first, which costs the
    /// cluster a few milliseconds instead of an election. Commands under way get their outcome if
    /// it comes in time.
    pub async fn shutdown(&self) {
        // Only a leader knows a successor.
        if let Some(successor) = watch::successor(&self.raft, self.id) {
            let mut leadership = self.leadership.clone();
            let handover = async {
                self.raft.trigger().transfer_leader(successor).await.ok();
                let other = |now: &Leadership| {
                    !now.is_leader && now.leader.as_ref().is_some_and(|leader| leader.id != self.id)
                };
                let _ = leadership.wait_for(other).await;
            };
            if timeout(HANDOVER_TIMEOUT, handover).await.is_err() {
                tracing::warn!(%successor, "the successor did not take over in time");
            }
        }
        self.halt().await;
    }

    /// Stops without handing over.
    pub(super) async fn halt(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "consensus did not stop cleanly");
        }
        // The apply thread owns the other end, and gives it up when it has ended.
        let mut stall = self.stall.clone();
        let ended = async { while stall.changed().await.is_ok() {} };
        if timeout(STOP_TIMEOUT, ended).await.is_err() {
            tracing::warn!("the apply thread is still busy");
        }
    }
}
