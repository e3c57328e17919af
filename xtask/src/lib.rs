//! Builds the modules of this repository into components.
//!
//! Cargo compiles a module for `wasm32-unknown-unknown` and decides what is up to date;
//! `quorate_pack` turns the result into a component. Modules in C go the same way ([`clang`]). The
//! output is written only when its bytes change, so whoever watches its modification time is not
//! woken for nothing. The binary of this crate and the host's build script call the same function.
//!
//! Guests have a target folder of their own: they share neither lock nor artefacts with the build
//! of the host, which may be what is calling.

pub mod clang;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use toolchain::Toolchain;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "guest";

/// Shadow stack of a guest. It lies below everything else in linear memory, so that an overflow
/// traps at an address, the same on every machine, before the native stack is a matter. It is
/// also most of what a small guest's memory starts with.
const STACK_BYTES: u32 = 128 << 10;

/// A module of this repository, in one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// Package, and name of the module.
    pub name: &'static str,
    /// Version that the module says it has when built with `features`.
    pub version: &'static str,
    /// Cargo features that make this version.
    pub features: &'static [&'static str],
}

/// The modules that this repository ships, and the second versions that tests swap to.
pub const MODULES: [Module; 7] = [
    Module { name: "catalog", version: "1.0.0", features: &[] },
    Module { name: "catalog", version: "2.0.0", features: &["v2"] },
    Module { name: "kv", version: "1.0.0", features: &[] },
    Module { name: "kv", version: "1.0.1", features: &["twin"] },
    Module { name: "kv", version: "2.0.0", features: &["v2"] },
    Module { name: "faulty", version: "1.0.0", features: &[] },
    Module { name: "faulty", version: "2.0.0", features: &["schema2"] },
];

/// What modules are made of, relative to the workspace: a build script reruns when it changes.
pub const SOURCES: [&str; 6] = ["wit", "guest-sdk", "sql", "modules", "Cargo.toml", "Cargo.lock"];

impl Module {
    /// The module of a name and version.
    ///
    /// # Errors
    /// When this repository has none.
    pub fn find(name: &str, version: &str) -> Result<Self> {
        let mut all = MODULES.into_iter();
        all.find(|module| module.name == name && module.version == version)
            .with_context(|| format!("this repository has no module {name}@{version}"))
    }

    /// Name of the component file.
    pub fn file_name(&self) -> String {
        format!("{}-{}.wasm", self.name, self.version)
    }
}

/// The root of the workspace: asked of cargo at run time, because clones may share a target folder
/// and with it this crate's build.
pub fn workspace() -> PathBuf {
    let own = std::env::var("CARGO_MANIFEST_DIR");
    let own = own.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&own).parent().expect("every crate that uses this one is a folder there").to_owned()
}

/// Where components go when nobody says otherwise, whatever the target folder of cargo is.
pub fn default_out_dir() -> PathBuf {
    workspace().join("target/modules")
}

/// Builds a module into a component in `out_dir` and gives its path.
///
/// # Errors
/// When no compiler for the target is installed, the module does not compile, or the result is no
/// valid component.
pub fn build_module(module: &Module, out_dir: &Path) -> Result<PathBuf> {
    let workspace = workspace();
    let target_dir = target_dir("guest");
    fs::create_dir_all(&target_dir).with_context(|| format!("create {}", target_dir.display()))?;
    // Versions of one package share the path of cargo's output, so one build at a time.
    let lock_path = target_dir.join("modules.lock");
    let lock = fs::File::create(&lock_path)
        .and_then(|file| file.lock().map(|()| file))
        .with_context(|| format!("lock {}", lock_path.display()))?;

    let mut cargo = Toolchain::find(&workspace)?.cargo(&workspace);
    cargo.args(["rustc", "--locked", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["--package", module.name, "--profile", PROFILE, "--target", TARGET]);
    cargo.args(["--features", &module.features.join(",")]);
    cargo.arg("--target-dir").arg(&target_dir);
    cargo.env("RUSTFLAGS", rustflags(&workspace));
    let status = cargo.status().context("run cargo")?;
    anyhow::ensure!(status.success(), "module {} does not compile", module.name);

    let core = target_dir.join(TARGET).join(PROFILE).join(module.name).with_extension("wasm");
    let component = componentise(&core)?;
    drop(lock);
    let path = out_dir.join(module.file_name());
    write_if_changed(&path, &component)?;
    Ok(path)
}

/// Builds packages with `cargo component`, as an author does, and gives the components' paths.
///
/// # Errors
/// When `cargo component` or a compiler for the target is not installed, or a package does not
/// compile.
pub fn build_with_cargo_component(packages: &[&str]) -> Result<Vec<PathBuf>> {
    let workspace = workspace();
    let target_dir = target_dir("component");
    let mut cargo = Toolchain::find(&workspace)?.cargo(&workspace);
    cargo.args(["component", "build", "--locked", "--profile", PROFILE, "--target", TARGET]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    cargo.env("CARGO_TARGET_DIR", &target_dir);
    let status = cargo.status().context("run cargo")?;
    anyhow::ensure!(
        status.success(),
        "`cargo component build` does not work here; `xtask/setup.sh component` installs it"
    );
    let folder = target_dir.join(TARGET).join(PROFILE);
    Ok(packages.iter().map(|package| folder.join(package).with_extension("wasm")).collect())
}

/// A shell in an author's own folder, with a compiler for guests, and without what an outer cargo
/// left in the environment.
///
/// # Errors
/// When no compiler for the target is installed.
pub fn author_shell(folder: &Path) -> Result<Command> {
    let mut shell = Toolchain::find(&workspace())?.command("bash", folder);
    shell.args(["-euo", "pipefail"]).env_remove("CARGO_TARGET_DIR");
    Ok(shell)
}

/// A target folder for what tests build as authors do: a second run finds what it depends on built.
pub fn author_target_dir() -> PathBuf {
    target_dir("author")
}

/// A target folder of its own, inside cargo's.
fn target_dir(name: &str) -> PathBuf {
    let workspace = workspace();
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
        .join(name)
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Paths are mapped away: equal sources give equal bytes wherever they lie.
fn rustflags(workspace: &Path) -> String {
    format!(
        "-Clink-arg=--stack-first -Clink-arg=-zstack-size={STACK_BYTES} --remap-path-prefix={}=.",
        workspace.display()
    )
}

/// Makes a component of a core module's file.
fn componentise(core: &Path) -> Result<Vec<u8>> {
    let module = fs::read(core).with_context(|| format!("read {}", core.display()))?;
    quorate_pack::component(&module)
        .with_context(|| format!("make a component of {}", core.display()))
}

/// Through a second file and a rename: a reader sees the old bytes or the new.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let partial = path.with_extension(format!("wasm.{}", std::process::id()));
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&partial, bytes))
        .and_then(|()| fs::rename(&partial, path))
        .with_context(|| format!("write {}", path.display()))
}
