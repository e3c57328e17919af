//! The command line.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: `exit`.

mod client;
mod cluster;
mod daemon;
mod dev;
mod exit;
mod log;
mod module;
mod recover;
mod replay;
mod settings;
mod snapshot;
mod sql;
mod start;
mod stop;
mod subscribe;
mod table;
mod verify;

use clap::{Parser, Subcommand};

/// A replicated control plane whose rules can be changed while it runs.
#[derive(Parser)]
#[command(name = "quorate", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a frontend until it is told to stop
    Start(start::Arguments),
    /// Stop the frontend that runs on a data directory of this machine
    Stop(stop::Arguments),
    /// Run a whole cluster on this machine, for development
    Dev(dev::Arguments),
    /// Mend a stopped frontend of a cluster
    Cluster(cluster::Arguments),
    /// Install and activate modules
    Module(module::Arguments),
    /// Go on from one survivor when a cluster has lost its majority for good
    Recover(recover::Arguments),
    /// Show what one entry of a stopped frontend's log did, call by call
    Replay(replay::Arguments),
    /// Take, save, check and restore backups
    Snapshot(snapshot::Arguments),
    /// Run statements on a frontend
    Sql(sql::Arguments),
    /// Print what changes, as it is committed: one JSON object a line
    Subscribe(subscribe::Arguments),
    /// Apply the log of a stopped frontend again and compare every digest
    Verify(verify::Arguments),
}

/// An error and the exit code that it ends the process with.
struct Exit {
    code: u8,
    error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Exit {
    fn from(error: E) -> Self {
        Self { code: exit::FAILED, error: error.into() }
    }
}

impl Exit {
    fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }
}

/// Parses the arguments, runs, and ends the process.
pub fn main() -> ! {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Start(arguments) if arguments.daemon => daemon::launch(&arguments),
        command => run(command),
    };
    exit::end(match done {
        Ok(()) => exit::DONE,
        Err(exit) => report(&exit),
    })
}

fn run(command: Command) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match command {
            Command::Start(arguments) => start::run(arguments).await,
            Command::Stop(arguments) => stop::run(arguments).await,
            Command::Dev(arguments) => dev::run(arguments).await,
            Command::Cluster(arguments) => cluster::run(arguments).await,
            Command::Module(arguments) => module::run(arguments).await,
            Command::Recover(arguments) => recover::run(arguments).await,
            Command::Replay(arguments) => replay::run(arguments).await,
            Command::Snapshot(arguments) => snapshot::run(arguments).await,
            Command::Sql(arguments) => sql::run(arguments).await,
            Command::Subscribe(arguments) => subscribe::run(arguments).await,
            Command::Verify(arguments) => verify::run(arguments).await,
        }
    });
    // What still runs on its threads must not keep the process: it may wait for a dead disk.
    runtime.shutdown_background();
    done
}

fn report(exit: &Exit) -> u8 {
    let broken_pipe = exit
        .error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
    if broken_pipe {
        return exit::DONE;
    }
    table::complain(&format!("quorate: {:#}", exit.error));
    exit.code
}
