//! The figures as a table.

use std::fmt;
use std::time::Duration;

use crate::endurance::history::Verdict;

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// What is aimed at; empty: only measured.
    pub aim: String,
    /// What came of it.
    pub measured: String,
    /// The number to beat, and whose it is.
    pub beat: &'static str,
    /// Whether the aim was met.
    pub ok: bool,
}

impl Row {
    /// A line that fell short because it could not be measured.
    pub fn failed(what: &str, reason: impl fmt::Display) -> Self {
        let measured = format!("not measured: {reason}").replace('\n', " ");
        Self { what: what.to_owned(), aim: String::new(), measured, beat: "", ok: false }
    }

    /// The account of all writes: none lost, none doubled, none that failed and is there.
    pub fn account(what: &str, verdict: &Verdict) -> Self {
        let Verdict { operations, uncertain, failed, .. } = verdict;
        let Verdict { lost, duplicate, phantom, disorder, .. } = verdict;
        let disorder = if *disorder == 0 { String::new() } else { format!("/{disorder} DISORDER") };
        Self {
            what: what.to_owned(),
            aim: "LOST = DUP = PHANTOM = 0".to_owned(),
            measured: format!(
                "{lost}/{duplicate}/{phantom}{disorder} of {operations} writes, \
                 {uncertain} UNCERTAIN, {failed} FAIL"
            ),
            beat: "",
            ok: verdict.is_clean() && verdict.ok > 0,
        }
    }
}

/// Several durations of the same kind.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// One more.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort_unstable();
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one: half of them are no longer.
    pub fn median(&self) -> Duration {
        let middle = self.0.len().saturating_sub(1) / 2;
        self.0.get(middle).copied().unwrap_or(Duration::MAX)
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let (median, longest) = (self.median().as_millis(), self.longest().as_millis());
        write!(f, "p50 {median} ms, max {longest} ms ({} runs)", self.count())
    }
}

/// The rows, columns below each other.
pub fn table(rows: &[Row]) -> String {
    let head = ["what", "aim", "measured", "to beat"];
    let cells = |row: &Row| [&row.what, &row.aim, &row.measured, row.beat].map(str::to_owned);
    let lines: Vec<_> = rows.iter().map(cells).collect();
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 4] = std::array::from_fn(width);
    let line = |cells: [&str; 4], end: &str| {
        let padded: Vec<_> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}  {end}\n", padded.join("  "))
    };
    let mut out = line(head, "ok");
    for (row, cells) in rows.iter().zip(&lines) {
        out += &line(cells.each_ref().map(String::as_str), if row.ok { "yes" } else { "NO" });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_longest_are_those_of_all_and_of_none_the_worst() {
        let mut times = Times::default();
        assert_eq!(times.median(), Duration::MAX);
        for ms in [50, 10, 40, 20] {
            times.push(Duration::from_millis(ms));
        }
        assert_eq!((times.median().as_millis(), times.longest().as_millis()), (20, 50));
    }

    #[test]
    fn a_report_shows_which_rows_fall_short() {
        let good = Row::account("writes", &Verdict { operations: 3, ok: 3, ..Verdict::default() });
        let bad =
            Row::account("w", &Verdict { operations: 3, ok: 3, lost: 1, ..Verdict::default() });
        assert!(good.ok && !bad.ok && !Row::failed("x", "y").ok);
        let table = table(&[good, bad]);
        let ends: Vec<_> = table.lines().map(|line| line.rsplit("  ").next()).collect();
        assert_eq!(ends, [Some("ok"), Some("yes"), Some("NO")]);
    }
}
