//! Many observers: what they cost the leader, that they agree, and that they find another upstream.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use quorate::proto::client::Consistency;
use tokio::runtime::Runtime;

use super::load::Load;
use super::report::{Row, Times};
use super::{Options, Profile, Progress, cluster, others, settle};
use crate::bench::usage::Usage;
use crate::endurance::client::Client;
use crate::{Cluster, Frontend, eventually, eventually_async};

const VOTERS: usize = 3;
const OBSERVERS: usize = 20;
/// Clients that write, all to the leader.
const CLIENTS: usize = 4;
/// Between an answer and the client's next write: 100 writes a second, which twenty observers on
/// two cores can apply.
const PAUSE: Duration = Duration::from_millis(35);
/// How long the leader's processor time is measured, with observers and without, in turn.
const PHASE: Duration = Duration::from_secs(20);
/// How often.
const ROUNDS: usize = 3;
/// Part of the leader's processor time per write that observers may cost.
const COST_MAX: f64 = 0.05;
/// Observers must catch up within this time.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(120);
/// Most upstreams that are killed.
const KILLS_MAX: usize = 6;
/// How long observers may stand still when their upstream dies.
const MOVE_MAX: Duration = Duration::from_secs(1);

/// Processor time of the leader per write, of several phases, in microseconds.
#[derive(Default)]
struct Cost(Vec<f64>);

impl Cost {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }

    /// Half of the distance between the least and the greatest, as a part of the mean.
    fn noise(&self) -> f64 {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(0.0, f64::max);
        (greatest - least) / 2.0 / self.mean()
    }
}

/// Measures all of it.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(dir: &Path, options: &Options, progress: Progress<'_>) -> Result<Vec<Row>> {
    let mut cluster = cluster(dir, VOTERS, Profile::Fast);
    let leader = cluster.leader(0);
    let followers = others(VOTERS, leader);
    let runtime = Runtime::new()?;
    let mut load = Load::new(PAUSE)?;
    load.add(leader, &cluster.frontends[leader], CLIENTS);

    let (mut without, mut with) = (Cost::default(), Cost::default());
    without.0.push(phase(&cluster, leader, &load)?);
    for number in 0..OBSERVERS {
        let helper = followers[number % followers.len()];
        join(&mut cluster, &dir.join(format!("observer{number}")), "OBSERVER", helper);
    }
    let observers: Vec<_> = (VOTERS..VOTERS + OBSERVERS).collect();
    let mut caught_up = Times::default();
    for round in 1..=ROUNDS {
        caught_up.push(catch_up(&runtime, &cluster, leader, &observers)?);
        with.0.push(phase(&cluster, leader, &load)?);
        if round < ROUNDS {
            for observer in &observers {
                cluster.frontends[*observer].stop();
            }
            without.0.push(phase(&cluster, leader, &load)?);
            for observer in &observers {
                cluster.frontends[*observer].start();
            }
        }
        progress(format!(
            "observers, round {round}: {:.0} us of the leader per write without, {:.0} us with",
            without.mean(),
            with.mean()
        ));
    }
    ensure!(cluster.leader(leader) == leader, "the leader changed while it was measured");
    let fed = upstreams(&cluster, leader);
    let by_leader = fed.iter().filter(|at| **at == Some(leader)).count();
    let unfed = fed.iter().filter(|at| at.is_none()).count();

    let kills = options.runs.min(KILLS_MAX);
    let mut moved = Times::default();
    for kill in 1..=kills {
        let longest = lose_upstream(&runtime, &mut cluster, leader, progress)?;
        progress(format!("observers, kill {kill}: all moved on after {} ms", longest.as_millis()));
        moved.push(longest);
    }
    let verdict = load.judge()?;
    let shown = cluster.assert_agreement(leader);
    let (lsn, digest) = (shown.column("AppliedLsn")[0], shown.column("StateDigest")[0]);
    let cost = with.mean() / without.mean() - 1.0;
    Ok(vec![
        Row {
            what: format!("leader's processor time per write, {OBSERVERS} observers"),
            aim: format!("within 5 % of without ({ROUNDS} rounds of {} s)", PHASE.as_secs()),
            measured: format!(
                "{:+.1} %: {:.0} us (noise {:.1} %), without {:.0} us (noise {:.1} %)",
                cost * 100.0,
                with.mean(),
                with.noise() * 100.0,
                without.mean(),
                without.noise() * 100.0
            ),
            beat: "",
            ok: cost.abs() <= COST_MAX,
        },
        Row {
            what: "observers fed by followers or observers".to_owned(),
            aim: "all".to_owned(),
            measured: format!("{} of {OBSERVERS}", OBSERVERS - by_leader - unfed),
            beat: "",
            ok: by_leader + unfed == 0,
        },
        Row {
            what: "all frontends agree afterwards".to_owned(),
            aim: "one LSN, one digest".to_owned(),
            measured: format!("LSN {lsn}, digest {}; started observers {caught_up}", short(digest)),
            beat: "",
            ok: shown.rows().len() == VOTERS + OBSERVERS,
        },
        Row {
            what: "kill -9 of an upstream: until each of its observers applies writes".to_owned(),
            aim: format!("max <= {} ms", MOVE_MAX.as_millis()),
            measured: moved.to_string(),
            beat: "",
            ok: moved.longest() <= MOVE_MAX,
        },
        Row::account("writes beside observers", &verdict),
    ])
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Registers one more frontend, whose folder is `dir`, starts it with that helper, and gives its
/// position.
pub(super) fn join(cluster: &mut Cluster, dir: &Path, kind: &str, helper: usize) -> usize {
    let at = cluster.frontends.len();
    let address = cluster.frontends[helper].address();
    let mut next = Frontend::new(dir, Some(address), None);
    settle(&mut next, Profile::Fast);
    let add = format!("ALTER SYSTEM ADD {kind} \"{}\"", next.address());
    cluster.frontends[helper].mariadb().ok(&add);
    next.start();
    cluster.frontends.push(next);
    at
}

/// The leader's processor time per acknowledged write, in microseconds.
fn phase(cluster: &Cluster, leader: usize, load: &Load) -> Result<f64> {
    let process = cluster.frontends[leader].process().context("the leader runs")?;
    // Writes go on before the clock starts.
    let from = load.wait(&[leader], Instant::now(), 5);
    let before = Usage::of(&[process])?;
    std::thread::park_timeout(PHASE);
    let to = Instant::now();
    let used = Usage::of(&[process])?.since(before);
    let writes = load.seen(&[leader], from, to).ok;
    ensure!(writes > 0, "no writes in {PHASE:?}");
    Ok(used.cpu.as_secs_f64() * 1e6 / writes as f64)
}

/// Writes a key through a frontend and gives the LSN of it.
pub(super) async fn put(client: &mut Client, key: &[u8], value: &[u8]) -> Result<u64> {
    let request = kv::Request::Put { key, value };
    let answer = client.call(&request, Consistency::Session).await;
    let answer = answer.map_err(|miss| anyhow::anyhow!("a put: {miss:?}"))?;
    match kv::Response::unpack(&answer)? {
        kv::Response::Put { version } => Ok(version),
        other => anyhow::bail!("a put was answered {other:?}"),
    }
}

/// Waits until all of these frontends have applied a write that begins now; how long that took.
fn catch_up(
    runtime: &Runtime,
    cluster: &Cluster,
    through: usize,
    observers: &[usize],
) -> Result<Duration> {
    let began = Instant::now();
    let mut client = Client::new(vec![cluster.frontends[through].rpc()], 0);
    let lsn = runtime.block_on(put(&mut client, b"catch up", b"now"))?;
    // All of them catch up meanwhile.
    for at in observers {
        runtime.block_on(applied(cluster.frontends[*at].rpc(), lsn));
    }
    Ok(began.elapsed())
}

/// Asks until the frontend answers from a state that has that LSN.
async fn applied(rpc: String, lsn: u64) {
    let mut client = Client::new(vec![rpc], 0);
    let read = kv::Request::Get { key: b"catch up" };
    let caught_up = async || client.call_after(&read, Consistency::Session, lsn).await.ok();
    eventually_async("an observer has caught up", CATCH_UP_LIMIT, caught_up).await;
}

/// The position of each observer's upstream, as the frontend at `asked` shows it.
fn upstreams(cluster: &Cluster, asked: usize) -> Vec<Option<usize>> {
    let shown = cluster.frontends[asked].mariadb().ok("SHOW FRONTENDS");
    let (ports, upstreams) = (shown.column("EditLogPort"), shown.column("Upstream"));
    let of = |frontend: &Frontend| {
        let port = frontend.edit_log_port().to_string();
        let row = ports.iter().position(|shown| **shown == port)?;
        cluster.frontends.iter().position(|other| other.address() == upstreams[row])
    };
    cluster.frontends[VOTERS..].iter().map(of).collect()
}

/// Kills the follower that feeds most observers, and gives how long it took until all of them had
/// applied a write that was made after it.
fn lose_upstream(
    runtime: &Runtime,
    cluster: &mut Cluster,
    leader: usize,
    progress: Progress<'_>,
) -> Result<Duration> {
    let all = eventually("every observer has an upstream", CATCH_UP_LIMIT, || {
        upstreams(cluster, leader).into_iter().collect::<Option<Vec<_>>>()
    });
    let fed_by = |at: usize| all.iter().filter(|upstream| **upstream == at).count();
    let victim = others(VOTERS, leader).into_iter().max_by_key(|at| fed_by(*at));
    let victim = victim.context("there are followers")?;
    let orphans: Vec<_> = (0..all.len()).filter(|n| all[*n] == victim).collect();
    ensure!(!orphans.is_empty(), "no follower feeds any observer: {all:?}");
    let orphans: Vec<_> = orphans.into_iter().map(|number| VOTERS + number).collect();
    cluster.frontends[victim].kill();
    let took = catch_up(runtime, cluster, leader, &orphans)?;
    progress(format!("{} of {} observers lost their upstream", orphans.len(), all.len()));
    cluster.frontends[victim].start();
    cluster.wait_whole();
    Ok(took)
}
