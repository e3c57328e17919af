//! Start in order, stop in reverse.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::apply::Gated;
use super::listeners::Listeners;
use super::snapshots::Keeper;
use super::space::{self, Disk};
use super::{Ending, Services, StartError, handover};
use crate::cluster::bootstrap::FOUNDER;
use crate::cluster::{Cluster, VERSION, bootstrap, wall_clock_us};
use crate::config::{Config, ElectionProfile};
use crate::machine::{Machine, read_mark};
use crate::raft::{self, Node, NodeOptions, Profile};
use crate::rescue::archive::Backups;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::session::{Backend, Sessions, Settings};
use crate::storage::{
    DataDirectory, DirectorySnapshots, Generations, Identity, Log, LogOptions, RocksLogDevice,
    RocksStateOptions, Snapshots, StateError,
};
use crate::types::{Frontend as Registered, FrontendKind, Ports};
use crate::{grpc, http, mysql};

/// The catalog, which a new cluster starts with.
const CATALOG: &[u8] = include_bytes!(env!("QUORATE_CATALOG"));
/// The MySQL version that clients adapt to: StarRocks' default.
const MYSQL_VERSION: &str = "8.0.33";
/// Sessions get this long to finish what they run when the frontend stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Read-only calls of the module that run at once; more wait.
const READ_SLOTS: u32 = 64;

/// What a frontend is started with.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Its configuration.
    pub config: Config,
    /// Frontends to join through, at the first start only; none founds a cluster.
    pub helpers: Vec<String>,
    /// The first module of a new cluster, instead of the catalog.
    pub module: Option<PathBuf>,
}

/// A running frontend.
pub struct Frontend {
    /// Holds the lock on the data directory.
    directory: DataDirectory,
    cluster: Cluster,
    log: Log,
    state_failure: watch::Receiver<Option<StateError>>,
    sessions: Arc<Sessions>,
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
        let listeners = Listeners::bind(config).await?;
        let component = first_module(&options).await?;
        bootstrap::check(&options.helpers)?;
        if !config.bind_address.is_loopback() {
            tracing::warn!(
                "ports are bound to {}: this version has no TLS, and its users may only come from \
                 this machine",
                config.bind_address
            );
        }
        let registered = registered(config);
        Disk::new(config).check_start(config)?;
        let directory = DataDirectory::open(&config.meta_dir)?;
        let disk = Disk::new(config);
        disk.look();
        let (identity, founds) = identity(&directory, &options, &registered, &stop).await?;
        if identity.kind == FrontendKind::Observer {
            return Err(StartError::Observer);
        }

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
        let runtime = Runtime::new(RuntimeOptions { read_slots: READ_SLOTS })
            .map_err(StartError::Runtime)?
            .keeping(&directory.modules());
        let snapshots: Arc<dyn Snapshots> =
            Arc::new(DirectorySnapshots::open(&directory.snapshots(), state.clone(), read_mark)?);
        let opened = Machine::open(state, runtime);
        let (machine, applier) = opened.map_err(|error| match &*state_failure.borrow() {
            Some(failure) => StartError::State(failure.clone()),
            None => StartError::Machine(error),
        })?;
        let profile = match config.election_profile {
            ElectionProfile::Fast => Profile::Fast,
            ElectionProfile::Lan => Profile::Lan,
            ElectionProfile::Wan => Profile::Wan,
        };
        let mut node_options =
            NodeOptions::new(identity.node, identity.cluster, identity.generation, profile);
        node_options.snapshot_rate = config.snapshots.bytes_per_second;
        let gated = Gated { applier, machine: machine.clone(), log: log.clone() };
        let started = Node::start(node_options, log.clone(), gated, snapshots.clone()).await;
        let node = started.map_err(|error| match (log.failure(), &*state_failure.borrow()) {
            (Some(failure), _) => StartError::Log(failure),
            (None, Some(failure)) => StartError::State(failure.clone()),
            (None, None) => StartError::Raft(error),
        })?;
        let address = registered.address();
        let started_us = wall_clock_us().cast_unsigned();
        let name = registered.address();
        let backups =
            Backups::new(snapshots, machine.clone(), log.clone(), name, VERSION.to_owned());
        let cluster = Cluster::new(identity, registered, machine, node, started_us);

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
        spawn_background(&background, &cluster, component, &tasks);

        background.spawn(space::watch(disk, cluster.clone(), tasks.clone()));
        background.spawn(handover::watch_log(log.clone(), cluster.clone(), tasks.clone()));

        let keeper = Keeper { cluster: cluster.clone(), log: log.clone(), rules: config.snapshots };
        background.spawn(keeper.run(tasks.clone()));

        let draining = CancellationToken::new();
        let services: Arc<dyn Backend> =
            Arc::new(Services::new(cluster.clone(), config.query_mem_limit)?);
        let settings = Settings {
            sessions_max: config.qe_max_connection,
            version: MYSQL_VERSION.to_owned(),
            current_version: format!("{VERSION} quorate"),
        };
        let sessions = Sessions::new(Arc::clone(&services), settings);
        let doors = TaskTracker::new();
        doors.spawn(mysql::serve(listeners.query, Arc::clone(&sessions), draining.clone()));
        doors.spawn(grpc::serve(
            listeners.rpc,
            Arc::clone(&sessions),
            services,
            cluster.clone(),
            backups,
            draining.clone(),
        ));
        background.spawn(http::serve(
            listeners.http,
            cluster.clone(),
            draining.clone(),
            tasks.clone(),
        ));
        doors.close();
        background.close();
        Ok(Self {
            directory,
            cluster,
            log,
            state_failure,
            sessions,
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

    /// Why it cannot go on, once that is so: its log, its state or its consensus has failed for
    /// good.
    pub async fn failed(&self) -> (Ending, String) {
        let mut leadership = self.cluster.node().watch();
        let mut state = self.state_failure.clone();
        let stopped = tokio::select! {
            biased;
            _ = self.log.failed() => None,
            Ok(_) = state.wait_for(Option::is_some) => None,
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

    /// Takes no new statements, lets running ones end, hands leadership over, and closes what was
    /// opened.
    pub async fn stop(self) {
        self.draining.cancel();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.doors.wait()).await.is_err() {
            tracing::warn!("statements still run after {DRAIN_TIMEOUT:?} and are cut off");
        }
        self.cluster.node().shutdown().await;
        self.stop.cancel();
        self.stop_peers.cancel();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.background.wait()).await.is_err() {
            tracing::warn!("background tasks still run after {DRAIN_TIMEOUT:?} and are cut off");
        }
        let log = self.log;
        if tokio::task::spawn_blocking(move || log.close()).await.is_err() {
            tracing::warn!("closing the log was interrupted");
        }
        drop(self.directory);
    }
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
    stop: &CancellationToken,
) -> Result<(Identity, bool), StartError> {
    if let Some(identity) = directory.identity()? {
        let founds = identity.node == FOUNDER;
        return Ok((identity, founds));
    }
    let identity = if options.helpers.is_empty() {
        bootstrap::founder(rand::random())
    } else {
        bootstrap::join(&raft::Tcp, &options.helpers, registered, stop).await?
    };
    directory.set_identity(&identity)?;
    Ok((identity, options.helpers.is_empty()))
}

fn spawn_background(
    tracker: &TaskTracker,
    cluster: &Cluster,
    component: Vec<u8>,
    stop: &CancellationToken,
) {
    let (founding, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move {
        // Only the founder: another frontend may carry another first module.
        if founding.identity().node == FOUNDER
            && let Err(failure) = founding.found(&component, &token).await
        {
            tracing::error!("the first module cannot be used: {failure}");
        }
        founding.announce(&token).await;
    });
    let (members, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { members.keep_membership(token).await });
    let (modules, token) = (cluster.clone(), stop.clone());
    tracker.spawn(async move { modules.acknowledge_modules(token).await });
}
