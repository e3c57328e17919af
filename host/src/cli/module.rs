//! `quorate module`: the life of modules, from an empty folder to their activation.

mod check;
mod inspect;
mod new;
mod pack;

use std::path::PathBuf;
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
    },
    /// List the installed modules
    List,
    /// Make an installed module the active one
    Activate {
        /// The module, as name@version
        module: String,
        /// Even when a voter has not acknowledged it
        #[arg(long)]
        force: bool,
    },
    /// Make the previously active module the active one again
    Rollback,
    /// List the activations so far
    History,
    /// Try an installed module on a copy of the state: migrate it and replay the recent log with it
    Check(check::Arguments),
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let statement = match &arguments.verb {
        Verb::New(arguments) => return new::run(arguments),
        Verb::Pack(arguments) => return pack::run(arguments),
        Verb::Inspect(arguments) => return inspect::run(arguments),
        Verb::Install { file } => return install(&arguments.endpoints, file).await,
        Verb::List => "SHOW MODULES".to_owned(),
        Verb::History => "SHOW MODULE HISTORY".to_owned(),
        Verb::Check(verb) => return check::run(&arguments.endpoints, verb).await,
        Verb::Activate { module, force } => {
            let force = if *force { " FORCE" } else { "" };
            let statement = format!("ACTIVATE MODULE {}{force}", quorate_sql::quote_string(module));
            return switch(&arguments.endpoints, &statement).await;
        }
        Verb::Rollback => return switch(&arguments.endpoints, "ROLLBACK MODULE").await,
    };
    let mut client = arguments.endpoints.connect().await?;
    table::print_rows(&rows(&mut client, &statement, TIMEOUT).await?)?;
    Ok(())
}

async fn switch(endpoints: &Endpoints, statement: &str) -> Result<(), Exit> {
    let mut client = endpoints.connect().await?;
    let response = execute(&mut client, statement, TIMEOUT).await?;
    table::print(&format!("activated at LSN {}", response.lsn))?;
    Ok(())
}

async fn install(endpoints: &Endpoints, file: &PathBuf) -> Result<(), Exit> {
    let component = tokio::fs::read(file)
        .await
        .with_context(|| format!("read {}", file.display()))
        .map_err(|error| Exit::new(exit::USAGE, error))?;
    let mut client = endpoints.connect().await?;
    let parts: Vec<_> = component
        .chunks(PART_BYTES)
        .map(|part| InstallModuleRequest { part: part.to_vec().into() })
        .collect();
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
