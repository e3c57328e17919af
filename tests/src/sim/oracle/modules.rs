//! Which module runs, and how far its rows are migrated: at each LSN the same everywhere.

use std::collections::BTreeMap;

use quorate::machine::{MachineView, Migration};
use quorate::types::{Epoch, Lsn, ModuleDigest};

use super::Oracle;
use crate::sim::ledger::Ledger;

/// What a state says of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    digest: ModuleDigest,
    since: Lsn,
    schema: u32,
    migration: Option<Migration>,
    epoch: Epoch,
    /// The entry that ordered the activation that waits.
    scheduled: Option<Lsn>,
}

/// What states said, by LSN.
#[derive(Default)]
pub(super) struct Modules {
    stands: BTreeMap<Lsn, Option<Stand>>,
}

impl Stand {
    /// What came about after another one, for the report.
    fn news(&self, before: Option<&Self>) -> Option<&'static str> {
        let before = before?;
        let stops = |it: &Self| it.migration.as_ref().is_some_and(|it| it.stopped.is_some());
        if stops(self) && !stops(before) {
            return Some("modules: migrations that stopped");
        }
        let steps = |it: &Self| it.migration.as_ref().map(|migration| migration.steps);
        if steps(self).is_some() && steps(before).is_none() {
            return Some("modules: migrations in steps");
        }
        let at_once = self.schema != before.schema && steps(self).is_none();
        at_once.then_some("modules: migrations at once")
    }
}

impl Modules {
    /// A frontend has this state; `ledger` says what the log made of it. Gives what is new.
    pub fn are(
        &mut self,
        view: &MachineView,
        ledger: &Ledger,
    ) -> Result<Option<&'static str>, String> {
        let active = ledger.active_at(view.lsn());
        let stand = view.active().map(|active| Stand {
            digest: active.digest,
            since: active.since,
            schema: active.schema,
            migration: view.migration().cloned(),
            epoch: view.epoch(),
            scheduled: view.scheduled().map(|scheduled| scheduled.since),
        });
        let ready = view.active().map(|active| active.module.digest());
        if stand.as_ref().map(|stand| stand.digest) != active || ready != active {
            return Err(format!("runs {ready:?}, of {stand:?}; activated was {active:?}"));
        }
        let (epoch, scheduled) = (ledger.epoch_at(view.lsn()), ledger.scheduled_at(view.lsn()));
        let agrees = |it: &Stand| it.epoch == epoch && it.scheduled == scheduled;
        if stand.as_ref().is_some_and(|stand| !agrees(stand)) {
            return Err(format!("has {stand:?}, not epoch {epoch} and {scheduled:?} scheduled"));
        }
        if let Some(first) = self.stands.get(&view.lsn()) {
            if *first != stand {
                return Err(format!("has {stand:?}, others {first:?}"));
            }
            return Ok(None);
        }
        let newest = self.stands.last_key_value().filter(|(lsn, _)| **lsn < view.lsn());
        let before = newest.and_then(|(_, before)| before.as_ref());
        let news = stand.as_ref().and_then(|stand| stand.news(before));
        self.stands.insert(view.lsn(), stand);
        Ok(news)
    }
}

impl Oracle {
    /// `host` has the module of a state ready. Every other one had the same at that LSN, and it is
    /// the one that the log activated; the host has what that takes.
    pub(super) fn runs(&mut self, host: usize, view: &MachineView) {
        let news = match self.modules.are(view, &self.model.ledger) {
            Ok(news) => news,
            Err(what) => {
                let what = format!("module at LSN {}: host {host} {what}", view.lsn());
                return self.context.violate(what);
            }
        };
        let came = std::mem::take(&mut self.model.ledger.news);
        came.into_iter().chain(news).for_each(|what| self.context.count(what));
        if let Some(active) = view.active()
            && !self.shelves[host].provides(active.digest, view.epoch())
        {
            self.context.violate(format!(
                "module at LSN {}: host {host} lacks what runs {} in engine epoch {}",
                view.lsn(),
                active.digest,
                view.epoch()
            ));
        }
    }
}
