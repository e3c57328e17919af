//! How many bytes the log has between two entries, without looking at them.
//!
//! Every few megabytes one mark is kept: an index, and how many bytes came before it. In between a
//! straight line is drawn. What was there at open is known only as a whole. So the answers are
//! estimates, good enough to decide what to keep.

use std::collections::VecDeque;

/// Bytes between two marks, at first.
const MARK_BYTES: u64 = 4 << 20;
/// Most marks; beyond it every other one goes, and new ones come twice as far apart.
const MARKS_MAX: usize = 1024;

/// Sizes of the entries of a log.
#[derive(Debug)]
pub(super) struct Sizes {
    /// Never empty; both numbers ascend.
    marks: VecDeque<Mark>,
    /// Index of the next entry, and the bytes before it.
    end: Mark,
    mark_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    index: u64,
    bytes: u64,
}

impl Sizes {
    /// Of a log with entries from `first` to before `next`, which take about `bytes`.
    pub fn new(first: u64, next: u64, bytes: u64) -> Self {
        let marks = VecDeque::from([Mark { index: first.min(next), bytes: 0 }]);
        Self { marks, end: Mark { index: next, bytes }, mark_bytes: MARK_BYTES }
    }

    /// An entry was added.
    pub fn push(&mut self, index: u64, bytes: u64) {
        let last = self.marks.back().map_or(0, |mark| mark.bytes);
        if self.end.bytes - last >= self.mark_bytes {
            self.marks.push_back(Mark { index, bytes: self.end.bytes });
        }
        if self.marks.len() > MARKS_MAX {
            let mut number = 0;
            self.marks.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.mark_bytes *= 2;
        }
        self.end = Mark { index: index + 1, bytes: self.end.bytes + bytes };
    }

    /// The entries from `next` on were removed.
    pub fn truncate(&mut self, next: u64) {
        if next < self.end.index {
            self.end = Mark { index: next, bytes: self.before(next) };
        }
        while self.marks.len() > 1 && self.marks.back().is_some_and(|mark| mark.index >= next) {
            self.marks.pop_back();
        }
        // Entries of another size may follow.
        self.marks.push_back(self.end);
    }

    /// The entries before `first` were removed.
    pub fn purge(&mut self, first: u64) {
        if first >= self.end.index {
            self.end.index = first;
            self.marks = VecDeque::from([Mark { index: first, bytes: self.end.bytes }]);
            return;
        }
        let front = Mark { index: first, bytes: self.before(first) };
        while self.marks.front().is_some_and(|mark| mark.index <= first) {
            self.marks.pop_front();
        }
        self.marks.push_front(front);
    }

    /// About how many bytes the entries from `index` on have.
    pub fn since(&self, index: u64) -> u64 {
        self.end.bytes - self.before(index)
    }

    /// The first entry of a tail of the log that has at most about `bytes`.
    pub fn start_of_tail(&self, bytes: u64) -> u64 {
        let beyond = self.end.bytes.saturating_sub(bytes);
        let at = self.marks.partition_point(|mark| mark.bytes < beyond);
        let to = self.marks.get(at).copied().unwrap_or(self.end);
        let Some(from) = at.checked_sub(1).map(|at| self.marks[at]) else { return to.index };
        from.index + share(beyond - from.bytes, to.bytes - from.bytes, to.index - from.index, true)
    }

    fn before(&self, index: u64) -> u64 {
        let at = self.marks.partition_point(|mark| mark.index <= index);
        let Some(from) = at.checked_sub(1).map(|at| self.marks[at]) else {
            return self.marks.front().map_or(0, |mark| mark.bytes);
        };
        let to = self.marks.get(at).copied().unwrap_or(self.end);
        let within = (index - from.index).min(to.index.saturating_sub(from.index));
        from.bytes
            + share(within, to.index.saturating_sub(from.index), to.bytes - from.bytes, false)
    }
}

/// `part / whole` of `of`, rounded up or down.
fn share(part: u64, whole: u64, of: u64, up: bool) -> u64 {
    if whole == 0 {
        return 0;
    }
    let product = u128::from(part) * u128::from(of);
    let share = if up { product.div_ceil(whole.into()) } else { product / u128::from(whole) };
    u64::try_from(share).unwrap_or(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of 1 KiB from 1 on.
    fn of(count: u64) -> Sizes {
        let mut sizes = Sizes::new(1, 1, 0);
        (1..=count).for_each(|index| sizes.push(index, 1024));
        sizes
    }

    #[test]
    fn sizes_follow_entries_that_come_and_go() {
        let mut sizes = of(100_000);
        assert_eq!((sizes.since(1), sizes.since(100_000)), (100_000 << 10, 1 << 10));
        assert_eq!((sizes.since(100_001), sizes.since(u64::MAX)), (0, 0));
        assert_eq!(sizes.start_of_tail(10_000 << 10), 90_001);
        assert_eq!((sizes.start_of_tail(u64::MAX), sizes.start_of_tail(0)), (1, 100_001));
        sizes.purge(50_001);
        assert_eq!((sizes.since(1), sizes.since(50_001)), (50_000 << 10, 50_000 << 10));
        assert_eq!(sizes.start_of_tail(u64::MAX), 50_001);
        sizes.truncate(60_001);
        assert_eq!(sizes.since(1), 10_000 << 10);
        (60_001..=70_000).for_each(|index| sizes.push(index, 2048));
        assert_eq!(sizes.since(60_001), 20_000 << 10);
        assert_eq!(sizes.start_of_tail(2_000 << 10), 69_001);
        sizes.purge(90_000);
        assert_eq!((sizes.since(1), sizes.start_of_tail(1)), (0, 90_000));
        sizes.push(90_000, 5);
        assert_eq!(sizes.since(90_000), 5);
        sizes.truncate(90_000);
        assert_eq!(sizes.since(0), 0);
    }

    #[test]
    fn what_was_there_at_open_counts_evenly() {
        let mut sizes = Sizes::new(101, 201, 1000);
        assert_eq!((sizes.since(101), sizes.since(151), sizes.since(201)), (1000, 500, 0));
        sizes.push(201, 10);
        assert_eq!((sizes.since(101), sizes.since(151)), (1010, 510));
        assert_eq!(Sizes::new(0, 0, 0).since(0), 0);
    }

    #[test]
    fn marks_are_bounded() {
        let mut sizes = Sizes::new(1, 1, 0);
        (1..=20_000).for_each(|index| sizes.push(index, 1 << 20));
        assert!(sizes.marks.len() <= MARKS_MAX, "{}", sizes.marks.len());
        let half = sizes.since(10_001);
        assert_eq!(half, 10_000 << 20);
    }
}
