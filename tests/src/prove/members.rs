//! A cluster that grows, replaces one of its frontends, and shrinks, while clients write.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::load::Load;
use super::observers::join;
use super::report::Row;
use super::{Options, Profile, Progress, cluster};
use crate::{Cluster, Frontend, eventually};

/// Clients of each frontend that stays.
const CLIENTS: usize = 2;
/// Frontends that stay from when they joined: those whose clients must see nothing.
const STAYING: [usize; 3] = [0, 1, 2];
/// Acknowledged writes of each client between two steps.
const WRITES_BETWEEN: usize = 20;
/// A change must be done within this time.
const CHANGE_LIMIT: Duration = Duration::from_secs(60);

/// Grows to five, replaces a dead one, shrinks to three.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(dir: &Path, _options: &Options, progress: Progress<'_>) -> Result<Vec<Row>> {
    let mut cluster = cluster(dir, 1, Profile::Fast);
    let mut load = Load::new(super::load::PAUSE)?;
    load.add(0, &cluster.frontends[0], CLIENTS);
    let began = Instant::now();
    let mut staying = vec![0];
    for size in 2..=5 {
        let at = join(&mut cluster, &dir.join(format!("fe{size}")), "FOLLOWER", 0);
        cluster.wait_whole();
        if STAYING.contains(&at) {
            load.add(at, &cluster.frontends[at], CLIENTS);
            staying.push(at);
        }
        step(&load, &staying, progress, &format!("{size} frontends"));
    }
    // One of the last two dies, and another one takes its place.
    let leader = cluster.leader(0);
    let victim = [4, 3].into_iter().find(|at| *at != leader).context("one of two does not lead")?;
    cluster.frontends[victim].kill();
    step(&load, &staying, progress, "one was killed");
    drop_one(&mut cluster, victim);
    join(&mut cluster, &dir.join("fe6"), "FOLLOWER", 0);
    cluster.wait_whole();
    step(&load, &staying, progress, "another one took its place");
    // Those that do not stay are the last two again.
    let mut ended = 0;
    for _ in 0..2 {
        let last = cluster.frontends.len() - 1;
        let leader = cluster.leader(0);
        if leader == last {
            let to = cluster.frontends[0].address();
            let order = format!("ALTER SYSTEM TRANSFER LEADER TO \"{to}\"");
            cluster.frontends[leader].mariadb().ok(&order);
        }
        let mut dropped = drop_one(&mut cluster, last);
        eventually("a dropped frontend ends", CHANGE_LIMIT, || (!dropped.runs()).then_some(()));
        ended += 1;
        step(&load, &staying, progress, "one was dropped");
    }
    cluster.wait_whole();
    let seen = load.seen(&staying, began, Instant::now());
    let verdict = load.judge()?;
    cluster.assert_agreement(0);
    Ok(vec![
        Row {
            what: "1 -> 3 -> 5, one replaced, -> 3: failed statements".to_owned(),
            aim: "0".to_owned(),
            measured: format!("{} of {}", seen.failures, seen.ok + seen.failures),
            beat: "",
            ok: seen.failures == 0,
        },
        Row {
            what: "the same: no writes".to_owned(),
            aim: String::new(),
            measured: format!("max {} ms", seen.gap.as_millis()),
            beat: "",
            ok: true,
        },
        Row {
            what: "dropped frontends end by themselves".to_owned(),
            aim: "2".to_owned(),
            measured: ended.to_string(),
            beat: "",
            ok: ended == 2,
        },
        Row::account("the same: writes", &verdict),
    ])
}

fn step(load: &Load, staying: &[usize], progress: Progress<'_>, what: &str) {
    let began = Instant::now();
    let ended = load.wait(staying, began, WRITES_BETWEEN);
    let gap = load.seen(staying, began, ended).gap;
    progress(format!("members: {what}; longest gap since {} ms", gap.as_millis()));
}

/// Takes a follower out of the cluster, and waits until the others do not show it.
fn drop_one(cluster: &mut Cluster, at: usize) -> Frontend {
    let address = cluster.frontends[at].address();
    let port = cluster.frontends[at].edit_log_port().to_string();
    let client = cluster.frontends[0].mariadb();
    client.ok(&format!("ALTER SYSTEM DROP FOLLOWER \"{address}\""));
    eventually("a dropped frontend is not shown", CHANGE_LIMIT, || {
        let shown = client.run("SHOW FRONTENDS").ok()?;
        (!shown.column("EditLogPort").contains(&port.as_str())).then_some(())
    });
    cluster.frontends.remove(at)
}
