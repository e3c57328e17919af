//! What is done on one frontend before and after the chaos: the cluster is founded, the module
//! activated, everything read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv::{Request, Response};
use quorate::cluster::bootstrap::founder;
use quorate::runtime::{Runtime, native_digest};
use quorate::storage::Identity;
use quorate::types::{
    Frontend, HostCommand, Lifecycle, Lsn, ModuleDigest, ModuleManifest, NodeId, Order,
};
use quorate_wire::Failure;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::frontend::{Asked, Running, Statement, registered};
use super::history::{Answer, Operation, Question};
use super::level::Level;
use super::model::response;
use super::network::Network;
use super::release::Release;
use super::world::{FOUNDING_MS, World};

const CHUNK_BYTES: usize = 256 << 10;

/// The module that runs.
#[derive(Clone)]
pub struct Module {
    file: Bytes,
    description: Bytes,
}

impl Module {
    /// kv, natively.
    pub fn native() -> Self {
        let first = Release::First;
        Self { file: first.file(), description: first.native(None).describe().pack().into() }
    }

    /// A component file.
    pub fn component(runtime: &Runtime, path: &str) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = runtime.load(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { description: module.packed_description().clone(), file: file.into() }
    }

    fn digest(&self) -> ModuleDigest {
        native_digest(&self.file)
    }
}

impl World {
    /// Founds the cluster on its first hosts, with the module active.
    pub(super) fn found(&mut self) -> bool {
        let random = self.context.dice.next();
        let first = founder(random);
        self.hosts[0].disk.stamp(first);
        {
            let mut oracle = self.oracle.lock();
            oracle.is(0, first.node);
            (0..self.plan.hosts).for_each(|host| oracle.asked_to_add(&Network::home(host)));
        }
        self.start(0);
        if !self.until(FOUNDING_MS, "the founder serves", |world| world.serves(0)) {
            return false;
        }
        let (hosts, module) = (self.plan.hosts, self.module.clone());
        let Some(ids) = self.on(0, move |running| register(running, hosts, module)) else {
            return false;
        };
        let ids = match ids {
            Ok(ids) => ids,
            Err(failure) => {
                self.context.violate(format!("founding failed: {failure}"));
                return false;
            }
        };
        for (at, node) in (1..).zip(ids) {
            self.hosts[at].disk.stamp(Identity { node, ..first });
            self.oracle.lock().is(at, node);
            self.start(at);
        }
        let all = self.plan.hosts;
        let joined = |world: &Self| {
            (0..all).all(|at| world.serves(at))
                && world.running(0).is_some_and(|running| {
                    let status = running.cluster.node().status();
                    status.voters.len() == all && !status.is_joint
                })
        };
        if !self.until(FOUNDING_MS, "all frontends vote", joined) {
            return false;
        }
        let module = self.module.clone();
        match self.on(0, move |running| activate(running, module)) {
            Some(Ok(())) => true,
            Some(Err(failure)) => {
                self.context.violate(format!("activation failed: {failure}"));
                false
            }
            None => false,
        }
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// Founds the cluster on its first host, registers the others, and installs the module. Gives the
/// ids of the others.
pub async fn register(
    running: Running,
    hosts: usize,
    module: Module,
) -> Result<Vec<NodeId>, Failure> {
    let Running { cluster, .. } = &running;
    let identity = *cluster.identity();
    let refused = |error: &dyn ToString| Failure::new(1105, "HY000", error.to_string());
    let initialized = cluster.node().initialize(&Network::home(0)).await;
    initialized.map_err(|error| refused(&error))?;
    while !cluster.node().watch().borrow().is_leader {
        sleep(Duration::from_millis(1)).await;
    }
    let (id, generation) = (identity.cluster, identity.generation);
    let found =
        HostCommand::Found { cluster: id, generation, frontend: registered(&Network::home(0)) };
    cluster.run("", found, soon()).await?;
    let mut ids = Vec::new();
    for host in 1..hosts {
        let frontend = registered(&Network::home(host));
        let (ports, version) = (frontend.ports, frontend.version.clone());
        let Lsn(lsn) = cluster.run("", HostCommand::AddFrontend(frontend), soon()).await?;
        let node = NodeId(lsn);
        let announce = HostCommand::AnnounceFrontend { node, ports, version };
        cluster.run("", announce, soon()).await?;
        ids.push(node);
    }
    let digest = module.digest();
    for (index, chunk) in (0u32..).zip(module.file.chunks(CHUNK_BYTES)) {
        let bytes = Bytes::copy_from_slice(chunk);
        cluster.run("", HostCommand::PutModuleChunk { digest, index, bytes }, soon()).await?;
    }
    let manifest = ModuleManifest {
        digest,
        size_bytes: module.file.len() as u64,
        description: module.description.clone(),
    };
    cluster.run("", HostCommand::InstallModule(manifest), soon()).await?;
    Ok(ids)
}

/// Activates the module, acknowledged by all.
pub async fn activate(running: Running, module: Module) -> Result<(), Failure> {
    let Running { cluster, .. } = &running;
    let digest = module.digest();
    for (node, _) in cluster.machine().view().frontends() {
        let acknowledge = HostCommand::AcknowledgeModule { node, digest, refusal: None };
        cluster.run("", acknowledge, soon()).await?;
    }
    let activate = HostCommand::Lifecycle(Lifecycle::Activate(Order::new(digest, None)));
    cluster.run("", activate, soon()).await.map(drop)
}

/// Something is committed that changes nothing.
pub async fn announce(running: Running, within_ms: u64) -> Result<(), Failure> {
    let Running { cluster, .. } = &running;
    let node = cluster.identity().node;
    let view = cluster.machine().view();
    let Some(Frontend { ports, version, .. }) = view.frontend(node).cloned() else {
        return Err(Failure::new(1105, "HY000", "this frontend is not registered"));
    };
    let announce = HostCommand::AnnounceFrontend { node, ports, version };
    let deadline = Instant::now() + Duration::from_millis(within_ms);
    cluster.run("", announce, deadline).await.map(drop)
}

/// Reads keys, linearizably.
pub async fn read_all(
    running: Running,
    host: usize,
    keys: Vec<Bytes>,
    context: Arc<Context>,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    let Some(connection) = running.connect() else { return operations };
    let ask = async |statement| {
        let (answer, answered) = oneshot::channel();
        connection.send(Asked { statement, answer }).ok()?;
        answered.await.ok()
    };
    let set = "SET read_consistency = 'linearizable'".to_owned();
    ask(Statement::Text(set)).await;
    for key in keys {
        let (began, began_ms) = (context.moment(), context.now_ms());
        let got = ask(Statement::Packed(Request::Get { key: &key }.pack())).await;
        let answer = match &got {
            Some((Ok(reply), lsn)) => match response(reply).map(Response::unpack) {
                Some(Ok(Response::Get(found))) => Answer::Read {
                    lsn: Lsn(*lsn),
                    value: found.map(|(value, at)| (Bytes::copy_from_slice(value), Lsn(at))),
                },
                _ => Answer::Lost,
            },
            Some((Err(failure), _)) => Answer::Refused(failure.to_string()),
            None => Answer::Lost,
        };
        let question = Question::Get { key, level: Level::Linearizable };
        let (ended, at_ms) = (context.moment(), context.now_ms());
        operations.push(Operation {
            client: 0,
            host,
            question,
            began,
            began_ms,
            ended,
            at_ms,
            token: 0,
            answer,
        });
    }
    operations
}
