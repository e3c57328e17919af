//! `kill -9` at every step in the life of a module: the cluster ends with the old module or with
//! the new one, on all frontends alike, and goes on to the new one when it is told to again.

use std::path::Path;

use anyhow::Result;

use super::report::Row;
use super::swaps::install;
use super::{Profile, Progress, cluster};
use crate::endurance::restart::fill;
use crate::{Cluster, eventually, modules};

const FRONTENDS: usize = 3;
/// Rows that are migrated, in several steps.
const ROWS: u64 = 3_000;
/// Bytes of each value.
const VALUE_BYTES: usize = 16;
/// The killed frontend must get to its step, and the cluster over it, within this time.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Where frontends are killed while a module comes in and becomes active: a crash point of the
/// program, and how often it is reached first.
const ACTIVATION: [&str; 8] = [
    "chunk-worked-out",
    "chunk-committed",
    "module-worked-out",
    "module-committed",
    "acknowledge-worked-out",
    "acknowledge-committed",
    "activate-worked-out",
    "activate-committed",
];
/// And while rows are migrated by the module that is active then.
const MIGRATION: [&str; 6] = [
    "activate-worked-out",
    "activate-committed",
    "migrate-worked-out",
    "migrate-committed",
    "migrate-worked-out:3",
    "migrate-committed:3",
];

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Leader,
    Follower,
}

/// How often the cluster ended with which module.
#[derive(Default)]
struct Ends {
    old: usize,
    new: usize,
    kills: usize,
}

/// Measures it.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form, ends between two modules, or stops serving.
pub fn run(dir: &Path, progress: Progress<'_>) -> Result<Vec<Row>> {
    let mut ends = Ends::default();
    let mut frontends = cluster(&dir.join("activation"), FRONTENDS, Profile::Fast);
    for victim in [Victim::Leader, Victim::Follower] {
        for point in ACTIVATION {
            let is_new = activation(&mut frontends, victim, point)?;
            progress(format!("{victim:?} killed at {point}: {}", named(is_new)));
            ends.note(is_new);
        }
    }
    drop(frontends);
    for victim in [Victim::Leader, Victim::Follower] {
        for point in MIGRATION {
            let name = format!("{victim:?}-{}", point.replace(':', "-"));
            let is_new = migration(&dir.join(name), victim, point)?;
            progress(format!("{victim:?} killed at {point} of a migration: {}", named(is_new)));
            ends.note(is_new);
        }
    }
    let Ends { old, new, kills } = ends;
    Ok(vec![Row {
        what: "kill -9 at each step of install, activate and migrate".to_owned(),
        aim: "fully old or fully new, on all frontends alike".to_owned(),
        measured: format!("{kills} kills: {old} ended old, {new} ended new"),
        beat: "",
        // Checked above: anything else ends the run.
        ok: old + new == kills && kills == 2 * (ACTIVATION.len() + MIGRATION.len()),
    }])
}

impl Ends {
    fn note(&mut self, is_new: bool) {
        self.kills += 1;
        if is_new {
            self.new += 1;
        } else {
            self.old += 1;
        }
    }
}

fn named(is_new: bool) -> &'static str {
    if is_new { "the new module is active" } else { "the old module is active" }
}

/// Kills a frontend while a module is installed and activated. Whether it was active afterwards.
fn activation(cluster: &mut Cluster, victim: Victim, point: &str) -> Result<bool> {
    // Of the two versions, the one that is not active comes in anew.
    let active = versions(cluster, 0).0;
    let (file, new) =
        if active == "1.0.0" { (modules::KV_TWIN, "1.0.1") } else { (modules::KV, "1.0.0") };
    if versions(cluster, 0).1.iter().any(|version| version == new) {
        cluster.frontends[0].mariadb().ok(&format!("RETIRE MODULE 'kv@{new}'"));
    }
    let (at, asked) = arm(cluster, victim, point);
    swap(cluster, at, asked, file, new)
}

/// Kills a frontend while a module becomes active that migrates rows.
fn migration(dir: &Path, victim: Victim, point: &str) -> Result<bool> {
    let mut cluster = cluster(dir, FRONTENDS, Profile::Fast);
    let leader = cluster.leader(0);
    let filling = fill(&cluster.frontends[leader], ROWS, VALUE_BYTES);
    tokio::runtime::Runtime::new()?.block_on(filling)?;
    let (at, asked) = arm(&mut cluster, victim, point);
    let is_new = swap(&mut cluster, at, asked, modules::KV_2, "2.0.0")?;
    cluster.assert_agreement(0);
    Ok(is_new)
}

/// Starts the victim again, to die at a point, in its role. Gives its position, and that of a
/// frontend to ask.
fn arm(cluster: &mut Cluster, victim: Victim, point: &str) -> (usize, usize) {
    let at = match victim {
        Victim::Leader => cluster.leader(0),
        Victim::Follower => cluster.follower(),
    };
    let asked = (at + 1) % FRONTENDS;
    cluster.frontends[at].kill();
    cluster.frontends[at].start_to_crash(point);
    cluster.frontends[at].wait_ready();
    if victim == Victim::Leader {
        let transfer =
            format!("ALTER SYSTEM TRANSFER LEADER TO \"{}\"", cluster.frontends[at].address());
        eventually("the frontend leads again", LIMIT, || {
            (cluster.leader(asked) == at
                || cluster.frontends[asked].mariadb().run(&transfer).is_ok())
            .then_some(())
        });
    }
    (at, asked)
}

/// Installs and activates a module until the victim has died of it, has it start again, and looks
/// at what is active. Then goes on until the new module is active.
fn swap(cluster: &mut Cluster, at: usize, asked: usize, file: &str, new: &str) -> Result<bool> {
    let activate = format!("ACTIVATE MODULE 'kv@{new}'");
    // Whatever is answered: the one that answers may have lost its leader.
    let installed = install(&cluster.frontends[asked], file);
    if installed.is_ok() && cluster.frontends[at].runs() {
        let _ = cluster.frontends[asked].mariadb().run(&activate);
    }
    eventually("the frontend dies at its step", LIMIT, || {
        (!cluster.frontends[at].runs()).then_some(())
    });
    cluster.frontends[at].wait_end();
    cluster.frontends[at].start();
    cluster.wait_whole();
    let shown = agreed(cluster);
    let is_new = shown.0 == new;
    anyhow::ensure!(is_new || shown.1.contains(&shown.0), "no module is active: {shown:?}");
    if !is_new {
        eventually("the module is installed", LIMIT, || {
            install(&cluster.frontends[asked], file).is_ok().then_some(())
        });
        eventually("the module is active", LIMIT, || {
            let _ = cluster.frontends[asked].mariadb().run(&activate);
            (versions(cluster, asked).0 == new).then_some(())
        });
    }
    eventually("no migration is under way", LIMIT, || {
        let shown = cluster.frontends[asked].mariadb().run("SHOW MODULES").ok()?;
        shown.column("Migration").iter().all(|cell| *cell == "NULL").then_some(())
    });
    agreed(cluster);
    cluster.assert_agreement(asked);
    Ok(is_new)
}

/// The active version and all installed ones, as one frontend shows them.
fn versions(cluster: &Cluster, at: usize) -> (String, Vec<String>) {
    let shown = cluster.frontends[at].mariadb().ok("SHOW MODULES");
    let (states, all) = (shown.column("State"), shown.column("Version"));
    let running = |state: &&str| matches!(*state, "ACTIVE" | "MIGRATING");
    let active = states.iter().position(running).map(|at| all[at].to_owned());
    let installed = states.iter().zip(&all).filter(|(state, _)| **state != "RETIRED");
    (active.unwrap_or_default(), installed.map(|(_, version)| (*version).to_owned()).collect())
}

/// What all frontends show alike.
fn agreed(cluster: &Cluster) -> (String, Vec<String>) {
    eventually("all frontends show the same modules", LIMIT, || {
        let shown: Vec<_> = (0..FRONTENDS).map(|at| versions(cluster, at)).collect();
        shown.iter().all(|one| *one == shown[0]).then(|| shown[0].clone())
    })
}
