//! Builds modules into components: see `USAGE`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use xtask::{MODULES, Module, build_module, default_out_dir, sha256};

const USAGE: &str = "usage: cargo run -p xtask -- modules [--out DIR] [NAME[@VERSION]]...
       cargo run -p xtask -- c FOLDER COMPONENT [NAME=VALUE]...";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = String>) -> Result<()> {
    match args.next().as_deref() {
        Some("modules") => modules(args),
        Some("c") => c_module(&args.collect::<Vec<_>>()),
        _ => bail!(USAGE),
    }
}

fn modules(mut args: impl Iterator<Item = String>) -> Result<()> {
    let mut out_dir = default_out_dir();
    let mut wanted: Vec<Module> = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => out_dir = args.next().map(PathBuf::from).context("--out needs a folder")?,
            option if option.starts_with('-') => bail!("unknown option '{option}'\n{USAGE}"),
            name => wanted.extend(named(name)?),
        }
    }
    if wanted.is_empty() {
        wanted.extend(MODULES);
    }
    for module in wanted {
        report(&build_module(&module, &out_dir)?)?;
    }
    Ok(())
}

/// A module in C, with macros.
fn c_module(args: &[String]) -> Result<()> {
    let [folder, component, defines @ ..] = args else { bail!(USAGE) };
    let defines: Vec<_> = defines.iter().map(String::as_str).collect();
    xtask::clang::build(Path::new(folder), &defines, Path::new(component))?;
    report(Path::new(component))
}

fn report(path: &Path) -> Result<()> {
    let size_bytes = std::fs::metadata(path)?.len();
    println!("{}  {size_bytes:>8}  {}", sha256(path)?, path.display());
    Ok(())
}

/// All versions of a name, or one.
fn named(text: &str) -> Result<Vec<Module>> {
    if let Some((name, version)) = text.split_once('@') {
        return Ok(vec![Module::find(name, version)?]);
    }
    let versions: Vec<_> = MODULES.into_iter().filter(|module| module.name == text).collect();
    if versions.is_empty() { bail!("this repository has no module '{text}'") } else { Ok(versions) }
}
