//! Compiled modules kept on disk: compiling is slow, loading is not.
//!
//! An artefact is a copy of what compiling gives, never more: its name holds the module's digest
//! and a hash of engine release and settings, its head a checksum of the rest. Anything amiss
//! (another release, a torn or rotten file, a full disk) means to compile, never that a module
//! cannot run. The directory may be emptied at any time, and what nobody will read is removed.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{fs, io};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::types::ModuleDigest;

const MAGIC: [u8; 8] = *b"QRMODULE";
/// What the name of a file ends in that is being written.
const PARTIAL: &str = "partial";
const HEAD_BYTES: usize = MAGIC.len() + blake3::OUT_LEN;

/// Loads the artefact of a component from `directory`, or compiles it and leaves one there.
pub(super) fn component(
    engine: &Engine,
    digest: ModuleDigest,
    bytes: &[u8],
    directory: Option<&Path>,
) -> wasmtime::Result<Component> {
    let Some(directory) = directory else { return Component::new(engine, bytes) };
    let path = path(engine, digest, directory);
    match read(engine, &path) {
        Ok(component) => return Ok(component),
        Err(error) if is_missing(&error) => {}
        Err(error) => tracing::warn!("compile module {} again: {error:#}", digest.short()),
    }
    let component = Component::new(engine, bytes)?;
    if let Err(error) = write(&path, &component) {
        tracing::warn!("keep compiled module {} in {path:?}: {error:#}", digest.short());
    }
    Ok(component)
}

fn path(engine: &Engine, digest: ModuleDigest, directory: &Path) -> PathBuf {
    let mut hasher = Settings(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    directory.join(format!("{digest}-{:016x}.module", hasher.finish()))
}

fn read(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    let file = fs::read(path)?;
    let (head, compiled) = file
        .split_at_checked(HEAD_BYTES)
        .ok_or_else(|| wasmtime::Error::msg("the artefact is cut short"))?;
    let sum = blake3::hash(compiled);
    if head[..MAGIC.len()] != MAGIC || head[MAGIC.len()..] != *sum.as_bytes() {
        wasmtime::bail!("the artefact is damaged");
    }
    // SAFETY: machine code is only as good as where it comes from. The checksum says that these are
    // the bytes that `write` got from the compiler; the engine checks release and settings. Who
    // could forge both can write the data directory, and so could replace the state.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize(engine, compiled)
    }
}

/// Removes what nobody will read: artefacts of modules that are not among `digests`, or of none of
/// these engines. Gives how many.
pub(super) fn sweep<'a>(
    directory: &Path,
    engines: impl Iterator<Item = &'a Engine> + Clone,
    digests: &BTreeSet<ModuleDigest>,
) -> io::Result<usize> {
    let names = digests
        .iter()
        .flat_map(|digest| engines.clone().map(|engine| path(engine, *digest, directory)));
    let kept: BTreeSet<PathBuf> = names.collect();
    remove(directory, "module", |path| !kept.contains(path))
}

/// Removes what an earlier process was writing when it ended. Not while anything is compiled.
pub(super) fn forget_partial(directory: &Path) -> io::Result<usize> {
    remove(directory, PARTIAL, |_| true)
}

fn remove(
    directory: &Path,
    extension: &str,
    is_useless: impl Fn(&Path) -> bool,
) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) && is_useless(&path) {
            fs::remove_file(path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whole or not at all: a crash leaves at most a file that nobody reads.
fn write(path: &Path, component: &Component) -> wasmtime::Result<()> {
    let compiled = component.serialize()?;
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(blake3::hash(&compiled).as_bytes());
    file.extend_from_slice(&compiled);
    let partial = path.with_extension(format!("{}.{PARTIAL}", std::process::id()));
    fs::write(&partial, file)?;
    Ok(fs::rename(&partial, path)?)
}

fn is_missing(error: &wasmtime::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// A hash that does not change with the release of the standard library.
struct Settings(blake3::Hasher);

impl Hasher for Settings {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        let first = hash.as_bytes().first_chunk().expect("a hash has 32 bytes");
        u64::from_le_bytes(*first)
    }
}
