//! What commands take: fuel and time, and where a trap was.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::machine::Watch;
use crate::runtime::Ran;
use crate::types::Lsn;

/// Figures are kept to so many digits: what one needs does not grow with the commands.
const DIGITS: u8 = 3;
/// The highest figure, more than any fuel; of time a quarter of an hour. Higher ones count as it.
const FIGURE_MAX: u64 = 1 << 40;
const BOUNDS_ARE_POSSIBLE: &str = "a histogram can have these bounds";

/// Measures the commands of one module.
pub struct Gauge {
    fuel: Histogram<u64>,
    time_ns: Histogram<u64>,
    began: Instant,
    /// Why commands were ended, with the module's functions; of the entries since it was asked.
    ended: BTreeMap<(Lsn, u32), String>,
}

impl Gauge {
    pub fn new() -> Self {
        let empty =
            || Histogram::new_with_bounds(1, FIGURE_MAX, DIGITS).expect(BOUNDS_ARE_POSSIBLE);
        Self { fuel: empty(), time_ns: empty(), began: Instant::now(), ended: BTreeMap::new() }
    }

    /// Commands that were measured.
    pub fn count(&self) -> u64 {
        self.fuel.len()
    }

    /// Fuel and microseconds at a percentile.
    pub fn at(&self, percentile: f64) -> (u64, f64) {
        let fuel = self.fuel.value_at_percentile(percentile);
        let time_ns = self.time_ns.value_at_percentile(percentile);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let time_us = time_ns as f64 / 1e3;
        (fuel, time_us)
    }

    /// Why commands were ended since this was asked last.
    pub fn take_ended(&mut self) -> BTreeMap<(Lsn, u32), String> {
        std::mem::take(&mut self.ended)
    }
}

impl Watch for Gauge {
    fn begin(&mut self) {
        self.began = Instant::now();
    }

    fn end(&mut self, lsn: Lsn, index: u32, calls: &[Ran]) {
        let time_ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.time_ns.saturating_record(time_ns);
        self.fuel.saturating_record(calls.iter().map(|call| call.used).sum());
        if let Some(why) = calls.iter().rev().find_map(|call| call.ended.clone()) {
            self.ended.insert((lsn, index), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_kept_as_they_are_and_the_reason_of_an_end_is_given_once() {
        let mut gauge = Gauge::new();
        for used in 1..=100 {
            let ended = (used == 7).then(|| "a trap".to_owned());
            gauge.begin();
            std::hint::black_box(&gauge);
            gauge.end(Lsn(used), 3, &[Ran { used: used * 1_000_000, ended, ..Ran::default() }]);
        }
        let near = |found: u64, wanted: u64| found.abs_diff(wanted) <= wanted / 100;
        let ((half, _), (most, time_us)) = (gauge.at(50.0), gauge.at(100.0));
        assert!(near(half, 50_000_000) && near(most, 100_000_000), "{half} {most}");
        assert!(gauge.count() == 100 && time_us > 0.0, "{time_us}");
        let ended = BTreeMap::from([((Lsn(7), 3), "a trap".to_owned())]);
        assert_eq!(gauge.take_ended(), ended);
        assert_eq!(gauge.take_ended(), BTreeMap::new());
    }
}
