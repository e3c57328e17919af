//! Numbers.

use std::f64::consts;

use quorate_wire::ColumnType::{Bytes, Decimal, Double, Int, Text};
use quorate_wire::Value;

use super::Returns::Arguments;
use super::{Answer, Body, Function, double, integer, string};

/// Most digits behind the point that rounding looks at.
const DIGITS_MAX: i64 = 30;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::native("abs", (1, 1), Arguments(0), "abs"),
    Function::strict("sign", (1, 1), Int, |a| Ok(Value::Int(sign(double(&a[0]))))),
    Function::strict("floor", (1, 1), Int, |a| whole(&a[0], f64::floor)),
    Function::strict("ceil", (1, 1), Int, |a| whole(&a[0], f64::ceil)),
    Function::strict("ceiling", (1, 1), Int, |a| whole(&a[0], f64::ceil)),
    Function::new("round", (1, 2), Arguments(0), Body::Strict(|a| to_digits(a, f64::round))),
    Function::new("truncate", (2, 2), Arguments(0), Body::Strict(|a| to_digits(a, f64::trunc))),
    Function::new("mod", (2, 2), Arguments(0), Body::Strict(modulo)),
    Function::strict("divide", (2, 2), Double, divide),
    Function::strict("integer divide", (2, 2), Int, integer_divide),
    Function::strict("bitwise exclusive or", (2, 2), Int, |a| {
        Ok(Value::Int(integer(&a[0]) ^ integer(&a[1])))
    }),
    Function::strict("cast decimal", (2, 2), Decimal, decimal),
    Function::strict("format", (2, 2), Text, format),
    Function::strict("pow", (2, 2), Double, |a| real(double(&a[0]).powf(double(&a[1])))),
    Function::strict("power", (2, 2), Double, |a| real(double(&a[0]).powf(double(&a[1])))),
    Function::strict("sqrt", (1, 1), Double, |a| real(double(&a[0]).sqrt())),
    Function::strict("exp", (1, 1), Double, |a| real(double(&a[0]).exp())),
    Function::strict("ln", (1, 1), Double, |a| real(double(&a[0]).ln())),
    Function::strict("log2", (1, 1), Double, |a| real(double(&a[0]).log2())),
    Function::strict("log10", (1, 1), Double, |a| real(double(&a[0]).log10())),
    Function::strict("pi", (0, 0), Double, |_| real(consts::PI)),
    Function::strict("rand", (0, 1), Double, |_| real(rand::random::<f64>())),
    Function::strict("hex", (1, 1), Text, hex),
    Function::strict("unhex", (1, 1), Bytes, |a| {
        Ok(unhex(&string(&a[0])).map_or(Value::Null, Value::Bytes))
    }),
    Function::strict("bin", (1, 1), Text, |a| Ok(format!("{:b}", integer(&a[0])).into())),
];

/// A float, or NULL where there is none: MySQL knows no infinity.
fn real(value: f64) -> Answer {
    Ok(if value.is_finite() { Value::Double(value) } else { Value::Null })
}

fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}

fn whole(value: &Value, round: fn(f64) -> f64) -> Answer {
    Ok(match value {
        Value::Int(v) => Value::Int(*v),
        other => Value::Int(round(double(other)) as i64),
    })
}

fn to_digits(arguments: &[Value], round: fn(f64) -> f64) -> Answer {
    let digits = arguments.get(1).map_or(0, integer).clamp(-DIGITS_MAX, DIGITS_MAX);
    if let (Value::Int(v), 0..) = (&arguments[0], digits) {
        return Ok(Value::Int(*v));
    }
    let scale = 10_f64.powi(digits as i32);
    let scaled = double(&arguments[0]) * scale;
    let rounded = if scaled.is_finite() { round(scaled) / scale } else { double(&arguments[0]) };
    Ok(match &arguments[0] {
        Value::Int(_) => Value::Int(rounded as i64),
        _ => Value::Double(rounded),
    })
}

/// MySQL: division by zero is NULL.
fn modulo(arguments: &[Value]) -> Answer {
    if let (Value::Int(a), Value::Int(b)) = (&arguments[0], &arguments[1]) {
        return Ok(a.checked_rem(*b).map_or(Value::Null, Value::Int));
    }
    real(double(&arguments[0]) % double(&arguments[1]))
}

fn divide(arguments: &[Value]) -> Answer {
    real(double(&arguments[0]) / double(&arguments[1]))
}

fn integer_divide(arguments: &[Value]) -> Answer {
    if let (Value::Int(a), Value::Int(b)) = (&arguments[0], &arguments[1]) {
        return Ok(a.checked_div(*b).map_or(Value::Null, Value::Int));
    }
    let quotient = double(&arguments[0]) / double(&arguments[1]);
    Ok(if quotient.is_finite() { Value::Int(quotient.trunc() as i64) } else { Value::Null })
}

fn decimal(arguments: &[Value]) -> Answer {
    let digits = usize::try_from(integer(&arguments[1]).clamp(0, DIGITS_MAX)).unwrap_or(0);
    if let (Value::Int(v), 0) = (&arguments[0], digits) {
        return Ok(v.to_string().into());
    }
    Ok(format!("{:.digits$}", double(&arguments[0])).into())
}

/// `1,234.50`
fn format(arguments: &[Value]) -> Answer {
    let digits = usize::try_from(integer(&arguments[1]).clamp(0, DIGITS_MAX)).unwrap_or(0);
    let plain = format!("{:.digits$}", double(&arguments[0]).abs());
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if double(&arguments[0]) < 0.0 { "-" } else { "" };
    Ok(format!("{sign}{grouped}{rest}").into())
}

fn hex(arguments: &[Value]) -> Answer {
    let bytes = match &arguments[0] {
        Value::Int(v) => return Ok(format!("{v:X}").into()),
        Value::Bytes(bytes) => bytes.clone(),
        other => string(other).into_bytes(),
    };
    Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into())
}

/// Bytes from hexadecimal digits; a missing first digit is 0.
pub(in crate::query) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let even =
        if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let pairs = even.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}
