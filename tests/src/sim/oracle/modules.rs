//! Which module runs, and how far its rows are migrated: at each LSN the same everywhere.

use std::collections::BTreeMap;

use quorate::machine::{MachineView, Migration};
use quorate::types::{Lsn, ModuleDigest};

/// What a state says of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    digest: ModuleDigest,
    since: Lsn,
    schema: u32,
    migration: Option<Migration>,
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
    /// A frontend has this state; the log had `active` activated by then. Gives what is new.
    pub fn are(
        &mut self,
        view: &MachineView,
        active: Option<ModuleDigest>,
    ) -> Result<Option<&'static str>, String> {
        let stand = view.active().map(|active| Stand {
            digest: active.digest,
            since: active.since,
            schema: active.schema,
            migration: view.migration().cloned(),
        });
        let ready = view.active().map(|active| active.module.digest());
        if stand.as_ref().map(|stand| stand.digest) != active || ready != active {
            return Err(format!("runs {ready:?}, of {stand:?}; activated was {active:?}"));
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
