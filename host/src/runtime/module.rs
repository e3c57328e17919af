//! A module that can run, and what it takes to become one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use quorate_wire::{Description, Limits};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::artefact;
use super::call::{Call, Facts, Mode};
use super::ending::{Ending, Fault};
use super::engine::MEMORY_BYTES_MAX;
use super::imports;
use super::native::Native;
use super::overlay::Overlay;
use super::program::{Live, Program, START_FUEL, START_FUEL_USED_MAX};
use super::slots::Slots;
use crate::types::{Lsn, ModuleDigest};

/// Largest component file.
pub const MODULE_BYTES_MAX: usize = 16 << 20;

/// How long `describe` may take on the read engine, where no fuel bounds it.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Fuel for the first `describe`, before it is known what the module asks for: about a second.
const DESCRIBE_FUEL: u64 = 500_000_000;

/// Longest description: it goes through the log with the manifest.
const DESCRIPTION_BYTES_MAX: usize = 256 << 10;

/// Why a component cannot become a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file is no component.
    #[error("not a WebAssembly component: {0}")]
    NotComponent(&'static str),
    /// Larger than [`MODULE_BYTES_MAX`].
    #[error("{0} bytes are more than a module may have ({MODULE_BYTES_MAX})")]
    TooLarge(usize),
    /// It does not validate, or uses a feature that is switched off, or is over a limit of an
    /// instance.
    #[error("invalid component: {0}")]
    Invalid(String),
    /// It wants more than the store, context, events and trace.
    #[error("forbidden import: {}", .0.join(", "))]
    Forbidden(Vec<String>),
    /// An import or export is missing or has another type than the interface says.
    #[error("not a state machine: {0}")]
    Interface(String),
    /// `describe` gave no answer, or not the same one twice.
    #[error("describe: {0}")]
    Describe(String),
    /// The description cannot be used.
    #[error("description: {0}")]
    Description(String),
    /// The compiler gave up in a way that it should not.
    #[error("the compiler hit a defect of its own with it")]
    Defect,
    /// Not the component's doing.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A compiled module. Runs on any number of threads at once.
pub struct Module {
    digest: ModuleDigest,
    description: Description,
    packed: Bytes,
    pub(super) name: Arc<str>,
    pub(super) code: Code,
}

/// What a module is made of.
pub(super) enum Code {
    Component(Box<Compiled>),
    Native(Arc<dyn Native>),
}

/// A component, compiled for both engines.
pub(super) struct Compiled {
    pub apply: Program,
    pub read: Program,
    pub slots: Arc<Slots>,
    /// Instances on the read engine that wait for a call.
    pub idle: Mutex<Vec<Live>>,
}

/// One engine and what its components may import.
pub(super) struct Host {
    pub engine: Engine,
    pub linker: Linker<Call>,
}

impl Host {
    pub fn new(engine: Engine) -> wasmtime::Result<Self> {
        let linker = imports::linker(&engine)?;
        Ok(Self { engine, linker })
    }
}

impl Module {
    /// SHA-256 of the component file.
    pub fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The description as the module packed it.
    pub fn packed_description(&self) -> &Bytes {
        &self.packed
    }

    /// A module of this program.
    pub(super) fn native(digest: ModuleDigest, native: Arc<dyn Native>) -> Self {
        let description = native.describe();
        let packed = description.pack().into();
        let name = full_name(&description);
        Self { digest, description, packed, name, code: Code::Native(native) }
    }

    /// The component's programs.
    ///
    /// # Errors
    /// When the module is native: what was asked for is not among what those can do.
    pub(super) fn compiled(&self) -> Result<&Compiled, Fault> {
        match &self.code {
            Code::Component(compiled) => Ok(compiled),
            Code::Native(_) => Err(Fault("a native module cannot do this".to_owned())),
        }
    }

    /// Checks and compiles a component: see the steps inside, each of which refuses some.
    pub(super) fn load(
        apply: &Host,
        read: &Host,
        slots: &Arc<Slots>,
        bytes: &[u8],
        artefacts: Option<&Path>,
    ) -> Result<Self, LoadError> {
        check_preamble(bytes)?;
        let digest = ModuleDigest(Sha256::digest(bytes).into());
        let compile = |host: &Host| -> Result<Program, LoadError> {
            let component = artefact::component(&host.engine, digest, bytes, artefacts)
                .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
            match imports::forbidden(&component) {
                forbidden if forbidden.is_empty() => {}
                forbidden => return Err(LoadError::Forbidden(forbidden)),
            }
            Program::new(&host.linker, &component)
                .map_err(|error| LoadError::Interface(format!("{error:#}")))
        };

        let apply = compile(apply)?;
        let widest = Limits { fuel: DESCRIBE_FUEL, memory_bytes: MEMORY_BYTES_MAX };
        let mut live = start(&apply, &widest, None)?;
        let left = live.store.get_fuel().map_err(|error| Fault(format!("get fuel: {error:#}")))?;
        if START_FUEL - left > START_FUEL_USED_MAX {
            return Err(LoadError::Invalid("it takes too long to start".to_owned()));
        }
        apply.check_types(&mut live).map_err(|error| LoadError::Interface(format!("{error:#}")))?;
        let packed = describe(&apply, live, &widest, Lsn(1))?;
        if packed.len() > DESCRIPTION_BYTES_MAX {
            let message = format!("{} bytes are more than {DESCRIPTION_BYTES_MAX}", packed.len());
            return Err(LoadError::Description(message));
        }
        let description = Description::unpack(&packed)
            .map_err(|error| LoadError::Description(error.to_string()))?;
        super::description::check(&description).map_err(LoadError::Description)?;

        // Again at another time, within the limits that it asks for, and where reads run.
        let limits = description.limits;
        let again = describe(&apply, start(&apply, &limits, None)?, &limits, Lsn(2))?;
        let read = compile(read)?;
        let deadline = Instant::now() + DESCRIBE_TIMEOUT;
        let _slot = slots
            .take(deadline)
            .ok_or_else(|| Fault("no instance became free for 'describe'".to_owned()))?;
        let there = describe(&read, start(&read, &limits, Some(deadline))?, &limits, Lsn(3))?;
        if packed != again || packed != there {
            return Err(LoadError::Describe("its answers differ".to_owned()));
        }

        let name = full_name(&description);
        let slots = Arc::clone(slots);
        let code =
            Code::Component(Box::new(Compiled { apply, read, slots, idle: Mutex::default() }));
        Ok(Self { digest, description, packed: packed.into(), name, code })
    }
}

fn full_name(description: &Description) -> Arc<str> {
    format!("{}@{}", description.name, description.version).into()
}

/// A component begins with the same four bytes as a core module; the next four tell them apart.
pub(super) fn check_preamble(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > MODULE_BYTES_MAX {
        return Err(LoadError::TooLarge(bytes.len()));
    }
    match bytes.first_chunk::<8>() {
        Some(b"\0asm\x0d\0\x01\0") => Ok(()),
        Some(b"\0asm\x01\0\0\0") => Err(LoadError::NotComponent(
            "this is a core module; `quorate module pack` makes a component of it",
        )),
        Some([0, b'a', b's', b'm', ..]) => {
            Err(LoadError::NotComponent("of a version of the format that is not known here"))
        }
        _ => Err(LoadError::NotComponent("it does not begin like WebAssembly")),
    }
}

fn start(program: &Program, limits: &Limits, deadline: Option<Instant>) -> Result<Live, LoadError> {
    let call = Call::new("describe".into(), Bytes::new(), limits, deadline.is_none());
    program.start(call, deadline).map_err(|error| match Ending::from(error) {
        Ending::Rejected(_, why) => LoadError::Invalid(format!("it does not start: {why}")),
        Ending::Deadline => LoadError::Invalid("it does not start in time".to_owned()),
        // An instance larger than a slot of the pool is refused here without a type of its own.
        Ending::Fault(fault) => LoadError::Fault(fault),
    })
}

fn describe(
    program: &Program,
    mut live: Live,
    limits: &Limits,
    lsn: Lsn,
) -> Result<Vec<u8>, LoadError> {
    if live.store.data().metered {
        let fuel = live.store.set_fuel(limits.fuel);
        fuel.map_err(|error| Fault(format!("set fuel: {error:#}")))?;
    }
    // Differs each time, so that a description made of it does too.
    let facts = Facts { lsn, time_us: lsn.0, seed: [lsn.0 as u8; 32], ..Facts::default() };
    live.store.data_mut().begin(Mode::Describe, Overlay::default(), facts);
    let described = live.call::<(), (Vec<u8>,)>(&program.exports.describe, ());
    described.map(|(packed,)| packed).map_err(|error| match Ending::from(error) {
        Ending::Rejected(_, why) => LoadError::Describe(why.to_string()),
        Ending::Deadline => LoadError::Describe("it takes too long".to_owned()),
        Ending::Fault(fault) => LoadError::Fault(fault),
    })
}
