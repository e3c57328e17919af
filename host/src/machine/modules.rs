//! Installed modules made ready to run.
//!
//! Compiling takes seconds, so a frontend does it when it acknowledges a module, and again after
//! every start, off the apply path, and the activation finds it here. If it does not, apply stalls
//! until a thread aside has compiled it; the frontend says so, votes on, and does not lead
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::keys;
use super::rows;
use crate::runtime::{Module, Pace, Runtime};
use crate::types::{Epoch, Epochs, ModuleDigest, ModuleManifest, ViewError};

/// Modules that are ready at once. Beyond it the one unused for the longest is dropped, but none
/// that is [kept](Modules::keep), and made ready again when it is wanted.
pub const READY_MAX: usize = 8;

/// Why a module could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The cluster knows no such module.
    #[error("module {} is not installed", .0.short())]
    Unknown(ModuleDigest),
    /// The module describes itself otherwise than its manifest does.
    #[error("module {} does not describe itself as its manifest does", .0.short())]
    Description(ModuleDigest),
    /// The runtime does not take it.
    #[error(transparent)]
    Runtime(#[from] crate::runtime::LoadError),
    /// It is being compiled, aside from apply.
    #[error("module {} is being compiled on this frontend", .0.short())]
    NotReady(ModuleDigest),
    /// It could not be compiled, aside from apply.
    #[error("module {} cannot run on this frontend: {reason}", .digest.short())]
    Failed {
        /// Which.
        digest: ModuleDigest,
        /// Why not.
        reason: String,
    },
    /// Its file could not be read from the state.
    #[error(transparent)]
    State(#[from] ViewError),
}

/// The modules that are ready.
#[derive(Clone)]
pub struct Modules {
    runtime: Runtime,
    ready: Arc<Mutex<Ready>>,
}

#[derive(Default)]
struct Ready {
    /// With the time of last use.
    modules: BTreeMap<(Epoch, ModuleDigest), (u64, Arc<Module>)>,
    time: u64,
    /// What is not dropped.
    kept: BTreeSet<ModuleDigest>,
    /// What is being compiled for apply, which waits for it, and why it failed the last time.
    compiling: BTreeMap<(Epoch, ModuleDigest), Option<String>>,
}

impl Modules {
    /// None ready yet.
    pub fn new(runtime: Runtime) -> Self {
        Self { runtime, ready: Arc::default() }
    }

    /// The engine epochs that this program can run.
    pub fn epochs(&self) -> Epochs {
        self.runtime.epochs()
    }

    /// Whether they are compiled on threads of their own.
    pub fn are_compiled_aside(&self) -> bool {
        self.runtime.compiles_aside()
    }

    /// Makes a module ready, if it is not; blocks for seconds when it has to be compiled. `get`
    /// reads the state that holds its file.
    pub fn load(
        &self,
        manifest: &ModuleManifest,
        epoch: Epoch,
        pace: Pace,
        get: impl Fn(&[u8]) -> Result<Option<Bytes>, ViewError>,
    ) -> Result<Arc<Module>, LoadError> {
        let ready = self.ready.lock().find((epoch, manifest.digest));
        let module = match ready {
            Some(module) => module,
            // Not under the lock: others need the modules that are ready.
            None => self.inspect(epoch, &file(manifest, get)?, pace)?,
        };
        as_described(module, manifest)
    }

    /// The same for whoever applies: does not compile on this thread if the runtime compiles aside,
    /// but has it done and tells that the module is not ready yet. Ask again.
    pub fn load_to_apply(
        &self,
        manifest: &ModuleManifest,
        epoch: Epoch,
        get: impl Fn(&[u8]) -> Result<Option<Bytes>, ViewError>,
    ) -> Result<Arc<Module>, LoadError> {
        if !self.runtime.compiles_aside() {
            return self.load(manifest, epoch, Pace::Polite, get);
        }
        let digest = manifest.digest;
        let wanted = (epoch, digest);
        {
            let mut ready = self.ready.lock();
            if let Some(module) = ready.find(wanted) {
                drop(ready);
                return as_described(module, manifest);
            }
            match ready.compiling.get_mut(&wanted) {
                None => {
                    ready.compiling.insert(wanted, None);
                }
                Some(failed) => {
                    return Err(match failed.take() {
                        // It is tried once more the next time.
                        Some(reason) => {
                            ready.compiling.remove(&wanted);
                            LoadError::Failed { digest, reason }
                        }
                        None => LoadError::NotReady(digest),
                    });
                }
            }
        }
        let started = file(manifest, get).map_err(LoadError::State).and_then(|bytes| {
            let modules = self.clone();
            let compile = move || modules.compile_aside(wanted, &bytes);
            let thread = std::thread::Builder::new().name("compile".to_owned()).spawn(compile);
            thread.map_err(|error| LoadError::Failed {
                digest,
                reason: format!("start a thread: {error}"),
            })
        });
        if let Err(error) = started {
            self.ready.lock().compiling.remove(&wanted);
            return Err(error);
        }
        Err(LoadError::NotReady(digest))
    }

    fn compile_aside(&self, wanted: (Epoch, ModuleDigest), bytes: &[u8]) {
        let failed = self.inspect(wanted.0, bytes, Pace::Polite).err();
        let mut ready = self.ready.lock();
        match failed {
            None => {
                ready.compiling.remove(&wanted);
            }
            Some(error) => {
                ready.compiling.insert(wanted, Some(error.to_string()));
            }
        }
    }

    /// From now on none of these is dropped once it is ready: what is active, was active before or
    /// is to be active.
    pub fn keep(&self, kept: BTreeSet<ModuleDigest>) {
        self.ready.lock().kept = kept;
    }

    /// Makes a file ready that no cluster knows yet, so that installing it compiles it once.
    pub fn inspect(
        &self,
        epoch: Epoch,
        file: &[u8],
        pace: Pace,
    ) -> Result<Arc<Module>, crate::runtime::LoadError> {
        // Whoever compiles for others must come back to tell them.
        let load = AssertUnwindSafe(|| self.runtime.load_in(epoch, file, pace));
        let loaded = catch_unwind(load).unwrap_or(Err(crate::runtime::LoadError::Defect));
        let module = loaded?;
        self.ready.lock().insert((epoch, module.digest()), Arc::clone(&module));
        Ok(module)
    }
}

fn as_described(module: Arc<Module>, manifest: &ModuleManifest) -> Result<Arc<Module>, LoadError> {
    if *module.packed_description() == manifest.description {
        Ok(module)
    } else {
        Err(LoadError::Description(manifest.digest))
    }
}

impl Ready {
    fn find(&mut self, wanted: (Epoch, ModuleDigest)) -> Option<Arc<Module>> {
        self.time += 1;
        let (used, module) = self.modules.get_mut(&wanted)?;
        *used = self.time;
        Some(Arc::clone(module))
    }

    fn insert(&mut self, which: (Epoch, ModuleDigest), module: Arc<Module>) {
        self.time += 1;
        self.modules.insert(which, (self.time, module));
        while self.modules.len() > READY_MAX {
            let loose = self.modules.iter().filter(|((_, digest), _)| !self.kept.contains(digest));
            let oldest = loose.min_by_key(|(_, (used, _))| *used).map(|(which, _)| *which);
            let Some(oldest) = oldest else { return };
            self.modules.remove(&oldest);
        }
    }
}

/// The file of an installed module, put together from its chunks; an error if that is not what the
/// manifest names.
pub fn file(
    manifest: &ModuleManifest,
    get: impl Fn(&[u8]) -> Result<Option<Bytes>, ViewError>,
) -> Result<Vec<u8>, ViewError> {
    let mut file = Vec::new();
    for index in 0u32.. {
        if file.len() as u64 >= manifest.size_bytes {
            break;
        }
        let key = keys::chunk(manifest.digest, index);
        let chunk = get(&key)?.ok_or_else(|| rows::damaged(&key, "chunk is missing"))?;
        file.extend_from_slice(&chunk);
    }
    if Sha256::digest(&file)[..] != manifest.digest.0 {
        let why = format!("the chunks are not the file of module {}", manifest.digest);
        return Err(rows::damaged(&keys::chunk(manifest.digest, 0), why));
    }
    Ok(file)
}
