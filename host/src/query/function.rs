//! The functions that a query may call.
//!
//! One table, in families; what is not in it does not exist for a client, whatever SQLite has. A
//! function over text counts characters, not bytes, and compares without regard to ASCII case
//! where MySQL goes by collation. To add one: write it in the file of its family and list it there.

mod logic;
mod number;
mod session;
mod text;
mod time;

use std::sync::Arc;
use std::time::Duration;

use quorate_wire::{ColumnType, Failure, Value};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Result};

use super::guard::Guard;
use super::table;
use super::{Scope, failure};
pub(super) use number::unhex;

/// Longest text or row in a query, in bytes; a longer one fails it.
pub(super) const VALUE_BYTES_MAX: usize = 16 << 20;
/// Any number of arguments.
const MANY: usize = 1000;
/// Longest `SLEEP`, before the deadline of the query cuts it anyway.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

type Answer = std::result::Result<Value, Failure>;

/// An entry of the table.
pub(super) struct Function {
    /// In lower case. A name with a blank is an operator's, out of reach for clients.
    pub(super) name: &'static str,
    /// Fewest and most arguments.
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) returns: Returns,
    pub(super) body: Body,
}

/// The type of a result.
#[derive(Clone, Copy)]
pub(super) enum Returns {
    Fixed(ColumnType),
    /// That of the arguments from this position on.
    Arguments(usize),
    /// As the values turn out.
    Observed,
}

/// How a function is computed.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// Known when the query begins; becomes a parameter.
    Session(fn(&Scope) -> Value),
    /// SQLite's own, by this name.
    Native(&'static str),
    /// The one without arguments, the other with some.
    Either(fn(&Scope) -> Value, fn(&[Value]) -> Answer),
    /// Ours; NULL if an argument is.
    Strict(fn(&[Value]) -> Answer),
    /// Ours; sees NULLs.
    Loose(fn(&[Value]) -> Answer),
    /// `DATE_ADD` (+1) and `DATE_SUB` (-1), whose last argument is an interval; SQLite is given
    /// date, amount and unit.
    Shift(i64),
    Sleep,
}

impl Function {
    const fn new(name: &'static str, arity: (usize, usize), returns: Returns, body: Body) -> Self {
        Self { name, least: arity.0, most: arity.1, returns, body }
    }

    const fn strict(
        name: &'static str,
        arity: (usize, usize),
        returns: ColumnType,
        body: fn(&[Value]) -> Answer,
    ) -> Self {
        Self::new(name, arity, Returns::Fixed(returns), Body::Strict(body))
    }

    const fn loose(
        name: &'static str,
        arity: (usize, usize),
        returns: Returns,
        body: fn(&[Value]) -> Answer,
    ) -> Self {
        Self::new(name, arity, returns, Body::Loose(body))
    }

    const fn native(
        name: &'static str,
        arity: (usize, usize),
        returns: Returns,
        sqlite: &'static str,
    ) -> Self {
        Self::new(name, arity, returns, Body::Native(sqlite))
    }

    const fn session(
        name: &'static str,
        most: usize,
        returns: ColumnType,
        value: fn(&Scope) -> Value,
    ) -> Self {
        Self::new(name, (0, most), Returns::Fixed(returns), Body::Session(value))
    }
}

const FAMILIES: [&[Function]; 5] =
    [session::FUNCTIONS, logic::FUNCTIONS, text::FUNCTIONS, number::FUNCTIONS, time::FUNCTIONS];

/// The function of that name, in lower case.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FAMILIES.into_iter().flatten().find(|function| function.name == name)
}

/// Makes a function of ours callable in `connection`.
pub(super) fn register(connection: &Connection, name: &str, guard: &Arc<Guard>) -> Result<()> {
    let Some(function) = find(name) else { return Ok(()) };
    let body = function.body;
    let least = function.least;
    let guard = guard.clone();
    let pure = !matches!(body, Body::Sleep) && name != "rand";
    let flags = if pure { FunctionFlags::SQLITE_DETERMINISTIC } else { FunctionFlags::empty() };
    connection.create_scalar_function(
        name,
        -1,
        FunctionFlags::SQLITE_UTF8 | flags,
        move |context| {
            let arguments: Vec<Value> = context.iter().map(table::value).collect();
            debug_assert!(arguments.len() >= least, "the rewriter counts arguments");
            let strict = !matches!(body, Body::Loose(_));
            if strict && arguments.contains(&Value::Null) {
                return Ok(Answered(Value::Null));
            }
            let answer = match body {
                Body::Strict(body) | Body::Loose(body) | Body::Either(_, body) => body(&arguments),
                Body::Shift(sign) => time::shift(sign, &arguments),
                Body::Sleep => sleep(&guard, &arguments[0]),
                Body::Session(_) | Body::Native(_) => Ok(Value::Null),
            };
            answer.map(Answered).map_err(|failure| guard.stop(failure))
        },
    )
}

/// MySQL: `SLEEP` answers 0 after the time is up.
fn sleep(guard: &Guard, seconds: &Value) -> Answer {
    let seconds = double(seconds).clamp(0.0, SLEEP_MAX.as_secs_f64());
    guard.sleep(Duration::from_secs_f64(seconds))?;
    Ok(Value::Int(0))
}

/// A result on its way into SQLite.
struct Answered(Value);

impl ToSql for Answered {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(table::sqlite(&self.0))
    }
}

/// `GROUP_CONCAT` with one separator; SQLite orders and deduplicates what comes in.
struct Concatenation {
    separator: String,
    guard: Arc<Guard>,
}

/// Makes `GROUP_CONCAT` with `separator` callable in `connection`, as `name`.
pub(super) fn register_concat(
    connection: &Connection,
    name: &str,
    separator: &str,
    guard: &Arc<Guard>,
) -> Result<()> {
    let aggregate = Concatenation { separator: separator.to_owned(), guard: guard.clone() };
    connection.create_aggregate_function(name, 1, FunctionFlags::SQLITE_UTF8, aggregate)
}

impl Aggregate<Option<String>, Option<String>> for Concatenation {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<String>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, joined: &mut Option<String>) -> Result<()> {
        let Some(next) = text(&table::value(context.get_raw(0))) else { return Ok(()) };
        let separator = if joined.is_none() { "" } else { &self.separator };
        let whole = joined.get_or_insert_default();
        let added = separator.len() + next.len();
        if whole.len() + added > VALUE_BYTES_MAX {
            return Err(self.guard.stop(failure::memory(VALUE_BYTES_MAX)));
        }
        self.guard.charge(added).map_err(|failure| self.guard.stop(failure))?;
        whole.push_str(separator);
        whole.push_str(&next);
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        joined: Option<Option<String>>,
    ) -> Result<Option<String>> {
        let joined = joined.flatten();
        self.guard.release(joined.as_ref().map_or(0, String::len));
        Ok(joined)
    }
}

/// A value as text; bytes that are no text lose what is not. `None` for NULL.
fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Int(v) => v.to_string(),
        Value::UInt(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::Text(v) => v.clone(),
        Value::Bytes(v) => String::from_utf8_lossy(v).into_owned(),
    })
}

/// A value as text, for functions that do not see NULL.
fn string(value: &Value) -> String {
    text(value).unwrap_or_default()
}

/// A value as a number; text counts as far as it is one, as in MySQL.
fn double(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Int(v) => *v as f64,
        Value::UInt(v) => *v as f64,
        Value::Double(v) => *v,
        Value::Text(_) | Value::Bytes(_) => {
            let text = string(value);
            let text = text.trim_start();
            let mut end = 0;
            for (at, c) in text.char_indices() {
                let next = at + c.len_utf8();
                let goes_on = c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
                if !goes_on {
                    break;
                }
                if text[..next].parse::<f64>().is_ok() {
                    end = next;
                }
            }
            text[..end].parse().unwrap_or(0.0)
        }
    }
}

/// A value as a whole number, rounded.
fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(v) => *v,
        Value::Text(v) if v.parse::<i64>().is_ok() => v.parse().unwrap_or(0),
        // `as` saturates.
        other => double(other).round() as i64,
    }
}
