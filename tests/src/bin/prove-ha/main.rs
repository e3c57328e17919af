//! Proves what high availability promises, on real processes, and prints a line for each promise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_tests::prove::failover::Fault;
use quorate_tests::prove::transfer::Order;
use quorate_tests::prove::{
    Options, Profile, Row, failover, idle, members, network, observers, proof, reads, transfer,
};

/// Measures failover, transfers, observers and changes of membership under write load, accounts
/// for every write, and fails when a promise is not kept.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    prove: Prove,
}

#[derive(Subcommand)]
enum Command {
    /// Passes connections into a network namespace; for the program itself
    #[command(hide = true)]
    Relay {
        /// Port of loopback inside
        port: u16,
    },
}

#[derive(Args)]
struct Prove {
    /// What to measure; everything by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// How often each event is measured
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Decides when things happen
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Timing of elections that failover is measured with
    #[arg(long, value_delimiter = ',', default_value = "fast,lan")]
    profile: Vec<Profile>,
    /// Cut the network by proxies also where the kernel could cut it
    #[arg(long)]
    proxies: bool,
    /// Where the frontends keep their data
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Keep it, with the frontends' logs
    #[arg(long)]
    keep: bool,
}

/// A part of the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// kill -9 of the leader
    FailoverKill,
    /// SIGSTOP of the leader
    FailoverStop,
    /// The leader is cut off from the others
    FailoverCut,
    /// ALTER SYSTEM TRANSFER LEADER
    Transfer,
    /// SIGTERM of the leader
    Terminate,
    /// Twenty observers
    Observers,
    /// Growing, replacing, shrinking
    Members,
    /// Reads and writes through observers
    ObserverReads,
    /// Nothing is written when nothing happens
    Idle,
}

impl Part {
    fn run(self, dir: &Path, options: &Options) -> Result<Vec<Row>> {
        let progress = |line: String| eprintln!("{line}");
        match self {
            Self::FailoverKill => failover::run(dir, Fault::Kill, options, &progress),
            Self::FailoverStop => failover::run(dir, Fault::Stop, options, &progress),
            Self::FailoverCut => failover::run(dir, Fault::Cut, options, &progress),
            Self::Transfer => transfer::run(dir, Order::Statement, options, &progress),
            Self::Terminate => transfer::run(dir, Order::Terminate, options, &progress),
            Self::Observers => observers::run(dir, options, &progress),
            Self::Members => members::run(dir, options, &progress),
            Self::ObserverReads => reads::run(dir, options, &progress),
            Self::Idle => idle::run(dir, options, &progress),
        }
    }
}

fn main() -> Result<ExitCode> {
    let Arguments { command, prove } = Arguments::parse();
    if let Some(Command::Relay { port }) = command {
        network::relay(port)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Prove { runs, seed, proxies, .. } = prove;
    let options = Options { runs: runs.max(1), seed, profiles: prove.profile.clone(), proxies };
    let parts = proof::chosen(&prove.only);
    let run = |part: Part, dir: &Path| part.run(dir, &options);
    let rows = proof::rows(&parts, &prove.dir, prove.keep, run)?;
    let code = proof::concluded(&rows);
    println!("seed {seed}");
    Ok(code)
}
