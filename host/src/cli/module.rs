//! `quorate module`: the life of modules, from an empty folder to their activation.

mod activate;
mod check;
mod inspect;
mod new;
mod pack;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use super::client::{Endpoints, execute, message, rows};
use super::{Exit, exit, table};
use crate::proto::client::InstallModuleRequest;

/// Bytes per message of an installation.
const PART_BYTES: usize = 512 << 10;
/// Time for a statement.
const TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write a crate to begin a module with, the SDK included
    New(new::Arguments),
    /// Make a component of the core module that a compiler for WebAssembly made
    Pack(pack::Arguments),
    /// Tell what a component file is, and whether a cluster would refuse it; needs none
    Inspect(inspect::Arguments),
    /// Install a component file on all frontends
    Install {
        /// The component file
        file: PathBuf,
        /// Its minisign signature; else the file's own name with .minisig, if there is one
        #[arg(long)]
        signature: Option<PathBuf>,
    },
    /// List the installed modules
    List,
    /// Tell what is known of an installed module
    Show {
        /// The module, as name@version
        module: String,
    },
    /// Print what an activation does, and make an installed module the active one
    Activate(activate::Arguments),
    /// Make the previously active module the active one again
    Rollback(activate::RollbackArguments),
    /// Forget the activation that is scheduled
    Cancel,
    /// Remove the file of a module that is not needed any more
    Retire {
        /// The module, as name@version
        module: String,
    },
    /// List the activations so far
    History,
    /// Try an installed module on a copy of the state: migrate it and replay the recent log with it
    Check(check::Arguments),
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let endpoints = &arguments.endpoints;
    let quoted = quorate_sql::quote_string;
    let statement = match &arguments.verb {
        Verb::New(arguments) => return new::run(arguments),
        Verb::Pack(arguments) => return pack::run(arguments),
        Verb::Inspect(arguments) => return inspect::run(arguments),
        Verb::Install { file, signature } => {
            return install(endpoints, file, signature.as_deref()).await;
        }
        Verb::Check(arguments) => return check::run(endpoints, arguments).await,
        Verb::Activate(arguments) => return activate::activate(endpoints, arguments).await,
        Verb::Rollback(arguments) => return activate::rollback(endpoints, arguments).await,
        Verb::Cancel => return change(endpoints, "CANCEL MODULE ACTIVATION", "cancelled").await,
        Verb::Retire { module } => {
            let statement = format!("RETIRE MODULE {}", quoted(module));
            return change(endpoints, &statement, "retired").await;
        }
        Verb::List => "SHOW MODULES".to_owned(),
        Verb::Show { module } => format!("SHOW MODULE {}", quoted(module)),
        Verb::History => "SHOW MODULE HISTORY".to_owned(),
    };
    let mut client = endpoints.connect().await?;
    table::print_rows(&rows(&mut client, &statement, TIMEOUT).await?)?;
    Ok(())
}

async fn change(endpoints: &Endpoints, statement: &str, done: &str) -> Result<(), Exit> {
    let mut client = endpoints.connect().await?;
    let response = execute(&mut client, statement, TIMEOUT).await?;
    table::print(&format!("{done} at LSN {}", response.lsn))?;
    Ok(())
}

async fn install(endpoints: &Endpoints, file: &Path, signature: Option<&Path>) -> Result<(), Exit> {
    let component = read(file).await?;
    let signature = match signature {
        Some(path) => Some(path.to_owned()),
        None => {
            Some(PathBuf::from(format!("{}.minisig", file.display()))).filter(|path| path.exists())
        }
    };
    let signature = match signature {
        None => None,
        Some(path) => {
            let text = String::from_utf8(read(&path).await?);
            let wrong = |_| anyhow!("{} is no signature of minisign", path.display());
            Some(text.map_err(wrong).map_err(|error| Exit::new(exit::USAGE, error))?)
        }
    };
    let mut client = endpoints.connect().await?;
    let mut parts: Vec<_> = component
        .chunks(PART_BYTES)
        .map(|part| InstallModuleRequest { part: part.to_vec().into(), signature: None })
        .collect();
    if let Some(first) = parts.first_mut() {
        first.signature = signature;
    }
    let response = client
        .install_module(tokio_stream::iter(parts))
        .await
        .map_err(|status| anyhow!("{}", message(&status)))?
        .into_inner();
    let (name, version) = (&response.name, &response.version);
    table::print(&format!("installed {name}@{version} at LSN {}", response.lsn))?;
    table::print(&format!("sha256 {}", response.digest))?;
    for one in &response.acknowledgements {
        let word = if one.refusal.is_empty() {
            "can run it".to_owned()
        } else {
            format!("cannot run it: {}", one.refusal)
        };
        table::print(&format!("{} {word}", one.frontend))?;
    }
    table::complain(&format!("to use it: quorate module activate {name}@{version}"));
    Ok(())
}

async fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    let read = tokio::fs::read(file).await.with_context(|| format!("read {}", file.display()));
    read.map_err(|error| Exit::new(exit::USAGE, error))
}
