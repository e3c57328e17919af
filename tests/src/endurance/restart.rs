//! How long a frontend with a large state takes from its start to its first answer.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use quorate::proto::client::Consistency;

use super::client::{Client, Miss};
use crate::sim::Dice;
use crate::{Frontend, modules};

/// Writers that fill the state.
const WRITERS: usize = 64;
/// A restart that takes longer has failed.
const RESTART_LIMIT: Duration = Duration::from_secs(300);
/// Puts that are tried again before the fill fails.
const RETRIES_MAX: u32 = 100;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of values.
    pub bytes: u64,
    /// Bytes of one value; they do not compress.
    pub value_bytes: usize,
    /// How often it is killed and started.
    pub runs: u32,
}

/// Fills a frontend in `dir`, kills and restarts it, and gives the times from the start of the
/// process to its first answer over MySQL.
///
/// # Errors
/// When it cannot be filled or does not come back.
pub fn run(dir: &Path, options: Options, progress: &dyn Fn(String)) -> Result<Vec<Duration>> {
    let mut frontend = Frontend::new(&dir.join("fe1"), None, Some(modules::KV));
    frontend.start();
    frontend.wait_ready();
    let count = options.bytes.div_ceil(options.value_bytes as u64);
    let started = Instant::now();
    tokio::runtime::Runtime::new()?.block_on(fill(&frontend, count, options.value_bytes))?;
    let used = Command::new("du").arg("-sh").arg(frontend.meta_dir()).output()?.stdout;
    let used = String::from_utf8_lossy(&used).split('\t').next().unwrap_or_default().to_owned();
    progress(format!(
        "{count} values of {} bytes written in {:.0?}; the data directory has {used}",
        options.value_bytes,
        started.elapsed()
    ));
    let read = format!("GET {}", String::from_utf8(key(count / 2))?);
    let mut times = Vec::new();
    for _ in 0..options.runs {
        frontend.kill();
        let started = Instant::now();
        frontend.start();
        loop {
            match frontend.mariadb().run(&read) {
                Ok(shown) if shown.rows().len() == 1 => break,
                Ok(shown) => bail!("the value is not there: {}", shown.text),
                Err(error) if started.elapsed() > RESTART_LIMIT => return Err(anyhow!(error)),
                Err(_) => {}
            }
        }
        let elapsed = started.elapsed();
        progress(format!("first answer {elapsed:.2?} after the start"));
        times.push(elapsed);
    }
    Ok(times)
}

fn key(number: u64) -> Vec<u8> {
    format!("k{number:012}").into_bytes()
}

/// Writes values until there are `count`.
///
/// # Errors
/// When one cannot be written.
pub async fn fill(frontend: &Frontend, count: u64, value_bytes: usize) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let writers = (0..WRITERS).map(|writer| {
        let (next, mut client) = (Arc::clone(&next), Client::new(vec![frontend.rpc()], 0));
        tokio::spawn(async move {
            // Letters, so that the client prints them as they are.
            let dice = Dice::new(writer as u64);
            let letter = |dice: &Dice| {
                b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+-"
                    [usize::try_from(dice.below(64)).unwrap_or(0)]
            };
            let mut value: Vec<u8> = (0..value_bytes).map(|_| letter(&dice)).collect();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                // A part that differs is enough: blocks hold few values.
                for byte in value.iter_mut().step_by(8) {
                    *byte = letter(&dice);
                }
                put(&mut client, &key(number), &value).await?;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await??;
    }
    Ok(())
}

async fn put(client: &mut Client, key: &[u8], value: &[u8]) -> Result<()> {
    let request = kv::Request::Put { key, value };
    let mut last = Miss::NotSent;
    for _ in 0..RETRIES_MAX {
        match client.call(&request, Consistency::Any).await {
            Ok(_) => return Ok(()),
            Err(miss) => last = miss,
        }
    }
    Err(anyhow!("a value could not be written: {last:?}"))
}
