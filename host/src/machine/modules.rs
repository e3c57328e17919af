//! Installed modules made ready to run.
//!
//! Compiling takes seconds, so a frontend does it when it acknowledges a module, off the apply
//! path, and the activation finds it here. If it does not, apply waits for the compiler.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::keys;
use super::rows;
use crate::runtime::{Module, Runtime};
use crate::types::{ModuleDigest, ModuleManifest, ViewError};

/// Modules kept ready: the active one, its successor, and the one to roll back to. Beyond it the
/// one unused for the longest is dropped, and compiled again when it is wanted.
pub const READY_MAX: usize = 4;

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
    /// Its file could not be read from the state.
    #[error(transparent)]
    State(#[from] ViewError),
}

/// The modules that are ready.
pub struct Modules {
    runtime: Runtime,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    /// With the time of last use.
    modules: BTreeMap<ModuleDigest, (u64, Arc<Module>)>,
    time: u64,
}

impl Modules {
    /// None ready yet.
    pub fn new(runtime: Runtime) -> Self {
        Self { runtime, ready: Mutex::default() }
    }

    /// Whether making one ready may take time.
    pub fn compile(&self) -> bool {
        self.runtime.compiles()
    }

    /// Makes a module ready, if it is not; blocks for seconds when it has to be compiled. `get`
    /// reads the state that holds its file.
    pub fn load(
        &self,
        manifest: &ModuleManifest,
        get: impl Fn(&[u8]) -> Result<Option<Bytes>, ViewError>,
    ) -> Result<Arc<Module>, LoadError> {
        let digest = manifest.digest;
        let ready = self.ready.lock().find(digest);
        let module = match ready {
            Some(module) => module,
            None => {
                // Not under the lock: others need the modules that are ready.
                let module = self.runtime.load(&file(manifest, get)?)?;
                self.ready.lock().insert(digest, Arc::clone(&module));
                module
            }
        };
        if *module.packed_description() == manifest.description {
            Ok(module)
        } else {
            Err(LoadError::Description(digest))
        }
    }
}

impl Modules {
    /// Makes a file ready that no cluster knows yet, so that installing it compiles it once.
    pub fn inspect(&self, file: &[u8]) -> Result<Arc<Module>, crate::runtime::LoadError> {
        let module = self.runtime.load(file)?;
        self.ready.lock().insert(module.digest(), Arc::clone(&module));
        Ok(module)
    }
}

impl Ready {
    fn find(&mut self, digest: ModuleDigest) -> Option<Arc<Module>> {
        self.time += 1;
        let (used, module) = self.modules.get_mut(&digest)?;
        *used = self.time;
        Some(Arc::clone(module))
    }

    fn insert(&mut self, digest: ModuleDigest, module: Arc<Module>) {
        self.time += 1;
        self.modules.insert(digest, (self.time, module));
        while self.modules.len() > READY_MAX
            && let Some(oldest) =
                self.modules.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| *digest)
        {
            self.modules.remove(&oldest);
        }
    }
}

/// The file of an installed module, put together from its chunks.
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
    Ok(file)
}
