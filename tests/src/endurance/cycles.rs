//! The load, the kills, and the look at what is left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::client::Client;
use super::history::{Ended, History, Verdict};
use super::writer::{Writer, look};
use crate::sim::Dice;
use crate::{Cluster, eventually, modules};

const FRONTENDS: usize = 3;
/// Writes must go on within this time, whatever was killed.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);
/// Acknowledged writes between two kills, and while frontends are down: up to as many.
const WRITES_BETWEEN_MAX: u64 = 300;
const WRITES_DOWN_MAX: u64 = 150;
/// Cycles between two lines of progress.
const PROGRESS_CYCLES: u32 = 10;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often frontends are killed.
    pub cycles: u32,
    /// Decides whom and when.
    pub seed: u64,
    /// How many clients write.
    pub clients: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Over all clients.
    pub verdict: Verdict,
    /// Processes killed.
    pub kills: u64,
    /// From the first kill to the last restart.
    pub elapsed: Duration,
    /// Applied LSN and digest, the same on all frontends.
    pub position: (String, String),
}

/// Runs a cluster in `dir`, kills and restarts its frontends under load, and judges.
///
/// # Errors
/// When the final state cannot be read.
///
/// # Panics
/// When the cluster does not form, stops serving, or its frontends disagree.
pub fn run(dir: &Path, options: &Options, progress: &dyn Fn(String)) -> Result<Report> {
    let mut cluster = Cluster::start_in(dir, FRONTENDS, Some(modules::KV));
    let addresses: Vec<_> = cluster.frontends.iter().map(crate::Frontend::rpc).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..options.clients)
        .map(|number| {
            let writer = Writer::new(number, Client::new(addresses.clone(), number));
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            runtime.spawn(write(writer, stop, acknowledged))
        })
        .collect();

    let started = Instant::now();
    let dice = Dice::new(options.seed);
    let mut kills = 0;
    for cycle in 1..=options.cycles {
        kills += kill_some(&mut cluster, &dice, &acknowledged);
        if cycle % PROGRESS_CYCLES == 0 {
            let writes = acknowledged.load(Ordering::Relaxed);
            let elapsed = started.elapsed();
            progress(format!("cycle {cycle}: {kills} kills, {writes} writes, {elapsed:.0?}"));
        }
    }
    let elapsed = started.elapsed();
    wait_for_writes(&acknowledged, 1);
    stop.store(true, Ordering::Relaxed);
    let mut histories = Vec::new();
    for writer in writers {
        histories.push(runtime.block_on(writer).context("a client panicked")??);
    }
    cluster.wait_whole();
    let shown = cluster.assert_agreement(0);
    let position =
        (shown.column("AppliedLsn")[0].to_owned(), shown.column("StateDigest")[0].to_owned());

    let mut verdict = Verdict::default();
    for (number, history) in histories.iter().enumerate() {
        let client = Client::new(addresses.clone(), number);
        let found = runtime.block_on(look(number, client))?;
        verdict = verdict.plus(history.judge(&found));
    }
    Ok(Report { verdict, kills, elapsed, position })
}

/// One cycle: writes, a kill, perhaps writes by those left, a restart. Gives how many it killed.
fn kill_some(cluster: &mut Cluster, dice: &Dice, acknowledged: &AtomicU64) -> u64 {
    wait_for_writes(acknowledged, 1 + dice.below(WRITES_BETWEEN_MAX));
    let count = match dice.below(10) {
        0..=6 => 1,
        7..=8 => 2,
        _ => FRONTENDS,
    };
    let first = usize::try_from(dice.below(FRONTENDS as u64)).expect("it is small");
    let victims: Vec<_> = (first..first + count).map(|at| at % FRONTENDS).collect();
    let mut kills = 0;
    for victim in &victims {
        cluster.frontends[*victim].kill();
        kills += 1;
    }
    if count == 1 {
        wait_for_writes(acknowledged, dice.below(WRITES_DOWN_MAX));
    }
    for victim in &victims {
        cluster.frontends[*victim].start();
    }
    // Now and then in the middle of its start.
    if dice.below(8) == 0 {
        cluster.frontends[first].kill();
        kills += 1;
        cluster.frontends[first].start();
    }
    for victim in &victims {
        cluster.frontends[*victim].wait_ready();
    }
    kills
}

fn wait_for_writes(acknowledged: &AtomicU64, count: u64) {
    let goal = acknowledged.load(Ordering::Relaxed) + count;
    eventually("writes go on", PROGRESS_LIMIT, || {
        (acknowledged.load(Ordering::Relaxed) >= goal).then_some(())
    });
}

/// Writes until told to stop: a put and a swap in turn.
async fn write(
    mut writer: Writer,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) -> Result<History> {
    while !stop.load(Ordering::Relaxed) {
        for ended in [writer.put().await?, writer.swap().await?] {
            acknowledged.fetch_add(u64::from(ended == Some(Ended::Ok)), Ordering::Relaxed);
        }
    }
    Ok(writer.into_history())
}
