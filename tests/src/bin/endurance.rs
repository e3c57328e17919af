//! Kills frontends under write load and counts what went wrong; measures restarts.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use quorate_tests::endurance::{cycles, image, restart};

/// Kills frontends of a cluster of three with kill -9 under write load, and judges what is left.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    kill: Kill,
}

#[derive(Subcommand)]
enum Command {
    /// Measures how long a frontend with a large state takes to answer after kill -9
    Restart(Restart),
    /// Measures how long writes wait while a snapshot of a large state is taken
    Image(Restart),
}

#[derive(Args)]
struct Kill {
    /// How often frontends are killed
    #[arg(long, default_value_t = 200)]
    cycles: u32,
    /// Decides which ones, and when
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients that write
    #[arg(long, default_value_t = 6)]
    clients: usize,
    /// Where the frontends keep their data
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

#[derive(Args)]
struct Restart {
    /// Size of the state, such as 512MiB
    #[arg(long, default_value = "1GiB", value_parser = bytes)]
    bytes: u64,
    /// Bytes of one value
    #[arg(long, default_value_t = 4096)]
    value_bytes: usize,
    /// How often it is measured
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Where the frontend keeps its data
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

fn bytes(text: &str) -> Result<u64, String> {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    let number: u64 = number.trim().parse().map_err(|_| format!("'{text}' is no size"))?;
    number.checked_mul(unit).ok_or_else(|| format!("'{text}' is too large"))
}

fn folder(dir: &std::path::Path) -> Result<tempfile::TempDir> {
    let made = tempfile::Builder::new().prefix("quorate-endurance").tempdir_in(dir);
    made.with_context(|| format!("make a folder in {}", dir.display()))
}

fn progress(line: String) {
    eprintln!("{line}");
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Restart(restart)) => measure(&restart),
        Some(Command::Image(image)) => take_images(&image),
        None => kill(&arguments.kill),
    }
}

fn kill(arguments: &Kill) -> Result<ExitCode> {
    let Kill { cycles, seed, clients, .. } = *arguments;
    let dir = folder(&arguments.dir)?;
    let options = cycles::Options { cycles, seed, clients };
    let report = cycles::run(dir.path(), &options, &progress)?;
    let (lsn, digest) = &report.position;
    println!("{:<12}{cycles:>10}\n{:<12}{:>10}", "cycles", "kills", report.kills);
    println!("{:<12}{:>9.0}s", "duration", report.elapsed.as_secs_f64());
    print!("{}", report.verdict);
    println!("digest {digest} at LSN {lsn} on all three frontends; seed {seed}");
    Ok(if report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(arguments: &Restart) -> Result<ExitCode> {
    let Restart { bytes, value_bytes, runs, .. } = *arguments;
    let dir = folder(&arguments.dir)?;
    let options = restart::Options { bytes, value_bytes, runs };
    let mut times = restart::run(dir.path(), options, &progress)?;
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or(Duration::ZERO);
    println!("restart with {bytes} bytes of state: median {median:.2?} of {runs}");
    Ok(ExitCode::SUCCESS)
}

fn take_images(arguments: &Restart) -> Result<ExitCode> {
    let Restart { bytes, value_bytes, runs, .. } = *arguments;
    let dir = folder(&arguments.dir)?;
    let options = restart::Options { bytes, value_bytes, runs };
    println!("snapshot of {bytes} bytes of state under writes of 4 clients");
    println!("{:>9} {:>28} {:>28}", "took", "writes before: p50 p99 max", "meanwhile: p50 p99 max");
    for image in image::run(dir.path(), options, &progress)? {
        let show =
            |of: image::Latency| format!("{:.1?} {:.1?} {:.1?}", of.median, of.p99, of.longest);
        let (before, meanwhile) = (show(image.before), show(image.meanwhile));
        println!("{:>9} {before:>28} {meanwhile:>28}", format!("{:.1?}", image.took));
    }
    Ok(ExitCode::SUCCESS)
}
