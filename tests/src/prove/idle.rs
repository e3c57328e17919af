//! A cluster that nobody writes to.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::observers::join;
use super::report::Row;
use super::{Options, Profile, Progress, cluster};

const VOTERS: usize = 3;
const OBSERVERS: usize = 2;
/// How long nothing may be written.
const QUIET: Duration = Duration::from_secs(10);

/// Watches that the log does not grow.
///
/// # Errors
/// None so far.
///
/// # Panics
/// When the cluster does not form or does not settle.
pub fn run(dir: &Path, _options: &Options, progress: Progress<'_>) -> Result<Vec<Row>> {
    let mut cluster = cluster(dir, VOTERS, Profile::Fast);
    for number in 0..OBSERVERS {
        join(&mut cluster, &dir.join(format!("observer{number}")), "OBSERVER", 1);
    }
    cluster.wait_whole();
    let lsn = || {
        let shown = cluster.assert_agreement(0);
        shown.column("AppliedLsn")[0].to_owned()
    };
    let before = lsn();
    progress(format!("idle at LSN {before}"));
    std::thread::park_timeout(QUIET);
    let after = lsn();
    Ok(vec![Row {
        what: format!("idle for {} s: {VOTERS} followers, {OBSERVERS} observers", QUIET.as_secs()),
        aim: "LSN unchanged".to_owned(),
        measured: format!("{before} -> {after}"),
        beat: "",
        ok: before == after,
    }])
}
