//! Facts of the session and of the moment, known before the query runs.

use quorate_wire::ColumnType::{Date, DateTime, Int, Text};
use quorate_wire::Value;

use super::{Function, Scope};
use crate::query::calendar::Moment;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::session("database", 0, Text, |scope| scope.database.clone().into()),
    Function::session("schema", 0, Text, |scope| scope.database.clone().into()),
    Function::session("catalog", 0, Text, |scope| scope.catalog.as_str().into()),
    Function::session("user", 0, Text, user),
    Function::session("session_user", 0, Text, user),
    Function::session("system_user", 0, Text, user),
    Function::session("current_user", 0, Text, current_user),
    Function::session("current_role", 0, Text, |_| "NONE".into()),
    Function::session("connection_id", 0, Int, |scope| scope.connection_id.into()),
    Function::session("version", 0, Text, |scope| scope.version.as_str().into()),
    Function::session("current_version", 0, Text, |scope| scope.current_version.as_str().into()),
    Function::session("last_query_id", 0, Text, |scope| scope.last_query_id.as_str().into()),
    Function::session("last_insert_id", 0, Int, |_| Value::Int(0)),
    Function::session("found_rows", 0, Int, |_| Value::Int(0)),
    Function::session("row_count", 0, Int, |_| Value::Int(-1)),
    Function::session("now", 1, DateTime, now),
    Function::session("sysdate", 1, DateTime, now),
    Function::session("current_timestamp", 1, DateTime, now),
    Function::session("localtime", 1, DateTime, now),
    Function::session("localtimestamp", 1, DateTime, now),
    Function::session("utc_timestamp", 1, DateTime, |scope| {
        Moment::at(scope.now_us).date_time().into()
    }),
    Function::session("curdate", 0, Date, |scope| local(scope).date().into()),
    Function::session("current_date", 0, Date, |scope| local(scope).date().into()),
    Function::session("utc_date", 0, Date, |scope| Moment::at(scope.now_us).date().into()),
    Function::session("curtime", 1, Text, |scope| local(scope).time().into()),
    Function::session("current_time", 1, Text, |scope| local(scope).time().into()),
    Function::session("utc_time", 1, Text, |scope| Moment::at(scope.now_us).time().into()),
];

/// MySQL: `'user'@'host'` of the account, `user@host` of the client; StarRocks quotes both.
fn user(scope: &Scope) -> Value {
    format!("'{}'@'{}'", scope.user, scope.host).into()
}

fn current_user(scope: &Scope) -> Value {
    format!("'{}'@'%'", scope.user).into()
}

fn now(scope: &Scope) -> Value {
    local(scope).date_time().into()
}

/// The moment of the query, in the session's offset.
fn local(scope: &Scope) -> Moment {
    let offset_us = match scope.system_variables.get("time_zone") {
        Some(Value::Text(zone)) => offset_us(zone).unwrap_or(0),
        _ => 0,
    };
    Moment::at(scope.now_us.saturating_add(offset_us))
}

/// `+08:00` in microseconds.
fn offset_us(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let valid = (0..=14).contains(&hours) && (0..60).contains(&minutes);
    valid.then_some(sign * (hours * 60 + minutes) * 60_000_000)
}
