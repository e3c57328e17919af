//! `quorate stop`: ends the frontend that runs on a data directory of this machine.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, timeout};

use super::settings::Source;
use super::{Exit, exit, table};
use crate::config;

/// A process that was killed is gone after this time, unless the kernel holds it.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at a process that is to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Let running statements end, 60 seconds at most; without it they get 2
    #[arg(short, long)]
    graceful: bool,
    /// Seconds after which the process is killed
    #[arg(long, default_value_t = 70, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let (settings, _) = arguments.source.read().map_err(|error| Exit::new(exit::USAGE, error))?;
    let meta_dir = PathBuf::from(config::text(&settings, "meta_dir"));
    let Some((process, handle)) = find(&meta_dir)? else {
        table::complain(&format!("no frontend runs on data directory {}", meta_dir.display()));
        return Ok(());
    };
    let signal = if arguments.graceful { Signal::USR1 } else { Signal::TERM };
    pidfd_send_signal(&handle, signal).with_context(|| format!("signal process {process}"))?;
    let asked = Instant::now();
    let limit = Duration::from_secs(arguments.timeout);
    if timeout(limit, end_of(process)).await.is_ok() {
        let took = asked.elapsed().as_secs_f64();
        table::print(&format!("the frontend, process {process}, stopped after {took:.1} s"))?;
        return Ok(());
    }
    pidfd_send_signal(&handle, Signal::KILL).with_context(|| format!("kill process {process}"))?;
    let killed = match timeout(KILL_TIMEOUT, end_of(process)).await {
        Ok(_) => "was killed; what it had acknowledged is on its disk",
        Err(_) => "was killed, but does not end: its disk may not answer",
    };
    let error =
        anyhow!("process {process} had not stopped after {} s and {killed}", arguments.timeout);
    Err(Exit::new(exit::FAILED, error))
}

/// Waits until a process has ended and let go of all its files.
async fn end_of(process: u32) {
    let stat = format!("/proc/{process}/stat");
    let threads = format!("/proc/{process}/task");
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        looks.tick().await;
        // `id (name) state ..`, and the name may have brackets in it. A zombie counts as ended:
        // nobody need have asked for its exit code. But its last thread takes the files with it.
        let Ok(stat) = std::fs::read_to_string(&stat) else { return };
        let zombie = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
        let last = std::fs::read_dir(&threads).map_or(0, Iterator::count);
        if zombie && last <= 1 {
            return;
        }
    }
}

/// The process that has the data directory open, and a handle that means this one and no later one
/// of the same id.
fn find(meta_dir: &Path) -> Result<Option<(u32, OwnedFd)>, Exit> {
    let unusable = |error| Exit::new(exit::USAGE, error);
    if !meta_dir.is_dir() {
        return Err(unusable(anyhow!(
            "there is no data directory {}; name it with --conf FILE or --set meta_dir=DIR",
            meta_dir.display()
        )));
    }
    let user = || crate::server::user(meta_dir).map_err(|error| unusable(error.into()));
    let Some(process) = user()? else { return Ok(None) };
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(None) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(anyhow!("process {process}: {error}").into()),
    };
    Ok((user()? == Some(process)).then_some((process, handle)))
}
