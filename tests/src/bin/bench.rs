//! Quorate beside etcd: three servers each, on this machine, in one interleaved run.
//!
//! Both with fsync, 8-byte keys, 256-byte values, each over its own gRPC API, the same number of
//! clients and connections. Rounds alternate between the two, so what else the machine does hits
//! both.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use quorate_tests::bench::etcd::Etcd;
use quorate_tests::bench::quorate::Quorate;
use quorate_tests::bench::{Operation, System, load, report};

/// Puts and linearizable gets per second, beside etcd.
#[derive(Parser)]
struct Arguments {
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,64,256")]
    clients: Vec<usize>,
    /// Seconds per system, load and round
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds, alternating between the systems
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where both keep their data; a folder on the disk to be measured
    #[arg(long, default_value = ".")]
    dir: std::path::PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let dir = tempfile::Builder::new().prefix("quorate-bench").tempdir_in(&arguments.dir)?;
    eprintln!("starting three frontends and three members of etcd");
    let path = dir.path().to_owned();
    let quorate = tokio::task::spawn_blocking(move || Quorate::start(&path)).await?;
    let etcd = Etcd::start(dir.path()).await?;
    let systems: [&dyn System; 2] = [&quorate, &etcd];
    for system in systems {
        load::fill(system).await.with_context(|| format!("fill {}", system.name()))?;
    }
    let duration = Duration::from_secs(arguments.seconds);
    println!("{}", report::header());
    for operation in [Operation::Put, Operation::Get] {
        for clients in &arguments.clients {
            let mut rounds = [Vec::new(), Vec::new()];
            for _ in 0..arguments.rounds {
                for (system, measured) in systems.iter().zip(&mut rounds) {
                    let run = load::run(*system, operation, *clients, duration).await;
                    measured.push(run.with_context(|| format!("load on {}", system.name()))?);
                }
            }
            let [ours, theirs] = rounds.map(|rounds| report::figures(&rounds));
            println!("{}", report::line(operation, *clients, quorate.name(), &ours));
            println!("{}", report::line(operation, *clients, etcd.name(), &theirs));
            println!("{}", report::ratio(&ours, &theirs));
        }
    }
    Ok(())
}
