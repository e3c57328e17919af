//! Dates and times of the Gregorian calendar, without zones.

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
/// Years that MySQL can write.
const YEARS: std::ops::RangeInclusive<i64> = 0..=9999;

/// A day and a time in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    /// Microseconds since 1970-01-01 00:00:00.
    us: i64,
}

impl Moment {
    /// So many microseconds after 1970 began.
    pub(super) fn at(us: i64) -> Self {
        Self { us }
    }

    /// Microseconds since 1970 began.
    pub(super) fn us(self) -> i64 {
        self.us
    }

    /// Reads `2024-02-29`, with a time or without: `2024-02-29 12:30:00.5`, `..T12:30`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, ""));
        let mut parts = date.split(['-', '/']).map(|part| part.parse::<i64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || day > days_in(year, month) || day < 1 {
            return None;
        }
        Some(Self { us: Self::civil(year, month, day)?.us + time_us(time)? })
    }

    /// Midnight of a day; months beyond the year carry over.
    fn civil(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=12).contains(&month) || !YEARS.contains(&year) {
            return None;
        }
        // Days from civil, with years that begin in March: the leap day comes last.
        let shifted = if month > 2 { year } else { year - 1 };
        let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Self { us: (era * 146_097 + day_of_era - 719_468) * DAY_US })
    }

    /// Days since 1970-01-01.
    pub(super) fn days(self) -> i64 {
        self.us.div_euclid(DAY_US)
    }

    /// Year, month and day.
    pub(super) fn ymd(self) -> (i64, i64, i64) {
        let days = self.days() + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = (shifted_month + 2) % 12 + 1;
        (era * 400 + year_of_era + i64::from(month <= 2), month, day)
    }

    /// Hour, minute, second and microsecond.
    pub(super) fn clock(self) -> (i64, i64, i64, i64) {
        let us = self.us.rem_euclid(DAY_US);
        (us / 3_600_000_000, us / 60_000_000 % 60, us / 1_000_000 % 60, us % 1_000_000)
    }

    /// 0 is Sunday.
    pub(super) fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// 1 is the first of January.
    pub(super) fn day_of_year(self) -> i64 {
        let (year, ..) = self.ymd();
        Self::civil(year, 1, 1).map_or(0, |first| self.days() - first.days() + 1)
    }

    /// `amount` of `unit` later; `None` beyond the years that can be written.
    pub(super) fn plus(self, amount: i64, unit: Unit) -> Option<Self> {
        let moved = match unit {
            Unit::Months(months) => {
                let (year, month, day) = self.ymd();
                let months = (year * 12 + month - 1).checked_add(amount.checked_mul(months)?)?;
                let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
                let midnight = Self::civil(year, month, day.min(days_in(year, month)))?;
                Self { us: midnight.us + self.us.rem_euclid(DAY_US) }
            }
            Unit::Microseconds(us) => Self { us: self.us.checked_add(amount.checked_mul(us)?)? },
        };
        YEARS.contains(&moved.ymd().0).then_some(moved)
    }

    /// `2024-02-29`
    pub(super) fn date(self) -> String {
        let (year, month, day) = self.ymd();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `12:30:00`
    pub(super) fn time(self) -> String {
        let (hour, minute, second, _) = self.clock();
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// `2024-02-29 12:30:00`
    pub(super) fn date_time(self) -> String {
        format!("{} {}", self.date(), self.time())
    }
}

/// What an interval counts: calendar months, or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Months(i64),
    Microseconds(i64),
}

impl Unit {
    /// The unit of that name, in any case and number.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.strip_suffix('s').unwrap_or(&name) {
            "year" => Self::Months(12),
            "quarter" => Self::Months(3),
            "month" => Self::Months(1),
            "week" => Self::Microseconds(7 * DAY_US),
            "day" => Self::Microseconds(DAY_US),
            "hour" => Self::Microseconds(3_600_000_000),
            "minute" => Self::Microseconds(60_000_000),
            "second" => Self::Microseconds(1_000_000),
            "millisecond" => Self::Microseconds(1000),
            "microsecond" => Self::Microseconds(1),
            _ => return None,
        })
    }
}

/// Days of a month; 0 for a month that is none.
pub(super) fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 0,
    }
}

fn time_us(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut us = 0;
    for (scale, (part, bound)) in
        [3_600_000_000, 60_000_000, 1_000_000].into_iter().zip(clock.split(':').zip([24, 60, 60]))
    {
        let value: i64 = part.parse().ok().filter(|value| (0..bound).contains(value))?;
        us += value * scale;
    }
    if clock.split(':').count() > 3 || !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(us + fraction.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for days in -10_000..146_097 {
            let day = Moment::at(days * DAY_US);
            assert_eq!(Moment::parse(&day.date()), Some(day));
        }
    }

    #[test]
    fn impossible_dates_are_none() {
        for text in
            ["2023-02-29", "2024-13-01", "2024-00-10", "2024-01-00", "x", "2024-01-01 25:00"]
        {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_later_is_never_beyond_that_month() {
        let plus = |text: &str, n, unit| {
            Moment::parse(text).unwrap().plus(n, Unit::parse(unit).unwrap()).unwrap().date_time()
        };
        assert_eq!(plus("2024-01-31", 1, "MONTH"), "2024-02-29 00:00:00");
        assert_eq!(plus("2024-02-29 01:02:03", -1, "year"), "2023-02-28 01:02:03");
        assert_eq!(plus("2023-12-31 23:59:59", 1, "SECOND"), "2024-01-01 00:00:00");
        assert_eq!(Moment::parse("9999-12-31").unwrap().plus(1, Unit::Months(1)), None);
    }
}
