//! The commands that make another module the active one, now or later.
//!
//! Whether it may is judged by the tables ([`Registry::judge`]), when it is ordered and again when
//! it takes effect: who has acknowledged the module is counted over the voters of the membership
//! that is in force then. If the key space of the module's name has another schema, it is migrated
//! (`migration`): within this command, unless the module serves the other schema's rows too. Either
//! everything of the command takes place, or nothing but a row of history. Commands after it, of
//! the same entry too, run on the new module.
//!
//! A scheduled activation waits in the state. One for an LSN takes effect before the commands of
//! the first entry from there on that has any; for one at a time the leader proposes a command when
//! it has come.
//!
//! [`Registry::judge`]: crate::machine::registry::Registry::judge

use std::sync::Arc;

use super::host::{Halt, Host, outcome, refuse};
use crate::machine::keys;
use crate::machine::registry::{Activation, Active, Installed, Scheduled};
use crate::runtime::{Fault, Module, Pace};
use crate::types::{Lsn, ModuleDigest, Order, Outcome, When};

/// An attempt that has not ended yet.
struct Attempt {
    caller: String,
    from: Option<ModuleDigest>,
    to: ModuleDigest,
    schema_from: Option<u32>,
    schema_to: Option<u32>,
}

impl Host<'_> {
    /// Activates a module, or schedules that.
    pub fn activate(&mut self, order: &Order) -> Result<Outcome, Fault> {
        let attempt = self.attempt(order, self.facts.caller.clone());
        let ended = match order.when {
            When::Now => self.carry_out(order),
            When::AtLsn(_) | When::After(_) => self.schedule(order),
        };
        let taken = outcome(ended)?;
        if order.when == When::Now || !matches!(taken, Outcome::Applied(_)) {
            self.record(attempt, taken.clone());
        }
        Ok(taken)
    }

    /// Carries out what was scheduled at `since`, if it is due and still wanted.
    pub fn run_scheduled(&mut self, since: Lsn) -> Result<Outcome, Fault> {
        let (lsn, time_us) = (self.facts.lsn, self.facts.time_us);
        let scheduled = self.registry.scheduled.clone();
        let due = scheduled.filter(|one| one.since == since && one.is_due(lsn, time_us));
        let Some(Scheduled { order, caller, .. }) = due else { return outcome(Ok(0)) };
        self.keep_scheduled(None);
        let attempt = self.attempt(&order, caller);
        let ended = self.carry_out(&order);
        let taken = outcome(ended)?;
        self.record(attempt, taken.clone());
        Ok(taken)
    }

    fn attempt(&self, order: &Order, caller: String) -> Attempt {
        let target = self.registry.modules.get(&order.to).map(|target| &target.description);
        let space = target.and_then(|target| self.registry.schemas.get(&target.name));
        Attempt {
            caller,
            from: self.registry.active.as_ref().map(|active| active.digest),
            to: order.to,
            schema_from: space.copied(),
            schema_to: target.map(|target| target.schema),
        }
    }

    fn record(&mut self, attempt: Attempt, outcome: Outcome) {
        let Attempt { caller, from, to, schema_from, schema_to } = attempt;
        let (lsn, index, time_us) = (self.facts.lsn, self.facts.index, self.facts.time_us);
        let activation =
            Activation { lsn, index, time_us, caller, from, to, schema_from, schema_to, outcome };
        self.put(keys::activation(lsn, index), activation.pack());
    }

    /// Forgets what is scheduled.
    pub fn cancel_scheduled(&mut self) -> Result<u64, Halt> {
        if self.registry.scheduled.is_none() {
            return Err(refuse("no activation is scheduled"));
        }
        self.keep_scheduled(None);
        Ok(1)
    }

    fn schedule(&mut self, order: &Order) -> Result<u64, Halt> {
        self.registry.judge(order).map_err(Halt::Refused)?;
        if let Some(earlier) = &self.registry.scheduled {
            return Err(refuse(format!(
                "the activation of module {} is scheduled already, {}; CANCEL MODULE ACTIVATION \
                 makes way",
                earlier.order.to.short(),
                earlier.due()
            )));
        }
        let time_us = match order.when {
            When::AtLsn(lsn) if lsn <= self.facts.lsn => {
                let now = self.facts.lsn;
                return Err(refuse(format!("LSN {lsn} has passed, the order has LSN {now}")));
            }
            When::Now | When::AtLsn(_) => None,
            When::After(delay_us) => Some(self.facts.time_us.saturating_add(delay_us)),
        };
        self.keep_scheduled(Some(Scheduled {
            since: self.facts.lsn,
            caller: self.facts.caller.clone(),
            order: order.clone(),
            time_us,
        }));
        Ok(1)
    }

    fn keep_scheduled(&mut self, scheduled: Option<Scheduled>) {
        match &scheduled {
            Some(scheduled) => self.put(keys::SCHEDULED, scheduled.pack()),
            None => self.overlay.delete(keys::SCHEDULED),
        }
        self.registry.scheduled = scheduled;
    }

    fn carry_out(&mut self, order: &Order) -> Result<u64, Halt> {
        let active = self.registry.active.as_ref().map(|active| active.digest);
        // What stopped its migration may be mended.
        if active == Some(order.to) && self.has_stopped() {
            return self.resume_migration();
        }
        let target = self.registry.judge(order).map_err(Halt::Refused)?.clone();
        self.switch(&target)
    }

    /// The module, ready to run. Before the first one there is nothing that waiting for it here
    /// could hold up.
    fn ready(&self, target: &Installed) -> Result<Arc<Module>, Fault> {
        let (manifest, epoch) = (&target.manifest, self.registry.epoch);
        let get = |key: &[u8]| self.overlay.get(key);
        let module = if self.registry.active.is_some() {
            self.modules.load_to_apply(manifest, epoch, get)
        } else {
            self.modules.load(manifest, epoch, Pace::Swift, get)
        };
        module.map_err(|error| Fault(error.to_string()))
    }

    /// Makes a module the active one that may be.
    pub fn switch(&mut self, target: &Installed) -> Result<u64, Halt> {
        let description = &target.description;
        let module = self.ready(target)?;
        let schema = description.schema;
        match self.registry.schemas.get(&description.name).copied() {
            Some(stored) if stored == schema => {}
            Some(stored) if description.serves.contains(&stored) => self.begin_migration(stored),
            Some(stored) => {
                self.migrate_whole(&module, stored)?;
                self.set_schema(&description.name, schema);
            }
            None => self.set_schema(&description.name, schema),
        }
        let digest = target.manifest.digest;
        let active = Active { module, digest, schema, since: self.facts.lsn };
        self.put(keys::ACTIVE, active.pack());
        self.registry.active = Some(active);
        Ok(1)
    }
}
