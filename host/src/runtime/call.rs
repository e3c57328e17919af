//! What the imports see of the call that they serve.

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::Limits;
use wasmtime::ResourceLimiter;

use super::abi::Context;
use super::ending::{Fault, Halt};
use super::engine::{MEMORY_BYTES_MAX, TABLE_ELEMENTS};
use super::overlay::Overlay;
use super::witness::Witness;
use crate::types::Lsn;

/// What a module may know of the entry being applied, all of it from the entry. For read-only calls
/// it describes the last applied entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// LSN of the entry.
    pub lsn: Lsn,
    /// Position of the command in its entry.
    pub index: u32,
    /// The leader's clock in microseconds since 1970; never runs backwards.
    pub time_us: u64,
    /// Schema version of the stored state.
    pub schema: u32,
    /// User on whose behalf the command was proposed; empty in read-only calls.
    pub caller: String,
    /// Unpredictable to clients, equal on all frontends.
    pub seed: [u8; 32],
}

/// A notification for consumers of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub topic: String,
    /// What of it.
    pub key: Bytes,
    /// Up to the module.
    pub body: Bytes,
}

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not even read: `describe`.
    Describe,
    /// Read: `evaluate`, `scan`, `check`.
    Read,
    /// Read and write, but not emit: `migrate`.
    Migrate,
    /// All: `apply`.
    Apply,
}

impl Mode {
    /// The export that is called so in a replicated call.
    pub fn export(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Read => "check",
            Self::Migrate => "migrate",
            Self::Apply => "apply",
        }
    }
}

/// The data of a store: the state of one call, and what bounds the instance.
pub(super) struct Call {
    pub mode: Mode,
    pub space: Overlay,
    pub facts: Facts,
    pub events: Vec<Event>,
    pub event_bytes: usize,
    pub trace_lines: u32,
    /// All keys of the module begin with it, and no key that the module sees.
    pub prefix: Bytes,
    /// Whether the engine counts fuel.
    pub metered: bool,
    pub memory: MemoryLimit,
    /// Name in the local log.
    pub module: Arc<str>,
    /// Holds the key of a read, so that reads allocate nothing.
    pub scratch: Vec<u8>,
    /// Sees the imports, if anybody does.
    pub witness: Option<Witness>,
}

impl Call {
    /// Nothing may be done until a call begins.
    pub fn new(module: Arc<str>, prefix: Bytes, limits: &Limits, metered: bool) -> Self {
        Self {
            mode: Mode::Describe,
            space: Overlay::default(),
            facts: Facts::default(),
            events: Vec::new(),
            event_bytes: 0,
            trace_lines: 0,
            prefix,
            metered,
            memory: MemoryLimit { bytes: limits.memory_bytes.min(MEMORY_BYTES_MAX) },
            module,
            scratch: Vec::new(),
            witness: None,
        }
    }

    pub fn begin(&mut self, mode: Mode, space: Overlay, facts: Facts) {
        self.mode = mode;
        self.space = space;
        self.facts = facts;
        self.events.clear();
        self.event_bytes = 0;
        self.trace_lines = 0;
    }

    /// Gives back the space, and the events.
    pub fn end(&mut self) -> (Overlay, Vec<Event>) {
        self.mode = Mode::Describe;
        (std::mem::take(&mut self.space), std::mem::take(&mut self.events))
    }

    pub fn may_read(&self) -> Result<(), Halt> {
        match self.mode {
            Mode::Describe => Err(Halt::Breach("describe must not touch the store")),
            Mode::Read | Mode::Migrate | Mode::Apply => Ok(()),
        }
    }

    pub fn may_write(&self) -> Result<(), Halt> {
        match self.mode {
            Mode::Migrate | Mode::Apply => Ok(()),
            Mode::Describe | Mode::Read => Err(Halt::Breach("a write in a read-only call")),
        }
    }

    pub fn may_emit(&self) -> Result<(), Halt> {
        match self.mode {
            Mode::Apply => Ok(()),
            Mode::Migrate => Err(Halt::Breach("an event in a migration")),
            Mode::Describe | Mode::Read => Err(Halt::Breach("an event in a read-only call")),
        }
    }

    pub fn context(&self) -> Context {
        let Facts { lsn, index, time_us, schema, ref caller, .. } = self.facts;
        Context { lsn: lsn.0, index, time_us, schema, caller: caller.clone() }
    }
}

/// Bounds memory and tables, from constants and from the replicated limits only: whether an
/// instance may grow must not depend on the machine. If the machine then cannot, that is a fault.
pub(super) struct MemoryLimit {
    bytes: u64,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired as u64 <= self.bytes && maximum.is_none_or(|max| desired <= max);
        if !allowed && current == 0 {
            return Err(Halt::Limit("the memory that a module begins with").into());
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Halt::Fault(Fault(format!("grow a module's memory: {error:#}"))).into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS && maximum.is_none_or(|max| desired <= max))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Halt::Fault(Fault(format!("grow a module's table: {error:#}"))).into())
    }
}
