//! How a module runs, and what it may see.
//!
//! A module is a WebAssembly component that decides what the log means. Frontends agree only if it
//! computes the same everywhere, so this layer leaves it nothing to differ by:
//!
//! - it imports the store, the facts of the entry, events and a local trace, and nothing else: no
//!   clock, randomness, environment, file or socket exists for it ([`imports`]);
//! - the engine is set to be deterministic, by constants ([`engine`]);
//! - no memory outlives a log entry ([`entry`]);
//! - every call ends in one of three ways ([`ending`]): a result, a rejection that is the same on
//!   all frontends, or a fault of this frontend, which is never an outcome.
//!
//! Writes go to an [`Overlay`] above a view of the state; whoever applies writes them to storage.
//! This layer knows storage as [`View`](crate::types::View) only. A module's keys live under a
//! prefix that the host adds and strips, so it cannot name the keys of the host.
//!
//! Replicated calls ([`EntryRun`]) are bounded by fuel and run on the caller's thread; read-only
//! calls ([`Module::evaluate`], [`Module::scan`], [`Module::check`]) are bounded by a deadline and
//! by slots, on an engine of their own, and so cannot starve apply. Both need a thread with a stack
//! of at least 2 MiB.

mod abi;
mod artefact;
mod call;
mod compiler;
mod description;
mod ending;
mod engine;
mod entry;
mod imports;
mod inspection;
mod module;
mod native;
mod overlay;
mod priority;
mod program;
mod read;
mod slots;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::types::{Epoch, Epochs, ModuleDigest};

pub use abi::{Caller, Request};
pub use call::{Event, Facts};
pub use ending::{Fault, ReadError};
pub use engine::{Codegen, FUEL_MAX, MEMORY_BYTES_MAX, STACK_BYTES};
pub use entry::{EntryRun, REPLY_BYTES_MAX};
pub use imports::{KEY_BYTES_MAX, PAGE_ROWS_MAX, VALUE_BYTES_MAX};
pub use inspection::{Import, Inspection};
pub use module::{LoadError, MODULE_BYTES_MAX, Module};
pub use native::{Native, Space, native_digest};
pub use overlay::{Overlay, Writes};
pub use priority::give_way;
pub use read::{Evaluation, Page, ReadCall};
pub use witness::{Data, Datum, Imported, Ran, SHOWN_BYTES_MAX, Witness};

use compiler::Compiler;
use engine::Purpose;
use module::Host;
use slots::Slots;

/// How much of the processors compiling may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All that is there: nothing else can be done until the module is ready.
    Swift,
    /// What others leave: see [`Runtime::compiling_aside`].
    Polite,
}

/// What may differ between frontends.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeOptions {
    /// Read-only calls that run at once; at least one. More wait.
    pub read_slots: u32,
}

/// The engines. Cheap to clone; modules loaded by it stay usable without it.
#[derive(Clone)]
pub struct Runtime {
    /// One for each epoch; empty: only native modules run.
    engines: BTreeMap<Epoch, Arc<Engines>>,
    epochs: Epochs,
    artefacts: Option<Arc<Path>>,
    /// None: whoever loads a module compiles it.
    compiler: Option<Arc<Compiler>>,
    natives: BTreeMap<ModuleDigest, Arc<dyn Native>>,
}

struct Engines {
    apply: Host,
    read: Host,
    slots: Arc<Slots>,
}

impl Engines {
    fn new(options: RuntimeOptions, codegen: Codegen, epoch: Epoch) -> Result<Self, Fault> {
        let slots = options.read_slots.max(1);
        let host = |purpose| {
            let host = engine::engine(purpose, codegen, epoch).and_then(Host::new);
            host.map_err(|error| Fault(format!("make the module engine: {error:#}")))
        };
        let (apply, read) = (host(Purpose::Apply)?, host(Purpose::Read(slots))?);
        let slots = Slots::new(slots, read.engine.clone())
            .map_err(|error| Fault(format!("start the deadline thread: {error}")))?;
        Ok(Self { apply, read, slots: Arc::new(slots) })
    }
}

impl Runtime {
    /// Makes the engines and reserves their pools.
    ///
    /// # Errors
    /// When the system gives no address space or thread for them.
    pub fn new(options: RuntimeOptions) -> Result<Self, Fault> {
        Self::with_codegen(options, Codegen::Native)
    }

    /// Makes engines as no frontend has them, to compare what they come to. What may differ are
    /// costs in time and where the native stack ends, and so the depth at which a runaway recursion
    /// is stopped; no module may come near that.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_codegen(options: RuntimeOptions, codegen: Codegen) -> Result<Self, Fault> {
        Self::of_epochs(options, codegen, engine::EPOCHS)
    }

    /// With epochs that no release has.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(test)]
    pub fn with_epochs(epochs: Epochs) -> Result<Self, Fault> {
        Self::of_epochs(RuntimeOptions { read_slots: 1 }, Codegen::Native, epochs)
    }

    fn of_epochs(options: RuntimeOptions, codegen: Codegen, epochs: Epochs) -> Result<Self, Fault> {
        let mut engines = BTreeMap::new();
        for epoch in epochs.each() {
            engines.insert(epoch, Arc::new(Engines::new(options, codegen, epoch)?));
        }
        let (artefacts, compiler, natives) = (None, None, BTreeMap::new());
        Ok(Self { engines, epochs, artefacts, compiler, natives })
    }

    /// Runs native modules and nothing else: there is no engine.
    pub fn without_engine() -> Self {
        Self {
            engines: BTreeMap::new(),
            epochs: engine::EPOCHS,
            artefacts: None,
            compiler: None,
            natives: BTreeMap::new(),
        }
    }

    /// As another release of the program, which runs native modules in these epochs. It brings no
    /// engine for them.
    #[must_use]
    pub fn in_epochs(mut self, epochs: Epochs) -> Self {
        self.epochs = epochs;
        self
    }

    /// Knows a native module by the digest of the bytes that stand for it in the log.
    #[must_use]
    pub fn with_native(mut self, file: &[u8], module: Arc<dyn Native>) -> Self {
        self.natives.insert(native_digest(file), module);
        self
    }

    /// Keeps what it compiles in a directory, which must exist, and finds it there the next time.
    /// A directory that cannot be used costs time and is no error.
    pub fn keeping(mut self, directory: &Path) -> Self {
        self.artefacts = Some(Arc::from(directory));
        self
    }

    /// Removes from that directory what an earlier process was writing when it ended. To be called
    /// before anything is compiled.
    pub fn forget_partial(&self) {
        self.tidy(artefact::forget_partial);
    }

    /// Removes from that directory what was compiled of modules that are not among `installed`, and
    /// for engines that this runtime does not have.
    pub fn sweep(&self, installed: &BTreeSet<ModuleDigest>) {
        let engines = self.engines.values();
        let engines = engines.flat_map(|engines| [&engines.apply.engine, &engines.read.engine]);
        self.tidy(|directory| artefact::sweep(directory, engines, installed));
    }

    fn tidy(&self, remove: impl FnOnce(&Path) -> std::io::Result<usize>) {
        let Some(directory) = &self.artefacts else { return };
        match remove(directory) {
            Ok(0) => {}
            Ok(count) => tracing::info!("removed {count} compiled files that nobody needs"),
            Err(error) => tracing::warn!("remove old files in {}: {error}", directory.display()),
        }
    }

    /// Compiles on threads of its own, which get out of the way of others; and has apply not wait
    /// for them, but tell that a module is not ready yet.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn compiling_aside(mut self) -> Result<Self, Fault> {
        self.compiler = Some(Arc::new(Compiler::new()?));
        Ok(self)
    }

    /// Whether it compiles on threads of its own.
    pub fn compiles_aside(&self) -> bool {
        self.compiler.is_some()
    }

    /// Checks and compiles a component. Takes seconds for a large one, on all cores: not for the
    /// thread that applies.
    ///
    /// # Errors
    /// When the component is none that can run here, with the reason, or when this frontend cannot
    /// tell.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Module>, LoadError> {
        self.load_in(self.epochs.newest, bytes, Pace::Swift)
    }

    /// The epochs that it can run.
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// As [`load`](Self::load), to be run in a certain epoch.
    ///
    /// # Errors
    /// As [`load`](Self::load); a fault when this program does not know the epoch.
    pub fn load_in(
        &self,
        epoch: Epoch,
        bytes: &[u8],
        pace: Pace,
    ) -> Result<Arc<Module>, LoadError> {
        if !self.epochs.contain(epoch) {
            return Err(LoadError::Fault(Fault(format!(
                "the cluster is in engine epoch {epoch}, and this program runs {}; start a release \
                 that runs it",
                self.epochs
            ))));
        }
        if let Some(native) = self.natives.get(&native_digest(bytes)) {
            native.available().map_err(LoadError::Fault)?;
            return Ok(Arc::new(Module::native(native_digest(bytes), Arc::clone(native))));
        }
        let Some(engines) = self.engines.get(&epoch) else {
            return Err(LoadError::Fault(Fault("this runtime has no engine".to_owned())));
        };
        let Engines { apply, read, slots } = &**engines;
        let artefacts = self.artefacts.as_deref();
        let load = || Module::load(apply, read, slots, bytes, artefacts).map(Arc::new);
        match &self.compiler {
            Some(compiler) if pace == Pace::Polite => compiler.run(load),
            _ => load(),
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
