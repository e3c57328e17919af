//! Bringing a module's key space to another schema.
//!
//! Whole: within the activation, which everything waits for, and which is refused if the migration
//! or the check after it fails. Stepped: the new module is active from the activation on and serves
//! rows of both schemas, while the leader proposes one [`HostCommand::MigrateStep`] after the other
//! between the commands of clients. All that a step depends on is in the state, so a new leader, a
//! restart or a snapshot goes on where the last step ended. The space has its new schema when the
//! last step is taken. A step that fails stops the migration, the same on every frontend; what is
//! there can be served on, and either the active module is activated once more, which tries that
//! step again, or another one that serves the same schemas, which begins anew.
//!
//! [`HostCommand::MigrateStep`]: crate::types::HostCommand::MigrateStep

use std::sync::Arc;

use quorate_wire::Severity;

use super::host::{Halt, Host, outcome, refuse};
use crate::machine::keys;
use crate::machine::registry::Migration;
use crate::machine::rows;
use crate::runtime::{EntryRun, Facts, Fault, Module};
use crate::types::{Lsn, Outcome};

/// Steps of a whole migration; one that needs more is refused. Each step has the fuel of a command.
pub const MIGRATION_STEPS_MAX: usize = 1024;

/// Bytes that a whole migration may write; one that writes more is refused. Held in memory.
pub const MIGRATION_BYTES_MAX: u64 = 64 << 20;

/// Pages of findings after a whole migration; a check that gives more is refused.
pub const CHECK_PAGES_MAX: usize = 1024;

impl Host<'_> {
    /// Begins a stepped migration from `from`, or begins it anew.
    pub fn begin_migration(&mut self, from: u32) {
        let since = self.facts.lsn;
        self.keep(Some(Migration { since, from, steps: 0, cursor: None, stopped: None }));
    }

    /// Whether a stepped migration does not go on by itself.
    pub fn has_stopped(&self) -> bool {
        self.registry.migration.as_ref().is_some_and(|migration| migration.stopped.is_some())
    }

    /// Has a stepped migration that stopped go on.
    pub fn resume_migration(&mut self) -> Result<u64, Halt> {
        let migration = self.registry.migration.clone();
        self.keep(migration.map(|migration| Migration { stopped: None, ..migration }));
        Ok(1)
    }

    /// Takes a step of the migration that began at `since`, if it is the next one.
    pub fn migrate_step(&mut self, since: Lsn, step: u64) -> Result<Outcome, Fault> {
        outcome(self.step(since, step))
    }

    fn step(&mut self, since: Lsn, step: u64) -> Result<u64, Halt> {
        let under_way = (self.registry.migration.clone(), self.registry.active.clone());
        let (Some(migration), Some(active)) = under_way else { return Ok(0) };
        if (migration.since, migration.steps) != (since, step) || migration.stopped.is_some() {
            return Ok(0);
        }
        let description = active.module.description();
        let space = keys::space(&description.name);
        let run = EntryRun::new(&active.module, description.limits, space);
        let mut run = run.seen_by(self.witness.clone());
        let from = migration.from;
        let facts = Facts { schema: from, ..self.facts.clone() };
        let taken = run.migrate(self.overlay, facts, from, migration.cursor.as_deref())?;
        let next = match taken {
            Ok(None) => {
                self.set_schema(&description.name, active.schema);
                None
            }
            Ok(cursor) => Some(Migration { steps: step + 1, cursor, ..migration }),
            Err(outcome) => match ended(outcome) {
                Halt::Refused(failure) => {
                    Some(Migration { stopped: Some(failure.message), ..migration })
                }
                fault @ Halt::Fault(_) => return Err(fault),
            },
        };
        self.keep(next);
        Ok(1)
    }

    fn keep(&mut self, migration: Option<Migration>) {
        match &migration {
            Some(migration) => self.put(keys::MIGRATION, migration.pack()),
            None => self.overlay.delete(keys::MIGRATION),
        }
        self.registry.migration = migration;
    }

    /// Records that all of a key space has a schema.
    pub fn set_schema(&mut self, name: &str, schema: u32) {
        let row = rows::pack(|out| out.unsigned(u64::from(schema)));
        self.put(keys::schema(name), row);
        self.registry.schemas.insert(name.to_owned(), schema);
    }

    /// Migrates and checks at once, or leaves everything as it is.
    pub fn migrate_whole(&mut self, module: &Arc<Module>, from: u32) -> Result<(), Halt> {
        self.overlay.savepoint();
        let migrated = self.migrate(module, from);
        match migrated {
            Ok(()) => self.overlay.commit(),
            Err(_) => self.overlay.rollback(),
        }
        migrated
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

/// How a step that gave no result ends the migration.
fn ended(outcome: Outcome) -> Halt {
    match outcome {
        Outcome::Refused(failure) => Halt::Refused(failure),
        Outcome::Rejected(rejection) => Halt::Refused(rejection.failure()),
        Outcome::Applied(_) => Halt::Fault(Fault("a step ended as a command does".to_owned())),
    }
}
