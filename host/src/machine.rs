//! The replicated state machine: committed entries in, state, outcomes and digests out.
//!
//! [`Applier`] is the write side. It belongs to the one thread that applies the log; each call
//! takes a run of entries, works them out over an overlay, and commits everything that follows from
//! them as one batch: what the module wrote, the host's tables, the outcomes kept for repeated
//! requests, the digests, and the position. The state is therefore always that of some LSN, never
//! between two.
//!
//! [`Machine`] is the read side, cloned freely. After a commit the applier publishes a view of the
//! state together with the host's tables as of the same LSN; whoever takes a [`MachineView`] gets
//! both, without a lock and without reading storage, and keeps them unchanged for as long as
//! needed.
//!
//! What keeps frontends equal:
//! - The state follows from the log alone. Time, seeds and limits come from entries; nothing reads
//!   a clock, random numbers or configuration.
//! - How the log is cut into runs leaves no trace. Digests are per entry, tables in memory are a
//!   copy of rows, and every row that a decision depends on is written in the batch of its entry.
//! - A fault of one frontend is no outcome: nothing of the run is kept, and it is tried again.
//!
//! Key layout: `keys`. Order of a command: deduplication, then the host or the module that is
//! active at that point of the entry; an activation counts from the next command on.

mod apply;
mod breaking;
mod changes;
mod compare;
mod gate;
mod keys;
mod mark;
mod milestones;
mod modules;
mod position;
mod quarantine;
mod recovery;
mod registry;
mod requests;
mod rows;
mod signature;
mod standing;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use quorate_wire::Failure;
use tokio::sync::watch;

use crate::runtime::{Module, Pace, Runtime};
use crate::storage::state::{StateError, StateStore};
use crate::types::{
    BatchReply, Entry, Epochs, LogId, Lsn, ModuleDigest, Outcome, Rejection, StateDigest,
    StoredMembership, View, ViewError,
};

use modules::Modules;
use position::Position;
use registry::{Registry, Wait};
use requests::Requests;

pub use apply::{
    ALLOW_COLOCATED, Applier, CHECK_PAGES_MAX, CHUNK_BYTES_MAX, Explained, ExplainedCommand,
    FILE_BYTES_MAX, FOLLOWERS_MAX, FRONTENDS_MAX, GoesOn, INSTALLED_MAX, MIGRATION_BYTES_MAX,
    MIGRATION_STEPS_MAX, Migrated, RETIRED_MAX, SETTINGS_MAX, Shadow, ShadowEnd, Tried,
    UPLOADS_MAX, Watch, Written, is_address, may_be_repeated,
};
pub use breaking::{Noticed, noticed};
pub use changes::{
    BEFORE_BYTES_MAX, BEFORE_READS_MAX, Before, CHANGE_FEED, Change, ChangeCursor, ChangesError,
    EntryChanges, OFF, What,
};
pub use compare::{Compared, DIFFERENCES_MAX, Difference, compare};
pub use keys::name as key_name;
pub use mark::read_mark;
pub use milestones::{Doubt, Milestone, Unconfirmed};
pub use modules::{LoadError, READY_MAX};
pub use position::DIGESTS_KEPT;
pub use quarantine::Quarantine;
pub use recovery::Recovery;
pub use registry::{Activation, Active, Migration, SCHEDULED_INDEX, Scheduled};
pub use requests::{
    CLIENTS_MAX, OUTCOMES_MAX, OUTCOMES_PER_CLIENT_MAX, REPLY_BYTES_KEPT_MAX, kept as remembered,
};
pub use signature::{REQUIRE as REQUIRE_SIGNATURES, SIGNATURE_BYTES_MAX, Signed, TRUSTED_KEYS};
pub use standing::Standing;
pub use view::{MachineView, ModuleState, ModuleStatus, Plan};

/// Version of the key layout and of the rows. A state of another version is not opened.
const FORMAT: u8 = 1;

/// The read side of the machine.
#[derive(Clone)]
pub struct Machine {
    shared: Arc<Shared>,
}

struct Shared {
    state: Arc<dyn StateStore>,
    modules: Modules,
    published: ArcSwap<Published>,
    applied: watch::Sender<Lsn>,
    milestones: milestones::Milestones,
    /// Commands that were rejected since the start, by their [defects](Rejection::DEFECTS): for
    /// people, nothing depends on it.
    rejected: watch::Sender<BTreeMap<Rejection, u64>>,
    /// Why the state is not to be used.
    quarantine: watch::Sender<Option<String>>,
}

/// A state as of one LSN, and the tables that were read from it.
struct Published {
    view: Arc<dyn View>,
    registry: Arc<Registry>,
    position: Position,
    /// Whether the changes of the last entry are kept.
    recorded: bool,
}

/// How far the state is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last entry applied.
    pub log_id: Option<LogId>,
    /// The membership in force.
    pub membership: StoredMembership,
    /// The chain of digests up to that entry.
    pub digest: StateDigest,
    /// Its LSN; 0 when there is none.
    pub lsn: Lsn,
}

/// This frontend has not applied an LSN in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("LSN {wanted} was not applied in time, only {applied}")]
pub struct Lagging {
    /// What was waited for.
    pub wanted: Lsn,
    /// How far it came.
    pub applied: Lsn,
}

/// Why a state could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is of another version.
    #[error("the state has format {0}, this program reads {FORMAT}")]
    Format(u8),
    /// It could not be read, or its active module could not be made ready.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A new state could not be marked with its format.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Machine {
    /// Opens a state, old or new. Blocks, and compiles the active module.
    ///
    /// # Errors
    /// When the state is of another format, cannot be read, or its active module cannot run here.
    pub fn open(
        state: Arc<dyn StateStore>,
        runtime: Runtime,
    ) -> Result<(Self, Applier), OpenError> {
        let view = state.view();
        match view.get(&keys::FORMAT).map_err(LoadError::from)?.as_deref() {
            Some([FORMAT]) => {}
            Some(other) => return Err(OpenError::Format(other.first().copied().unwrap_or(0))),
            None => {
                let mark = Bytes::from_static(&[FORMAT]);
                state.commit(BTreeMap::from([(keys::FORMAT, Some(mark))]))?;
            }
        }
        let modules = Modules::new(runtime);
        let quarantine = watch::Sender::new(quarantine(&*state.view()).map_err(LoadError::from)?);
        let (published, requests) = Published::load(state.view(), &modules, Wait::ForCompiler)?;
        let applied = watch::Sender::new(published.position.lsn());
        let published = ArcSwap::from_pointee(published);
        let milestones = milestones::Milestones::new();
        let kept = Arc::clone(&state);
        let rejected = watch::Sender::default();
        let shared =
            Shared { state: kept, modules, published, applied, milestones, rejected, quarantine };
        let machine = Self { shared: Arc::new(shared) };
        let applier = Applier::new(machine.clone(), state, requests);
        Ok((machine, applier))
    }

    /// The LSN that views show.
    pub fn lsn(&self) -> Lsn {
        self.shared.published.load().position.lsn()
    }

    /// The LSN that views show, and the module that is active then.
    pub fn active(&self) -> Option<(Lsn, ModuleDigest)> {
        let published = self.shared.published.load();
        let active = published.registry.active.as_ref()?;
        Some((published.position.lsn(), active.digest))
    }

    /// How far the state is.
    pub fn applied(&self) -> Applied {
        let published = self.shared.published.load();
        let Position { log_id, digest, .. } = published.position;
        let membership = published.registry.membership.clone();
        Applied { log_id, membership, digest, lsn: published.position.lsn() }
    }

    /// The LSN applied last, whenever it changes. By then views show it.
    pub fn subscribe(&self) -> watch::Receiver<Lsn> {
        self.shared.applied.subscribe()
    }

    /// Waits until views show `lsn`.
    ///
    /// # Errors
    /// When they do not by `deadline`.
    pub async fn wait_applied(&self, lsn: Lsn, deadline: Instant) -> Result<(), Lagging> {
        if self.lsn() >= lsn {
            return Ok(());
        }
        let mut applied = self.subscribe();
        let reached = applied.wait_for(|applied| *applied >= lsn);
        match tokio::time::timeout_at(deadline.into(), reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Lagging { wanted: lsn, applied: *self.shared.applied.borrow() }),
        }
    }

    /// The newest state.
    pub fn view(&self) -> MachineView {
        MachineView::new(self.shared.published.load_full())
    }

    /// Why the state is not to be used, if it is not: it is not the others'. Nothing is applied to
    /// it any more.
    pub fn quarantine(&self) -> Option<String> {
        self.shared.quarantine.borrow().clone()
    }

    /// Whether the state may be used.
    ///
    /// # Errors
    /// When it was put aside.
    pub fn usable(&self) -> Result<(), Failure> {
        match &*self.shared.quarantine.borrow() {
            None => Ok(()),
            Some(reason) => {
                let message = format!("this frontend cannot serve: {reason}");
                Err(Failure::new(1105, "HY000", message))
            }
        }
    }

    /// Counts the commands of entries, just applied, that were rejected for a
    /// [defect](Rejection::DEFECTS).
    pub fn count_rejected(&self, entries: &[Entry], replies: &[BatchReply]) {
        for (entry, reply) in entries.iter().zip(replies) {
            for (at, outcome) in reply.outcomes.iter() {
                if let Outcome::Rejected(why) = outcome
                    && Rejection::DEFECTS.contains(why)
                    // Else it was counted there.
                    && at.0 == entry.log_id.index
                {
                    self.shared
                        .rejected
                        .send_modify(|counts| *counts.entry(*why).or_default() += 1);
                }
            }
        }
    }

    /// The commands that were counted so since the start, and each change of that.
    pub fn rejected(&self) -> watch::Receiver<BTreeMap<Rejection, u64>> {
        self.shared.rejected.subscribe()
    }

    /// Puts the state aside, durably with the state itself: only another one in its place, by a
    /// snapshot or a rebuild, ends that. `agreed` is what a majority has instead, and where, if
    /// there is one. Blocks.
    ///
    /// # Errors
    /// When storage failed; it is put aside nevertheless, until a restart.
    pub fn set_quarantine(
        &self,
        reason: &str,
        agreed: Option<(Lsn, StateDigest)>,
    ) -> Result<(), StateError> {
        self.shared.quarantine.send_replace(Some(reason.to_owned()));
        let row = Quarantine { reason: reason.to_owned(), agreed }.pack();
        self.shared.state.commit(BTreeMap::from([(keys::QUARANTINE, Some(row))]))?;
        self.shared.state.flush()
    }

    /// Writes the state as of now into a new directory, as [`StateStore::checkpoint`] does. Blocks.
    ///
    /// # Errors
    /// When the directory exists, or storage failed.
    pub fn checkpoint(&self, dir: &std::path::Path) -> Result<(), StateError> {
        self.shared.state.checkpoint(dir)
    }

    /// Makes an installed module ready to run, so that an activation need not wait for it. Blocks
    /// for seconds.
    ///
    /// # Errors
    /// When it is not installed, or cannot run on this frontend.
    pub fn load_module(&self, digest: ModuleDigest) -> Result<Arc<Module>, LoadError> {
        let published = self.shared.published.load_full();
        let module = published.registry.modules.get(&digest).ok_or(LoadError::Unknown(digest))?;
        let (pace, get) = (published.pace(), |key: &[u8]| published.view.get(key));
        let module =
            self.shared.modules.load(&module.manifest, published.registry.epoch, pace, get)?;
        // And for the epochs that may come, so that the step to one need not wait for it either.
        let next = self.epochs().each().filter(|epoch| *epoch > published.registry.epoch);
        for epoch in next {
            let manifest = &published.registry.modules[&digest].manifest;
            self.shared.modules.load(manifest, epoch, pace, get)?;
        }
        Ok(module)
    }

    /// The engine epochs that this program can run.
    pub fn epochs(&self) -> Epochs {
        self.shared.modules.epochs()
    }

    /// Has those modules stay ready, once they are, that are likely to be wanted at once: the one
    /// that is active, that was active before, and that is scheduled.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn keep_ready(&self) -> Result<BTreeSet<ModuleDigest>, ViewError> {
        let view = self.view();
        let active = view.active().map(|active| active.digest);
        let scheduled = view.scheduled().map(|scheduled| scheduled.order.to);
        let kept = [active, view.previous()?, scheduled].into_iter().flatten();
        let kept: BTreeSet<_> = kept.collect();
        self.shared.modules.keep(kept.clone());
        Ok(kept)
    }

    /// Whether [`load_module`](Self::load_module) and [`inspect_module`](Self::inspect_module) may
    /// take time, which those do that compile.
    pub fn compiles_modules(&self) -> bool {
        self.shared.modules.are_compiled_aside()
    }

    /// Tries a module file on this frontend, without any effect on the state. Blocks for seconds.
    ///
    /// # Errors
    /// What makes it unusable.
    pub fn inspect_module(
        &self,
        component: &[u8],
    ) -> Result<Arc<Module>, crate::runtime::LoadError> {
        let published = self.shared.published.load_full();
        self.shared.modules.inspect(published.registry.epoch, component, published.pace())
    }

    /// Removes the changes of entries up to `upto` from the state, but never those of the newest
    /// one: they are the mark that nothing is missing. May run beside [`Applier::apply`]; views
    /// taken before the next entry may still show them. Blocks.
    ///
    /// # Errors
    /// When storage failed.
    pub fn forget_changes(&self, upto: Lsn) -> Result<(), StateError> {
        let end = Lsn((upto.0 + 1).min(self.lsn().0));
        self.shared.state.remove(keys::CHANGES, &keys::changes(end, 0))
    }

    fn publish(&self, published: Published) {
        let lsn = published.position.lsn();
        self.shared.published.store(Arc::new(published));
        self.shared.applied.send_replace(lsn);
    }
}

fn quarantine(view: &dyn View) -> Result<Option<String>, ViewError> {
    Ok(Quarantine::load(view)?.map(|found| found.reason))
}

impl Published {
    /// Of compiling: without an active module there is nothing that it could disturb.
    fn pace(&self) -> Pace {
        if self.registry.active.is_some() { Pace::Polite } else { Pace::Swift }
    }

    /// Reads a state, with the table of requests that belongs to it.
    fn load(
        view: Arc<dyn View>,
        modules: &Modules,
        wait: Wait,
    ) -> Result<(Self, Requests), LoadError> {
        let registry = Arc::new(Registry::load(&*view, modules, wait)?);
        let (position, requests) = (Position::load(&*view)?, Requests::load(&*view)?);
        let recorded = changes::is_recorded(&*view, &position)?;
        Ok((Self { view, registry, position, recorded }, requests))
    }
}

#[cfg(test)]
mod tests;
