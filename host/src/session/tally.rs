//! How many statements there were, how many failed, and how long they took.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// Quantiles are of the statements of this long, or up to twice as long: long enough to hold some,
/// short enough to be about now.
const WINDOW: Duration = Duration::from_secs(60);
/// Latencies in microseconds that can be told apart: one hour; longer ones count as that.
const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Digits of a latency that count.
const DIGITS: u8 = 2;

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counted {
    /// Statements that ended.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How long they took, all together.
    pub time: Duration,
}

/// Counts statements.
pub(super) struct Tally(Mutex<Inner>);

struct Inner {
    counted: Counted,
    /// Latencies in microseconds, of the window that runs and of the one before.
    windows: [Histogram<u64>; 2],
    since: Instant,
}

impl Tally {
    pub fn new() -> Self {
        let empty = || Histogram::new_with_max(LATENCY_MAX_US, DIGITS);
        let windows = [(); 2].map(|()| empty().expect("so many digits can be kept"));
        Self(Mutex::new(Inner { counted: Counted::default(), windows, since: Instant::now() }))
    }

    /// A statement ended at `now`.
    pub fn note(&self, took: Duration, failed: bool, now: Instant) {
        let mut inner = self.0.lock();
        inner.turn(now);
        inner.counted.ended += 1;
        inner.counted.failed += u64::from(failed);
        inner.counted.time += took;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        inner.windows[0].saturating_record(micros);
    }

    pub fn counted(&self) -> Counted {
        self.0.lock().counted
    }

    /// Latencies that these parts of the latest statements had at most; none without a statement.
    pub fn quantiles<const N: usize>(
        &self,
        parts: [f64; N],
        now: Instant,
    ) -> Option<[Duration; N]> {
        let mut inner = self.0.lock();
        inner.turn(now);
        let mut both = inner.windows[0].clone();
        both.add(&inner.windows[1]).ok()?;
        let quantile = |part| Duration::from_micros(both.value_at_quantile(part));
        (!both.is_empty()).then(|| parts.map(quantile))
    }
}

impl Inner {
    /// Begins windows that are due.
    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < WINDOW {
            return;
        }
        self.windows.swap(0, 1);
        self.windows[0].reset();
        if passed >= WINDOW * 2 {
            self.windows[1].reset();
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_and_quantiles_forget_what_is_long_ago() {
        let (tally, start) = (Tally::new(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let ms = Duration::from_millis;
        assert_eq!(tally.quantiles([0.5], at(0)), None);
        for took in 1..=100 {
            tally.note(ms(took), took <= 3, at(1));
        }
        let near = |found: Option<[Duration; 2]>, wanted: [u64; 2]| {
            let found = found.unwrap_or_default().map(|took| took.as_secs_f64() * 1000.0);
            let close = |(found, wanted): (&f64, &u64)| (found / *wanted as f64 - 1.0).abs() < 0.02;
            assert!(found.iter().zip(&wanted).all(close), "{found:?} {wanted:?}");
        };
        near(tally.quantiles([0.5, 0.95], at(1)), [50, 95]);
        tally.note(ms(700), false, at(70));
        near(tally.quantiles([0.5, 1.0], at(70)), [51, 700]);
        near(tally.quantiles([0.5, 1.0], at(140)), [700, 700]);
        assert_eq!(tally.quantiles([0.5], at(300)), None);
        let time = ms(5050 + 700);
        assert_eq!(tally.counted(), Counted { ended: 101, failed: 3, time });
    }
}
