//! `quorate module pack`: from a core module to a component.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::super::{Exit, exit, table};

#[derive(Args)]
pub(super) struct Arguments {
    /// The core module: what a compiler for wasm32-unknown-unknown made
    core: PathBuf,
    /// The component file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let Arguments { core, out } = arguments;
    let bytes = std::fs::read(core)
        .with_context(|| format!("read {}", core.display()))
        .map_err(|error| Exit::new(exit::USAGE, error))?;
    let component = quorate_pack::component(&bytes)
        .map_err(|error| anyhow!("{} cannot be packed: {error:#}", core.display()))?;
    std::fs::write(out, &component)
        .with_context(|| format!("write {}", out.display()))
        .map_err(|error| Exit::new(exit::USAGE, error))?;
    table::print(&format!("{}: {} bytes", out.display(), component.len()))?;
    Ok(())
}
