//! Closed-loop load: each client sends its next operation when the last one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::usage::Usage;
use super::{Client, KEYS, Operation, System, key};

/// Longest latency that the histogram tells apart, in microseconds; longer counts as this.
const LATENCY_MAX_US: u64 = 60_000_000;

/// What one run measured.
pub struct Measured {
    /// Answered operations.
    pub operations: u64,
    /// Failed operations.
    pub failures: u64,
    /// How long it ran.
    pub elapsed: Duration,
    /// Latency in microseconds.
    pub latency: Histogram<u64>,
    /// What the servers used meanwhile.
    pub usage: Usage,
}

/// Runs `count` clients for `duration`.
///
/// # Errors
/// When clients cannot connect, or every operation failed.
pub async fn run(
    system: &dyn System,
    operation: Operation,
    count: usize,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let clients = system.clients(count).await?;
    let numbers = Arc::new(AtomicU64::new(0));
    let before = Usage::of(&system.processes())?;
    let started = Instant::now();
    let end = started + duration;
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|client| tokio::spawn(drive(client, operation, end, Arc::clone(&numbers))))
        .collect();
    let mut latency = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)?;
    let (mut failures, mut last) = (0, None);
    for task in tasks {
        let (part, failed) = task.await?;
        latency.add(part)?;
        failures += failed.0;
        last = failed.1.or(last);
    }
    let elapsed = started.elapsed();
    let usage = Usage::of(&system.processes())?.since(before);
    let operations = latency.len();
    match last {
        Some(error) if operations == 0 => Err(error.context("every operation failed")),
        _ => Ok(Measured { operations, failures, elapsed, latency, usage }),
    }
}

async fn drive(
    client: Box<dyn Client>,
    operation: Operation,
    end: Instant,
    numbers: Arc<AtomicU64>,
) -> (Histogram<u64>, (u64, Option<anyhow::Error>)) {
    let bounds = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
    let mut latency = bounds.expect("the bounds are constants that fit");
    let (mut failures, mut last) = (0, None);
    while Instant::now() < end {
        let number = numbers.fetch_add(1, Ordering::Relaxed) % KEYS;
        let started = Instant::now();
        match client.run(operation, key(number)).await {
            Ok(()) => {
                let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(LATENCY_MAX_US);
                latency.saturating_record(us);
            }
            Err(error) => {
                failures += 1;
                last = Some(error);
            }
        }
    }
    (latency, (failures, last))
}

/// Writes every key once, so that gets find them.
///
/// # Errors
/// When a put fails.
pub async fn fill(system: &dyn System) -> anyhow::Result<()> {
    const WRITERS: u64 = 64;
    let clients = system.clients(WRITERS as usize).await?;
    let tasks = clients.into_iter().zip(0..WRITERS).map(|(client, first)| {
        tokio::spawn(async move {
            for number in (first..KEYS).step_by(WRITERS as usize) {
                client.run(Operation::Put, key(number)).await?;
            }
            anyhow::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}
