//! Runs seeds of the simulation, each in a process of its own, and reports.

mod entropy;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use parking_lot::Mutex;
use quorate_tests::sim::{Mutation, World};

/// A seed takes a few seconds; one that takes longer than this hangs.
const SEED_TIMEOUT: Duration = Duration::from_secs(600);
/// Lines of the trace that are shown of a failed seed.
const LINES_SHOWN: usize = 40;

/// Replays whole clusters from seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// Replays one seed with its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds to run.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Goes on for so many minutes instead.
    #[arg(long)]
    minutes: Option<u64>,
    /// How many run at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Puts a defect in, and ends when a seed finds it.
    #[arg(long)]
    mutate: Option<Mutation>,
    /// Runs one seed and prints what came of it: used for the processes of the others.
    #[arg(long, hide = true)]
    child: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match (arguments.child, arguments.seed) {
        (Some(seed), _) => child(seed, arguments.mutate),
        (None, Some(seed)) => replay(seed, arguments.mutate),
        (None, None) => many(&arguments),
    }
}

/// The entropy of the process comes from the seed before anything draws from it.
fn begin(seed: u64) {
    entropy::seed(seed);
}

fn replay(seed: u64, mutation: Option<Mutation>) -> ExitCode {
    begin(seed);
    let outcome = World::run(seed, mutation, true);
    for (what, count) in &outcome.counts {
        println!("{count:>10}  {what}");
    }
    println!("trace {:016x}", outcome.trace);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("seed {seed}: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn child(seed: u64, mutation: Option<Mutation>) -> ExitCode {
    begin(seed);
    let outcome = World::run(seed, mutation, false);
    for (what, count) in &outcome.counts {
        println!("count {count} {what}");
    }
    println!("trace {:016x}", outcome.trace);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            let from = outcome.last_lines.len().saturating_sub(LINES_SHOWN);
            outcome.last_lines[from..].iter().for_each(|line| println!("line {line}"));
            println!("violation {}", violation.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    counts: BTreeMap<String, u64>,
    failed: BTreeMap<u64, String>,
}

fn many(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let end = arguments.minutes.map(|minutes| began + Duration::from_secs(60 * minutes));
    let next = AtomicU64::new(arguments.from);
    let sum = Mutex::new(Sum::default());
    let more = |seed: u64| match end {
        Some(end) => Instant::now() < end,
        None => seed < arguments.from + arguments.seeds,
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let found = arguments.mutate.is_some() && !sum.lock().failed.is_empty();
                    if !more(seed) || found {
                        return;
                    }
                    let ran = run(seed, arguments.mutate);
                    tally(&mut sum.lock(), seed, ran, began);
                }
            });
        }
    });
    report(&sum.into_inner(), began, arguments.mutate)
}

type Ran = Result<BTreeMap<String, u64>, String>;

/// Runs a seed in a process of its own.
fn run(seed: u64, mutation: Option<Mutation>) -> Ran {
    use clap::ValueEnum;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["--child", &seed.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(mutation) = mutation.and_then(|mutation| mutation.to_possible_value()) {
        command.args(["--mutate", mutation.get_name()]);
    }
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if ended.recv_timeout(SEED_TIMEOUT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    });
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let errors = std::thread::spawn(move || stderr.map(std::io::read_to_string));
    let output = stdout.map(std::io::read_to_string).transpose();
    let status = child.wait().map_err(|error| error.to_string())?;
    drop(done);
    let _ = guard.join();
    let output = output.map_err(|error| error.to_string())?.unwrap_or_default();
    if status.success() {
        let counts = output.lines().filter_map(|line| {
            let (count, what) = line.strip_prefix("count ")?.split_once(' ')?;
            Some((what.to_owned(), count.parse().ok()?))
        });
        return Ok(counts.collect());
    }
    let mut why: Vec<_> = output
        .lines()
        .filter_map(|line| line.strip_prefix("line ").or_else(|| line.strip_prefix("violation ")))
        .map(str::to_owned)
        .collect();
    if why.is_empty() {
        let errors = errors.join().ok().flatten().and_then(Result::ok).unwrap_or_default();
        why.push(format!("the process ended with {status}: {errors}"));
    }
    Err(why.join("\n"))
}

fn tally(sum: &mut Sum, seed: u64, ran: Ran, began: Instant) {
    sum.seeds += 1;
    match ran {
        Ok(counts) => {
            for (what, count) in counts {
                *sum.counts.entry(what).or_default() += count;
            }
        }
        Err(why) => {
            println!("seed {seed} FAILED\n{why}\n");
            sum.failed.insert(seed, why);
        }
    }
    if sum.seeds.is_multiple_of(20) {
        let seconds = began.elapsed().as_secs();
        println!("{} seeds, {} failed, {seconds} s", sum.seeds, sum.failed.len());
    }
}

fn report(sum: &Sum, began: Instant, mutation: Option<Mutation>) -> ExitCode {
    println!();
    for (what, count) in &sum.counts {
        println!("{count:>12}  {what}");
    }
    println!("{:>12}  seeds", sum.seeds);
    println!("{:>12}  seconds", began.elapsed().as_secs());
    let failed: Vec<_> = sum.failed.keys().map(u64::to_string).collect();
    println!("{:>12}  violations", failed.len());
    if !failed.is_empty() {
        println!("failed: {}; replay one with `make sim SEED={}`", failed.join(", "), failed[0]);
    }
    // With a defect put in, finding it is the success.
    if failed.is_empty() == mutation.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
