//! A module in the shadow of the active one: on a copy of a state, as if it had been activated
//! there, with the commands that the log holds for the active one.
//!
//! Activating and migrating are those of an activation, and a command runs as in any entry. The
//! host's own commands do not run: a module sees nothing of them. What the active module never ran
//! (repeated, meant for another module) does not run here either.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::host::{Halt, Host};
use super::watch::{self, Watch, Watching};
use crate::machine::keys;
use crate::machine::modules::{LoadError, Modules};
use crate::machine::position::{Position, seed};
use crate::machine::registry::{Active, Installed, Migration, Registry, read_cluster};
use crate::machine::rows;
use crate::runtime::{
    EntryRun, Facts, Fault, Module, Overlay, Pace, ReadCall, Runtime, Witness, Writes,
};
use crate::storage::state::{StateError, StateStore};
use crate::types::{
    Action, BatchReply, ClusterId, Command, Entry, EntryPayload, Epoch, Lsn, ModuleManifest,
    NodeId, Outcome, Range, Rejection, Scan, View, ViewError,
};

use super::MIGRATION_BYTES_MAX;

/// Whether a shadow run is still wanted.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// A module that is tried.
pub struct Shadow {
    state: Arc<dyn StateStore>,
    module: Arc<Module>,
    target: Installed,
    modules: Modules,
    registry: Registry,
    position: Position,
    cluster: ClusterId,
}

/// Why a module could not be brought to where it serves.
#[derive(Debug, thiserror::Error)]
pub enum ShadowEnd {
    /// An activation would be refused.
    #[error("{0}")]
    Refused(String),
    /// Somebody asked for it to end.
    #[error("it was stopped")]
    Stopped,
    /// Of this frontend.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The copy cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What was written to the module's key space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Keys that were written or removed.
    pub keys: u64,
    /// Those of them whose value is another one now.
    pub changed: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// A migration from beginning to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema before.
    pub from: u32,
    /// The schema after.
    pub to: u32,
    /// Whether it runs beside commands, step by step, or is a whole with the activation.
    pub is_stepped: bool,
    /// Calls of `migrate`.
    pub steps: u64,
    /// Fuel that they used together.
    pub fuel: u64,
    /// What they wrote.
    pub written: Written,
}

/// How a command of the log ended, with the one module and with the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its entry.
    pub lsn: Lsn,
    /// Its position in the entry.
    pub index: u32,
    /// What the module that made it made of the statement.
    pub payload: Bytes,
    /// As it was applied.
    pub active: Outcome,
    /// With the module that is tried.
    pub tried: Outcome,
}

/// Calls of `migrate`, as they were seen.
#[derive(Default)]
struct Steps {
    count: u64,
    fuel: u64,
    /// Why the last call was ended, with the module's functions.
    ended: Option<String>,
}

impl Steps {
    fn add(&mut self, witness: &Witness) {
        for ran in witness.take() {
            self.count += u64::from(ran.export == "migrate");
            self.fuel += ran.used;
            self.ended = ran.ended.map(|why| format!("{}: {why}", ran.export));
        }
    }

    fn refused(&self, message: &str) -> ShadowEnd {
        let why = self.ended.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        ShadowEnd::Refused(format!("{message}{why}"))
    }
}

impl Shadow {
    /// Makes a module ready on a copy of a state. `active` is the module that is active there.
    ///
    /// # Errors
    /// When the state cannot be read, or the module cannot run here.
    pub fn open(
        state: Arc<dyn StateStore>,
        runtime: Runtime,
        file: &[u8],
        active: Option<Active>,
    ) -> Result<Self, LoadError> {
        let modules = Modules::new(runtime);
        let view = state.view();
        let epoch = rows::find(&*view, &keys::EPOCH, Epoch::decode)?.unwrap_or_default();
        let module = modules.inspect(epoch, file, Pace::Polite)?;
        let description = Arc::new(module.description().clone());
        let manifest = ModuleManifest {
            digest: module.digest(),
            size_bytes: file.len() as u64,
            description: module.packed_description().clone(),
        };
        let target = Installed::new(manifest, description);
        let mut registry = Registry {
            epoch,
            migration: rows::find(&*view, &keys::MIGRATION, Migration::decode)?,
            active,
            ..Registry::default()
        };
        let name = &module.description().name;
        if let Some(schema) = rows::find(&*view, &keys::schema(name), |row| row.unsigned32())? {
            registry.schemas.insert(name.clone(), schema);
        }
        let cluster = rows::find(&*view, &keys::CLUSTER, read_cluster)?;
        let cluster = cluster.map(|(cluster, _)| cluster).unwrap_or_default();
        let position = Position::load(&*view)?;
        drop(view);
        Ok(Self { state, module, target, modules, registry, position, cluster })
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Activates the module and migrates all rows, as the log would have it done. None: there was
    /// nothing to migrate. `goes_on` is asked before each step, and at each read of a whole
    /// migration.
    ///
    /// # Errors
    /// When an activation would be refused, the migration would stop, or it was not to go on.
    pub fn activate(&mut self, goes_on: &GoesOn) -> Result<Option<Migrated>, ShadowEnd> {
        let description = Arc::clone(&self.target.description);
        let from = self.registry.schemas.get(&description.name).copied();
        let (mut steps, mut written) = (Steps::default(), Written::default());
        let target = self.target.clone();
        let ended = self.commit(goes_on, &mut steps, &mut written, |host| {
            host.registry.check_rows(&target).map_err(Halt::Refused)?;
            host.switch(&target).map(|_| ())
        })?;
        if let Err(message) = ended {
            return Err(steps.refused(&message));
        }
        let is_stepped = self.registry.migration.is_some();
        while let Some(Migration { since, steps: step, .. }) = self.registry.migration {
            if !goes_on() {
                return Err(ShadowEnd::Stopped);
            }
            let ended = self.commit(goes_on, &mut steps, &mut written, |host| {
                host.migrate_step(since, step).map(|_| ()).map_err(Halt::Fault)
            })?;
            let migration = self.registry.migration.as_ref();
            let stopped = migration.and_then(|migration| migration.stopped.clone());
            if let Some(message) = ended.err().or(stopped) {
                let after = steps.count;
                return Err(steps.refused(&format!("it stops at step {after}: {message}")));
            }
        }
        let Steps { count, fuel, .. } = steps;
        let migrated = from.filter(|from| *from != description.schema).map(|from| Migrated {
            from,
            to: description.schema,
            is_stepped,
            steps: count,
            fuel,
            written,
        });
        Ok(migrated)
    }

    /// What migrating once more, from the same schema, would write; nothing is kept of it.
    ///
    /// # Errors
    /// When it is refused, stops, writes more than a whole migration may, or was not to go on.
    pub fn migrate_again(
        &mut self,
        migrated: &Migrated,
        goes_on: &GoesOn,
    ) -> Result<Written, ShadowEnd> {
        let (witness, mut steps) = (Witness::of_calls(), Steps::default());
        let kept = self.registry.clone();
        let mut overlay = self.overlay(goes_on);
        let module = Arc::clone(&self.module);
        let ended = if migrated.is_stepped {
            self.host(&mut overlay, &witness, |host| {
                host.begin_migration(migrated.from);
                while let Some(Migration { since, steps, .. }) = host.registry.migration {
                    if !goes_on() {
                        return Err(ShadowEnd::Stopped);
                    }
                    host.migrate_step(since, steps)?;
                    if host.has_stopped() || host.overlay.written_bytes() > MIGRATION_BYTES_MAX {
                        return Ok(Err("it does not end".to_owned()));
                    }
                }
                Ok(Ok(()))
            })?
        } else {
            let again = self
                .host(&mut overlay, &witness, |host| host.migrate_whole(&module, migrated.from));
            told(again, goes_on)?
        };
        self.registry = kept;
        steps.add(&witness);
        match ended {
            Ok(()) => Ok(self.written(&overlay.into_writes())?),
            Err(message) => Err(steps.refused(&message)),
        }
    }

    /// Runs the commands of entries that the active module has run, and tells how each ended.
    /// `replies` are what came of the entries when they were applied.
    ///
    /// # Errors
    /// When this frontend could not run one, or the copy cannot be written. Nothing is kept.
    pub fn apply(
        &mut self,
        entries: &[Entry],
        replies: &[BatchReply],
        watch: &mut dyn Watch,
    ) -> Result<Vec<Tried>, ShadowEnd> {
        let mut overlay = Overlay::new(self.state.view());
        let mut watching = Some(Watching::new(watch));
        let mut all = Vec::new();
        for (entry, reply) in entries.iter().zip(replies) {
            let EntryPayload::Normal(batch) = &entry.payload else { continue };
            let Ok((header, commands)) = batch.unpack() else { continue };
            let lsn = Lsn(entry.log_id.index);
            self.position.clock_us = self.position.clock_us.max(header.time_us);
            let (mut guest, mut seen) = (None, BTreeSet::new());
            for (index, (packed, (at, active))) in
                (0u32..).zip(commands.iter().zip(reply.outcomes.iter()))
            {
                let Ok(command) = Command::unpack(packed) else { continue };
                let Action::Module { payload, .. } = command.action else {
                    guest = None;
                    continue;
                };
                if *at != lsn || !seen.insert(command.request) || never_ran(active) {
                    continue;
                }
                let facts = Facts {
                    lsn,
                    index,
                    time_us: self.position.clock_us,
                    schema: self.registry.active.as_ref().map_or(0, |active| active.schema),
                    caller: command.caller,
                    seed: seed(self.cluster, lsn, index, &header.entropy),
                };
                let witness = watching.as_ref().map(Watching::witness);
                let run = guest.get_or_insert_with(|| self.entry_run(witness));
                let (tried, _) = watch::apply(&mut watching, run, &mut overlay, facts, &payload)?;
                all.push(Tried { lsn, index, payload, active: active.clone(), tried });
            }
            self.position.log_id = Some(entry.log_id);
        }
        self.state.commit(overlay.into_writes())?;
        Ok(all)
    }

    /// What a read-only call of the module needs to run on the copy.
    pub fn read_call(&self, deadline: Instant) -> ReadCall {
        let view = self.state.view();
        ReadCall { view, prefix: self.space(), facts: self.facts(), deadline }
    }

    fn entry_run(&self, witness: Option<Witness>) -> EntryRun {
        let limits = self.target.description.limits;
        EntryRun::new(&self.module, limits, self.space()).seen_by(witness)
    }

    fn space(&self) -> Bytes {
        keys::space(&self.target.description.name)
    }

    fn facts(&self) -> Facts {
        Facts {
            lsn: self.position.lsn(),
            time_us: self.position.clock_us,
            schema: self.target.description.schema,
            ..Facts::default()
        }
    }

    fn overlay(&self, goes_on: &GoesOn) -> Overlay {
        let (inner, goes_on) = (self.state.view(), Arc::clone(goes_on));
        Overlay::new(Arc::new(Stoppable { inner, goes_on }))
    }

    /// Runs a part of a command of the host.
    fn host<T>(
        &mut self,
        overlay: &mut Overlay,
        witness: &Witness,
        run: impl FnOnce(&mut Host<'_>) -> T,
    ) -> T {
        let facts = self.facts();
        run(&mut Host {
            registry: &mut self.registry,
            overlay,
            modules: &self.modules,
            facts: &facts,
            leader: NodeId::default(),
            witness: Some(witness.clone()),
        })
    }

    /// Runs a part of a command of the host and keeps what it writes, or tells why it was refused.
    fn commit(
        &mut self,
        goes_on: &GoesOn,
        steps: &mut Steps,
        written: &mut Written,
        run: impl FnOnce(&mut Host<'_>) -> Result<(), Halt>,
    ) -> Result<Result<(), String>, ShadowEnd> {
        let (witness, mut overlay) = (Witness::of_calls(), self.overlay(goes_on));
        let ended = self.host(&mut overlay, &witness, run);
        steps.add(&witness);
        let ended = told(ended, goes_on)?;
        if ended.is_ok() {
            let writes = overlay.into_writes();
            let more = self.written(&writes)?;
            written.keys += more.keys;
            written.changed += more.changed;
            written.bytes += more.bytes;
            self.state.commit(writes)?;
        }
        Ok(ended)
    }

    /// What writes to the module's space come to, before they are committed.
    fn written(&self, writes: &Writes) -> Result<Written, Fault> {
        let (view, space) = (self.state.view(), self.space());
        let mut written = Written::default();
        for (key, value) in writes.range(space.clone()..).take_while(|(k, _)| k.starts_with(&space))
        {
            written.keys += 1;
            written.changed += u64::from(view.get(key)? != *value);
            written.bytes += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
        }
        Ok(written)
    }
}

/// A view that cannot be read any more once it is not to go on: so a whole migration ends soon,
/// whatever it is doing.
struct Stoppable {
    inner: Arc<dyn View>,
    goes_on: GoesOn,
}

impl Stoppable {
    fn check(&self) -> Result<(), ViewError> {
        if (self.goes_on)() { Ok(()) } else { Err(ViewError("it was stopped".to_owned())) }
    }
}

impl View for Stoppable {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        self.check()?;
        self.inner.get(key)
    }

    fn scan(&self, range: Range<'_>, rows_max: usize, bytes_max: usize) -> Result<Scan, ViewError> {
        self.check()?;
        self.inner.scan(range, rows_max, bytes_max)
    }
}

/// A refusal, or what ended it otherwise.
fn told(ended: Result<(), Halt>, goes_on: &GoesOn) -> Result<Result<(), String>, ShadowEnd> {
    match ended {
        Ok(()) => Ok(Ok(())),
        Err(Halt::Refused(failure)) => Ok(Err(failure.message)),
        Err(Halt::Fault(_)) if !goes_on() => Err(ShadowEnd::Stopped),
        Err(Halt::Fault(fault)) => Err(ShadowEnd::Fault(fault)),
    }
}

/// Whether the active module never saw the command that ended so.
fn never_ran(outcome: &Outcome) -> bool {
    use Rejection::{Malformed, ModuleChanged, NoModule, Stale};
    matches!(outcome, Outcome::Rejected(ModuleChanged | NoModule | Stale | Malformed))
}
