//! Whether a module may become the active one, judged by the host's tables alone: the same when
//! an activation is ordered, when it takes effect, and when somebody only asks.

use quorate_wire::{Description, Failure};

use super::breaking::noticed;
use super::registry::{Installed, Registry};
use crate::types::{BreakToken, Consent, Gate, ModuleDigest, NodeId, Order};

/// Most things that are listed of what clients will miss; the rest are counted.
const BREAKS_MAX: usize = 100;

impl Registry {
    /// The module that an order would make the active one.
    ///
    /// # Errors
    /// Why it may not.
    pub fn judge(&self, order: &Order) -> Result<&Installed, Failure> {
        let target = self.installed(order.to)?;
        self.check_expected(order)?;
        self.check_signed(target)?;
        self.check_acknowledged(target, order.gate)?;
        self.check_rows(target)?;
        self.check_consent(target, order)?;
        Ok(target)
    }

    /// A module whose file is there.
    ///
    /// # Errors
    /// When it was never installed, or is retired.
    pub fn installed(&self, digest: ModuleDigest) -> Result<&Installed, Failure> {
        let module = self.modules.get(&digest);
        let module =
            module.ok_or_else(|| refused(format!("module {} is not installed", digest.short())))?;
        match module.retired {
            None => Ok(module),
            Some(lsn) => Err(refused(format!(
                "module {} was retired at LSN {lsn}; install its file again to use it",
                digest.short()
            ))),
        }
    }

    /// Voters that have not said that they can run a module.
    pub fn missing(&self, target: &Installed) -> Vec<NodeId> {
        let voters = self.membership.membership().voter_ids();
        voters.filter(|node| target.acknowledgements.get(node) != Some(&None)).collect()
    }

    /// What clients of the active module will miss when another takes its place; nothing when they
    /// will not notice.
    pub fn breaks(&self, target: &Installed) -> Vec<String> {
        let Some(active) = &self.active else { return Vec::new() };
        let found = noticed(active.module.description(), &target.description, None);
        let mut breaks: Vec<String> =
            found.into_iter().filter(|one| one.breaks).map(|one| one.text).collect();
        if breaks.len() > BREAKS_MAX {
            let more = breaks.len() - BREAKS_MAX;
            breaks.truncate(BREAKS_MAX);
            breaks.push(format!("and {more} more"));
        }
        breaks
    }

    /// The token of the step from the active module to another.
    pub fn break_token(&self, to: ModuleDigest) -> Option<BreakToken> {
        let (cluster, _) = self.cluster?;
        Some(BreakToken::new(cluster, self.active.as_ref()?.digest, to))
    }

    fn check_expected(&self, order: &Order) -> Result<(), Failure> {
        let name = |module: Option<ModuleDigest>| {
            module.map_or("no module".to_owned(), |digest| format!("module {}", digest.short()))
        };
        let active = self.active.as_ref().map(|active| active.digest);
        if active != order.expected {
            let message = format!("{} is active, not {}", name(active), name(order.expected));
            return Err(refused(message));
        }
        if active == Some(order.to) {
            return Err(refused(format!("{} is active already", name(active))));
        }
        Ok(())
    }

    /// One yes is needed in any case: a module that no frontend can run would stop them all.
    fn check_acknowledged(&self, target: &Installed, gate: Gate) -> Result<(), Failure> {
        let can = |node: &NodeId| target.acknowledgements.get(node) == Some(&None);
        let missing = self.missing(target);
        let open = match gate {
            Gate::All => missing.is_empty(),
            // Of a joint membership, a majority of both halves.
            Gate::Quorum => self
                .membership
                .membership()
                .get_joint_config()
                .iter()
                .all(|voters| voters.iter().filter(|node| can(node)).count() * 2 > voters.len()),
            Gate::One => true,
        };
        if open && target.acknowledgements.values().any(Option::is_none) {
            return Ok(());
        }
        let missing: Vec<String> = missing.iter().map(NodeId::to_string).collect();
        Err(refused(format!(
            "module {} is not acknowledged by frontends {}",
            target.manifest.digest.short(),
            missing.join(", ")
        )))
    }

    /// Whether a module can take over the rows that are there.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_rows(&self, target: &Installed) -> Result<(), Failure> {
        let description = &target.description;
        self.check_under_way(description)?;
        match self.schemas.get(&description.name) {
            Some(stored)
                if *stored != description.schema && !description.migrates_from.contains(stored) =>
            {
                Err(refused(format!("the module cannot migrate schema {stored}")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a module that could not go on with the migration that is under way.
    fn check_under_way(&self, description: &Description) -> Result<(), Failure> {
        let (Some(migration), Some(active)) = (&self.migration, &self.active) else {
            return Ok(());
        };
        let goes_on = description.name == active.module.description().name
            && description.schema == active.schema
            && description.serves.contains(&migration.from);
        if goes_on {
            return Ok(());
        }
        Err(refused(format!(
            "schema {from} is being migrated to {to}, {steps} steps are done; until all are, only a \
             module can be activated that has schema {to} and serves {from} as well",
            from = migration.from,
            to = active.schema,
            steps = migration.steps,
        )))
    }

    fn check_consent(&self, target: &Installed, order: &Order) -> Result<(), Failure> {
        let token = self.break_token(order.to);
        let given = match order.consent {
            Consent::Waived => return Ok(()),
            Consent::Token(given) => Some(given),
            Consent::None => None,
        };
        if given.is_some() && given == token {
            return Ok(());
        }
        let breaks = self.breaks(target);
        if breaks.is_empty() {
            return Ok(());
        }
        let what = breaks.join("; ");
        Err(refused(match given {
            Some(given) => format!(
                "token {given} is not that of this step, which clients will notice: {what}; EXPLAIN \
                 ACTIVATE MODULE shows the token"
            ),
            None => format!(
                "clients will notice: {what}; EXPLAIN ACTIVATE MODULE shows the token with which \
                 to activate it nevertheless (BREAKING 'token')"
            ),
        }))
    }
}

pub(super) fn refused(message: String) -> Failure {
    Failure::new(1105, "HY000", message)
}
