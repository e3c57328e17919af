//! Runs a plan on a SQLite connection of its own.

use std::sync::Arc;

use quorate_wire::{Column, ColumnType, Failure, Rows, Value};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Statement};

use super::guard::Guard;
use super::rewrite::{self, Plan};
use super::table::{self, Cell, Source};
use super::{Limits, PROGRESS_OPERATIONS, Relations, SQL_BYTES_MAX, failure, function};

/// Most columns of a result.
const COLUMNS_MAX: i32 = 1000;
/// Deepest expression that SQLite compiles. Ours are parenthesised, which costs it no depth.
const EXPRESSION_DEPTH_MAX: i32 = 1000;
/// Longest pattern of LIKE, in bytes: matching takes time without looking at the deadline.
const PATTERN_BYTES_MAX: i32 = 4096;

/// Runs `plan` to its end.
pub(super) fn run(
    plan: &Plan,
    relations: &Arc<dyn Relations>,
    limits: &Limits,
    guard: &Arc<Guard>,
) -> Result<Rows, Failure> {
    let failed = |error: rusqlite::Error| guard.failure(&error);
    let connection = open(plan, relations, guard).map_err(failed)?;
    let mut statement = connection.prepare(&plan.sql).map_err(failed)?;
    let names = names(plan, &statement);
    // What was left out of the tree again (a placeholder in a clause of no use) needs no value.
    let wanted = statement.parameter_count();
    for (index, value) in plan.parameters.iter().enumerate().take(wanted) {
        statement.raw_bind_parameter(index + 1, Cell(value)).map_err(failed)?;
    }
    let mut rows = Vec::new();
    let mut cursor = statement.raw_query();
    while let Some(row) = cursor.next().map_err(failed)? {
        if rows.len() == limits.rows_max {
            return Err(failure::rows(limits.rows_max));
        }
        let mut values = Vec::with_capacity(names.len());
        for index in 0..names.len() {
            values.push(table::value(row.get_ref(index).map_err(failed)?));
        }
        guard.charge(size_of::<Vec<Value>>() + values.iter().map(table::size).sum::<usize>())?;
        rows.push(values);
    }
    Ok(settled(plan, names, rows))
}

/// Prepares `plan` and tells its columns.
pub(super) fn describe(
    plan: &Plan,
    relations: &Arc<dyn Relations>,
    guard: &Arc<Guard>,
) -> Result<Vec<Column>, Failure> {
    let failed = |error: rusqlite::Error| guard.failure(&error);
    let connection = open(plan, relations, guard).map_err(failed)?;
    let statement = connection.prepare(&plan.sql).map_err(failed)?;
    Ok(settled(plan, names(plan, &statement), Vec::new()).columns)
}

fn open(
    plan: &Plan,
    relations: &Arc<dyn Relations>,
    guard: &Arc<Guard>,
) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_MEMORY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_in_memory_with_flags(flags)?;
    // Quoting and parentheses make the text longer than the client's.
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX as i32 * 4)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, function::VALUE_BYTES_MAX as i32)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    let watch = guard.clone();
    let stops = move || watch.check().map_err(|failure| watch.stop(failure)).is_err();
    connection.progress_handler(PROGRESS_OPERATIONS, Some(stops))?;
    let all = relations.relations();
    for &index in &plan.tables {
        let source = Source {
            relations: relations.clone(),
            relation: all[index].clone(),
            guard: guard.clone(),
        };
        table::register(&connection, &rewrite::table_name(index), source)?;
    }
    for name in &plan.functions {
        function::register(&connection, name, guard)?;
    }
    for (index, separator) in plan.separators.iter().enumerate() {
        function::register_concat(&connection, &rewrite::concat_name(index), separator, guard)?;
    }
    Ok(connection)
}

/// What the columns are called: as worked out from the tree, or else as SQLite has it.
fn names(plan: &Plan, statement: &Statement<'_>) -> Vec<String> {
    match &plan.outputs {
        Some(outputs) if outputs.len() == statement.column_count() => {
            outputs.iter().map(|output| output.name.clone()).collect()
        }
        _ => statement.column_names().map(str::to_owned).collect(),
    }
}

/// Gives each column one type that all of its values have.
fn settled(plan: &Plan, names: Vec<String>, mut rows: Vec<Vec<Value>>) -> Rows {
    let outputs = plan.outputs.as_ref().filter(|outputs| outputs.len() == names.len());
    let mut columns = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let told = outputs.and_then(|outputs| outputs[index].column_type);
        let column_type = widened(told, rows.iter().map(|row| &row[index]));
        for row in &mut rows {
            convert(&mut row[index], column_type);
        }
        columns.push(Column { name, column_type });
    }
    Rows { columns, rows }
}

/// `told`, or the narrowest type beyond it that holds the values; text when nothing tells.
fn widened<'a>(told: Option<ColumnType>, values: impl Iterator<Item = &'a Value>) -> ColumnType {
    use ColumnType as T;
    let mut found = told;
    for value in values {
        found = Some(match (found, value) {
            (Some(column_type), Value::Null) => column_type,
            (None, Value::Null) => continue,
            (Some(T::Bytes), _) | (_, Value::Bytes(_)) => T::Bytes,
            (None, Value::Int(_)) => T::Int,
            (None, Value::Double(_)) => T::Double,
            (None, _) => T::Text,
            (Some(T::UInt), Value::Int(v)) if *v < 0 => T::Int,
            (Some(T::UInt), Value::Text(v)) if v.parse::<u64>().is_ok() => T::UInt,
            (Some(T::Int | T::UInt), Value::Double(_)) => T::Double,
            (Some(T::Int | T::UInt | T::Double), Value::Text(_)) => T::Text,
            (Some(column_type), _) => column_type,
        });
    }
    found.unwrap_or(T::Text)
}

fn convert(value: &mut Value, column_type: ColumnType) {
    use ColumnType as T;
    let new = match (column_type, &*value) {
        (_, Value::Null) => return,
        (T::UInt, Value::Int(v)) => Value::UInt(v.unsigned_abs()),
        (T::UInt, Value::Text(v)) => Value::UInt(v.parse().unwrap_or_default()),
        (T::Double, Value::Int(v)) => Value::Double(*v as f64),
        (T::Int | T::UInt | T::Double, _) => return,
        (T::Bytes, Value::Text(v)) => Value::Bytes(v.as_bytes().to_vec()),
        (T::Bytes, Value::Int(v)) => Value::Bytes(v.to_string().into_bytes()),
        (T::Bytes, Value::Double(v)) => Value::Bytes(v.to_string().into_bytes()),
        (_, Value::Int(v)) => Value::Text(v.to_string()),
        (_, Value::Double(v)) => Value::Text(v.to_string()),
        _ => return,
    };
    *value = new;
}
