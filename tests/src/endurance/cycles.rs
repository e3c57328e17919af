//! The load, the kills, and the look at what is left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quorate::proto::client::Consistency;

use super::client::{Client, Miss};
use super::history::{Ended, Found, History, Put, Swap, Verdict};
use crate::sim::Dice;
use crate::{Cluster, eventually, modules};

const FRONTENDS: usize = 3;
/// Writes must go on within this time, whatever was killed.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);
/// Before a client without a connection tries the next frontend.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
/// Acknowledged writes between two kills, and while frontends are down: up to as many.
const WRITES_BETWEEN_MAX: u64 = 300;
const WRITES_DOWN_MAX: u64 = 150;
/// How often a client asks where its chain is after a swap of unknown outcome.
const LOOKS_MAX: u32 = 1000;
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
            let client = Client::new(addresses.clone(), number);
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            runtime.spawn(write(number, client, stop, acknowledged))
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

fn put_key(client: usize, number: u64) -> Vec<u8> {
    format!("p{client:03}/{number:012}").into_bytes()
}

fn put_value(client: usize, number: u64) -> Vec<u8> {
    format!("value {number} of client {client}, {}", "x".repeat(100)).into_bytes()
}

fn chain_key(client: usize) -> Vec<u8> {
    format!("chain{client:03}").into_bytes()
}

fn chain_value(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Writes until told to stop: a put and a swap in turn.
async fn write(
    number: usize,
    mut client: Client,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
) -> Result<History> {
    let mut history = History::default();
    // The swap that the chain is at.
    let mut at = 0;
    while !stop.load(Ordering::Relaxed) {
        let done = put(number, &mut client, &mut history).await?
            + swap(number, &mut client, &mut history, &mut at).await?;
        acknowledged.fetch_add(done, Ordering::Relaxed);
    }
    Ok(history)
}

async fn put(number: usize, client: &mut Client, history: &mut History) -> Result<u64> {
    let next = history.puts.len() as u64;
    let (key, value) = (put_key(number, next), put_value(number, next));
    let request = kv::Request::Put { key: &key, value: &value };
    let (ended, lsn) = match client.call(&request, Consistency::Session).await {
        Ok(answer) => match kv::Response::unpack(&answer) {
            Ok(kv::Response::Put { version }) => (Ended::Ok, Some(version)),
            other => bail!("a put was answered {other:?}"),
        },
        Err(Miss::NotSent) => {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            return Ok(0);
        }
        Err(Miss::Failed(_)) => (Ended::Failed, None),
        Err(Miss::Uncertain(_)) => (Ended::Uncertain, None),
    };
    history.puts.push(Put { ended, lsn });
    Ok(u64::from(ended == Ended::Ok))
}

async fn swap(
    number: usize,
    client: &mut Client,
    history: &mut History,
    at: &mut u64,
) -> Result<u64> {
    let next = history.swaps.len() as u64 + 1;
    let (key, old, new) = (chain_key(number), chain_value(*at), chain_value(next));
    let old = (*at > 0).then_some(old.as_slice());
    let request = kv::Request::Swap { key: &key, old, new: Some(&new) };
    let ended = match client.call(&request, Consistency::Session).await {
        Ok(answer) => match kv::Response::unpack(&answer) {
            Ok(kv::Response::Swap(true)) => Ended::Ok,
            Ok(kv::Response::Swap(false)) => Ended::Refused,
            other => bail!("a swap was answered {other:?}"),
        },
        Err(Miss::NotSent) => {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            return Ok(0);
        }
        Err(Miss::Failed(_)) => Ended::Failed,
        Err(Miss::Uncertain(_)) => Ended::Uncertain,
    };
    history.swaps.push(Swap { from: *at, ended });
    match ended {
        Ended::Ok => *at = next,
        Ended::Failed => {}
        // One of unknown outcome, this or an earlier one, may have taken effect by now.
        Ended::Uncertain | Ended::Refused => *at = chain_at(number, client).await?,
    }
    Ok(u64::from(ended == Ended::Ok))
}

/// The last swap of a client's chain that took effect; 0 when none has.
async fn chain_at(number: usize, client: &mut Client) -> Result<u64> {
    let key = chain_key(number);
    let mut last = String::new();
    for _ in 0..LOOKS_MAX {
        match client.call(&kv::Request::Get { key: &key }, Consistency::Linearizable).await {
            Ok(answer) => {
                return match kv::Response::unpack(&answer) {
                    Ok(kv::Response::Get(None)) => Ok(0),
                    Ok(kv::Response::Get(Some((value, _)))) => {
                        Ok(std::str::from_utf8(value)?.parse()?)
                    }
                    other => bail!("a get was answered {other:?}"),
                };
            }
            Err(miss) => last = format!("{miss:?}"),
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
    bail!("client {number} could not read its chain: {last}")
}

/// What the cluster holds of a client.
async fn look(number: usize, mut client: Client) -> Result<Found> {
    let mut found = Found { last_swap: chain_at(number, &mut client).await?, ..Found::default() };
    let (mut low, high) = (put_key(number, 0), format!("p{number:03}0").into_bytes());
    loop {
        let request = kv::Request::Range { low: &low, high: &high, limit: kv::RANGE_MAX };
        let answer = client.call(&request, Consistency::Linearizable).await;
        let answer = answer.map_err(|miss| anyhow::anyhow!("read what is left: {miss:?}"))?;
        let kv::Response::Range { entries, next } = kv::Response::unpack(&answer)? else {
            bail!("a range was answered with something else");
        };
        for entry in entries {
            let key = std::str::from_utf8(entry.key)?;
            let (_, put) = key.split_once('/').context("a key of a put")?;
            let put: u64 = put.parse()?;
            found.puts.insert(put, (entry.version, entry.value == put_value(number, put)));
        }
        match next {
            Some(next) => low = next.to_vec(),
            None => return Ok(found),
        }
    }
}
