//! The command that makes another module the active one.
//!
//! Who has acknowledged the module is counted in replicated state, over the voters of the
//! membership that is in force at this LSN. If the key space of the module's name has another
//! schema, it is migrated (`migration`): within this command, unless the module serves the other
//! schema's rows too. Either everything of the command takes place, or nothing but a row of
//! history. Commands after it, of the same entry too, run on the new module.

use super::host::{Halt, Host, outcome, refuse};
use super::modules::unknown;
use crate::machine::keys;
use crate::machine::registry::{Activation, Active, Installed};
use crate::runtime::Fault;
use crate::types::{ModuleDigest, NodeId, Outcome};

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
            // What stopped it may be mended.
            Some(_) if from == Some(to) && self.has_stopped() => self.resume_migration(),
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

    pub fn switch(&mut self, target: &Installed, stored: Option<u32>) -> Result<u64, Halt> {
        let description = &target.description;
        self.check_under_way(target)?;
        let module = self.modules.load(&target.manifest, |key| self.overlay.get(key));
        let module = module.map_err(|error| Fault(error.to_string()))?;
        let schema = description.schema;
        match stored {
            Some(stored) if stored == schema => {}
            Some(stored) if !description.migrates_from.contains(&stored) => {
                let message = format!("the module cannot migrate schema {stored}");
                return Err(refuse(message));
            }
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
