//! When which LSN was committed, by this frontend's monotonic clock: how far behind another one is
//! in time.
//!
//! A frontend's state is complete up to the moment at which the first entry was committed that it
//! has not applied. So its lag is the age of that entry, which the leader can tell of every
//! frontend from what it saw of the log, and no two clocks are compared. A frontend that lacks
//! nothing lags by nothing, however long ago the last entry was.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cluster;

/// Samples that are kept; more are thinned out.
const SAMPLES_MAX: usize = 512;
/// Samples may be as far apart as this part of their age: how exact old ages are.
const AGE_PART: u32 = 12;
/// Between two looks when nothing is applied.
const IDLE_INTERVAL: Duration = Duration::from_millis(250);
/// Between two looks under load: how exact young ages are.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// At this moment the LSN was first seen to be committed, and those before it since the sample
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    lsn: u64,
    at: Instant,
}

/// What was committed when. A few hundred samples reach back for months, exact to a part of their
/// age.
#[derive(Default)]
pub(super) struct Commits {
    samples: Mutex<Vec<Sample>>,
}

/// LSNs and how long ago they were first seen to be committed, both ascending in LSN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ages {
    pub lsns: Vec<u64>,
    pub ages_us: Vec<u64>,
}

impl Commits {
    /// Notes what is committed now.
    pub fn note(&self, lsn: u64, now: Instant) {
        let mut samples = self.samples.lock();
        if samples.last().is_some_and(|last| last.lsn >= lsn) {
            return;
        }
        samples.push(Sample { lsn, at: now });
        if samples.len() > SAMPLES_MAX {
            thin(&mut samples, now);
        }
    }

    pub fn ages(&self, now: Instant) -> Ages {
        let samples = self.samples.lock();
        let age = |sample: &Sample| micros(now.saturating_duration_since(sample.at));
        Ages {
            lsns: samples.iter().map(|sample| sample.lsn).collect(),
            ages_us: samples.iter().map(age).collect(),
        }
    }
}

impl Ages {
    /// How long ago the first entry after `applied` was committed, at least; none when none is
    /// known.
    pub fn first_after(&self, applied: u64) -> Option<Duration> {
        let at = self.lsns.partition_point(|lsn| *lsn <= applied);
        self.ages_us.get(at).map(|age| Duration::from_micros(*age))
    }
}

/// Drops samples whose neighbours are near enough for their age, and the oldest if that is not
/// enough.
fn thin(samples: &mut Vec<Sample>, now: Instant) {
    let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
    for (at, sample) in samples.iter().enumerate() {
        let needed = match (kept.last(), samples.get(at + 1)) {
            (Some(before), Some(after)) => {
                let age = now.saturating_duration_since(after.at);
                after.at.saturating_duration_since(before.at) > age / AGE_PART
            }
            _ => true,
        };
        if needed {
            kept.push(*sample);
        }
    }
    if kept.len() > SAMPLES_MAX {
        kept.drain(..SAMPLES_MAX / 4);
    }
    *samples = kept;
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Cluster {
    /// Notes what is committed when. Runs until told to stop.
    pub async fn watch_commits(&self, stop: CancellationToken) {
        let mut applied = self.machine().subscribe();
        while !stop.is_cancelled() {
            self.note_commits();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = applied.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                // One that cannot apply learns all the same what is committed.
                () = tokio::time::sleep(IDLE_INTERVAL) => {}
            }
            self.note_commits();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// How long this frontend has known of the first committed entry that it has not applied; zero
    /// when it knows of none.
    pub fn lag(&self) -> Duration {
        let applied = self.machine().lsn().0;
        self.commit_ages().first_after(applied).unwrap_or_default()
    }

    pub(super) fn note_commits(&self) {
        let committed = self.node().status().committed_lsn.unwrap_or_default();
        let known = committed.max(self.machine().lsn());
        self.inner.commits.note(known.0, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_lag_is_the_age_of_the_first_entry_that_is_lacking() {
        let (commits, start) = (Commits::default(), Instant::now());
        commits.note(10, start);
        commits.note(20, start + 100 * MS);
        commits.note(20, start + 150 * MS);
        commits.note(30, start + 200 * MS);
        let ages = commits.ages(start + 1000 * MS);
        assert_eq!(ages.first_after(30), None);
        assert_eq!(ages.first_after(29), Some(800 * MS));
        assert_eq!(ages.first_after(20), Some(800 * MS));
        assert_eq!(ages.first_after(19), Some(900 * MS));
        assert_eq!(ages.first_after(0), Some(1000 * MS));
        assert_eq!(Ages::default().first_after(0), None);
    }

    #[test]
    fn a_month_of_commits_stays_small_and_exact_to_a_part_of_its_age() {
        let (commits, start) = (Commits::default(), Instant::now());
        let mut now = start;
        // Some hours at 20 ms, then a month by minutes.
        let steps = (0..600_000).map(|_| 20 * MS).chain((0..43_200).map(|_| 60_000 * MS));
        let mut truth = Vec::new();
        for (lsn, step) in (1..).zip(steps) {
            now += step;
            commits.note(lsn, now);
            truth.push(now);
        }
        let ages = commits.ages(now);
        assert!(ages.lsns.len() <= SAMPLES_MAX, "{}", ages.lsns.len());
        for applied in [0, 1000, 300_000, 599_999, 620_000, 643_000, 643_190] {
            let exact = now - truth[applied];
            let said = ages.first_after(applied as u64).unwrap();
            assert!(said <= exact, "never more than it is: {said:?} {exact:?}");
            assert!(exact - said <= exact / 8, "{said:?} instead of {exact:?}");
        }
    }
}
