//! Dates of the proleptic Gregorian calendar, years 0 to 9999, without a time zone.

use std::fmt::Write as _;

const DAY_SECONDS: i64 = 86_400;
/// Days from 1 March of year 0 to 1 January 1970.
const EPOCH_DAYS: i64 = 719_468;
/// Days in 400 years.
const ERA_DAYS: i64 = 146_097;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 0 to 9999 when read from text.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl Date {
    /// The date of a day counted from 1 January 1970. Years begin in March here, so that the day
    /// that comes and goes is the last one.
    pub fn from_days(days: i64) -> Self {
        let shifted = days + EPOCH_DAYS;
        let era = shifted.div_euclid(ERA_DAYS);
        let day_of_era = shifted.rem_euclid(ERA_DAYS);
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
        }
    }

    /// Days since 1 January 1970.
    pub fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let year_of_era = year.rem_euclid(400);
        let march_month = (self.month + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        year.div_euclid(400) * ERA_DAYS + day_of_era - EPOCH_DAYS
    }

    /// The first day of the month `months` later.
    pub fn month_start_after(self, months: i64) -> Self {
        let month = self.year * 12 + self.month - 1 + months;
        Self { year: month.div_euclid(12), month: month.rem_euclid(12) + 1, day: 1 }
    }

    /// Monday is 0.
    pub fn weekday(self) -> i64 {
        (self.days() + 3).rem_euclid(7)
    }

    /// Week of the year: weeks begin on Monday, the first one holds 1 January.
    pub fn week(self) -> i64 {
        let first = Self { month: 1, day: 1, ..self };
        (self.days() - first.days() + first.weekday()) / 7 + 1
    }

    /// Reads `YYYY-MM-DD` (month and day may have one digit) or `YYYYMMDD`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse::<i64>().ok(),
            false => None,
        };
        let mut parts = text.split('-');
        let (year, month, day) = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            (year, Some(month), Some(day), None) if year.len() == 4 => (year, month, day),
            (all, None, None, None) if all.len() == 8 && all.is_ascii() => {
                (&all[..4], &all[4..6], &all[6..])
            }
            _ => return None,
        };
        let date = Self { year: digits(year)?, month: digits(month)?, day: digits(day)? };
        let valid = (1..=12).contains(&date.month) && Self::from_days(date.days()) == date;
        valid.then_some(date)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Reads `date[ HH:MM:SS[.000000]]` as seconds since 1970. Partition bounds have no fractions.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
    let start = Date::parse(date)?.days() * DAY_SECONDS;
    if time.is_empty() {
        return Some(start);
    }
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut seconds = 0;
    let mut parts = clock.split(':');
    for limit in [24, 60, 60] {
        let part = parts.next()?;
        let digits = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let value = part.parse::<i64>().ok().filter(|value| digits && *value < limit)?;
        seconds = seconds * 60 + value;
    }
    let whole = parts.next().is_none() && fraction.bytes().all(|byte| byte == b'0');
    whole.then_some(start + seconds)
}

/// `YYYY-MM-DD HH:MM:SS` of seconds since 1970.
pub fn datetime_text(seconds: i64) -> String {
    let (date, clock) = split(seconds);
    let mut text = date.to_string();
    // Writing to a string does not fail.
    let _ = write!(text, " {:02}:{:02}:{:02}", clock / 3_600, clock / 60 % 60, clock % 60);
    text
}

/// The date and the seconds of its day.
pub fn split(seconds: i64) -> (Date, i64) {
    (Date::from_days(seconds.div_euclid(DAY_SECONDS)), seconds.rem_euclid(DAY_SECONDS))
}

/// `YYYY-MM-DD HH:MM:SS` of microseconds since 1970, in UTC.
pub fn timestamp_text(time_us: u64) -> String {
    datetime_text(i64::try_from(time_us / 1_000_000).unwrap_or(i64::MAX / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_date_is_refused() {
        for text in [
            "", "2024", "2024-13-01", "2024-02-30", "2023-02-29", "24-01-01", "2024-1-1-1",
            "2024-+1-01", "20240230", "x2024-01-01", "2024-00-10",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        for text in ["2024-01-01 24:00:00", "2024-01-01 1:2", "2024-01-01 00:00:00.5", "x 1:1:1"] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    #[test]
    fn days_and_dates_are_inverse_over_all_years() {
        let mut date = Date { year: 0, month: 1, day: 1 };
        let first = date.days();
        for day in first..first + 3_652_425 {
            let next = Date::from_days(day);
            assert!(day == first || next > date);
            assert_eq!(next.days(), day);
            date = next;
        }
        assert_eq!(date.to_string(), "9999-12-31");
        assert_eq!(Date { year: 1970, month: 1, day: 1 }.days(), 0);
    }

    #[test]
    fn times_print_as_they_were_read() {
        assert_eq!(datetime_text(parse_datetime("2024-2-29 23:5:09.000").unwrap()), "2024-02-29 23:05:09");
        assert_eq!(timestamp_text(1_767_268_800_000_000), "2026-01-01 12:00:00");
        assert_eq!(Date::parse("20240229").unwrap().to_string(), "2024-02-29");
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let date = Date::parse("2024-01-31").unwrap();
        assert_eq!((date.weekday(), date.week()), (2, 5));
        assert_eq!(date.month_start_after(1).to_string(), "2024-02-01");
        assert_eq!(date.month_start_after(-1).to_string(), "2023-12-01");
    }
}
