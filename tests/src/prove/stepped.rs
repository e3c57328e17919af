//! Many rows are migrated step by step, while clients write.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::load::Load;
use super::report::Row;
use super::swaps::install;
use super::{Profile, Progress, cluster, some};
use crate::endurance::restart::fill;
use crate::{Cluster, eventually, modules};

const FRONTENDS: usize = 3;
/// Clients of each frontend.
const CLIENTS: usize = 2;
/// Bytes of each value.
const VALUE_BYTES: usize = 16;
/// Acknowledged writes of each client by which the steady state is measured.
const STEADY_WRITES: usize = 300;
/// No statement may take longer than this.
const SLOWEST_MAX: Duration = Duration::from_millis(100);
/// The migration must be done within this time.
const LIMIT: Duration = Duration::from_secs(1200);

fn migration(cluster: &Cluster) -> Option<String> {
    let shown = cluster.frontends[0].mariadb().run("SHOW MODULES").ok()?;
    let at = shown.column("Version").iter().position(|version| *version == "2.0.0")?;
    Some(shown.column("Migration")[at].to_owned())
}

/// Measures it.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(dir: &Path, rows: u64, progress: Progress<'_>) -> Result<Vec<Row>> {
    let cluster = cluster(dir, FRONTENDS, Profile::Lan);
    let leader = cluster.leader(0);
    let filling = fill(&cluster.frontends[leader], rows, VALUE_BYTES);
    tokio::runtime::Runtime::new()?.block_on(filling)?;
    progress(format!("{rows} rows are there"));
    install(&cluster.frontends[0], modules::KV_2)?;
    let all = [0, 1, 2];
    let load = Load::start(&some(&cluster, &all), CLIENTS)?;
    load.wait(&all, Instant::now(), STEADY_WRITES / 10);
    let began = Instant::now();
    let ended = load.wait(&all, began, STEADY_WRITES);
    let steady = load.seen(&all, began, ended);

    let began = Instant::now();
    cluster.frontends[0].mariadb().ok("ACTIVATE MODULE 'kv@2.0.0'");
    let activated = began.elapsed();
    eventually("the migration is done", LIMIT, || {
        let at = migration(&cluster)?;
        progress(format!("{at}, {} s", began.elapsed().as_secs()));
        (at == "NULL").then_some(())
    });
    let ended = Instant::now();
    let meanwhile = load.seen(&all, began, ended);
    let verdict = load.judge()?;
    cluster.assert_agreement(0);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(vec![
        Row {
            what: format!("{rows} rows migrated under load"),
            aim: String::new(),
            measured: format!(
                "{:.1} s, the activation itself {:.0} ms",
                (ended - began).as_secs_f64(),
                ms(activated)
            ),
            beat: "",
            ok: true,
        },
        Row {
            what: "slowest statement meanwhile".to_owned(),
            aim: format!("<= {} ms, none fails", SLOWEST_MAX.as_millis()),
            measured: format!(
                "{:.1} ms, p99 {:.1} ms, {} of {} failed; steady {:.1} ms, p99 {:.1} ms",
                ms(meanwhile.slowest),
                ms(meanwhile.p99),
                meanwhile.failures,
                meanwhile.ok + meanwhile.failures,
                ms(steady.slowest),
                ms(steady.p99)
            ),
            beat: "",
            ok: meanwhile.slowest <= SLOWEST_MAX && meanwhile.failures == 0,
        },
        Row::account("migration: writes", &verdict),
    ])
}
