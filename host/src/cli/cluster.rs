//! `quorate cluster`: what is done to a frontend of a cluster while it is stopped.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::verify::{base, failure};
use super::{Exit, table};
use crate::rescue::{RebuildOptions, ReplayOptions, rebuild};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the state anew of a stopped frontend that put it aside because it is not the others'
    Rebuild(Rebuild),
}

#[derive(Args)]
struct Rebuild {
    /// Data directory of the frontend, which must be stopped
    #[arg(long)]
    meta_dir: PathBuf,
    /// A backup that another frontend made, if this one's own snapshot and log are not right
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Folder for a copy; without it, beside the data directory, where most of it takes no room
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let Command::Rebuild(Rebuild { meta_dir, from, work_dir }) = arguments.command;
    let replay = ReplayOptions { meta_dir, work_dir, ..ReplayOptions::default() };
    let options = RebuildOptions { replay, from };
    tokio::task::spawn_blocking(move || {
        let rebuilt = rebuild(&options).map_err(failure)?;
        table::print(&base(&rebuilt.base))?;
        table::print(&format!("what was there is kept in {}", rebuilt.aside.display()))?;
        table::complain("next: start this frontend as before; it applies the rest of its log");
        Ok(())
    })
    .await?
}
