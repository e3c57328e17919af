//! Two versions of a module take turns, a thousand times, while clients write on every frontend.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::load::Load;
use super::report::Row;
use super::{Profile, Progress, cluster, some};
use crate::{Frontend, binary, modules};

const FRONTENDS: usize = 3;
/// Clients of each frontend.
const CLIENTS: [usize; FRONTENDS] = [6, 5, 5];
/// Between an answer and the client's next write: sixteen clients then send some 500 a second.
const PAUSE: Duration = Duration::from_millis(25);
/// Acknowledged writes of each client by which the steady state is measured.
const STEADY_WRITES: usize = 300;
/// Activations by one connection.
const BATCH: usize = 10;
/// From one activation to the next: twenty a second, a thousand in less than a minute.
const INTERVAL: Duration = Duration::from_millis(50);
/// Longest gap that is aimed at.
const GAP_MAX: Duration = Duration::from_millis(50);

/// Installs a module's file.
pub(super) fn install(frontend: &Frontend, file: &str) -> Result<()> {
    let mut command = Command::new(binary());
    let output =
        command.args(["module", "--endpoints", &frontend.rpc(), "install", file]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Measures it.
///
/// # Errors
/// When it cannot be measured.
///
/// # Panics
/// When the cluster does not form or stops serving.
pub fn run(dir: &Path, activations: usize, progress: Progress<'_>) -> Result<Vec<Row>> {
    let cluster = cluster(dir, FRONTENDS, Profile::Lan);
    install(&cluster.frontends[0], modules::KV_TWIN)?;
    let mut load = Load::new(PAUSE)?;
    for ((at, frontend), count) in some(&cluster, &[0, 1, 2]).into_iter().zip(CLIENTS) {
        load.add(at, frontend, count);
    }
    let all = [0, 1, 2];
    load.wait(&all, Instant::now(), STEADY_WRITES / 10);
    let began = Instant::now();
    let ended = load.wait(&all, began, STEADY_WRITES);
    let steady = load.seen(&all, began, ended);
    progress(format!("steady: p99 {:?}, slowest {:?}", steady.p99, steady.slowest));

    let began = Instant::now();
    let mut done = 0;
    while done < activations {
        let count = BATCH.min(activations - done);
        let statement = |number: usize| {
            let version = if number.is_multiple_of(2) { "1.0.1" } else { "1.0.0" };
            format!("ACTIVATE MODULE 'kv@{version}';")
        };
        let pause = format!("SELECT SLEEP({});", INTERVAL.as_secs_f64());
        let statements: String =
            (done..done + count).map(|number| statement(number) + &pause).collect();
        cluster.frontends[(done / BATCH) % FRONTENDS].mariadb().ok(&statements);
        done += count;
        progress(format!("{done} activations, {} ms", began.elapsed().as_millis()));
    }
    let ended = Instant::now();
    let swaps = load.seen(&all, began, ended);
    let verdict = load.judge()?;
    let shown = cluster.assert_agreement(0);
    let (digest, lsn) = (shown.column("StateDigest")[0], shown.column("AppliedLsn")[0]);
    let history = cluster.frontends[0].mariadb().ok("SHOW MODULE HISTORY");
    let switched = history.column("Outcome").iter().filter(|cell| **cell == "activated").count();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(vec![
        Row {
            what: format!("{activations} activations under load: failed statements"),
            aim: "0".to_owned(),
            measured: format!(
                "{} of {} writes, {} of {activations} activations",
                swaps.failures,
                swaps.ok + swaps.failures,
                (activations + 1).saturating_sub(switched)
            ),
            beat: "",
            // The first module was activated before.
            ok: swaps.failures == 0 && switched == activations + 1,
        },
        Row {
            what: "p99 of writes meanwhile".to_owned(),
            aim: "<= 2 x steady state".to_owned(),
            measured: format!(
                "{:.1} ms, steady {:.1} ms: {:.2} x",
                ms(swaps.p99),
                ms(steady.p99),
                ms(swaps.p99) / ms(steady.p99)
            ),
            beat: "",
            ok: swaps.p99 <= steady.p99 * 2,
        },
        Row {
            what: "longest time without an acknowledged write".to_owned(),
            aim: format!("<= {} ms", GAP_MAX.as_millis()),
            measured: format!(
                "{:.1} ms, steady {:.1} ms; slowest write {:.1} ms, steady {:.1} ms",
                ms(swaps.gap),
                ms(steady.gap),
                ms(swaps.slowest),
                ms(steady.slowest)
            ),
            beat: "TigerBeetle: about 5 s for an upgrade",
            ok: swaps.gap <= GAP_MAX,
        },
        Row {
            what: "frontends afterwards".to_owned(),
            aim: "one LSN, one digest".to_owned(),
            measured: format!("LSN {lsn}, digest {}", &digest[..12.min(digest.len())]),
            beat: "",
            // Checked above: a difference ends the run.
            ok: true,
        },
        Row::account("activations: writes", &verdict),
    ])
}
