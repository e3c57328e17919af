//! One frontend on a simulated host: the real log, machine, consensus, proposer, membership and
//! sessions, on a runtime of its own whose clock the world moves.
//!
//! A runtime of its own makes a process of it: it can be paused, it can end at any point where a
//! task waits, and then nothing of it runs any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quorate::cluster::standing::Expulsion;
use quorate::cluster::{Cluster, Surroundings, bootstrap};
use quorate::config::{Config, Live, Setting};
use quorate::machine::Machine;
use quorate::raft::{Apply, ApplyError, LogBarrier, Node, NodeOptions, Place, Profile};
use quorate::runtime::Runtime;
use quorate::server::{Gated, Services};
use quorate::session::{Session, Sessions, Settings};
use quorate::storage::Identity;
use quorate::storage::log::{Log, LogOptions, SimLogDevice};
use quorate::types::{
    BatchHeader, BatchReply, Entry, Frontend, FrontendKind, LogId, Ports, StoredMembership,
};
use quorate_wire::{Failure, Reply};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::company;
use super::context::Context;
use super::disk::{
    self, Acquaintances, Disk, Entrant, Passport, Watched, WatchedSnapshots, WatchedState,
};
use super::level::Watching;
use super::mutation::Mutation;
use super::network::Network;
use super::oracle::Oracle;
use super::spoiling;

/// Bytes of snapshots per second.
const SNAPSHOT_RATES: std::ops::RangeInclusive<u64> = 64 << 10..=2 << 20;

/// What a statement is.
#[derive(Debug, Clone)]
pub enum Statement {
    /// Text.
    Text(String),
    /// A packed request of the module.
    Packed(Vec<u8>),
}

/// The answer to a statement, and the LSN of the state that it is from.
pub type Answered = (Result<Reply, Failure>, u64);

/// A statement on its way to a session.
pub struct Asked {
    /// What is asked.
    pub statement: Statement,
    /// Where the answer goes; closed without one when the process ends.
    pub answer: oneshot::Sender<Answered>,
}

/// A client's end of a session. The session ends when it is dropped.
pub type Connection = mpsc::UnboundedSender<Asked>;

/// What is there once a frontend runs.
#[derive(Clone)]
pub struct Running {
    /// Its part in the cluster.
    pub cluster: Cluster,
    /// Opens sessions.
    sessions: Arc<Sessions>,
    /// The LSN of each session's newest answer.
    answered: Arc<Mutex<BTreeMap<u64, u64>>>,
    handle: Handle,
}

impl Running {
    /// Opens a session.
    pub fn connect(&self) -> Option<Connection> {
        let mut session = self.sessions.open("client".to_owned()).ok()?;
        session.authenticate("root");
        let (connection, asked) = mpsc::unbounded_channel();
        self.handle.spawn(serve(session, asked, Arc::clone(&self.answered)));
        Some(connection)
    }

    /// Why it must end for good, once it knows that.
    pub fn expelled(&self) -> Option<Expulsion> {
        self.cluster.expelled().now_or_never()
    }

    /// The runtime of this frontend.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

async fn serve(
    mut session: Session,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    answered: Arc<Mutex<BTreeMap<u64, u64>>>,
) {
    while let Some(Asked { statement, answer }) = asked.recv().await {
        let result = match statement {
            Statement::Text(sql) => session.execute(&sql).await,
            Statement::Packed(request) => session.execute_bytes(request).await,
        };
        let lsn = answered.lock().remove(&session.id());
        // A client that has gone needs no answer.
        let _ = answer.send((result, lsn.unwrap_or_else(|| session.last_lsn())));
    }
}

/// What a frontend is started with.
#[derive(Clone)]
pub struct Birth {
    /// The host.
    pub host: usize,
    /// Its address.
    pub address: String,
    /// Who it is, once it has been told.
    pub passport: Passport,
    /// What it asks with until then.
    pub entrant: Entrant,
    /// Whom it knows of before its state names them.
    pub members: Acquaintances,
    /// Whom it asks who it is.
    pub helpers: Vec<String>,
    /// Whether anything changes who belongs.
    pub has_changes: bool,
    /// Whether modules are installed and activated while it runs.
    pub has_swaps: bool,
    /// How patient it is.
    pub profile: Profile,
    /// What runs modules.
    pub runtime: Runtime,
    /// Its number among all starts.
    pub start: u64,
    /// How often a write ends the process, in millionths.
    pub crash_rate: Arc<AtomicU64>,
    /// What its wall clock is ahead of time, in milliseconds; changes while it runs.
    pub skew_ms: Arc<AtomicI64>,
}

/// A frontend's process.
pub struct Process {
    runtime: tokio::runtime::Runtime,
    epoch: Instant,
    /// How far its clock is.
    local_ms: u64,
    crash: Arc<Notify>,
    state: Arc<Mutex<Life>>,
}

/// How far a process has come.
#[derive(Clone, Default)]
pub enum Life {
    /// Reads its disk.
    #[default]
    Starting,
    /// Serves.
    Running(Running),
    /// Did not start.
    Refused(String),
}

/// How a process stands after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It goes on.
    Alive,
    /// It ended in the middle of something.
    Crashed,
}

impl Process {
    /// Starts a frontend.
    pub fn start(
        birth: Birth,
        disk: &Disk,
        network: &Arc<Network>,
        oracle: &Arc<Mutex<Oracle>>,
        context: &Arc<Context>,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without threads");
        let (crash, state) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Life::Starting)));
        let device = Arc::new(Watched {
            log: Arc::clone(&disk.log),
            host: birth.host,
            context: Arc::clone(context),
            oracle: Arc::clone(oracle),
            crash: Arc::clone(&crash),
            crash_rate: Arc::clone(&birth.crash_rate),
        });
        let store = WatchedState { state: Arc::clone(&disk.state), context: Arc::clone(context) };
        let snapshots = WatchedSnapshots {
            snapshots: Arc::clone(&disk.snapshots),
            state: Arc::clone(&disk.state),
            context: Arc::clone(context),
            crash: Arc::clone(&crash),
        };
        let epoch = runtime.block_on(async { Instant::now() });
        let starting = start(
            birth,
            device,
            Arc::new(store),
            (Arc::clone(&disk.log), Arc::clone(&disk.mood), Arc::new(snapshots)),
            Arc::clone(network),
            Arc::clone(oracle),
            Arc::clone(context),
        );
        let life = Arc::clone(&state);
        runtime.spawn(async move {
            let started = starting.await;
            *life.lock() = match started {
                Ok(running) => Life::Running(running),
                Err(why) => Life::Refused(why),
            };
        });
        Self { runtime, epoch, local_ms: 0, crash, state }
    }

    /// How far it has come.
    pub fn life(&self) -> Life {
        self.state.lock().clone()
    }

    /// Its parts, if it serves.
    pub fn running(&self) -> Option<Running> {
        match &*self.state.lock() {
            Life::Running(running) => Some(running.clone()),
            _ => None,
        }
    }

    /// Lets it run for a millisecond of its clock.
    pub fn run(&mut self) -> Pulse {
        self.local_ms += 1;
        let until = self.epoch + Duration::from_millis(self.local_ms);
        let crash = Arc::clone(&self.crash);
        self.runtime.block_on(async move {
            tokio::select! {
                biased;
                () = crash.notified() => Pulse::Crashed,
                () = tokio::time::sleep_until(until) => Pulse::Alive,
            }
        })
    }

    /// It did not run for a while: all its timers are late.
    pub fn jump(&mut self, ms: u64) {
        self.local_ms += ms;
        self.runtime.block_on(tokio::time::advance(Duration::from_millis(ms)));
    }
}

async fn start(
    birth: Birth,
    device: Arc<Watched>,
    store: Arc<WatchedState>,
    (log_disk, mood, snapshots): (Arc<SimLogDevice>, Arc<Mutex<disk::Mood>>, Arc<WatchedSnapshots>),
    network: Arc<Network>,
    oracle: Arc<Mutex<Oracle>>,
    context: Arc<Context>,
) -> Result<Running, String> {
    let identity = identity(&birth, &network, &oracle, &context).await?;
    let (log, writer) =
        Log::open_stepped(device, LogOptions::default()).map_err(|error| error.to_string())?;
    tokio::spawn(disk::drive(writer, log_disk, mood, Arc::clone(&context)));
    let (machine, applier) =
        Machine::open(store, birth.runtime.clone()).map_err(|error| error.to_string())?;
    oracle.lock().started(birth.host, &machine, snapshots.last());
    let apply = WatchedApply {
        inner: Gated { applier, machine: machine.clone(), log: log.clone() },
        host: birth.host,
        machine: machine.clone(),
        snapshots: Arc::clone(&snapshots),
        oracle,
        context: Arc::clone(&context),
    };
    let mut options = options(&birth, identity, &network, &context);
    let asked = machine.clone();
    options.active = Some(Arc::new(move || asked.active()));
    let node = Node::start(options, log, apply, snapshots).await;
    let node = node.map_err(|error| error.to_string())?;
    let handle = Handle::current();
    let mut surroundings = Surroundings::unknown(Live::new(config()));
    let (world, skew) = (Arc::clone(&context), Arc::clone(&birth.skew_ms));
    surroundings.clock = Arc::new(move || wall_us(&world, &skew).cast_signed());
    let own = company::own(&birth);
    let cluster = Cluster::new(identity, own, machine, node, 0, surroundings);
    let services = Routes::new(cluster.node().service()).add_service(cluster.service());
    network.listen(birth.host, handle.clone(), services);
    let stop = CancellationToken::new();
    let members = cluster.clone();
    let token = stop.clone();
    tokio::spawn(async move { members.keep_membership(token).await });
    if birth.has_changes {
        company::keep(&birth, &cluster, &stop);
    }
    if birth.has_swaps {
        company::keep_modules(&cluster, &stop);
    }
    if spoiling::is_wanted(&context) {
        tokio::spawn(spoiling::keep(cluster.clone(), Arc::clone(&context)));
    }
    let settings = Settings {
        sessions_max: 1000,
        version: "8.0.33".to_owned(),
        current_version: "simulated".to_owned(),
    };
    let answered = Arc::new(Mutex::new(BTreeMap::new()));
    let inner = Services::inline(cluster.clone());
    let services = Watching { inner, context, answered: Arc::clone(&answered) };
    let sessions = Sessions::new(Arc::new(services), settings);
    Ok(Running { cluster, sessions, answered, handle })
}

/// Who this host's frontend is: as its disk says, or as the cluster tells it.
async fn identity(
    birth: &Birth,
    network: &Arc<Network>,
    oracle: &Mutex<Oracle>,
    context: &Context,
) -> Result<Identity, String> {
    let known = *birth.passport.lock();
    if let Some(known) = known {
        return Ok(known);
    }
    let (dial, own) = (network.dialer(birth.host), company::own(birth));
    let surroundings = Surroundings::unknown(Live::new(config()));
    let entrant = *birth.entrant.lock().get_or_insert_with(|| context.dice.next());
    let stop = CancellationToken::new();
    let joined =
        bootstrap::join(&*dial, &birth.helpers, &own, &surroundings, &|_: &str| {}, entrant, &stop)
            .await;
    let joined = joined.map_err(|error| error.to_string())?;
    let identity = joined.identity;
    *birth.members.lock() = joined.members;
    oracle.lock().is(birth.host, identity.node);
    *birth.passport.lock() = Some(identity);
    Ok(identity)
}

/// A configuration of which nothing is used but limits, and for which no system is asked.
fn config() -> Config {
    let loopback = |key: &str| {
        let (value, source_name) = ("127.0.0.1".to_owned(), "simulation".to_owned());
        (key.to_owned(), Setting { value, source_name })
    };
    let settings = ["bind_address", "frontend_address"].map(loopback).into_iter().collect();
    Config::from_settings(&settings).expect("defaults fit their keys")
}

/// A host's frontend as it is registered.
pub fn registered(address: &str) -> Frontend {
    let (host, port) = address.rsplit_once(':').expect("an address has a port");
    let port = port.parse().expect("a port is a number");
    let mut frontend = Frontend::new(FrontendKind::Follower, host, port);
    frontend.ports = Ports { query: 9030, rpc: 9020, http: 8030 };
    frontend
}

/// What the wall clock of a host says, in microseconds.
fn wall_us(world: &Context, skew_ms: &AtomicI64) -> u64 {
    world.now_ms().saturating_add_signed(skew_ms.load(Ordering::Relaxed)) * 1000
}

fn options(
    birth: &Birth,
    identity: Identity,
    network: &Arc<Network>,
    context: &Arc<Context>,
) -> NodeOptions {
    let Identity { cluster, generation, node, .. } = identity;
    let mut options = NodeOptions::new(node, cluster, generation, birth.profile);
    options.client = birth.start;
    let (world, skew) = (Arc::clone(context), Arc::clone(&birth.skew_ms));
    options.stamp = Arc::new(move || {
        let mut entropy = [0; 16];
        entropy[..8].copy_from_slice(&world.dice.next().to_le_bytes());
        entropy[8..].copy_from_slice(&world.dice.next().to_le_bytes());
        BatchHeader { time_us: wall_us(&world, &skew), entropy }
    });
    options.dial = network.dialer(birth.host);
    options.place = Place::Inline;
    // Slow enough that transfers are interrupted.
    options.snapshot_rate = context.dice.within(&SNAPSHOT_RATES);
    options.defect = match context.mutation {
        Some(Mutation::LeaderRestore) => Some(quorate::raft::Defect::LeaderRestore),
        Some(Mutation::NoQuorumProbe) => Some(quorate::raft::Defect::NoQuorumProbe),
        Some(Mutation::DiscardedIsRefused) => Some(quorate::raft::Defect::DiscardedIsRefused),
        Some(Mutation::FeedUncommitted) => Some(quorate::raft::Defect::FeedUncommitted),
        Some(Mutation::FeedSkipsPurged) => Some(quorate::raft::Defect::FeedSkipsPurged),
        Some(Mutation::FeedUnchecked) => Some(quorate::raft::Defect::FeedUnchecked),
        _ => None,
    };
    options
}

/// The machine, watched.
struct WatchedApply {
    inner: Gated,
    host: usize,
    machine: Machine,
    snapshots: Arc<WatchedSnapshots>,
    oracle: Arc<Mutex<Oracle>>,
    context: Arc<Context>,
}

impl Apply for WatchedApply {
    fn applied(&self) -> (Option<LogId>, StoredMembership) {
        self.inner.applied()
    }

    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<BatchReply>, ApplyError> {
        let replies = if self.context.has(Mutation::ApplyBeforeDurable) {
            let applied = self.inner.applier.apply(entries, &|_| Ok(()));
            applied.map_err(|fault| ApplyError { retryable: false, message: fault.to_string() })?
        } else {
            match self.inner.apply(entries) {
                Err(_) if self.context.has(Mutation::SkippedActivation) => {
                    self.inner.apply(&spoiling::without_activations(entries))?
                }
                applied => applied?,
            }
        };
        self.oracle.lock().applied(self.host, entries, &replies, &self.machine);
        Ok(replies)
    }

    fn gate(&self, last: LogId) -> BoxFuture<'static, Result<(), ApplyError>> {
        if self.context.has(Mutation::ApplyBeforeDurable) {
            return std::future::ready(Ok(())).boxed();
        }
        self.inner.gate(last)
    }

    fn barrier(&self) -> LogBarrier {
        self.inner.barrier()
    }

    fn reload(&mut self) -> Result<(), ApplyError> {
        self.inner.reload()?;
        self.oracle.lock().started(self.host, &self.machine, self.snapshots.last());
        Ok(())
    }
}
