//! Constants as values of a column type: their order and their normal spelling.
//!
//! Bounds of partitions are stored as text in normal form, so that equal values are equal bytes,
//! and compared as scalars.

use quorate_sql::{DataType, Literal, PartitionValue};

use crate::calendar::{Date, datetime_text, parse_datetime};

/// A value of a type that may be a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// Booleans and integers.
    Number(i128),
    /// Days since 1970.
    Day(i64),
    /// Seconds since 1970.
    Second(i64),
    /// Text, and decimals in the spelling they have.
    Text(String),
}

/// A bound: a value, or above all values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// This value.
    Value(Scalar),
    /// `MAXVALUE`.
    Max,
}

impl Scalar {
    /// Reads `text` as a value of `data_type`; `None` when it is none.
    pub fn parse(text: &str, data_type: &DataType) -> Option<Self> {
        if let Some((low, high)) = integer_range(data_type) {
            let value = match (data_type, text.to_ascii_lowercase().as_str()) {
                (DataType::Boolean, "true") => 1,
                (DataType::Boolean, "false") => 0,
                _ => text.trim().parse().ok()?,
            };
            return (low..=high).contains(&value).then_some(Self::Number(value));
        }
        match data_type {
            DataType::Date => {
                let seconds = parse_datetime(text).filter(|seconds| seconds % 86_400 == 0)?;
                Some(Self::Day(seconds / 86_400))
            }
            DataType::Datetime => parse_datetime(text).map(Self::Second),
            _ => Some(Self::Text(text.to_owned())),
        }
    }

    /// The least value of `data_type`.
    pub fn min(data_type: &DataType) -> Self {
        let day = Date { year: 0, month: 1, day: 1 }.days();
        match (integer_range(data_type), data_type) {
            (Some((low, _)), _) => Self::Number(low),
            (None, DataType::Date) => Self::Day(day),
            (None, DataType::Datetime) => Self::Second(day * 86_400),
            (None, _) => Self::Text(String::new()),
        }
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Day(days) => Date::from_days(*days).fmt(f),
            Self::Second(seconds) => f.write_str(&datetime_text(*seconds)),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Edge {
    /// Reads a bound on a column of `data_type`; `None` when it is none. NULL bounds nothing.
    pub fn parse(value: &PartitionValue, data_type: &DataType) -> Option<Self> {
        match value {
            PartitionValue::MaxValue => Some(Self::Max),
            PartitionValue::Literal(literal) => {
                Scalar::parse(literal.text()?, data_type).map(Self::Value)
            }
        }
    }

    /// The bound in its normal spelling.
    pub fn normal(&self) -> PartitionValue {
        match self {
            Self::Max => PartitionValue::MaxValue,
            Self::Value(scalar) => PartitionValue::Literal(Literal::String(scalar.to_string())),
        }
    }
}

/// The least and the greatest value of an integer type.
pub fn integer_range(data_type: &DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Boolean => (0, 1),
        DataType::TinyInt => (i8::MIN.into(), i8::MAX.into()),
        DataType::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int => (i32::MIN.into(), i32::MAX.into()),
        DataType::BigInt => (i64::MIN.into(), i64::MAX.into()),
        DataType::LargeInt => (i128::MIN, i128::MAX),
        _ => return None,
    })
}

/// Whether a column of `data_type` may default to `text`.
pub fn is_default(text: &str, data_type: &DataType) -> bool {
    match data_type {
        DataType::Float | DataType::Double => is_float(text),
        DataType::Decimal { precision, scale } => is_decimal(text, *precision, *scale),
        DataType::Char(length) | DataType::Varchar(length) => text.len() <= *length as usize,
        // Anything but emptiness would have to be made by a function.
        DataType::Hll | DataType::Bitmap | DataType::Percentile => text.is_empty(),
        _ => Scalar::parse(text, data_type).is_some(),
    }
}

/// By grammar: nothing below the log computes with floats.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !exponent.is_empty() && digits(exponent) && is_decimal(mantissa, u8::MAX, 100)
}

fn is_decimal(text: &str, precision: u8, scale: u8) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        && whole.len() <= usize::from(precision - scale)
        && fraction.len() <= usize::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_their_type_are_refused() {
        assert_eq!(Scalar::parse("128", &DataType::TinyInt), None);
        assert_eq!(Scalar::parse("x", &DataType::Int), None);
        assert_eq!(Scalar::parse("2024-01-01 01:00:00", &DataType::Date), None);
        assert!(!is_default("12.345", &DataType::Decimal { precision: 5, scale: 2 }));
        assert!(!is_default("1234", &DataType::Decimal { precision: 5, scale: 2 }));
        assert!(!is_default(".", &DataType::Decimal { precision: 5, scale: 2 }));
        assert!(!is_default("abc", &DataType::Varchar(2)));
    }

    #[test]
    fn values_compare_by_type_and_print_in_normal_form() {
        let number = |text| Scalar::parse(text, &DataType::Int).unwrap();
        assert!(number("9") < number("10"));
        assert!(Scalar::min(&DataType::Int) < number("-5"));
        assert!(Edge::Value(number("5")) < Edge::Max);
        let day = |text| Scalar::parse(text, &DataType::Date).unwrap();
        assert_eq!(day("20240105").to_string(), "2024-01-05");
        assert_eq!(Scalar::min(&DataType::Date).to_string(), "0000-01-01");
        assert!(is_default("-123.45", &DataType::Decimal { precision: 5, scale: 2 }));
        assert!(is_default("true", &DataType::Boolean));
    }
}
