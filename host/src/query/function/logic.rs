//! Choice, comparison, and the aggregates and window functions that are SQLite's own.

use std::cmp::Ordering;

use quorate_wire::ColumnType::{Double, Int, Text};
use quorate_wire::Value;

use super::Returns::{Arguments, Fixed, Observed};
use super::{Answer, Body, Function, MANY, double, integer, string};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::native("if", (3, 3), Arguments(1), "iif"),
    Function::native("ifnull", (2, 2), Arguments(0), "ifnull"),
    Function::native("nvl", (2, 2), Arguments(0), "ifnull"),
    Function::native("nullif", (2, 2), Arguments(0), "nullif"),
    Function::loose("coalesce", (1, MANY), Arguments(0), coalesce),
    Function::loose("isnull", (1, 1), Fixed(Int), |a| Ok(Value::from(a[0] == Value::Null))),
    Function::new(
        "greatest",
        (2, MANY),
        Arguments(0),
        Body::Strict(|a| extreme(a, Ordering::Greater)),
    ),
    Function::new("least", (2, MANY), Arguments(0), Body::Strict(|a| extreme(a, Ordering::Less))),
    Function::loose("elt", (2, MANY), Fixed(Text), elt),
    Function::loose("field", (2, MANY), Fixed(Int), field),
    Function::loose("exclusive or", (2, 2), Fixed(Int), exclusive_or),
    Function::new("sleep", (1, 1), Fixed(Int), Body::Sleep),
    Function::native("count", (0, MANY), Fixed(Int), "count"),
    Function::native("sum", (1, 1), Arguments(0), "sum"),
    Function::native("avg", (1, 1), Fixed(Double), "avg"),
    Function::native("min", (1, 1), Arguments(0), "min"),
    Function::native("max", (1, 1), Arguments(0), "max"),
    Function::native("any_value", (1, 1), Arguments(0), "min"),
    // The rewriter makes one of these for each separator; this entry is for the type.
    Function::native("group_concat", (1, MANY), Fixed(Text), "group_concat"),
    Function::native("row_number", (0, 0), Fixed(Int), "row_number"),
    Function::native("rank", (0, 0), Fixed(Int), "rank"),
    Function::native("dense_rank", (0, 0), Fixed(Int), "dense_rank"),
    Function::native("percent_rank", (0, 0), Fixed(Double), "percent_rank"),
    Function::native("cume_dist", (0, 0), Fixed(Double), "cume_dist"),
    Function::native("ntile", (1, 1), Fixed(Int), "ntile"),
    Function::native("lag", (1, 3), Arguments(0), "lag"),
    Function::native("lead", (1, 3), Arguments(0), "lead"),
    Function::native("first_value", (1, 1), Arguments(0), "first_value"),
    Function::native("last_value", (1, 1), Arguments(0), "last_value"),
    Function::native("nth_value", (2, 2), Observed, "nth_value"),
];

fn coalesce(arguments: &[Value]) -> Answer {
    Ok(arguments.iter().find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null))
}

/// Numbers by value when all are, else everything as text.
fn extreme(arguments: &[Value], wanted: Ordering) -> Answer {
    let numeric = |v: &Value| matches!(v, Value::Int(_) | Value::UInt(_) | Value::Double(_));
    let numbers = arguments.iter().all(numeric);
    let order = |a: &Value, b: &Value| match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        _ if numbers => double(a).total_cmp(&double(b)),
        _ => string(a).cmp(&string(b)),
    };
    let best =
        arguments.iter().reduce(|best, next| if order(next, best) == wanted { next } else { best });
    Ok(best.cloned().unwrap_or(Value::Null))
}

fn elt(arguments: &[Value]) -> Answer {
    let index = usize::try_from(integer(&arguments[0])).ok().filter(|index| *index > 0);
    Ok(index.and_then(|index| arguments.get(index)).cloned().unwrap_or(Value::Null))
}

/// MySQL: NULL is found nowhere, at position 0.
fn field(arguments: &[Value]) -> Answer {
    let (wanted, list) = (&arguments[0], &arguments[1..]);
    if *wanted == Value::Null {
        return Ok(Value::Int(0));
    }
    let wanted = string(wanted);
    let found =
        list.iter().position(|v| *v != Value::Null && string(v).eq_ignore_ascii_case(&wanted));
    Ok(Value::Int(found.map_or(0, |at| at as i64 + 1)))
}

fn exclusive_or(arguments: &[Value]) -> Answer {
    if arguments.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let truth = |value: &Value| double(value) != 0.0;
    Ok(Value::from(truth(&arguments[0]) != truth(&arguments[1])))
}
