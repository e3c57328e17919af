//! Proves what swapping modules promises, on real processes, and prints a line for each promise.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use quorate_tests::prove::{Row, kills, proof, stepped, swaps};

/// Measures activations and migrations under write load, accounts for every write, and fails when a
/// promise is not kept.
#[derive(Parser)]
struct Arguments {
    /// What to measure; everything by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Activations back and forth
    #[arg(long, default_value_t = 1000)]
    activations: usize,
    /// Rows that are migrated
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
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
    /// Two versions take turns
    Swaps,
    /// Rows are migrated step by step
    Migration,
    /// Frontends are killed at every step
    Kills,
}

impl Part {
    fn run(self, dir: &Path, arguments: &Arguments) -> Result<Vec<Row>> {
        let progress = |line: String| eprintln!("{line}");
        match self {
            Self::Swaps => swaps::run(dir, arguments.activations, &progress),
            Self::Kills => kills::run(dir, &progress),
            Self::Migration => stepped::run(dir, arguments.rows, &progress),
        }
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let parts = proof::chosen(&arguments.only);
    let run = |part: Part, dir: &Path| part.run(dir, &arguments);
    let rows = proof::rows(&parts, &arguments.dir, arguments.keep, run)?;
    Ok(proof::concluded(&rows))
}
