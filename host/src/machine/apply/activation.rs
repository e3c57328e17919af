//! The command that makes another module the active one.
//!
//! Who has acknowledged the module is counted in replicated state, over the voters of the
//! membership that is in force at this LSN. If the key space of the module's name has another
//! schema, it is migrated and checked, all within this command: either everything of it takes
//! place, or nothing but a row of history. Commands after it, of the same entry too, run on the new
//! module.

use std::sync::Arc;

use quorate_wire::Severity;

use super::host::{Halt, Host, outcome, refuse};
use super::modules::unknown;
use crate::machine::keys;
use crate::machine::registry::{Activation, Active, Installed};
use crate::machine::rows;
use crate::runtime::{EntryRun, Facts, Fault, Module};
use crate::types::{ModuleDigest, NodeId, Outcome};

/// Steps of a migration; one that needs more is refused. Each step has the fuel of a command.
pub const MIGRATION_STEPS_MAX: usize = 1024;

/// Bytes that a migration may write; one that writes more is refused. Held in memory.
pub const MIGRATION_BYTES_MAX: u64 = 64 << 20;

/// Pages of findings after a migration; a check that gives more is refused.
pub const CHECK_PAGES_MAX: usize = 1024;

impl Host<'_> {
    pub fn activate(
        &mut self,
        to: ModuleDigest,
        expected: Option<ModuleDigest>,
        force: bool,
    ) -> Result<Outcome, Fault> {
        let target = self.registry.modules.get(&to).cloned();
        let space = target.as_ref().map(|target| &target.description.name);
        let schema_from = space.and_then(|name| self.registry.schemas.get(name)).copied();
        let from = self.registry.active.as_ref().map(|active| active.digest);
        let ended = match &target {
            None => Err(unknown(to)),
            Some(target) => check_expected(from, expected, to)
                .and_then(|()| self.check_acknowledged(target, force))
                .and_then(|()| self.switch(target, schema_from)),
        };
        let activation = Activation {
            lsn: self.facts.lsn,
            index: self.facts.index,
            time_us: self.facts.time_us,
            caller: self.facts.caller.clone(),
            from,
            to,
            schema_from,
            schema_to: target.map(|target| target.description.schema),
            outcome: outcome(ended)?,
        };
        self.put(keys::activation(activation.lsn, activation.index), activation.pack());
        Ok(activation.outcome)
    }

    /// One yes is needed even by force: a module that no frontend can run would stop them all.
    fn check_acknowledged(&self, target: &Installed, force: bool) -> Result<(), Halt> {
        let said = &target.acknowledgements;
        let voters = self.registry.membership.membership().voter_ids();
        let missing: Vec<NodeId> = voters.filter(|node| said.get(node) != Some(&None)).collect();
        let acknowledged = said.values().any(Option::is_none);
        if acknowledged && (missing.is_empty() || force) {
            return Ok(());
        }
        let missing: Vec<String> = missing.iter().map(NodeId::to_string).collect();
        let module = target.manifest.digest.short();
        let message =
            format!("module {module} is not acknowledged by frontends {}", missing.join(", "));
        Err(refuse(message))
    }

    fn switch(&mut self, target: &Installed, stored: Option<u32>) -> Result<u64, Halt> {
        let description = &target.description;
        let module = self.modules.load(&target.manifest, |key| self.overlay.get(key));
        let module = module.map_err(|error| Fault(error.to_string()))?;
        if let Some(stored) = stored
            && stored != description.schema
        {
            if !description.migrates_from.contains(&stored) {
                let message = format!("the module cannot migrate schema {stored}");
                return Err(refuse(message));
            }
            self.overlay.savepoint();
            match self.migrate(&module, stored) {
                Ok(()) => self.overlay.commit(),
                Err(halt) => {
                    self.overlay.rollback();
                    return Err(halt);
                }
            }
        }
        let schema = description.schema;
        if stored != Some(schema) {
            let row = rows::pack(|out| out.unsigned(u64::from(schema)));
            self.put(keys::schema(&description.name), row);
            self.registry.schemas.insert(description.name.clone(), schema);
        }
        let digest = target.manifest.digest;
        let active = Active { module, digest, schema, since: self.facts.lsn };
        self.put(keys::ACTIVE, active.pack());
        self.registry.active = Some(active);
        Ok(1)
    }

    fn migrate(&mut self, module: &Arc<Module>, from: u32) -> Result<(), Halt> {
        let description = module.description();
        let space = keys::space(&description.name);
        let run = EntryRun::new(module, description.limits, space);
        let mut run = run.seen_by(self.witness.clone());
        let facts = Facts { schema: from, ..self.facts.clone() };
        let mut cursor: Option<Vec<u8>> = None;
        for _ in 0..MIGRATION_STEPS_MAX {
            let step = run.migrate(self.overlay, facts.clone(), from, cursor.as_deref())?;
            cursor = step.map_err(ended)?;
            if self.overlay.written_bytes() > MIGRATION_BYTES_MAX {
                let message = format!("the migration writes more than {MIGRATION_BYTES_MAX} bytes");
                return Err(refuse(message));
            }
            if cursor.is_none() {
                return self.check(&mut run, Facts { schema: description.schema, ..facts });
            }
        }
        Err(refuse(format!("the migration takes more than {MIGRATION_STEPS_MAX} steps")))
    }

    /// Lets the new module look for contradictions in what the migration made.
    fn check(&mut self, run: &mut EntryRun, facts: Facts) -> Result<(), Halt> {
        let mut cursor: Option<Vec<u8>> = None;
        for _ in 0..CHECK_PAGES_MAX {
            let page = run.check(self.overlay, facts.clone(), cursor.as_deref())?;
            let (findings, next) = page.map_err(ended)?;
            if let Some(error) = findings.iter().find(|finding| finding.severity == Severity::Error)
            {
                return Err(refuse(format!("the migrated state is wrong: {}", error.note)));
            }
            cursor = next;
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(refuse(format!("the check takes more than {CHECK_PAGES_MAX} pages")))
    }
}

fn check_expected(
    active: Option<ModuleDigest>,
    expected: Option<ModuleDigest>,
    to: ModuleDigest,
) -> Result<(), Halt> {
    let name = |module: Option<ModuleDigest>| {
        module.map_or("no module".to_owned(), |digest| format!("module {}", digest.short()))
    };
    if active != expected {
        return Err(refuse(format!("{} is active, not {}", name(active), name(expected))));
    }
    if active == Some(to) {
        return Err(refuse(format!("{} is active already", name(active))));
    }
    Ok(())
}

/// How a step that gave no result ends the activation.
fn ended(outcome: Outcome) -> Halt {
    match outcome {
        Outcome::Refused(failure) => Halt::Refused(failure),
        Outcome::Rejected(rejection) => Halt::Refused(rejection.failure()),
        Outcome::Applied(_) => Halt::Fault(Fault("a step ended as a command does".to_owned())),
    }
}
