//! Dates and times. What is no date is NULL.

use quorate_wire::ColumnType::{Date, DateTime, Int, Text};
use quorate_wire::Value;

use super::Returns::Fixed;
use super::{Answer, Body, Function, Scope, double, integer, string};
use crate::query::calendar::{Moment, Unit, days_in};
use crate::query::failure;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("unix_timestamp", (0, 1), Fixed(Int), Body::Either(unix_now, unix_timestamp)),
    Function::strict("from_unixtime", (1, 2), DateTime, from_unixtime),
    Function::strict("date", (1, 1), Date, |a| of(&a[0], |m| m.date().into())),
    Function::strict("to_date", (1, 1), Date, |a| of(&a[0], |m| m.date().into())),
    Function::strict("timestamp", (1, 1), DateTime, |a| of(&a[0], |m| m.date_time().into())),
    Function::strict("time", (1, 1), Text, |a| of(&a[0], |m| m.time().into())),
    Function::new("date_add", (2, 2), Fixed(DateTime), Body::Shift(1)),
    Function::new("adddate", (2, 2), Fixed(DateTime), Body::Shift(1)),
    Function::new("date_sub", (2, 2), Fixed(DateTime), Body::Shift(-1)),
    Function::new("subdate", (2, 2), Fixed(DateTime), Body::Shift(-1)),
    Function::strict("timestampadd", (3, 3), DateTime, |a| {
        shift(1, &[a[2].clone(), a[1].clone(), a[0].clone()])
    }),
    Function::strict("timestampdiff", (3, 3), Int, timestampdiff),
    Function::strict("datediff", (2, 2), Int, datediff),
    Function::strict("last_day", (1, 1), Date, last_day),
    Function::strict("date_format", (2, 2), Text, date_format),
    Function::strict("extract", (2, 2), Int, |a| field(&string(&a[0]), &a[1])),
    Function::strict("year", (1, 1), Int, |a| field("year", &a[0])),
    Function::strict("quarter", (1, 1), Int, |a| field("quarter", &a[0])),
    Function::strict("month", (1, 1), Int, |a| field("month", &a[0])),
    Function::strict("day", (1, 1), Int, |a| field("day", &a[0])),
    Function::strict("dayofmonth", (1, 1), Int, |a| field("day", &a[0])),
    Function::strict("hour", (1, 1), Int, |a| field("hour", &a[0])),
    Function::strict("minute", (1, 1), Int, |a| field("minute", &a[0])),
    Function::strict("second", (1, 1), Int, |a| field("second", &a[0])),
    Function::strict("microsecond", (1, 1), Int, |a| field("microsecond", &a[0])),
    Function::strict("dayofweek", (1, 1), Int, |a| of(&a[0], |m| Value::Int(m.weekday() + 1))),
    Function::strict("weekday", (1, 1), Int, |a| of(&a[0], |m| Value::Int((m.weekday() + 6) % 7))),
    Function::strict("dayofyear", (1, 1), Int, |a| of(&a[0], |m| Value::Int(m.day_of_year()))),
    Function::strict("dayname", (1, 1), Text, |a| {
        of(&a[0], |m| WEEKDAYS[m.weekday() as usize].into())
    }),
    Function::strict("monthname", (1, 1), Text, |a| {
        of(&a[0], |m| MONTHS[m.ymd().1 as usize - 1].into())
    }),
];

fn moment(value: &Value) -> Option<Moment> {
    Moment::parse(&string(value))
}

fn of(value: &Value, answer: fn(Moment) -> Value) -> Answer {
    Ok(moment(value).map_or(Value::Null, answer))
}

fn unix_now(scope: &Scope) -> Value {
    Value::Int(scope.now_us.div_euclid(1_000_000))
}

fn unix_timestamp(arguments: &[Value]) -> Answer {
    of(&arguments[0], |m| Value::Int(m.us().div_euclid(1_000_000).max(0)))
}

fn from_unixtime(arguments: &[Value]) -> Answer {
    let seconds = double(&arguments[0]);
    // The last second of the year 9999.
    if !(0.0..=253_402_300_799.0).contains(&seconds) {
        return Ok(Value::Null);
    }
    let moment = Moment::at((seconds * 1e6) as i64);
    Ok(match arguments.get(1) {
        Some(pattern) => formatted(moment, &string(pattern)).into(),
        None => moment.date_time().into(),
    })
}

/// Date, amount and unit; a date without a time stays one, if the unit is a day or more.
pub(super) fn shift(sign: i64, arguments: &[Value]) -> Answer {
    let name = string(&arguments[2]);
    let unit = Unit::parse(&name)
        .ok_or_else(|| failure::bad_argument("INTERVAL", &format!("unknown unit '{name}'")))?;
    let moved =
        moment(&arguments[0]).and_then(|m| m.plus(integer(&arguments[1]).checked_mul(sign)?, unit));
    let plain = string(&arguments[0]).trim().len() <= "2024-01-01".len();
    let days = match unit {
        Unit::Months(_) => true,
        Unit::Microseconds(us) => us % 86_400_000_000 == 0,
    };
    Ok(match moved {
        None => Value::Null,
        Some(moved) if plain && days => moved.date().into(),
        Some(moved) => moved.date_time().into(),
    })
}

fn datediff(arguments: &[Value]) -> Answer {
    let both = moment(&arguments[0]).zip(moment(&arguments[1]));
    Ok(both.map_or(Value::Null, |(a, b)| Value::Int(a.days() - b.days())))
}

/// Whole units from the first date to the second.
fn timestampdiff(arguments: &[Value]) -> Answer {
    let name = string(&arguments[0]);
    let unit = Unit::parse(&name)
        .ok_or_else(|| failure::bad_argument("TIMESTAMPDIFF", &format!("unknown unit '{name}'")))?;
    let Some((from, to)) = moment(&arguments[1]).zip(moment(&arguments[2])) else {
        return Ok(Value::Null);
    };
    Ok(Value::Int(match unit {
        Unit::Microseconds(us) => (to.us() - from.us()) / us,
        Unit::Months(months) => {
            let count = |m: Moment| m.ymd().0 * 12 + m.ymd().1;
            let guess = count(to) - count(from);
            let in_month = |m: Moment| (m.ymd().2, m.clock());
            let whole = match guess {
                1.. if in_month(to) < in_month(from) => guess - 1,
                ..=-1 if in_month(to) > in_month(from) => guess + 1,
                _ => guess,
            };
            whole / months
        }
    }))
}

fn last_day(arguments: &[Value]) -> Answer {
    of(&arguments[0], |m| {
        let (year, month, _) = m.ymd();
        format!("{year:04}-{month:02}-{:02}", days_in(year, month)).into()
    })
}

fn field(unit: &str, value: &Value) -> Answer {
    let Some(m) = moment(value) else { return Ok(Value::Null) };
    let ((year, month, day), (hour, minute, second, us)) = (m.ymd(), m.clock());
    Ok(Value::Int(match unit.to_ascii_lowercase().as_str() {
        "year" => year,
        "quarter" => (month + 2) / 3,
        "month" => month,
        "day" => day,
        "hour" => hour,
        "minute" => minute,
        "second" => second,
        "microsecond" => us,
        "doy" | "dayofyear" => m.day_of_year(),
        "dow" | "dayofweek" => m.weekday() + 1,
        "epoch" => m.us().div_euclid(1_000_000),
        other => return Err(failure::bad_argument("EXTRACT", &format!("unknown unit '{other}'"))),
    }))
}

fn date_format(arguments: &[Value]) -> Answer {
    let pattern = string(&arguments[1]);
    Ok(moment(&arguments[0]).map_or(Value::Null, |m| formatted(m, &pattern).into()))
}

fn formatted(m: Moment, pattern: &str) -> String {
    let ((year, month, day), (hour, minute, second, us)) = (m.ymd(), m.clock());
    let twelve = (hour + 11) % 12 + 1;
    let half = if hour < 12 { "AM" } else { "PM" };
    let mut out = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        out.push_str(&match rest.next() {
            Some('Y') => format!("{year:04}"),
            Some('y') => format!("{:02}", year % 100),
            Some('m') => format!("{month:02}"),
            Some('c') => month.to_string(),
            Some('M') => MONTHS[month as usize - 1].to_owned(),
            Some('b') => MONTHS[month as usize - 1][..3].to_owned(),
            Some('d') => format!("{day:02}"),
            Some('e') => day.to_string(),
            Some('j') => format!("{:03}", m.day_of_year()),
            Some('H') => format!("{hour:02}"),
            Some('k') => hour.to_string(),
            Some('h' | 'I') => format!("{twelve:02}"),
            Some('l') => twelve.to_string(),
            Some('i') => format!("{minute:02}"),
            Some('s' | 'S') => format!("{second:02}"),
            Some('f') => format!("{us:06}"),
            Some('p') => half.to_owned(),
            Some('T') => m.time(),
            Some('r') => format!("{twelve:02}:{minute:02}:{second:02} {half}"),
            Some('W') => WEEKDAYS[m.weekday() as usize].to_owned(),
            Some('a') => WEEKDAYS[m.weekday() as usize][..3].to_owned(),
            Some('w') => m.weekday().to_string(),
            Some(other) => other.to_string(),
            None => "%".to_owned(),
        });
    }
    out
}
