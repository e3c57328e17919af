//! A leader that hands over: because it is told to, or because it stops in order.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::load::Load;
use super::report::{Row, Times};
use super::{Options, Profile, Progress, cluster, others, some};
use crate::Cluster;
use crate::sim::Dice;

const FRONTENDS: usize = 3;
/// Clients of each frontend.
const CLIENTS: usize = 2;
/// Acknowledged writes of each client before and after a transfer.
const WRITES_AROUND: usize = 10;
/// Longest gap that is aimed at.
const GAP_MAX: Duration = Duration::from_millis(100);

/// What makes a leader hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `ALTER SYSTEM TRANSFER LEADER TO`: it stays, and its clients too.
    Statement,
    /// SIGTERM: it ends, and is started again.
    Terminate,
}

impl Order {
    fn name(self) -> &'static str {
        match self {
            Self::Statement => "TRANSFER LEADER",
            Self::Terminate => "SIGTERM of the leader",
        }
    }
}

/// Measures transfers by one kind of order.
///
/// # Errors
/// When they cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(
    dir: &Path,
    order: Order,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Vec<Row>> {
    let mut cluster = cluster(dir, FRONTENDS, Profile::Fast);
    let load = Load::start(&some(&cluster, &[0, 1, 2]), CLIENTS)?;
    let dice = Dice::new(options.seed);
    let (mut gaps, mut client_gaps, mut failures) = (Times::default(), Times::default(), 0);
    for run in 1..=options.runs {
        let leader = cluster.leader(0);
        load.wait(&[0, 1, 2], Instant::now(), WRITES_AROUND);
        let rest = others(FRONTENDS, leader);
        let staying = match order {
            Order::Statement => vec![0, 1, 2],
            Order::Terminate => rest.clone(),
        };
        let event = Instant::now();
        match order {
            Order::Statement => transfer(&cluster, leader, *dice.pick(&rest)),
            Order::Terminate => {
                cluster.frontends[leader].signal(Signal::TERM);
                anyhow::ensure!(cluster.frontends[leader].wait_end() == Some(0), "no orderly end");
            }
        }
        let ended = load.wait(&staying, Instant::now(), WRITES_AROUND);
        let seen = load.seen(&staying, event, ended);
        gaps.push(seen.gap);
        client_gaps.push(seen.client_gap);
        failures += seen.failures;
        progress(format!(
            "{}, run {run}: {} ms without a write, {} ms for one client, {} failed of {}",
            order.name(),
            seen.gap.as_millis(),
            seen.client_gap.as_millis(),
            seen.failures,
            seen.ok + seen.failures
        ));
        if order == Order::Terminate {
            cluster.frontends[leader].start();
            cluster.wait_whole();
        }
    }
    let verdict = load.judge()?;
    cluster.assert_agreement(0);
    let what = order.name();
    Ok(vec![
        Row {
            what: format!("{what}: no writes"),
            aim: format!("max <= {} ms", GAP_MAX.as_millis()),
            measured: format!("{gaps}; one client: {client_gaps}"),
            beat: "StarRocks p50 2060 ms, max 2900",
            ok: gaps.longest() <= GAP_MAX,
        },
        Row {
            what: format!("{what}: failed statements on frontends that stay"),
            aim: "0".to_owned(),
            measured: failures.to_string(),
            beat: "",
            ok: failures == 0,
        },
        Row::account(&format!("{what}: writes"), &verdict),
    ])
}

/// Has the leader hand over to another one, and waits until it leads.
fn transfer(cluster: &Cluster, leader: usize, to: usize) {
    let order = format!("ALTER SYSTEM TRANSFER LEADER TO \"{}\"", cluster.frontends[to].address());
    cluster.frontends[leader].mariadb().ok(&order);
}
