//! What clients of observers may rely on.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use quorate::proto::client::Consistency;
use tokio::runtime::Runtime;

use super::load::Load;
use super::observers::{join, put};
use super::report::Row;
use super::{Options, Profile, Progress, cluster, others, some};
use crate::Cluster;
use crate::endurance::client::Client;

const VOTERS: usize = 3;
/// Positions of the observers.
const OBSERVERS: [usize; 2] = [3, 4];
/// Writes that are read back at once, of each kind.
const READS: usize = 300;
/// The same by SQL, where each costs two processes.
const STATEMENTS: usize = 20;
/// Clients of each observer that write while leaders are killed.
const CLIENTS: usize = 3;
/// Leaders that are killed meanwhile, at most.
const KILLS_MAX: usize = 5;
/// Acknowledged writes of each client around a kill.
const WRITES_AROUND: usize = 10;

/// Reads and writes through observers.
///
/// # Errors
/// When it cannot be tried.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(dir: &Path, options: &Options, progress: Progress<'_>) -> Result<Vec<Row>> {
    let mut cluster = cluster(dir, VOTERS, Profile::Fast);
    for at in OBSERVERS {
        join(&mut cluster, &dir.join(format!("fe{}", at + 1)), "OBSERVER", at % VOTERS);
    }
    cluster.wait_whole();
    let runtime = Runtime::new()?;
    let linearizable = runtime.block_on(read_back(&cluster, true))?;
    progress(format!("observer reads: {linearizable} stale of {READS} linearizable"));
    let by_token = runtime.block_on(read_back(&cluster, false))?;
    progress(format!("observer reads: {by_token} stale of {READS} with a token"));
    let by_set = read_by_statements(&cluster)?;
    let row = |what: &str, stale: usize, of: usize| Row {
        what: what.to_owned(),
        aim: "0 stale".to_owned(),
        measured: format!("{stale} of {of}"),
        beat: "",
        ok: stale == 0,
    };
    let mut rows = vec![
        row("linearizable read on an observer, after a write anywhere", linearizable, READS),
        row("read on an observer, with the writer's LSN as token", by_token, READS),
        row("the same in SQL: SET wait_lsn", by_set, STATEMENTS),
    ];
    rows.push(write_through(&mut cluster, options, progress)?);
    Ok(rows)
}

fn clients(cluster: &Cluster, positions: &[usize]) -> Vec<Client> {
    let of = |at: &usize| Client::new(vec![cluster.frontends[*at].rpc()], 0);
    positions.iter().map(of).collect()
}

/// Writes through every voter in turn, reads each write on an observer at once, and counts the
/// reads that did not see it.
async fn read_back(cluster: &Cluster, is_linearizable: bool) -> Result<usize> {
    let mut writers = clients(cluster, &[0, 1, 2]);
    let mut readers = clients(cluster, &OBSERVERS);
    let mut stale = 0;
    for number in 0..READS {
        let value = format!("{is_linearizable} {number}").into_bytes();
        let writer = number % writers.len();
        let lsn = put(&mut writers[writer], b"read back", &value).await?;
        let (consistency, token) = match is_linearizable {
            true => (Consistency::Linearizable, 0),
            false => (Consistency::Session, lsn),
        };
        let reader = number % readers.len();
        let read = kv::Request::Get { key: b"read back" };
        let answer = readers[reader].call_after(&read, consistency, token).await;
        let answer = answer.map_err(|miss| anyhow::anyhow!("a read on an observer: {miss:?}"))?;
        match kv::Response::unpack(&answer)? {
            kv::Response::Get(found) => {
                stale += usize::from(found.is_none_or(|(found, _)| found != value));
            }
            other => bail!("a get was answered {other:?}"),
        }
    }
    Ok(stale)
}

fn read_by_statements(cluster: &Cluster) -> Result<usize> {
    let mut stale = 0;
    for number in 0..STATEMENTS {
        let writer = cluster.frontends[number % VOTERS].mariadb();
        let written = writer.ok(&format!("PUT statement v{number}; SELECT @@last_lsn AS lsn"));
        let lsn = written.column("lsn")[0].to_owned();
        let reader = cluster.frontends[OBSERVERS[number % OBSERVERS.len()]].mariadb();
        let shown = reader.ok(&format!("SET wait_lsn = {lsn}; GET statement"));
        let value = shown.column("value").first().copied().map(str::to_owned);
        let value = value.context("the key is there")?;
        stale += usize::from(value != format!("v{number}"));
    }
    Ok(stale)
}

/// Clients write through the observers while leaders are killed.
fn write_through(cluster: &mut Cluster, options: &Options, progress: Progress<'_>) -> Result<Row> {
    let load = Load::start(&some(cluster, &OBSERVERS), CLIENTS)?;
    for kill in 1..=options.runs.min(KILLS_MAX) {
        load.wait(&OBSERVERS, Instant::now(), WRITES_AROUND);
        let leader = cluster.leader(OBSERVERS[0]);
        let event = Instant::now();
        cluster.frontends[leader].kill();
        let ended = load.wait(&OBSERVERS, event, WRITES_AROUND);
        let gap = load.seen(&OBSERVERS, event, ended).gap;
        progress(format!("writes through observers, kill {kill}: {} ms", gap.as_millis()));
        cluster.frontends[leader].start();
        cluster.wait_whole();
    }
    let verdict = load.judge()?;
    cluster.assert_agreement(others(VOTERS, 0)[0]);
    Ok(Row::account("writes through observers, leaders killed", &verdict))
}
