//! A leader that is gone: killed, stopped, or cut off from the others.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;

use super::load::Load;
use super::network::Network;
use super::report::{Row, Times};
use super::{Options, Profile, Progress, others, settle, some};
use crate::endurance::history::Verdict;
use crate::sim::Dice;
use crate::{Cluster, modules};

const FRONTENDS: usize = 3;
/// Clients of each frontend.
const CLIENTS: usize = 2;
/// Acknowledged writes of each client before the event: at least, and up to so many more, which
/// decides at which moment between two heartbeats it comes.
const WRITES_BEFORE: (usize, u64) = (5, 12);
/// Acknowledged writes of each client after it, before the leader comes back.
const WRITES_AFTER: usize = 10;

/// What happens to a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`; later it is started again.
    Kill,
    /// SIGSTOP; later SIGCONT.
    Stop,
    /// Nothing passes between it and the others; later all does.
    Cut,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 of the leader",
            Self::Stop => "SIGSTOP of the leader",
            Self::Cut => "cut of the leader",
        }
    }

    /// Longest median and longest of all that are aimed at. With `lan` those that freeze or cut off
    /// a leader are to be no slower than StarRocks with one that is killed.
    fn aims(self, profile: Profile) -> (Option<Duration>, Option<Duration>) {
        let ms = |ms| Some(Duration::from_millis(ms));
        match (self, profile) {
            (Self::Kill, Profile::Fast) => (ms(300), ms(500)),
            (Self::Kill, Profile::Lan) | (Self::Stop | Self::Cut, Profile::Fast) => (ms(500), None),
            (Self::Stop | Self::Cut, Profile::Lan) => (ms(1170), None),
        }
    }
}

/// What was measured of one kind of event.
#[derive(Default)]
struct Measured {
    /// Longest time without a write of any client of the other frontends.
    gaps: Times,
    /// The same of a single client.
    client_gaps: Times,
    /// The longest gap while the leader came back.
    returns: Times,
    verdict: Verdict,
}

/// Measures one kind of fault with each of the profiles.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(
    dir: &Path,
    fault: Fault,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for profile in &options.profiles {
        let dir = dir.join(profile.name());
        let (measured, way) = measure(&dir, fault, *profile, options, progress)?;
        rows.extend(report(fault, *profile, &measured, way));
    }
    Ok(rows)
}

fn measure(
    dir: &Path,
    fault: Fault,
    profile: Profile,
    options: &Options,
    progress: Progress<'_>,
) -> Result<(Measured, &'static str)> {
    let network = match fault {
        Fault::Cut => Some(Network::new(FRONTENDS, options.proxies, progress)?),
        Fault::Kill | Fault::Stop => None,
    };
    let mut cluster = Cluster::start_prepared(dir, FRONTENDS, Some(modules::KV), |at, frontend| {
        settle(frontend, profile);
        if let Some(network) = &network {
            network.place(at, frontend).expect("a place in the network for a frontend");
        }
    });
    let load = Load::start(&some(&cluster, &[0, 1, 2]), CLIENTS)?;
    let dice = Dice::new(options.seed);
    let mut measured = Measured::default();
    for run in 1..=options.runs {
        let leader = cluster.leader(0);
        let rest = others(FRONTENDS, leader);
        let writes = WRITES_BEFORE.0 + usize::try_from(dice.below(WRITES_BEFORE.1))?;
        load.wait(&[0, 1, 2], Instant::now(), writes);

        let event = Instant::now();
        begin(fault, &mut cluster, leader, network.as_ref())?;
        let ended = load.wait(&rest, event, WRITES_AFTER);
        let seen = load.seen(&rest, event, ended);
        measured.gaps.push(seen.gap);
        measured.client_gaps.push(seen.client_gap);

        let back = Instant::now();
        end(fault, &mut cluster, leader, network.as_ref())?;
        cluster.wait_whole();
        load.wait(&[leader], back, 1);
        let returned = load.seen(&rest, back, Instant::now());
        measured.returns.push(returned.gap);
        progress(format!(
            "{}, {}, run {run}: {} ms without a write, {} ms for one client, {} failed; {} ms when \
             it came back",
            fault.name(),
            profile.name(),
            seen.gap.as_millis(),
            seen.client_gap.as_millis(),
            seen.failures,
            returned.gap.as_millis()
        ));
    }
    measured.verdict = load.judge()?;
    cluster.assert_agreement(0);
    drop(cluster);
    Ok((measured, network.as_ref().map_or("", Network::name)))
}

fn begin(
    fault: Fault,
    cluster: &mut Cluster,
    leader: usize,
    network: Option<&Network>,
) -> Result<()> {
    match fault {
        Fault::Kill => cluster.frontends[leader].kill(),
        Fault::Stop => cluster.frontends[leader].signal(Signal::STOP),
        Fault::Cut => return network.map_or(Ok(()), |network| network.cut(leader)),
    }
    Ok(())
}

fn end(
    fault: Fault,
    cluster: &mut Cluster,
    leader: usize,
    network: Option<&Network>,
) -> Result<()> {
    match fault {
        Fault::Kill => cluster.frontends[leader].start(),
        Fault::Stop => cluster.frontends[leader].signal(Signal::CONT),
        Fault::Cut => return network.map_or(Ok(()), |network| network.heal(leader)),
    }
    Ok(())
}

fn report(fault: Fault, profile: Profile, measured: &Measured, way: &str) -> [Row; 3] {
    let by = if way.is_empty() { String::new() } else { format!(" ({way})") };
    let what = format!("{}{by}, {}", fault.name(), profile.name());
    let (median, longest) = fault.aims(profile);
    let aims = [("p50", median), ("max", longest)]
        .map(|(name, aim)| aim.map(|aim| format!("{name} <= {} ms", aim.as_millis())));
    let within = |time: Duration, aim: Option<Duration>| aim.is_none_or(|aim| time <= aim);
    let gap = Row {
        what: format!("{what}: no writes"),
        aim: aims.into_iter().flatten().collect::<Vec<_>>().join(", "),
        measured: format!("{}; one client: {}", measured.gaps, measured.client_gaps),
        beat: "StarRocks p50 1170 ms, etcd p50 370-400 ms, max 970 ms (kill)",
        ok: within(measured.gaps.median(), median) && within(measured.gaps.longest(), longest),
    };
    let returned = Row {
        what: format!("{what}: when it is back"),
        aim: String::new(),
        measured: measured.returns.to_string(),
        beat: "",
        ok: true,
    };
    [gap, returned, Row::account(&format!("{what}: writes"), &measured.verdict)]
}
