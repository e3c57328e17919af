//! When writes were answered, and how: what gaps are measured by.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::endurance::history::Ended;

/// An answer to a write.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// When it came.
    pub at: Instant,
    /// Number of the client.
    pub writer: usize,
    /// Position of the frontend that the client is connected to.
    pub frontend: usize,
    /// What it said.
    pub ended: Ended,
    /// Time since the write was sent.
    pub took: Duration,
}

/// All answers, in their order.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Vec<Answer>>);

/// What clients saw of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Longest time in which no write of any of them was acknowledged.
    pub gap: Duration,
    /// Longest time in which none of one client was.
    pub client_gap: Duration,
    /// 99th percentile of the time that an acknowledged write took.
    pub p99: Duration,
    /// The longest.
    pub slowest: Duration,
    /// Writes that were acknowledged.
    pub ok: usize,
    /// Writes that failed or whose outcome was left open.
    pub failures: usize,
}

impl Answers {
    /// Notes an answer that has just come.
    pub fn note(&self, writer: usize, frontend: usize, ended: Ended, took: Duration) {
        // The moment is taken under the lock, so that the list is in order.
        let mut answers = self.0.lock();
        answers.push(Answer { at: Instant::now(), writer, frontend, ended, took });
    }

    /// How many writes these clients had acknowledged after a moment, each.
    pub fn ok_since(&self, since: Instant, writers: &[usize]) -> Vec<usize> {
        let answers = self.0.lock();
        let recent = || answers.iter().rev().take_while(|answer| answer.at > since);
        let of = |writer| recent().filter(|a| a.writer == writer && a.ended == Ended::Ok).count();
        writers.iter().map(|writer| of(*writer)).collect()
    }

    /// What the clients of these frontends saw from one moment to another.
    pub fn seen(&self, frontends: &[usize], from: Instant, to: Instant) -> Seen {
        let answers = self.0.lock();
        let first = answers.partition_point(|answer| answer.at <= from);
        let mine = |answer: &&Answer| frontends.contains(&answer.frontend);
        let within = || answers[first..].iter().take_while(|answer| answer.at <= to).filter(mine);
        let acknowledged = |answer: &&Answer| answer.ended == Ended::Ok;
        let ok = || within().filter(acknowledged);
        // The last acknowledgement before begins the first gap.
        let before = || answers[..first].iter().rev().filter(mine).filter(acknowledged);
        let began = before().next().map_or(from, |answer| answer.at);
        let gap = longest(began, ok().map(|answer| answer.at), to);
        let mut writers: Vec<_> = answers.iter().filter(mine).map(|answer| answer.writer).collect();
        writers.sort_unstable();
        writers.dedup();
        let of_one = |writer: &usize| {
            let began = before().find(|answer| answer.writer == *writer);
            let began = began.map_or(from, |answer| answer.at);
            let times = ok().filter(|answer| answer.writer == *writer).map(|answer| answer.at);
            longest(began, times, to)
        };
        let client_gap = writers.iter().map(of_one).max().unwrap_or(to - from);
        let failed = |answer: &&Answer| !matches!(answer.ended, Ended::Ok);
        let mut took: Vec<_> = ok().map(|answer| answer.took).collect();
        took.sort_unstable();
        let (ok, slowest) = (took.len(), took.last().copied().unwrap_or_default());
        let p99 = took.get(ok.saturating_sub(ok / 100 + 1)).copied().unwrap_or_default();
        Seen { gap, client_gap, p99, slowest, ok, failures: within().filter(failed).count() }
    }
}

/// The longest time between two of these moments, which are in order.
fn longest(began: Instant, times: impl Iterator<Item = Instant>, ended: Instant) -> Duration {
    let (mut last, mut longest) = (began, Duration::ZERO);
    for at in times.chain([ended]) {
        longest = longest.max(at.saturating_duration_since(last));
        last = at;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(from: Instant, list: &[(u64, usize, usize, Ended)]) -> Answers {
        let answer = |(ms, writer, frontend, ended): &(u64, usize, usize, Ended)| Answer {
            at: from + Duration::from_millis(*ms),
            writer: *writer,
            frontend: *frontend,
            ended: *ended,
            took: Duration::from_millis(*ms / 10),
        };
        Answers(Mutex::new(list.iter().map(answer).collect()))
    }

    #[test]
    fn a_gap_is_the_longest_time_without_a_success_on_the_frontends_that_count() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let answers = answers(
            zero,
            &[
                (10, 0, 0, Ended::Ok),
                (20, 1, 1, Ended::Ok),
                // At the event's frontend: counts for nothing.
                (150, 2, 2, Ended::Ok),
                (200, 0, 0, Ended::Failed),
                (320, 1, 1, Ended::Ok),
                (330, 0, 0, Ended::Uncertain),
                (410, 0, 0, Ended::Ok),
            ],
        );
        let seen = answers.seen(&[0, 1], at(30), at(420));
        assert_eq!(seen.gap, Duration::from_millis(300));
        assert_eq!(seen.client_gap, Duration::from_millis(400));
        assert_eq!((seen.ok, seen.failures), (2, 2));
        assert_eq!(answers.ok_since(at(30), &[0, 1, 2]), [1, 1, 1]);
    }

    #[test]
    fn a_gap_that_has_not_ended_counts_up_to_the_end() {
        let zero = Instant::now();
        let answers = answers(zero, &[(10, 0, 0, Ended::Ok)]);
        let end = zero + Duration::from_millis(510);
        let seen = answers.seen(&[0], zero + Duration::from_millis(20), end);
        assert_eq!((seen.gap, seen.ok), (Duration::from_millis(500), 0));
    }
}
