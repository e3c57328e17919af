//! Column types and values on the wire.
//!
//! A client decodes a value by the type of its column, so the two must agree. A module may say
//! one and send the other; then the column is announced as what its values really are.

use mysql_common::constants::{ColumnFlags, ColumnType as WireType};
use mysql_common::io::BufMutExt;
use mysql_common::packets::Column as Definition;
use mysql_common::proto::MySerialize;
use mysql_common::value::Value as WireValue;
use quorate_wire::{ColumnType, Value};

/// `utf8mb4_general_ci`.
const TEXT: u16 = 45;
/// `binary`.
const BINARY: u16 = 63;
/// Decimal places that differ from value to value.
const DECIMALS_VARIABLE: u8 = 31;
/// How long text is at most, in bytes, as far as a client is told.
const TEXT_BYTES: u32 = 65_535 * 4;
/// NULL in a text row.
const NULL: u8 = 0xfb;
/// Floats from here on are printed with an exponent, as in MySQL, and small ones likewise.
const DOUBLE_PLAIN_MAX: f64 = 1e15;
const DOUBLE_PLAIN_MIN: f64 = 1e-5;

/// The type whose form all values of a column have: the announced one if possible.
pub(super) fn settle(announced: ColumnType, index: usize, rows: &[Vec<Value>]) -> ColumnType {
    let all_fit = |kind: &ColumnType| {
        rows.iter().all(|row| row.get(index).is_none_or(|value| fits(*kind, value)))
    };
    let wider = if announced == ColumnType::Int { ColumnType::UInt } else { announced };
    [announced, wider, ColumnType::Text].into_iter().find(all_fit).unwrap_or(ColumnType::Bytes)
}

fn fits(kind: ColumnType, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) | (ColumnType::Bytes, _) | (ColumnType::Int, Value::Int(_)) => true,
        (ColumnType::Int, Value::UInt(value)) => i64::try_from(*value).is_ok(),
        (ColumnType::UInt, Value::Int(value)) => *value >= 0,
        (ColumnType::UInt, Value::UInt(_)) => true,
        (ColumnType::Double, value) => {
            matches!(value, Value::Double(_) | Value::Int(_) | Value::UInt(_))
        }
        (ColumnType::Decimal, Value::Text(text)) => text.parse::<f64>().is_ok_and(f64::is_finite),
        (ColumnType::Decimal, value) => matches!(value, Value::Int(_) | Value::UInt(_)),
        (ColumnType::Date, Value::Text(text)) => text.len() == 10 && moment(text).is_some(),
        (ColumnType::DateTime, Value::Text(text)) => moment(text).is_some(),
        (ColumnType::Text | ColumnType::Json, value) => !matches!(value, Value::Bytes(_)),
        _ => false,
    }
}

/// A column as a client is told of it (MySQL: `Protocol::ColumnDefinition41`). Written here,
/// because the packet library swaps character set and length when it writes one.
pub(super) fn put_definition(out: &mut Vec<u8>, name: &str, kind: ColumnType) {
    const CATALOG: &[u8] = b"def";
    const FIXED_FIELDS_BYTES: u8 = 12;
    let column = definition(kind);
    out.put_lenenc_str(CATALOG);
    // Schema, table and original table.
    out.extend([0; 3]);
    out.put_lenenc_str(name.as_bytes());
    out.put_lenenc_str(name.as_bytes());
    out.push(FIXED_FIELDS_BYTES);
    out.extend(column.character_set().to_le_bytes());
    out.extend(column.column_length().to_le_bytes());
    out.push(column.column_type() as u8);
    out.extend(column.flags().bits().to_le_bytes());
    out.push(column.decimals());
    out.extend([0; 2]);
}

fn definition(kind: ColumnType) -> Definition {
    let number = ColumnFlags::NUM_FLAG | ColumnFlags::BINARY_FLAG;
    let blob = ColumnFlags::BLOB_FLAG | ColumnFlags::BINARY_FLAG;
    let (wire, length, charset, decimals, flags) = match kind {
        ColumnType::Int => (WireType::MYSQL_TYPE_LONGLONG, 20, BINARY, 0, number),
        ColumnType::UInt => {
            let flags = number | ColumnFlags::UNSIGNED_FLAG;
            (WireType::MYSQL_TYPE_LONGLONG, 20, BINARY, 0, flags)
        }
        ColumnType::Double => (WireType::MYSQL_TYPE_DOUBLE, 22, BINARY, DECIMALS_VARIABLE, number),
        ColumnType::Decimal => {
            (WireType::MYSQL_TYPE_NEWDECIMAL, 67, BINARY, DECIMALS_VARIABLE, number)
        }
        ColumnType::Text => {
            let none = ColumnFlags::empty();
            (WireType::MYSQL_TYPE_VAR_STRING, TEXT_BYTES, TEXT, DECIMALS_VARIABLE, none)
        }
        ColumnType::Bytes => (WireType::MYSQL_TYPE_BLOB, u32::MAX, BINARY, DECIMALS_VARIABLE, blob),
        ColumnType::Date => (WireType::MYSQL_TYPE_DATE, 10, BINARY, 0, ColumnFlags::BINARY_FLAG),
        ColumnType::DateTime => {
            (WireType::MYSQL_TYPE_DATETIME, 26, BINARY, 6, ColumnFlags::BINARY_FLAG)
        }
        ColumnType::Json => (WireType::MYSQL_TYPE_JSON, u32::MAX, TEXT, 0, blob),
    };
    Definition::new(wire)
        .with_column_length(length)
        .with_character_set(charset)
        .with_decimals(decimals)
        .with_flags(flags)
}

/// A value in a text row.
pub(super) fn put_text(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Int(value) => out.put_lenenc_str(value.to_string().as_bytes()),
        Value::UInt(value) => out.put_lenenc_str(value.to_string().as_bytes()),
        Value::Double(value) => out.put_lenenc_str(printed(*value).as_bytes()),
        Value::Text(value) => out.put_lenenc_str(value.as_bytes()),
        Value::Bytes(value) => out.put_lenenc_str(value),
    }
}

/// A value, which is not NULL, in a binary row of a column of the [settled](settle) type.
pub(super) fn put_binary(out: &mut Vec<u8>, kind: ColumnType, value: &Value) {
    let fixed = match (kind, value) {
        (ColumnType::Int, Value::Int(value)) | (ColumnType::UInt, Value::Int(value)) => {
            Some(WireValue::Int(*value))
        }
        (ColumnType::Int | ColumnType::UInt, Value::UInt(value)) => Some(WireValue::UInt(*value)),
        (ColumnType::Double, Value::Double(value)) => Some(WireValue::Double(*value)),
        (ColumnType::Double, Value::Int(value)) => Some(WireValue::Double(*value as f64)),
        (ColumnType::Double, Value::UInt(value)) => Some(WireValue::Double(*value as f64)),
        (ColumnType::Date | ColumnType::DateTime, Value::Text(text)) => moment(text),
        _ => None,
    };
    match fixed {
        Some(value) => value.serialize(out),
        None => put_text(out, value),
    }
}

fn printed(value: f64) -> String {
    let size = value.abs();
    match size == 0.0 || (DOUBLE_PLAIN_MIN..DOUBLE_PLAIN_MAX).contains(&size) {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

/// `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS[.ffffff]`, zeros allowed.
fn moment(text: &str) -> Option<WireValue> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2).filter(|month| *month <= 12)?;
    let day = digits(parts.next()?, 2).filter(|day| *day <= 31)?;
    let (clock, fraction) = match time.map(|time| time.split_once('.').unwrap_or((time, ""))) {
        Some((clock, fraction)) if fraction.len() <= 6 => (clock, fraction),
        Some(_) => return None,
        None => ("00:00:00", ""),
    };
    let mut clock = clock.split(':');
    let hour = digits(clock.next()?, 2).filter(|hour| *hour <= 23)?;
    let minute = digits(clock.next()?, 2).filter(|minute| *minute <= 59)?;
    let second = digits(clock.next()?, 2).filter(|second| *second <= 59)?;
    let micros = digits(&format!("{fraction:0<6}"), 6)?;
    if parts.next().or(clock.next()).is_some() {
        return None;
    }
    let small = |number: u32| u8::try_from(number).ok();
    Some(WireValue::Date(
        u16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        micros,
    ))
}

/// Exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(announced: ColumnType, values: &[Value]) -> ColumnType {
        let rows: Vec<Vec<Value>> = values.iter().map(|value| vec![value.clone()]).collect();
        settle(announced, 0, &rows)
    }

    #[test]
    fn values_that_do_not_fit_change_what_is_announced() {
        use ColumnType::{Bytes, Date, DateTime, Decimal, Double, Int, Text, UInt};
        for (announced, value, becomes) in [
            (Int, Value::from("x"), Text),
            (Int, Value::UInt(u64::MAX), UInt),
            (Int, Value::Double(0.5), Text),
            (UInt, Value::Int(-1), Text),
            (Double, Value::from("1"), Text),
            (Decimal, Value::from("many"), Text),
            (Decimal, Value::from("NaN"), Text),
            (Date, Value::from("2024-13-01"), Text),
            (Date, Value::from("2024-01-01 00:00:00"), Text),
            (DateTime, Value::from("yesterday"), Text),
            (Text, Value::Bytes(vec![1]), Bytes),
            (Int, Value::Bytes(vec![1]), Bytes),
        ] {
            assert_eq!(settled(announced, &[Value::Null, value.clone()]), becomes, "{value:?}");
        }
    }

    #[test]
    fn values_that_fit_keep_what_is_announced() {
        use ColumnType::{Bytes, Date, DateTime, Decimal, Double, Int, Json, Text, UInt};
        for (announced, value) in [
            (Int, Value::Int(-1)),
            (Int, Value::UInt(1)),
            (UInt, Value::Int(1)),
            (Double, Value::Int(1)),
            (Decimal, Value::from("1.50")),
            (Date, Value::from("0000-00-00")),
            (DateTime, Value::from("2024-02-29 23:59:59.5")),
            (Text, Value::Int(1)),
            (Json, Value::from("{}")),
            (Bytes, Value::from("x")),
        ] {
            assert_eq!(settled(announced, &[value.clone(), Value::Null]), announced, "{value:?}");
        }
        assert_eq!(settled(Int, &[]), Int);
    }

    #[test]
    fn moments_are_read_to_the_microsecond() {
        assert_eq!(
            moment("2024-02-29 23:59:58.25"),
            Some(WireValue::Date(2024, 2, 29, 23, 59, 58, 250_000))
        );
        assert_eq!(moment("2024-02-29"), Some(WireValue::Date(2024, 2, 29, 0, 0, 0, 0)));
        for text in [
            "",
            "2024-2-29",
            "2024-02-29T00:00:00",
            "2024-02-29 1:2:3",
            "2024-02-29 00:00:00.1234567",
            "2024-02-29-01",
            "+024-02-29",
            "2024-02-29 24:00:00",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn floats_print_as_in_mysql() {
        for (value, text) in
            [(0.0, "0"), (1.5, "1.5"), (-2.0, "-2"), (1e15, "1e15"), (1e-7, "1e-7"), (0.1, "0.1")]
        {
            assert_eq!(printed(value), text);
        }
    }
}
