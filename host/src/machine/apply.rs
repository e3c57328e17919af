//! The write side: committed entries in, one atomic commit out.
//!
//! A run of entries is worked out over an overlay and committed as a whole, with the position, the
//! digests and the outcomes that belong to it. Until then nothing of it is anywhere else: a fault
//! on the way drops the overlay and the tables in memory, and the next attempt begins from the
//! state again. How a log is cut into runs shows nowhere in the state.

mod activation;
mod alterations;
mod entry;
mod epoch;
mod explain;
mod frontends;
mod host;
mod migration;
mod modules;
mod settings;
mod shadow;
mod steps;
mod watch;

use std::sync::Arc;

use explain::Explaining;
use steps::Step;
use watch::Watching;

use super::milestones::Milestone;
use super::position::Position;
use super::registry::{Registry, Wait};
use super::requests::Requests;
use super::{Machine, Published, keys};
use crate::runtime::{Fault, Overlay};
use crate::storage::state::StateStore;
use crate::types::{BatchReply, Entry, LogId, Lsn};

pub use alterations::{FOLLOWERS_MAX, may_be_repeated};
pub use explain::{Explained, ExplainedCommand};
pub use frontends::{FRONTENDS_MAX, is_address};
pub use migration::{CHECK_PAGES_MAX, MIGRATION_BYTES_MAX, MIGRATION_STEPS_MAX};
pub use modules::{CHUNK_BYTES_MAX, FILE_BYTES_MAX, INSTALLED_MAX, RETIRED_MAX, UPLOADS_MAX};
pub use settings::{ALLOW_COLOCATED, SETTINGS_MAX};
pub use shadow::{GoesOn, Migrated, Shadow, ShadowEnd, Tried, Written};
pub use watch::Watch;

/// The write side of the machine. Owned by one thread, on which it blocks.
pub struct Applier {
    machine: Machine,
    state: Arc<dyn StateStore>,
    /// What goes with the published state; gone after a fault, until it is read again.
    requests: Option<Requests>,
    /// A commit failed, so what the state holds is unknown until it is opened again.
    is_broken: bool,
}

/// A run of entries under way.
struct Run<'a> {
    machine: &'a Machine,
    overlay: Overlay,
    registry: Arc<Registry>,
    requests: Requests,
    position: Position,
    /// Whether the changes of the entry before are kept.
    recorded: bool,
    /// The first and the last entry of the run at which frontends are to compare.
    milestones: Option<(Lsn, Milestone)>,
    /// What is written down of the entry, if somebody asked for that.
    explaining: Option<Explaining>,
    /// What of the life of modules is in it.
    steps: Vec<Step>,
    /// Who measures what modules take, if anybody does.
    watching: Option<Watching<'a>>,
}

impl Applier {
    pub(super) fn new(machine: Machine, state: Arc<dyn StateStore>, requests: Requests) -> Self {
        Self { machine, state, requests: Some(requests), is_broken: false }
    }

    /// Applies committed entries, in LSN order and without a gap to what was applied before, and
    /// gives one reply per entry: empty for entries without commands, and for entries that were
    /// applied before. Calls `durable` with the last log id before it commits: it must return only
    /// when the entries up to there are durable on this frontend, so that the state is never ahead
    /// of the log. Readers see the entries when this returns.
    ///
    /// # Errors
    /// A fault of this frontend. Nothing was applied; calling again with the same entries is how to
    /// try again, and with one at a time how to come as far as possible.
    pub fn apply(
        &mut self,
        entries: &[Entry],
        durable: &dyn Fn(&LogId) -> Result<(), Fault>,
    ) -> Result<Vec<BatchReply>, Fault> {
        Ok(self.run(entries, durable, None, None)?.0)
    }

    /// As [`apply`](Self::apply), of a log that needs no waiting for. `watch` is told of each
    /// command that a module runs.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_watched(
        &mut self,
        entries: &[Entry],
        watch: &mut dyn Watch,
    ) -> Result<Vec<BatchReply>, Fault> {
        Ok(self.run(entries, &|_| Ok(()), None, Some(Watching::new(watch)))?.0)
    }

    fn run<'a>(
        &'a mut self,
        entries: &[Entry],
        durable: &dyn Fn(&LogId) -> Result<(), Fault>,
        explaining: Option<Explaining>,
        watching: Option<Watching<'a>>,
    ) -> Result<(Vec<BatchReply>, Option<Explaining>), Fault> {
        if let Some(reason) = self.machine.quarantine() {
            return Err(Fault(reason));
        }
        // Whatever goes wrong from here on, the tables are read again before the next run.
        let requests = match self.requests.take() {
            Some(requests) => requests,
            None => self.read()?,
        };
        let published = self.machine.shared.published.load_full();
        let mut run = Run {
            machine: &self.machine,
            overlay: Overlay::new(Arc::clone(&published.view)),
            registry: Arc::clone(&published.registry),
            requests,
            position: published.position,
            recorded: published.recorded,
            milestones: None,
            explaining,
            steps: Vec::new(),
            watching,
        };
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            replies.push(run.entry(entry)?);
        }
        let Run { mut overlay, registry, requests, position, recorded, milestones, .. } = run;
        let (explaining, steps) = (run.explaining, run.steps);
        if position != published.position
            && let Some(last) = &position.log_id
        {
            durable(last)?;
            overlay.put(keys::POSITION, position.pack());
            steps::worked_out(&steps);
            if let Err(error) = self.state.commit(overlay.into_writes()) {
                self.is_broken = true;
                return Err(Fault(error.to_string()));
            }
            steps::committed(&steps);
            let view = self.state.view();
            if let Some((first, newest)) = milestones {
                self.machine.shared.milestones.note(first, newest);
            }
            self.machine.publish(Published { view, registry, position, recorded });
        }
        self.requests = Some(requests);
        Ok((replies, explaining))
    }

    /// Whether a commit has failed: then trying again cannot help, the frontend must stop.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Takes over a state that was put in the place of the old one, by a snapshot.
    ///
    /// # Errors
    /// When it cannot be read, or its active module cannot be made ready here. The old one stays
    /// visible; the next [`apply`](Self::apply) tries again.
    pub fn reload(&mut self) -> Result<(), Fault> {
        self.requests = None;
        let quarantine = super::quarantine(&*self.state.view());
        let quarantine = quarantine.map_err(|error| Fault(error.to_string()))?;
        self.machine.shared.quarantine.send_replace(quarantine);
        self.machine.shared.milestones.clear();
        self.requests = Some(self.read()?);
        Ok(())
    }

    /// Publishes the state as it is stored and gives the table that goes with it.
    fn read(&self) -> Result<Requests, Fault> {
        // Without a module so far, nothing is held up by waiting for the first one.
        let serves = self.machine.view().active().is_some();
        let wait = if serves { Wait::Not } else { Wait::ForCompiler };
        let (published, requests) =
            Published::load(self.state.view(), &self.machine.shared.modules, wait)
                .map_err(|error| Fault(error.to_string()))?;
        self.machine.publish(published);
        Ok(requests)
    }
}
