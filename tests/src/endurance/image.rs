//! Whether taking a snapshot of a large state holds up writes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use quorate::proto::client::Consistency;

use super::client::Client;
use super::restart::{Options, fill};
use crate::{Frontend, modules};

/// Clients that write while it is measured.
const WRITERS: usize = 4;
/// Bytes of their values.
const VALUE_BYTES: usize = 256;
/// How long writes are measured before each snapshot.
const BEFORE: Duration = Duration::from_secs(10);

/// What one measurement found.
#[derive(Debug, Clone)]
pub struct Image {
    /// How long the snapshot took.
    pub took: Duration,
    /// How long writes took before it.
    pub before: Latency,
    /// How long they took meanwhile.
    pub meanwhile: Latency,
}

/// How long writes took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    /// How many there were.
    pub count: usize,
    /// Half took no longer.
    pub median: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Latency {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        let longest = times.last().copied().unwrap_or_default();
        Self { count: times.len(), median: at(50), p99: at(99), longest }
    }
}

/// Fills a frontend in `dir`, then takes snapshots while clients write.
///
/// # Errors
/// When it cannot be filled, a write fails, or there is no snapshot.
pub fn run(dir: &Path, options: Options, progress: &dyn Fn(String)) -> Result<Vec<Image>> {
    let mut frontend = Frontend::new(&dir.join("fe1"), None, Some(modules::KV));
    frontend.start();
    frontend.wait_ready();
    let count = options.bytes.div_ceil(options.value_bytes as u64);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(fill(&frontend, count, options.value_bytes))?;
    progress(format!("{count} values of {} bytes written", options.value_bytes));
    let mut images = Vec::new();
    for _ in 0..options.runs {
        let before = runtime.block_on(write_until(&frontend, async {
            tokio::time::sleep(BEFORE).await;
            Ok(())
        }))?;
        let started = Instant::now();
        let mariadb = frontend.mariadb();
        let meanwhile = runtime.block_on(write_until(&frontend, async {
            let image = move || mariadb.run("ALTER SYSTEM CREATE IMAGE");
            tokio::task::spawn_blocking(image).await?.map(drop).map_err(|error| anyhow!(error))
        }))?;
        let took = started.elapsed();
        let image = Image { took, before: Latency::of(before), meanwhile: Latency::of(meanwhile) };
        progress(format!("{image:?}"));
        images.push(image);
    }
    Ok(images)
}

/// Writes until something is done, and gives how long each write took.
async fn write_until(
    frontend: &Frontend,
    done: impl Future<Output = Result<()>>,
) -> Result<Vec<Duration>> {
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (stop, mut client) = (Arc::clone(&stop), Client::new(vec![frontend.rpc()], 0));
            tokio::spawn(async move {
                let (mut times, value) = (Vec::new(), vec![b'v'; VALUE_BYTES]);
                while !stop.load(Ordering::Relaxed) {
                    let key = format!("w{writer}-{}", times.len() % 1000).into_bytes();
                    let request = kv::Request::Put { key: &key, value: &value };
                    let started = Instant::now();
                    let called = client.call(&request, Consistency::Any).await;
                    called.map_err(|miss| anyhow!("a write failed: {miss:?}"))?;
                    times.push(started.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let result = done.await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for writer in writers {
        times.extend(writer.await??);
    }
    result.map(|()| times)
}
