//! The figures, side by side.

use super::Operation;
use super::load::Measured;

/// One system's figures for one load, over all rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Answered operations per second.
    pub rate: f64,
    /// Median latency in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the latency in milliseconds.
    pub p99_ms: f64,
    /// Processor time of all servers per operation, in microseconds.
    pub cpu_us: f64,
    /// Bytes that all servers wrote to storage per operation.
    pub written_bytes: f64,
    /// Failed operations.
    pub failures: u64,
}

/// The figures of several rounds: latencies over all, rates averaged by time.
pub fn figures(rounds: &[Measured]) -> Figures {
    let Some((first, rest)) = rounds.split_first() else { return Figures::default() };
    let mut latency = first.latency.clone();
    for round in rest {
        latency.add(&round.latency).unwrap_or_else(|error| unreachable!("same bounds: {error}"));
    }
    let sum = |value: fn(&Measured) -> f64| rounds.iter().map(value).sum::<f64>();
    let operations = sum(|round| round.operations as f64).max(1.0);
    Figures {
        rate: operations / sum(|round| round.elapsed.as_secs_f64()),
        p50_ms: latency.value_at_quantile(0.5) as f64 / 1e3,
        p99_ms: latency.value_at_quantile(0.99) as f64 / 1e3,
        cpu_us: sum(|round| round.usage.cpu.as_secs_f64()) * 1e6 / operations,
        written_bytes: sum(|round| round.usage.written_bytes as f64) / operations,
        failures: rounds.iter().map(|round| round.failures).sum(),
    }
}

/// The line of column names.
pub fn header() -> String {
    format!(
        "{:<4} {:>7}  {:<8} {:>9} {:>9} {:>9} {:>10} {:>10} {:>8}",
        "op", "clients", "system", "ops/s", "p50 ms", "p99 ms", "cpu us/op", "bytes/op", "failed"
    )
}

/// One system's line.
pub fn line(operation: Operation, clients: usize, system: &str, f: &Figures) -> String {
    let operation = match operation {
        Operation::Put => "put",
        Operation::Get => "get",
    };
    format!(
        "{operation:<4} {clients:>7}  {system:<8} {:>9.0} {:>9.2} {:>9.2} {:>10.0} {:>10.0} {:>8}",
        f.rate, f.p50_ms, f.p99_ms, f.cpu_us, f.written_bytes, f.failures
    )
}

/// Ours divided by theirs: over 1 in rate and under 1 in the rest is better.
pub fn ratio(ours: &Figures, theirs: &Figures) -> String {
    let by = |ours: f64, theirs: f64| match theirs {
        // Neither did anything of it, or they did not.
        0.0 => "-".to_owned(),
        theirs => format!("{:.2}x", ours / theirs),
    };
    format!(
        "{:<12}  {:<8} {:>9} {:>9} {:>9} {:>10} {:>10}",
        "",
        "ratio",
        by(ours.rate, theirs.rate),
        by(ours.p50_ms, theirs.p50_ms),
        by(ours.p99_ms, theirs.p99_ms),
        by(ours.cpu_us, theirs.cpu_us),
        by(ours.written_bytes, theirs.written_bytes)
    )
}
