//! Modules on their way into the cluster.
//!
//! A module is installed through the log, in chunks, so that every frontend has it whatever
//! happened to it meanwhile. Each frontend then compiles and tries it beside its work and says
//! through the log whether it can run it. Activation counts those words, from the state, at its
//! own LSN. After a start a frontend tries every module again, and takes back a word that is not
//! true any more: another program may have another engine. So modules are ready before they are
//! activated, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use quorate_wire::Failure;
use sha2::{Digest, Sha256};
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::next_look;
use super::{Cluster, command_deadline};
use crate::machine::{LoadError, MachineView, ModuleState, ModuleStatus};
use crate::runtime;
use crate::types::{
    Epoch, HostCommand, Lifecycle, Lsn, ModuleDigest, ModuleManifest, NodeId, Order,
};

/// Bytes of a module's file per log entry.
const CHUNK_BYTES: usize = 256 << 10;
/// Largest module file; more is refused before anything is logged.
pub const MODULE_BYTES_MAX: usize = 16 << 20;
/// MySQL error of a module that this cluster cannot use.
pub const UNUSABLE: u16 = 1126;
/// Before a module is tried again that this frontend could not try.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for the voters' acknowledgements.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(30);
/// When a majority has acknowledged, and nobody else has for so long, the others are not waited
/// for: they are down, and will say it when they are back.
const QUIET_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks for acknowledgements.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// An installed module.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What the cluster records of it.
    pub manifest: ModuleManifest,
    /// LSN of its installation.
    pub lsn: Lsn,
    /// What each frontend said of it so far.
    pub acknowledgements: BTreeMap<NodeId, Option<String>>,
}

/// What this process has tried of the installed modules.
#[derive(Default)]
struct Tried {
    modules: BTreeSet<(Epoch, ModuleDigest)>,
    /// Those that came to nothing the last time, and how long to wait before the next: they come
    /// after all others.
    faulty: BTreeMap<ModuleDigest, Duration>,
    /// Those that are likely to be active soon.
    wanted: BTreeSet<ModuleDigest>,
    /// The entries by which one was active and one scheduled when it was found out which these are.
    found: Option<(Option<Lsn>, Option<Lsn>)>,
}

impl Tried {
    /// What is to be tried next: what nobody has been told about, what is likely to be activated,
    /// then the rest, and last what is tried once more.
    fn next(&self, view: &MachineView, mine: NodeId) -> Option<ModuleStatus> {
        view.frontend(mine)?;
        let rank = |module: &ModuleStatus| {
            let digest = module.manifest.digest;
            let is_silent = said(module, mine).is_none();
            if !is_silent && self.modules.contains(&(view.epoch(), digest)) {
                None
            } else if self.faulty.contains_key(&digest) {
                Some(3)
            } else if is_silent {
                Some(0)
            } else {
                Some(if self.wanted.contains(&digest) { 1 } else { 2 })
            }
        };
        let installed = view.modules().into_iter();
        let there = installed.filter(|module| !matches!(module.state, ModuleState::Retired(_)));
        let ranked = there.filter_map(|module| Some((rank(&module)?, module)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, module)| module)
    }
}

/// What a frontend has said of a module, if anything.
fn said(module: &ModuleStatus, node: NodeId) -> Option<&Option<String>> {
    module.acknowledgements.iter().find(|(by, _)| *by == node).map(|(_, said)| said)
}

impl Cluster {
    /// Checks a module here, installs it through the log and waits until every voter has
    /// acknowledged or refused it, or the deadline passes, or those that are left seem to be down.
    /// Installing the same file again is no error.
    ///
    /// # Errors
    /// [`UNUSABLE`] for a file that is no usable module; a refusal by the state; no leader.
    pub async fn install(
        &self,
        caller: &str,
        component: Bytes,
        signature: Option<String>,
        deadline: Instant,
    ) -> Result<Installed, Failure> {
        if component.len() > MODULE_BYTES_MAX {
            let message = format!(
                "the module has {} bytes; at most {MODULE_BYTES_MAX} are accepted",
                component.len()
            );
            return Err(Failure::new(UNUSABLE, "HY000", message));
        }
        let manifest = self.inspect(component.clone()).await?;
        self.upload(caller, manifest.digest, &component, deadline).await?;
        let command = match signature {
            None => HostCommand::InstallModule(manifest.clone()),
            Some(signature) => HostCommand::Lifecycle(Lifecycle::InstallSigned {
                manifest: manifest.clone(),
                signature,
            }),
        };
        let lsn = self.run(caller, command, deadline).await?;
        let acknowledgements = self.acknowledgements(manifest.digest, deadline).await;
        Ok(Installed { manifest, lsn, acknowledgements })
    }

    /// Puts a file into the log in chunks, from where an earlier attempt ended; nothing when the
    /// cluster has it.
    async fn upload(
        &self,
        caller: &str,
        digest: ModuleDigest,
        component: &Bytes,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let view = self.machine().view();
        let is_there = |module: &ModuleStatus| {
            module.manifest.digest == digest && !matches!(module.state, ModuleState::Retired(_))
        };
        if view.modules().iter().any(is_there) {
            return Ok(());
        }
        let (chunks, sent) = view.uploaded(digest);
        let sent = sent as usize;
        // In chunks of another size, by another release: from the beginning.
        let begin = if sent.div_ceil(CHUNK_BYTES) == chunks as usize { sent } else { 0 };
        for from in (begin..component.len()).step_by(CHUNK_BYTES) {
            let index = u32::try_from(from / CHUNK_BYTES).expect("a module has few chunks");
            let bytes = component.slice(from..component.len().min(from + CHUNK_BYTES));
            let command = HostCommand::PutModuleChunk { digest, index, bytes };
            self.run(caller, command, deadline).await?;
        }
        Ok(())
    }

    /// Loads the module here, off the async threads, before anything is logged.
    async fn inspect(&self, component: Bytes) -> Result<ModuleManifest, Failure> {
        let machine = self.machine().clone();
        let inspected = self
            .apart(move || {
                let digest = ModuleDigest(Sha256::digest(&component).into());
                let module = machine.inspect_module(&component)?;
                let description = module.description().pack().into();
                Ok(ModuleManifest { digest, size_bytes: component.len() as u64, description })
            })
            .await
            .map_err(|_| Failure::new(1105, "HY000", "inspecting the module was interrupted"))?;
        inspected.map_err(|error: runtime::LoadError| {
            Failure::new(UNUSABLE, "HY000", format!("the file is no usable module: {error}"))
        })
    }

    /// Runs what may compile a module off the async threads; in a simulation, which has no other
    /// threads, where it is awaited.
    pub(super) async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        if self.machine().compiles_modules() {
            tokio::task::spawn_blocking(work).await
        } else {
            Ok(work())
        }
    }

    async fn acknowledgements(
        &self,
        digest: ModuleDigest,
        deadline: Instant,
    ) -> BTreeMap<NodeId, Option<String>> {
        let deadline = deadline.min(Instant::now() + ACKNOWLEDGE_TIMEOUT);
        let (mut heard, mut since) = (0, Instant::now());
        loop {
            let given: BTreeMap<_, _> = self
                .machine()
                .view()
                .modules()
                .into_iter()
                .find(|module| module.manifest.digest == digest)
                .map(|module| module.acknowledgements.into_iter().collect())
                .unwrap_or_default();
            let voters = self.node().status().voters;
            let said = voters.iter().filter(|voter| given.contains_key(voter)).count();
            if said > heard {
                (heard, since) = (said, Instant::now());
            }
            let is_quiet = said * 2 > voters.len() && since.elapsed() >= QUIET_TIMEOUT;
            if said == voters.len() || is_quiet || Instant::now() >= deadline {
                return given;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Tries every installed module, and says so through the log where that is news. Runs until
    /// told to stop.
    pub async fn acknowledge_modules(&self, stop: CancellationToken) {
        let mut applied = self.machine().subscribe();
        let mut tried = Tried::default();
        while !stop.is_cancelled() {
            self.keep_ready(&mut tried).await;
            if let Some(module) = tried.next(&self.machine().view(), self.identity().node) {
                let digest = module.manifest.digest;
                if let Some(pause) = tried.faulty.remove(&digest) {
                    tokio::time::sleep(pause).await;
                }
                match self.acknowledge(&module).await {
                    Ok(epoch) => drop(tried.modules.insert((epoch, digest))),
                    Err(pause) => drop(tried.faulty.insert(digest, pause)),
                }
                continue;
            }
            if !next_look(&mut applied, LOOK_INTERVAL, &stop).await {
                return;
            }
        }
    }

    /// Finds out which modules are likely to be active soon, when that may have changed.
    async fn keep_ready(&self, tried: &mut Tried) {
        let (machine, view) = (self.machine().clone(), self.machine().view());
        let scheduled = view.scheduled().map(|scheduled| scheduled.since);
        let since = (view.active().map(|active| active.since), scheduled);
        if tried.found == Some(since) {
            return;
        }
        match self.apart(move || machine.keep_ready()).await {
            Ok(Ok(wanted)) => {
                // One that was not wanted before may have been dropped since it was ready.
                let is_new = |digest: &_| wanted.contains(digest) && !tried.wanted.contains(digest);
                tried.modules.retain(|(_, digest)| !is_new(digest));
                (tried.wanted, tried.found) = (wanted, Some(since));
            }
            Ok(Err(error)) => tracing::warn!("which modules to keep ready: {error}"),
            Err(error) => tracing::warn!("which modules to keep ready: {error}"),
        }
    }

    /// Tries a module, and has it recorded what came of it. Gives the epoch it was tried in, or how
    /// long to wait before it is tried again.
    async fn acknowledge(&self, module: &ModuleStatus) -> Result<Epoch, Duration> {
        let (machine, digest) = (self.machine().clone(), module.manifest.digest);
        let (node, epoch) = (self.identity().node, machine.view().epoch());
        let tried = self.apart(move || machine.load_module(digest)).await;
        let refusal = match tried {
            Ok(Ok(_)) => None,
            // Of this frontend, not of the module: it is tried again.
            Err(_)
            | Ok(Err(LoadError::State(_) | LoadError::Runtime(runtime::LoadError::Fault(_)))) => {
                return Err(FAULT_PAUSE);
            }
            Ok(Err(error)) => Some(error.to_string()),
        };
        let name = format!("{}@{}", module.description.name, module.description.version);
        match &refusal {
            None => tracing::info!("module {name} is ready"),
            Some(reason) => tracing::warn!("module {name} cannot run here: {reason}"),
        }
        if said(module, node) == Some(&refusal) {
            return Ok(epoch);
        }
        let command = HostCommand::AcknowledgeModule { node, digest, refusal };
        if let Err(failure) = self.run("", command, command_deadline()).await {
            tracing::debug!("acknowledging module {} goes on: {failure}", digest.short());
            return Err(LOOK_INTERVAL);
        }
        Ok(epoch)
    }

    /// Has a command about the life of a module carried out, such as its activation.
    ///
    /// # Errors
    /// A refusal by the state: another module was activated meanwhile, a voter has not acknowledged
    /// it, its migration failed. The old module then stays active.
    pub async fn lifecycle(
        &self,
        caller: &str,
        command: Lifecycle,
        deadline: Instant,
    ) -> Result<Lsn, Failure> {
        self.run(caller, HostCommand::Lifecycle(command), deadline).await
    }
}

/// Installs and activates a cluster's first module.
pub(super) async fn activate_first(cluster: &Cluster, component: &[u8]) -> Result<(), Failure> {
    let deadline = command_deadline();
    let digest = ModuleDigest(Sha256::digest(component).into());
    let installed = cluster.machine().view().modules();
    if installed.iter().all(|module| module.manifest.digest != digest) {
        cluster.install("", Bytes::copy_from_slice(component), None, deadline).await?;
    }
    let activate = Lifecycle::Activate(Order::new(digest, None));
    cluster.lifecycle("", activate, deadline).await.map(|_| ())
}
