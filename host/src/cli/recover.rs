//! `quorate recover`: a cluster that lost its majority goes on from one survivor.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use comfy_table::{Table, presets};

use super::{Exit, exit, table};
use crate::rescue::{Begun, Recovery, RecoveryOptions, RescueError, Survey};

#[derive(Args)]
pub struct Arguments {
    /// Data directory of the survivor to recover from; its frontend must be stopped
    #[arg(long)]
    meta_dir: PathBuf,
    /// Data directories of other frontends of the cluster that are left; may be repeated
    #[arg(long)]
    compare: Vec<PathBuf>,
    /// Host under which the survivor is reached from now on, if it is another
    #[arg(long)]
    host: Option<String>,
    /// Its port for other frontends from now on, if it is another
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    edit_log_port: Option<u16>,
    /// Cut off the end of the log that is not known to be committed; it may hold acknowledged
    /// writes
    #[arg(long)]
    drop_uncommitted: bool,
    /// Do it; without this the directories are only looked at
    #[arg(long)]
    yes: bool,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let yes = arguments.yes;
    let drop_uncommitted = arguments.drop_uncommitted;
    let options = RecoveryOptions {
        meta_dir: arguments.meta_dir,
        compare: arguments.compare,
        host: arguments.host,
        edit_log_port: arguments.edit_log_port,
        drop_uncommitted,
    };
    tokio::task::spawn_blocking(move || recover(options, yes)).await?
}

fn recover(options: RecoveryOptions, yes: bool) -> Result<(), Exit> {
    let drop_uncommitted = options.drop_uncommitted;
    let recovery = match Recovery::plan(options) {
        Ok(recovery) => recovery,
        Err(refused) => {
            let (error, surveys) = *refused;
            print(&surveys)?;
            return Err(refusal(error));
        }
    };
    print(&recovery.surveys())?;
    if let Some(last) = recovery.observed() {
        table::complain(&format!(
            "the first directory is an observer's: what followers acknowledged after LSN {last} and \
             did not pass on to it is lost. If the directory of a follower is left, name it with \
             --compare, and recover from it if it is fresher"
        ));
    }
    if let Some((first, last)) = recovery.uncommitted() {
        let what = if drop_uncommitted {
            "will be cut off, though they may have been acknowledged"
        } else {
            "will be kept, though they may never have been acknowledged"
        };
        table::complain(&format!("LSN {first} to {last} are not known to be committed and {what}"));
    }
    if !yes {
        table::complain(&format!(
            "this would begin a new generation of the cluster with one frontend at {}, on the \
             first directory; every other frontend of the old generation must stay stopped",
            recovery.address()
        ));
        return Err(Exit::new(exit::FAILED, anyhow!("nothing was done; repeat it with --yes")));
    }
    let begun = recovery.execute().map_err(refusal)?;
    tell(&begun)?;
    table::complain(&format!(
        "next: start this frontend as before, with edit_log_port of {}. Empty the data directories \
         of all others, never start them as they are, and add each one anew with ALTER SYSTEM ADD \
         FOLLOWER",
        begun.address
    ));
    Ok(())
}

/// Tells what began.
pub(super) fn tell(begun: &Begun) -> Result<(), Exit> {
    table::print(&format!(
        "cluster {} goes on as generation {}: frontend {} at {}, from LSN {} on; everything up to \
         LSN {} is in it",
        begun.identity.cluster,
        begun.identity.generation,
        begun.identity.node,
        begun.address,
        begun.lsn,
        begun.kept
    ))?;
    Ok(())
}

/// The exit code of what was refused.
pub(super) fn refusal(error: RescueError) -> Exit {
    Exit::new(error.trouble().map_or(exit::USAGE, |trouble| exit::code(trouble.into())), error)
}

/// Prints what directories hold.
pub(super) fn print(surveys: &[Survey]) -> Result<(), Exit> {
    if surveys.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header([
        "Directory",
        "Cluster",
        "Generation",
        "Node",
        "Role",
        "Term",
        "LastTerm",
        "FirstLsn",
        "LastLsn",
        "CommittedLsn",
        "AppliedLsn",
        "StateDigest",
    ]);
    for survey in surveys {
        let index = |id: Option<_>| id.map_or("NULL".to_owned(), |index: u64| index.to_string());
        table.add_row([
            survey.path.display().to_string(),
            survey.identity.cluster.to_string(),
            survey.identity.generation.to_string(),
            survey.identity.node.to_string(),
            survey.kind.name().to_owned(),
            survey.term().to_string(),
            index(survey.last.map(|last| last.leader_id.term)),
            survey.first.to_string(),
            index(survey.last.map(|last| last.index)),
            index(survey.committed.map(|committed| committed.index)),
            index(survey.applied.map(|applied| applied.index)),
            survey.digest.short(),
        ]);
    }
    table::print(&table.to_string())?;
    Ok(())
}
