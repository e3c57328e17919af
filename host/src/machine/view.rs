//! What readers see: the state as of one LSN.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use quorate_wire::{Description, Failure};

use super::Published;
use super::keys;
use super::modules::{self, LoadError};
use super::position::{Position, digest_at};
use super::recovery::Recovery;
use super::registry::{Activation, Active, Installed, Migration, Registry, Scheduled};
use super::signature::Signed;
use crate::runtime::{Facts, ReadCall};
use crate::types::{
    BreakToken, ClusterId, Epoch, Epochs, Frontend, Generation, LogId, Lsn, ModuleDigest,
    ModuleManifest, NodeId, Order, StateDigest, StoredMembership, View, ViewError,
};

/// One consistent view of everything: the host's tables and the active module's space. Cheap to
/// take and to clone, and unchanging. It pins storage, so let go of it when a query is done.
#[derive(Clone)]
pub struct MachineView {
    published: Arc<Published>,
}

/// An installed module and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleStatus {
    /// Digest, size and packed description.
    pub manifest: ModuleManifest,
    /// What it says of itself.
    pub description: Arc<Description>,
    /// What each frontend said of it, by node id: `None` is yes, else why not.
    pub acknowledgements: Vec<(NodeId, Option<String>)>,
    /// Whether it is the active one.
    pub state: ModuleState,
    /// The entry that activated it, if it is the active one.
    pub active_since: Option<Lsn>,
    /// Its signature, if it came with one.
    pub signed: Option<Signed>,
}

/// What an activation would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The active module; none before the first.
    pub from: Option<Description>,
    /// Schema version of the rows that are there, if there are any under the module's name.
    pub schema: Option<u32>,
    /// Voters that have not said that they can run it.
    pub missing: Vec<NodeId>,
    /// What clients of the active module will miss.
    pub breaks: Vec<String>,
    /// The token that shows that somebody knows it.
    pub token: Option<BreakToken>,
    /// Why it would be refused now, if it would.
    pub refusal: Option<Failure>,
}

/// What an installed module is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleState {
    /// It could be activated.
    Installed,
    /// It runs the commands.
    Active,
    /// Its file is gone since that entry.
    Retired(Lsn),
}

impl MachineView {
    pub(super) fn new(published: Arc<Published>) -> Self {
        Self { published }
    }

    pub(super) fn store(&self) -> &dyn View {
        &*self.published.view
    }

    pub(super) fn position(&self) -> &Position {
        &self.published.position
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.published.registry
    }

    /// The last entry that it shows; 0 when there is none.
    pub fn lsn(&self) -> Lsn {
        self.published.position.lsn()
    }

    /// Its log id.
    pub fn log_id(&self) -> Option<LogId> {
        self.published.position.log_id
    }

    /// The chain of digests up to it.
    pub fn digest(&self) -> StateDigest {
        self.published.position.digest
    }

    /// Clock of the last entry, in microseconds since 1970.
    pub fn time_us(&self) -> u64 {
        self.published.position.clock_us
    }

    /// Identity of the cluster, once it is founded.
    pub fn cluster(&self) -> Option<(ClusterId, Generation)> {
        self.published.registry.cluster
    }

    /// Raft's voters and learners, and the entry that set them.
    pub fn membership(&self) -> &StoredMembership {
        &self.published.registry.membership
    }

    /// The registered frontends, by node id.
    pub fn frontends(&self) -> Vec<(NodeId, Frontend)> {
        let frontends = &self.published.registry.frontends;
        frontends.iter().map(|(node, frontend)| (*node, frontend.clone())).collect()
    }

    /// One of them.
    pub fn frontend(&self, node: NodeId) -> Option<&Frontend> {
        self.published.registry.frontends.get(&node)
    }

    /// The newest id that was ever given to a frontend. One that is not newer and not registered
    /// was dropped, for good.
    pub fn newest_node(&self) -> NodeId {
        self.published.registry.newest_node
    }

    /// The installed modules, by digest.
    pub fn modules(&self) -> Vec<ModuleStatus> {
        self.published.registry.modules.values().map(|module| self.status(module)).collect()
    }

    fn status(&self, module: &Installed) -> ModuleStatus {
        let Installed { manifest, description, acknowledgements, signed, retired } = module;
        let active = self.active().filter(|active| active.digest == manifest.digest);
        let acknowledgements = acknowledgements.iter();
        ModuleStatus {
            manifest: manifest.clone(),
            description: Arc::clone(description),
            acknowledgements: acknowledgements.map(|(node, said)| (*node, said.clone())).collect(),
            state: match (active, retired) {
                (Some(_), _) => ModuleState::Active,
                (None, Some(lsn)) => ModuleState::Retired(*lsn),
                (None, None) => ModuleState::Installed,
            },
            active_since: active.map(|active| active.since),
            signed: signed.clone(),
        }
    }

    /// Who vouches for a module and what that is worth now, for people.
    pub fn signed_by(&self, module: &ModuleStatus) -> String {
        self.published.registry.signed_by(module.signed.as_ref())
    }

    /// The entry by which a module was retired last; 0 if none is that was.
    pub fn last_retired(&self) -> Lsn {
        let modules = self.published.registry.modules.values();
        modules.filter_map(|module| module.retired).max().unwrap_or_default()
    }

    /// The modules whose files are there.
    pub fn installed(&self) -> BTreeSet<ModuleDigest> {
        let modules = self.published.registry.modules.iter();
        modules.filter(|(_, one)| one.retired.is_none()).map(|(digest, _)| *digest).collect()
    }

    /// The active module, ready to run.
    pub fn active(&self) -> Option<&Active> {
        self.published.registry.active.as_ref()
    }

    /// What a frontend drew for its data directory when it entered.
    pub fn entrant(&self, node: NodeId) -> Option<u64> {
        self.published.registry.entrants.get(&node).copied()
    }

    /// The migration of the active module's key space, if one is under way.
    pub fn migration(&self) -> Option<&Migration> {
        self.published.registry.migration.as_ref()
    }

    /// The engine epoch in force.
    pub fn epoch(&self) -> Epoch {
        self.published.registry.epoch
    }

    /// The engine epochs that a frontend has said it can run.
    pub fn epochs_of(&self, node: NodeId) -> Epochs {
        self.published.registry.epochs_of(node)
    }

    /// The activation that waits for its LSN or its time, if one does.
    pub fn scheduled(&self) -> Option<&Scheduled> {
        self.published.registry.scheduled.as_ref()
    }

    /// The module that was active before the active one; none before the second.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn previous(&self) -> Result<Option<ModuleDigest>, ViewError> {
        let switched = Activation::newest_switch(&*self.published.view)?;
        Ok(switched.and_then(|activation| activation.from))
    }

    /// What an activation would do if it were ordered now.
    ///
    /// # Errors
    /// When the module is not installed.
    pub fn plan(&self, order: &Order) -> Result<Plan, Failure> {
        let registry = &self.published.registry;
        let target = registry.installed(order.to)?;
        let active = registry.active.as_ref();
        Ok(Plan {
            from: active.map(|active| active.module.description().clone()),
            schema: registry.schemas.get(&target.description.name).copied(),
            missing: registry.missing(target),
            breaks: registry.breaks(target),
            token: registry.break_token(order.to),
            refusal: registry.judge(order).err(),
        })
    }

    /// The token of the step from the active module to another, with which a caller that knows
    /// what it takes from clients says so.
    pub fn break_token(&self, to: ModuleDigest) -> Option<BreakToken> {
        self.published.registry.break_token(to)
    }

    /// How far the upload of a file is: chunks and bytes.
    pub fn uploaded(&self, digest: ModuleDigest) -> (u32, u64) {
        let upload = self.published.registry.uploads.get(&digest);
        upload.map_or((0, 0), |upload| (upload.chunks, upload.size_bytes))
    }

    /// All attempts to activate a module, the oldest first. Blocks.
    ///
    /// # Errors
    /// When storage could not be read.
    pub fn history(&self) -> Result<Vec<Activation>, ViewError> {
        Activation::load_all(&*self.published.view)
    }

    /// How each generation after the first began, the oldest first. Blocks.
    ///
    /// # Errors
    /// When storage could not be read.
    pub fn recoveries(&self) -> Result<Vec<Recovery>, ViewError> {
        Recovery::load_all(&*self.published.view)
    }

    /// The settings, by name.
    pub fn settings(&self) -> Vec<(String, String)> {
        let settings = &self.published.registry.settings;
        settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// One of them, if it was set.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.published.registry.settings.get(name).map(String::as_str)
    }

    /// The digest at an LSN; none for an LSN to come, or one so old that it is forgotten. Blocks.
    ///
    /// # Errors
    /// When storage could not be read.
    pub fn digest_at(&self, lsn: Lsn) -> Result<Option<StateDigest>, ViewError> {
        digest_at(&*self.published.view, lsn)
    }

    /// What a read-only call of the active module needs to run on this view until `deadline`. None
    /// without a module.
    pub fn read_call(&self, deadline: Instant) -> Option<ReadCall> {
        let Active { module, schema, .. } = self.active()?;
        let facts =
            Facts { lsn: self.lsn(), time_us: self.time_us(), schema: *schema, ..Facts::default() };
        let space = keys::space(&module.description().name);
        let view = Arc::clone(&self.published.view);
        Some(ReadCall { view, prefix: space, facts, deadline })
    }

    /// The file of an installed module. Blocks.
    ///
    /// # Errors
    /// When the module is not installed or storage could not be read.
    pub fn module_bytes(&self, digest: ModuleDigest) -> Result<Vec<u8>, LoadError> {
        let module = self.published.registry.modules.get(&digest);
        let module = module.ok_or(LoadError::Unknown(digest))?;
        Ok(modules::file(&module.manifest, |key| self.published.view.get(key))?)
    }
}
