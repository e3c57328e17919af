//! Modules in C: clang compiles and links for the guest target, without a standard library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{STACK_BYTES, TARGET, componentise, workspace, write_if_changed};

/// Names under which distributions install each program, the plain one first.
const CLANG: [&str; 10] = [
    "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16",
    "clang-15", "clang-14",
];
const LINKER: [&str; 10] = [
    "wasm-ld",
    "wasm-ld-22",
    "wasm-ld-21",
    "wasm-ld-20",
    "wasm-ld-19",
    "wasm-ld-18",
    "wasm-ld-17",
    "wasm-ld-16",
    "wasm-ld-15",
    "wasm-ld-14",
];

/// The folder of the SDK for C, relative to the workspace.
const SDK: &str = "guest-sdk/c";

/// Builds the C module in a folder, all its `.c` files, into a component. `defines` are macros, as
/// `NAME=VALUE`.
///
/// # Errors
/// When clang or its linker for WebAssembly is not installed, a file does not compile, or the
/// result is no valid component.
pub fn build(folder: &Path, defines: &[&str], component: &Path) -> Result<()> {
    let sdk = workspace().join(SDK);
    let mut sources = sources(folder)?;
    sources.push(sdk.join("quorate.c"));
    let core = component.with_extension(format!("core.{}", std::process::id()));
    component
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .with_context(|| format!("create the folder of {}", component.display()))?;
    let mut clang = Command::new(find(&CLANG)?);
    clang.arg(format!("--target={TARGET}"));
    clang.args(["-std=c17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib"]);
    clang.args(defines.iter().map(|define| format!("-D{define}")));
    clang.arg("-I").arg(&sdk);
    // Paths are mapped away: equal sources give equal bytes wherever they lie.
    clang.arg(format!("-ffile-prefix-map={}=.", workspace().display()));
    let mut linker = OsString::from("-fuse-ld=");
    linker.push(find(&LINKER)?);
    clang.arg(linker);
    for option in ["--no-entry", "--stack-first", "--gc-sections", "--strip-debug"] {
        clang.arg(format!("-Wl,{option}"));
    }
    clang.arg(format!("-Wl,-z,stack-size={STACK_BYTES}"));
    clang.args(&sources).arg("-o").arg(&core);
    let status = clang.status().context("run clang")?;
    if !status.success() {
        bail!("the C module in {} does not compile", folder.display());
    }
    let made = componentise(&core);
    fs::remove_file(&core).with_context(|| format!("remove {}", core.display()))?;
    write_if_changed(component, &made?)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut sources = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    // The order of a folder is no order.
    sources.sort();
    if sources.is_empty() { bail!("no .c file in {}", folder.display()) } else { Ok(sources) }
}

/// The first of these programs that is in PATH.
fn find(names: &[&str]) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let mut candidates =
        names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.find(|program| program.is_file()).with_context(|| {
        format!(
            "there is no {} here: run `xtask/setup.sh c`, which installs clang and lld",
            names[0]
        )
    })
}
