//! What processes used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time and bytes sent to disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all threads.
    pub cpu: Duration,
    /// Bytes that the processes caused to be written to storage.
    pub written_bytes: u64,
}

impl Usage {
    /// What these processes have used so far.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn of(processes: &[u32]) -> Result<Self> {
        processes.iter().try_fold(Self::default(), |sum, process| {
            let one = Self::of_one(*process)
                .with_context(|| format!("process {process} has ended or cannot be read"))?;
            Ok(Self {
                cpu: sum.cpu + one.cpu,
                written_bytes: sum.written_bytes + one.written_bytes,
            })
        })
    }

    fn of_one(process: u32) -> Result<Self> {
        // Fields 14 and 15 of /proc/PID/stat, after the name in parentheses (proc(5)).
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("a stat line has a name")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().context("times are numbers"))
            .sum::<Result<u64>>()?;
        let cpu = Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
        let io = fs::read_to_string(format!("/proc/{process}/io"))?;
        let written_bytes = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "))
            .context("io has write_bytes")?
            .parse()?;
        Ok(Self { cpu, written_bytes })
    }

    /// What was used after `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}
