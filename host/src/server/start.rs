//! Start in order, stop in reverse.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::apply::Gated;
use super::enter::{Entered, pid_file, refuse_second, warn_of_exposure};
use super::listeners::Listeners;
use super::snapshots::Keeper;
use super::space::{self, Disk};
use super::tuning::{self, SetLogLevel, Tuning};
use super::{Ending, Services, StartError, engine, handover, rejections};
use crate::cluster::bootstrap::FOUNDER;
use crate::cluster::milestones::CONFIRM_TIMEOUT;
use crate::cluster::{Cluster, Surroundings, VERSION, bootstrap};
use crate::config::{Config, ElectionProfile, Live};
use crate::machine::{Machine, read_mark};
use crate::raft::{self, Node, NodeOptions, Profile};
use crate::rescue::archive::Backups;
use crate::rescue::shadow::Shadows;
use crate::session::{Backend, Sessions, Settings};
use crate::storage::{
    DataDirectory, DirectorySnapshots, Generations, Identity, Log, LogOptions, PidFile,
    RocksLogDevice, RocksStateOptions, Snapshots, StateError,
};
use crate::types::{Frontend as Registered, FrontendKind, NodeId, Ports};
use crate::{grpc, http, mysql};

/// The catalog, which a new cluster starts with.
const CATALOG: &[u8] = include_bytes!(env!("QUORATE_CATALOG"));
/// The MySQL version that clients adapt to: StarRocks' default.
const MYSQL_VERSION: &str = "8.0.33";
/// Statements that run get this long when the frontend stops gracefully.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
/// And this long when it is to stop at once. Most take a thousandth of it.
const HURRY_TIMEOUT: Duration = Duration::from_secs(2);
/// Background tasks get this long to end.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a frontend is started with.
#[derive(Clone)]
pub struct StartOptions {
    /// Its configuration.
    pub config: Config,
    /// Frontends to join through, at the first start only; none founds a cluster.
    pub helpers: Vec<String>,
    /// The first module of a new cluster, instead of the catalog.
    pub module: Option<PathBuf>,
    /// The machine that it runs on, unless it is to be found out.
    pub surroundings: Option<Surroundings>,
    /// Changes what goes to the program's log, if that can be changed.
    pub set_log_level: Option<SetLogLevel>,
    /// Is told what a first start waits for.
    pub progress: watch::Sender<String>,
}

/// A running frontend.
pub struct Frontend {
    /// Holds the lock on the data directory.
    directory: DataDirectory,
    pid_file: Option<PidFile>,
    cluster: Cluster,
    log: Log,
    state_failure: watch::Receiver<Option<StateError>>,
    sessions: Arc<Sessions>,
    leaving: CancellationToken,
    draining: CancellationToken,
    stop: CancellationToken,
    doors: TaskTracker,
    background: TaskTracker,
    stop_peers: CancellationToken,
}

impl Frontend {
    /// Starts a frontend. Returns once it serves; it may not know a leader yet.
    ///
    /// `stop` ends a start that waits for a cluster to take it in.
    ///
    /// # Errors
    /// Whatever keeps it from starting; nothing that was not there before is left behind.
    pub async fn start(options: StartOptions, stop: CancellationToken) -> Result<Self, StartError> {
        let config = &options.config;
        let registered = registered(config);
        let surroundings = options.surroundings.clone();
        let surroundings =
            surroundings.unwrap_or_else(|| Surroundings::here(Live::new(config.clone())));
        bootstrap::check(&options.helpers, &registered, &surroundings).await?;
        refuse_second(config)?;
        let listeners = Listeners::bind(config).await?;
        let component = first_module(&options).await?;
        warn_of_exposure(config);
        Disk::new(config).check_start(config)?;
        let pid_file = pid_file(config)?;
        let entered = Entered::new(DataDirectory::open(&config.meta_dir)?);
        let (identity, founds) =
            identity(entered.directory(), &options, &registered, &surroundings, &stop).await?;
        let directory = entered.keep();
        let disk = Disk::new(config);
        disk.look();
        let members = directory.members()?;

        // Beside each other: each may have to recover a WAL.
        let (device, state) = std::thread::scope(|scope| {
            let state =
                scope.spawn(|| Generations::open(&directory.state(), RocksStateOptions::default()));
            let device = RocksLogDevice::open(&directory.log(), &directory.fence());
            (device, state.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let log = Log::open(device?, LogOptions::default())?;
        let state = Arc::new(state?);
        let state_failure = state.failure();
        let runtime = engine::runtime(config, &directory.modules())?;
        let snapshots: Arc<dyn Snapshots> =
            Arc::new(DirectorySnapshots::open(&directory.snapshots(), state.clone(), read_mark)?);
        let opened = Machine::open(state, runtime.clone());
        let (machine, applier) = opened.map_err(|error| match &*state_failure.borrow() {
            Some(failure) => StartError::State(failure.clone()),
            None => StartError::Machine(error),
        })?;
        if let Some(reason) = machine.quarantine() {
            return Err(StartError::Quarantine(reason));
        }
        // It may be registered as another kind by now than it joined as.
        let known = machine.view().frontend(identity.node).map(|frontend| frontend.kind);
        engine::check(config, known.unwrap_or(identity.kind))?;
        tuning::overlay(&surroundings.config, &machine.view());
        let in_force = surroundings.config.get();
        let profile = match config.election_profile {
            ElectionProfile::Fast => Profile::Fast,
            ElectionProfile::Lan => Profile::Lan,
            ElectionProfile::Wan => Profile::Wan,
        };
        let mut node_options =
            NodeOptions::new(identity.node, identity.cluster, identity.generation, profile);
        node_options.snapshot_rate = in_force.snapshots.bytes_per_second;
        // Before entries are applied that the log has and the state has not.
        machine.keep_milestones();
        node_options.confirmed = Some(confirmed(&machine));
        node_options.active = Some(active(&machine));
        let gated = Gated { applier, machine: machine.clone(), log: log.clone() };
        let started = Node::start(node_options, log.clone(), gated, snapshots.clone()).await;
        let node = started.map_err(|error| match (log.failure(), &*state_failure.borrow()) {
            (Some(failure), _) => StartError::Log(failure),
            (None, Some(failure)) => StartError::State(failure.clone()),
            (None, None) => StartError::Raft(error),
        })?;
        let address = registered.address();
        let started_us = (surroundings.clock)().max(0).cast_unsigned();
        let name = registered.address();
        let shadows = Shadows::new(
            machine.clone(),
            log.clone(),
            Arc::clone(&snapshots),
            &directory.shadow(),
            &directory.modules(),
        );
        let backups =
            Backups::new(snapshots, machine.clone(), log.clone(), name, VERSION.to_owned());
        let cluster = Cluster::new(identity, registered, machine, node, started_us, surroundings);

        let stop_peers = CancellationToken::new();
        let background = TaskTracker::new();
        let peers = raft::server()
            .add_service(cluster.node().service())
            .add_service(cluster.service())
            .serve_with_incoming_shutdown(
                raft::incoming(listeners.edit_log),
                stop_peers.clone().cancelled_owned(),
            );
        tokio::spawn(peers);
        if founds && !cluster.node().is_initialized().await? {
            cluster.node().initialize(&address).await?;
        }
        let tasks = CancellationToken::new();
        let known = Known { members, helpers: options.helpers.clone() };
        spawn_background(&background, &cluster, component, known, &tasks);

        let machine = cluster.machine();
        background.spawn(engine::keep_tidy(runtime, machine.clone(), tasks.clone()));
        background.spawn(rejections::watch(machine.clone(), tasks.clone()));
        background.spawn(space::watch(disk, cluster.clone(), tasks.clone()));
        background.spawn(handover::watch_log(log.clone(), cluster.clone(), tasks.clone()));

        let keeper = Keeper { cluster: cluster.clone(), log: log.clone() };
        background.spawn(keeper.run(tasks.clone()));

        let (leaving, draining) = (CancellationToken::new(), CancellationToken::new());
        let services: Arc<dyn Backend> = Arc::new(Services::new(cluster.clone(), shadows)?);
        let settings = Settings {
            sessions_max: in_force.qe_max_connection,
            version: MYSQL_VERSION.to_owned(),
            current_version: format!("{VERSION} quorate"),
        };
        let sessions = Sessions::new(Arc::clone(&services), settings);
        let tuning = Tuning {
            cluster: cluster.clone(),
            sessions: Arc::clone(&sessions),
            set_log_level: options.set_log_level.clone(),
        };
        background.spawn(tuning.run(tasks.clone()));
        let http_door = http::Door {
            cluster: cluster.clone(),
            backend: Arc::clone(&services),
            sessions: Arc::clone(&sessions),
            log: log.clone(),
            leaving: leaving.clone(),
        };
        let doors = TaskTracker::new();
        for listener in listeners.query {
            let (sessions, trusted) = (Arc::clone(&sessions), config.trusted.clone());
            doors.spawn(mysql::serve(listener, sessions, trusted, draining.clone()));
        }
        for listener in listeners.rpc {
            doors.spawn(grpc::serve(
                listener,
                Arc::clone(&sessions),
                Arc::clone(&services),
                cluster.clone(),
                backups.clone(),
                config.trusted.clone(),
                draining.clone(),
            ));
        }
        for listener in listeners.http {
            background.spawn(http::serve(listener, http_door.clone(), tasks.clone()));
        }
        doors.close();
        background.close();
        Ok(Self {
            directory,
            pid_file,
            cluster,
            log,
            state_failure,
            sessions,
            leaving,
            draining,
            stop: tasks,
            doors,
            background,
            stop_peers,
        })
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        self.cluster.identity()
    }

    /// Its part in the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Its sessions.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Waits until this frontend has a module in its state, which it has for good from then on. A
    /// new one takes moments for it: a founder installs the first module, others receive the state.
    pub async fn usable(&self) {
        let mut applied = self.cluster.machine().subscribe();
        while self.cluster.machine().view().active().is_none() {
            if applied.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Why it cannot go on, once that is so: its log, its state or its consensus has failed for
    /// good.
    pub async fn failed(&self) -> (Ending, String) {
        let mut leadership = self.cluster.node().watch();
        let mut state = self.state_failure.clone();
        let stopped = tokio::select! {
            biased;
            _ = self.log.failed() => None,
            Ok(_) = state.wait_for(Option::is_some) => None,
            why = self.cluster.expelled() => return (Ending::from(&why), why.to_string()),
            stopped = leadership.wait_for(|known| known.stopped.is_some()) => {
                stopped.ok().and_then(|known| known.stopped.clone())
            }
        };
        // Consensus stops because of them, and may be first to say so.
        if let Some(failure) = self.log.failure() {
            let ending = failure.trouble().map_or(Ending::Failed, Ending::from);
            return (ending, failure.to_string());
        }
        if let Some(failure) = &*self.state_failure.borrow() {
            return (failure.trouble().into(), failure.to_string());
        }
        (Ending::Failed, stopped.unwrap_or_else(|| "consensus ended".to_owned()))
    }

    /// Says that it is not ready any more, hands leadership over, takes no new statements, lets
    /// running ones end, and closes what was opened. From `hurry` on it waits for next to nothing.
    pub async fn stop(self, hurry: &CancellationToken) {
        self.leaving.cancel();
        let leaving = handover::hand_over(&self.cluster, "this frontend stops");
        hurry.run_until_cancelled(leaving).await;
        self.draining.cancel();
        self.wait_for_statements(hurry).await;
        // Hands over as well, if that has not been done.
        self.cluster.node().shutdown().await;
        self.stop.cancel();
        self.stop_peers.cancel();
        if tokio::time::timeout(BACKGROUND_TIMEOUT, self.background.wait()).await.is_err() {
            tracing::warn!("background tasks still run after {BACKGROUND_TIMEOUT:?}; left behind");
        }
        let log = self.log;
        if tokio::task::spawn_blocking(move || log.close()).await.is_err() {
            tracing::warn!("closing the log was interrupted");
        }
        drop(self.directory);
        drop(self.pid_file);
    }

    async fn wait_for_statements(&self, hurry: &CancellationToken) {
        let patience = async {
            tokio::select! {
                () = tokio::time::sleep(DRAIN_TIMEOUT) => {}
                () = async {
                    hurry.cancelled().await;
                    tokio::time::sleep(HURRY_TIMEOUT).await;
                } => {}
            }
        };
        tokio::select! {
            () = self.doors.wait() => {}
            () = patience => tracing::warn!("statements that still run are cut off"),
        }
    }
}

/// What the leader waits for before it tells others what came of their commands. They have their
/// own deadlines, and repeat what has no answer.
fn confirmed(machine: &Machine) -> raft::Confirmed {
    let machine = machine.clone();
    Arc::new(move |lsn| {
        if machine.is_confirmed(lsn) {
            return std::future::ready(true).boxed();
        }
        let machine = machine.clone();
        let deadline = std::time::Instant::now() + CONFIRM_TIMEOUT;
        async move { machine.wait_confirmed(lsn, deadline).await.is_ok() }.boxed()
    })
}

/// What the leader asks before it logs commands.
fn active(machine: &Machine) -> raft::Active {
    let machine = machine.clone();
    Arc::new(move || machine.active())
}

fn registered(config: &Config) -> Registered {
    let address = config.frontend_address.as_str();
    let mut frontend = Registered::new(FrontendKind::Follower, address, config.edit_log_port);
    frontend.ports =
        Ports { query: config.query_port, rpc: config.rpc_port, http: config.http_port };
    frontend.version = VERSION.to_owned();
    frontend
}

async fn first_module(options: &StartOptions) -> Result<Vec<u8>, StartError> {
    match &options.module {
        None => Ok(CATALOG.to_vec()),
        Some(path) => tokio::fs::read(path)
            .await
            .map_err(|source| StartError::ModuleFile { path: path.clone(), source }),
    }
}

/// The identity in the data directory, or a new one. Also tells whether this frontend is the
/// founder, who has to initialise the log if that is not done yet.
async fn identity(
    directory: &DataDirectory,
    options: &StartOptions,
    registered: &Registered,
    surroundings: &Surroundings,
    stop: &CancellationToken,
) -> Result<(Identity, bool), StartError> {
    if let Some(identity) = directory.identity()? {
        bootstrap::confirm(&raft::Tcp, &options.helpers, registered, &identity, surroundings)
            .await?;
        let founds = identity.node == FOUNDER;
        return Ok((identity, founds));
    }
    let identity = if options.helpers.is_empty() {
        engine::check(&options.config, FrontendKind::Follower)?;
        bootstrap::founder(rand::random())
    } else {
        let tell = |waiting: &str| {
            tracing::info!("{waiting}");
            options.progress.send_replace(waiting.to_owned());
        };
        let entrant = directory.entrant(rand::random())?;
        let joined = bootstrap::join(
            &raft::Tcp,
            &options.helpers,
            registered,
            surroundings,
            &tell,
            entrant,
            stop,
        )
        .await?;
        directory.set_members(&joined.members)?;
        joined.identity
    };
    directory.set_identity(&identity)?;
    Ok((identity, options.helpers.is_empty()))
}

/// Other frontends that this one knows of before its state tells.
struct Known {
    /// Of the cluster that it joined, at that time.
    members: Vec<(NodeId, String)>,
    /// Given at this start.
    helpers: Vec<String>,
}

fn spawn_background(
    tracker: &TaskTracker,
    cluster: &Cluster,
    component: Vec<u8>,
    Known { members: first, mut helpers }: Known,
    stop: &CancellationToken,
) {
    // Whom to ask beside those in the registry.
    let own = cluster.identity().node;
    helpers.extend(first.iter().filter(|(node, _)| *node != own).map(|(_, at)| at.clone()));
    // A command that they wait for gets no answer any more once consensus has stopped.
    let end = || stop.clone();
    let (standing, asked, token) = (cluster.clone(), helpers.clone(), stop.clone());
    tracker.spawn(async move { standing.watch_standing(asked, token).await });
    let (founding, members, token) = (cluster.clone(), first.clone(), stop.clone());
    tracker.spawn(end().run_until_cancelled_owned(async move {
        // Only the founder: another frontend may carry another first module.
        if founding.identity().node == FOUNDER
            && let Err(failure) = founding.found(&component, &token).await
        {
            tracing::error!("the first module cannot be used: {failure}");
        }
        founding.announce(&helpers, &members, &token).await;
    }));
    let (members, token) = (cluster.clone(), stop.clone());
    tracker.spawn(
        end().run_until_cancelled_owned(async move { members.keep_membership(token).await }),
    );
    let (subscriber, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { subscriber.keep_subscription(first, token).await });
    let (commits, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { commits.watch_commits(token).await });
    let (pulse, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { pulse.keep_pulse(token).await });
    let (agreement, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { agreement.watch_agreement(token).await });
    let (milestones, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { milestones.confirm_milestones(token).await });
    let (migration, token) = (cluster.clone(), stop.clone());
    tracker.spawn(
        end().run_until_cancelled_owned(async move { migration.keep_migrating(token).await }),
    );
    let (epochs, token) = (cluster.clone(), stop.clone());
    tracker
        .spawn(end().run_until_cancelled_owned(async move { epochs.announce_epochs(token).await }));
    let (schedule, token) = (cluster.clone(), stop.clone());
    tracker
        .spawn(end().run_until_cancelled_owned(async move { schedule.keep_schedule(token).await }));
    let (modules, token) = (cluster.clone(), stop.clone());
    tracker.spawn(
        end().run_until_cancelled_owned(async move { modules.acknowledge_modules(token).await }),
    );
}
