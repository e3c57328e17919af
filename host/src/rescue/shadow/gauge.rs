//! What commands take: fuel and time, and where a trap was.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::machine::Watch;
use crate::runtime::Ran;
use crate::types::Lsn;

/// Figures are kept to so many digits: what one needs does not grow with the commands.
const DIGITS: u8 = 3;
const DIGITS_ARE_POSSIBLE: &str = "a histogram can have so few digits";

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
        let empty = || Histogram::new(DIGITS).expect(DIGITS_ARE_POSSIBLE);
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
