//! The host's own tables: cluster, frontends, modules, settings.
//!
//! Small, read all the time and changed seldom, so they are held in memory beside the view that
//! they were read from, and every reader of that view shares them. Each change goes through
//! `apply::host`, which also writes the row; [`Registry::load`] reads the same rows back, so a
//! restarted frontend decides as the others do.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::{DecodeError, Description, Reader, Writer};

use super::keys;
use super::modules::{LoadError, Modules};
use super::rows;
use super::signature::Signed;
use crate::runtime::{Module, Pace};
use crate::types::{
    ClusterId, Epoch, Epochs, Frontend, Generation, Lsn, ModuleDigest, ModuleManifest, NodeId,
    Order, Outcome, StoredMembership, View, ViewError, When, decode_log_id, decode_membership,
    encode_log_id, encode_membership, format_time,
};

/// Position in its entry of an activation that was scheduled: before the first command.
pub const SCHEDULED_INDEX: u32 = u32::MAX;

/// All tables as of one LSN.
#[derive(Clone, Default)]
pub struct Registry {
    pub cluster: Option<(ClusterId, Generation)>,
    pub membership: StoredMembership,
    pub frontends: BTreeMap<NodeId, Frontend>,
    /// What each drew for its data directory when it entered.
    pub entrants: BTreeMap<NodeId, u64>,
    /// The engine epoch in force.
    pub epoch: Epoch,
    /// Engine epochs that frontends have said they can run.
    pub epochs: BTreeMap<NodeId, Epochs>,
    /// The highest id ever given, so that none is given twice.
    pub newest_node: NodeId,
    pub modules: BTreeMap<ModuleDigest, Installed>,
    pub uploads: BTreeMap<ModuleDigest, Upload>,
    /// Schema version of each module name's key space; none before its first activation.
    pub schemas: BTreeMap<String, u32>,
    pub active: Option<Active>,
    /// Of the active module's key space; none when all of it has its schema.
    pub migration: Option<Migration>,
    /// The activation that waits for its LSN or its time.
    pub scheduled: Option<Scheduled>,
    pub settings: BTreeMap<String, String>,
}

/// Whether reading the tables may take as long as compiling their active module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Nobody needs this thread.
    ForCompiler,
    /// The thread applies: see [`Modules::load_to_apply`].
    Not,
}

/// A module that the cluster knows.
#[derive(Clone)]
pub struct Installed {
    pub manifest: ModuleManifest,
    pub description: Arc<Description>,
    /// What each frontend said: `None` is yes.
    pub acknowledgements: BTreeMap<NodeId, Option<String>>,
    /// Its signature, if it came with one.
    pub signed: Option<Signed>,
    /// Since when its file is gone, if it is.
    pub retired: Option<Lsn>,
}

/// An activation that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The entry that ordered it.
    pub since: Lsn,
    /// Who did.
    pub caller: String,
    /// What for; its time is an LSN, or a delay after which [`time_us`](Self::time_us) comes.
    pub order: Order,
    /// When, in microseconds since 1970 by leaders' clocks, if not at an LSN.
    pub time_us: Option<u64>,
}

/// A module file that is coming in, chunk by chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    pub chunks: u32,
    pub size_bytes: u64,
    /// Entry of its newest chunk.
    pub touched: Lsn,
}

/// The active module.
#[derive(Clone)]
pub struct Active {
    /// Ready to run.
    pub module: Arc<Module>,
    /// Its digest.
    pub digest: ModuleDigest,
    /// Schema version of its key space.
    pub schema: u32,
    /// The entry that activated it.
    pub since: Lsn,
}

/// A migration that runs step by step while its module, the active one, serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The activation that began it.
    pub since: Lsn,
    /// Schema version of the rows that it has not reached.
    pub from: u32,
    /// Steps taken.
    pub steps: u64,
    /// Where the next step begins; none at the beginning.
    pub cursor: Option<Vec<u8>>,
    /// Why the last step was not taken, if it was not: nothing goes on by itself then.
    pub stopped: Option<String>,
}

/// One attempt to activate a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The entry.
    pub lsn: Lsn,
    /// Position of the command in it; [`SCHEDULED_INDEX`] for one that was scheduled.
    pub index: u32,
    /// When, in microseconds since 1970, by the leader's clock.
    pub time_us: u64,
    /// Who asked for it.
    pub caller: String,
    /// The module active before.
    pub from: Option<ModuleDigest>,
    /// The module asked for.
    pub to: ModuleDigest,
    /// Schema version of the key space before; none when the module's name was new.
    pub schema_from: Option<u32>,
    /// Schema version that the module asked for writes; none when it is not installed.
    pub schema_to: Option<u32>,
    /// Whether it took place, or else why not.
    pub outcome: Outcome,
}

impl Activation {
    /// Whether another module than before is active since.
    pub fn has_switched(&self) -> bool {
        matches!(self.outcome, Outcome::Applied(_)) && self.from != Some(self.to)
    }
}

impl Registry {
    /// Reads the tables of a state and makes its active module ready.
    pub fn load(view: &dyn View, modules: &Modules, wait: Wait) -> Result<Self, LoadError> {
        let newest_node = rows::find(view, &keys::NEWEST_NODE, NodeId::decode)?;
        let membership = rows::find(view, &keys::MEMBERSHIP, read_membership)?;
        let mut tables = Self {
            cluster: rows::find(view, &keys::CLUSTER, read_cluster)?,
            newest_node: newest_node.unwrap_or_default(),
            membership: membership.unwrap_or_default(),
            ..Self::default()
        };
        rows::each(view, keys::FRONTENDS, |key, row| {
            tables.frontends.insert(NodeId(rows::number(key)?), Frontend::decode(row)?);
            Ok(())
        })?;
        rows::each(view, keys::ENTRANTS, |key, row| {
            tables.entrants.insert(NodeId(rows::number(key)?), u64::from_be_bytes(row.array()?));
            Ok(())
        })?;
        tables.epoch = rows::find(view, &keys::EPOCH, Epoch::decode)?.unwrap_or_default();
        rows::each(view, keys::EPOCHS, |key, row| {
            tables.epochs.insert(NodeId(rows::number(key)?), Epochs::decode(row)?);
            Ok(())
        })?;
        tables.load_modules(view)?;
        rows::each(view, keys::SETTINGS, |key, row| {
            tables.settings.insert(name(key)?, row.text()?);
            Ok(())
        })?;
        if let Some((digest, schema, since)) = rows::find(view, &keys::ACTIVE, read_active)? {
            let installed = tables.modules.get(&digest).ok_or(LoadError::Unknown(digest))?;
            let (manifest, get) = (&installed.manifest, |key: &[u8]| view.get(key));
            let module = match wait {
                Wait::ForCompiler => modules.load(manifest, tables.epoch, Pace::Swift, get)?,
                Wait::Not => modules.load_to_apply(manifest, tables.epoch, get)?,
            };
            tables.active = Some(Active { module, digest, schema, since });
        }
        tables.migration = rows::find(view, &keys::MIGRATION, Migration::decode)?;
        tables.scheduled = rows::find(view, &keys::SCHEDULED, Scheduled::decode)?;
        Ok(tables)
    }

    /// The engine epochs that a frontend can run.
    pub fn epochs_of(&self, node: NodeId) -> Epochs {
        self.epochs.get(&node).copied().unwrap_or(Epochs::FIRST)
    }

    fn load_modules(&mut self, view: &dyn View) -> Result<(), ViewError> {
        rows::each(view, keys::MANIFESTS, |_, row| {
            let manifest = ModuleManifest::decode(row)?;
            let description = Arc::new(Description::unpack(&manifest.description)?);
            let installed = Installed::new(manifest, description);
            self.modules.insert(installed.manifest.digest, installed);
            Ok(())
        })?;
        rows::each(view, keys::ACKNOWLEDGEMENTS, |key, row| {
            let (digest, node) = (ModuleDigest(key.array()?), NodeId(rows::number(key)?));
            let refusal = if row.flag()? { Some(row.text()?) } else { None };
            if let Some(module) = self.modules.get_mut(&digest) {
                module.acknowledgements.insert(node, refusal);
            }
            Ok(())
        })?;
        rows::each(view, keys::RETIRED, |key, row| {
            let (digest, lsn) = (ModuleDigest(key.array()?), Lsn::decode(row)?);
            if let Some(module) = self.modules.get_mut(&digest) {
                module.retired = Some(lsn);
            }
            Ok(())
        })?;
        rows::each(view, keys::SIGNATURES, |key, row| {
            let (digest, signed) = (ModuleDigest(key.array()?), Signed::decode(row)?);
            if let Some(module) = self.modules.get_mut(&digest) {
                module.signed = Some(signed);
            }
            Ok(())
        })?;
        rows::each(view, keys::UPLOADS, |key, row| {
            self.uploads.insert(ModuleDigest(key.array()?), Upload::decode(row)?);
            Ok(())
        })?;
        rows::each(view, keys::SCHEMAS, |key, row| {
            self.schemas.insert(name(key)?, row.unsigned32()?);
            Ok(())
        })
    }
}

impl Installed {
    /// Nobody has said anything of it yet.
    pub fn new(manifest: ModuleManifest, description: Arc<Description>) -> Self {
        let acknowledgements = BTreeMap::new();
        Self { manifest, description, acknowledgements, signed: None, retired: None }
    }
}

impl Scheduled {
    /// Whether it takes effect with the entry at `lsn`, of that time.
    pub fn is_due(&self, lsn: Lsn, time_us: u64) -> bool {
        match (self.time_us, self.order.when) {
            (Some(due_us), _) => time_us >= due_us,
            (None, When::AtLsn(due)) => lsn >= due,
            (None, When::Now | When::After(_)) => true,
        }
    }

    /// When it is due, for people.
    pub fn due(&self) -> String {
        match (self.time_us, self.order.when) {
            (Some(due_us), _) => format!("at {} UTC", format_time(due_us.cast_signed())),
            (None, When::AtLsn(lsn)) => format!("at LSN {lsn}"),
            (None, When::Now | When::After(_)) => "at once".to_owned(),
        }
    }

    /// As stored.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            self.since.encode(out);
            out.text(&self.caller);
            self.order.encode(out);
            out.flag(self.time_us.is_some());
            out.unsigned(self.time_us.unwrap_or_default());
        })
    }

    fn decode(row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (since, caller, order) = (Lsn::decode(row)?, row.text()?, Order::decode(row)?);
        let (timed, time_us) = (row.flag()?, row.unsigned()?);
        Ok(Self { since, caller, order, time_us: timed.then_some(time_us) })
    }
}

impl Upload {
    /// Packs the row.
    pub fn encode(self, out: &mut Writer) {
        out.unsigned(u64::from(self.chunks));
        out.unsigned(self.size_bytes);
        self.touched.encode(out);
    }

    fn decode(row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chunks: row.unsigned32()?,
            size_bytes: row.unsigned()?,
            touched: Lsn::decode(row)?,
        })
    }
}

impl Active {
    /// As stored.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            out.raw(&self.digest.0);
            out.unsigned(u64::from(self.schema));
            self.since.encode(out);
        })
    }
}

impl Migration {
    /// As stored.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            self.since.encode(out);
            out.unsigned(u64::from(self.from));
            out.unsigned(self.steps);
            out.optional_bytes(self.cursor.as_deref());
            out.optional_bytes(self.stopped.as_ref().map(String::as_bytes));
        })
    }

    /// Reads what [`pack`](Self::pack) wrote.
    pub fn decode(row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (since, from, steps) = (Lsn::decode(row)?, row.unsigned32()?, row.unsigned()?);
        let cursor = row.optional_bytes()?.map(<[u8]>::to_vec);
        let stopped = row.optional_bytes()?.map(|text| String::from_utf8(text.to_vec()));
        let stopped = stopped.transpose().map_err(|_| DecodeError::Utf8)?;
        Ok(Self { since, from, steps, cursor, stopped })
    }
}

fn read_active(row: &mut Reader<'_>) -> Result<(ModuleDigest, u32, Lsn), DecodeError> {
    Ok((ModuleDigest(row.array()?), row.unsigned32()?, Lsn::decode(row)?))
}

impl Activation {
    /// As stored; LSN and index are in the key.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            out.unsigned(self.time_us);
            out.text(&self.caller);
            out.optional_bytes(self.from.as_ref().map(|digest| digest.0.as_slice()));
            out.raw(&self.to.0);
            for schema in [self.schema_from, self.schema_to] {
                out.flag(schema.is_some());
                out.unsigned(u64::from(schema.unwrap_or_default()));
            }
            self.outcome.encode(out);
        })
    }

    /// All attempts, the oldest first.
    pub fn load_all(view: &dyn View) -> Result<Vec<Self>, ViewError> {
        let mut all = Vec::new();
        rows::each(view, keys::HISTORY, |key, row| {
            let lsn = Lsn(rows::number(key)?);
            all.push(Self::decode(lsn, u32::from_be_bytes(key.array()?), row)?);
            Ok(())
        })?;
        all.sort_by_key(Self::order);
        Ok(all)
    }

    /// The newest one that made another module active.
    pub fn newest_switch(view: &dyn View) -> Result<Option<Self>, ViewError> {
        let mut newest: Option<Self> = None;
        rows::find_back(view, keys::HISTORY, |key, row| {
            let lsn = Lsn(rows::number(key)?);
            let one = Self::decode(lsn, u32::from_be_bytes(key.array()?), row)?;
            if newest.as_ref().is_some_and(|newest| newest.lsn > lsn) {
                return Ok(Some(()));
            }
            if one.has_switched()
                && newest.as_ref().is_none_or(|newest| newest.order() < one.order())
            {
                newest = Some(one);
            }
            Ok(None)
        })?;
        Ok(newest)
    }

    /// What was scheduled comes before the entry's commands.
    fn order(&self) -> (Lsn, u32) {
        (self.lsn, self.index.wrapping_add(1))
    }

    fn decode(lsn: Lsn, index: u32, row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (time_us, caller) = (row.unsigned()?, row.text()?);
        let from = row.optional_bytes()?.map(|raw| raw.try_into().map(ModuleDigest));
        let from = from.transpose().map_err(|_| DecodeError::Range)?;
        let to = ModuleDigest(row.array()?);
        let mut schema = || -> Result<Option<u32>, DecodeError> {
            let (known, version) = (row.flag()?, row.unsigned32()?);
            Ok(known.then_some(version))
        };
        let (schema_from, schema_to) = (schema()?, schema()?);
        let outcome = Outcome::decode(row)?;
        Ok(Self { lsn, index, time_us, caller, from, to, schema_from, schema_to, outcome })
    }
}

/// A membership as stored.
pub fn pack_membership(stored: &StoredMembership) -> Bytes {
    rows::pack(|out| {
        out.flag(stored.log_id().is_some());
        if let Some(id) = stored.log_id() {
            encode_log_id(id, out);
        }
        encode_membership(stored.membership(), out);
    })
}

/// Whose state it is.
pub fn read_cluster(row: &mut Reader<'_>) -> Result<(ClusterId, Generation), DecodeError> {
    Ok((ClusterId::decode(row)?, Generation::decode(row)?))
}

/// What [`pack_membership`] packed.
pub fn read_membership(row: &mut Reader<'_>) -> Result<StoredMembership, DecodeError> {
    let log_id = if row.flag()? { Some(decode_log_id(row)?) } else { None };
    Ok(StoredMembership::new(log_id, decode_membership(row)?))
}

fn name(key: &Reader<'_>) -> Result<String, DecodeError> {
    std::str::from_utf8(key.rest()).map(str::to_owned).map_err(|_| DecodeError::Utf8)
}
