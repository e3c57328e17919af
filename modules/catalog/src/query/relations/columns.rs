//! Rows about columns, keys and indexes.

use quorate_guest::Value;
use quorate_sql::{DataType, KeyKind};

use super::super::columns::{default_value, extra, yes};
use super::super::{CHARSET, COLLATION};
use super::{DEF, Item, Row, Subject, UNKNOWN_TYPE, data_type};
use crate::model::{Column, Object, Table};

pub(super) fn columns(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    match subject.item {
        Item::Object(_, Object::Table(table)) => {
            rows.extend(table.columns.iter().enumerate().map(|(at, column)| {
                let known = Some((column, table.key));
                column_row(subject, at, &column.name, Some(&column.data_type), known)
            }));
        }
        Item::Object(_, Object::View(view)) => {
            rows.extend(view.columns.iter().enumerate().map(|(at, column)| {
                let mut row = column_row(subject, at, &column.name, None, None);
                row[COMMENT_AT] = column.comment.clone().unwrap_or_default().into();
                row
            }));
        }
        Item::Relation(relation) => {
            rows.extend(relation.columns.iter().enumerate().map(|(at, (name, column_type))| {
                column_row(subject, at, name, Some(&data_type(*column_type)), None)
            }));
        }
    }
}

/// Where `COLUMN_COMMENT` is in a row.
const COMMENT_AT: usize = 19;

fn column_row(
    subject: &Subject<'_>,
    at: usize,
    name: &str,
    data_type: Option<&DataType>,
    column: Option<(&Column, KeyKind)>,
) -> Row {
    let number = |number: Option<u32>| number.map(i64::from).into();
    let length = data_type.and_then(DataType::character_length);
    let precision = data_type.and_then(DataType::numeric_precision);
    let scale = data_type.and_then(DataType::numeric_scale);
    let textual = matches!(data_type, Some(DataType::Char(_) | DataType::Varchar(_)));
    let charset = |name: &str| if textual { Value::from(name) } else { Value::Null };
    let column = |of: &dyn Fn(&Column, KeyKind) -> Value, otherwise: &str| match column {
        Some((column, key)) => of(column, key),
        None => otherwise.into(),
    };
    let key_word = |column: &Column, key: KeyKind| match (column.key, key) {
        (false, _) => Value::from(""),
        (true, KeyKind::Primary) => "PRI".into(),
        (true, KeyKind::Unique) => "UNI".into(),
        (true, KeyKind::Aggregate) => "AGG".into(),
        (true, KeyKind::Duplicate) => "DUP".into(),
    };
    vec![
        DEF.into(),
        subject.schema.into(),
        subject.name().into(),
        name.into(),
        Value::Int(at as i64 + 1),
        column(&|column, _| default_value(column), ""),
        column(&|column, _| yes(column.nullable), "YES"),
        data_type.map_or(UNKNOWN_TYPE, DataType::data_type).into(),
        number(length),
        number(length),
        number(precision),
        number(scale),
        number(data_type.and_then(DataType::datetime_precision)),
        charset(CHARSET),
        charset(COLLATION),
        data_type.map_or(UNKNOWN_TYPE.to_owned(), ToString::to_string).into(),
        column(&key_word, ""),
        column(&|column, _| extra(column).into(), ""),
        "".into(),
        column(&|column, _| column.comment.as_str().into(), ""),
        number(precision.or(length)),
        number(scale),
        column(&|column, _| column.generated.clone().into(), ""),
        Value::Null,
    ]
}

/// The name and the kind of a table's only constraint: its key, when it is unique.
fn constraint(table: &Table) -> Option<(&'static str, &'static str)> {
    match table.key {
        KeyKind::Primary => Some(("PRIMARY", "PRIMARY KEY")),
        KeyKind::Unique => Some(("UNIQUE", "UNIQUE")),
        KeyKind::Duplicate | KeyKind::Aggregate => None,
    }
}

pub(super) fn table_constraints(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, Object::Table(table)) = subject.item else { return };
    if let Some((name, kind)) = constraint(table) {
        let (schema, table) = (subject.schema.into(), subject.name().into());
        rows.push(vec![
            DEF.into(),
            subject.schema.into(),
            name.into(),
            schema,
            table,
            kind.into(),
        ]);
    }
}

pub(super) fn key_column_usage(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, Object::Table(table)) = subject.item else { return };
    let Some((name, _)) = constraint(table) else { return };
    for (at, column) in table.key_columns().enumerate() {
        rows.push(vec![
            DEF.into(),
            subject.schema.into(),
            name.into(),
            DEF.into(),
            subject.schema.into(),
            subject.name().into(),
            column.name.as_str().into(),
            Value::Int(at as i64 + 1),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
    }
}

pub(super) fn statistics(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, Object::Table(table)) = subject.item else { return };
    let key = constraint(table).map(|(name, _)| {
        let columns: Vec<&str> = table.key_columns().map(|column| column.name.as_str()).collect();
        (name, columns, "BTREE", "")
    });
    let indexes = table.indexes.iter().map(|index| {
        let columns = index.columns.iter().map(String::as_str).collect();
        let using = index.using.as_deref().unwrap_or_default();
        (index.name.as_str(), columns, using, index.comment.as_deref().unwrap_or_default())
    });
    let unique = key.is_some();
    for (at, (name, columns, using, comment)) in key.into_iter().chain(indexes).enumerate() {
        for (position, column) in columns.into_iter().enumerate() {
            let nullable = table.column(column).is_some_and(|column| column.nullable);
            rows.push(vec![
                DEF.into(),
                subject.schema.into(),
                subject.name().into(),
                Value::Int(i64::from(!(unique && at == 0))),
                subject.schema.into(),
                name.into(),
                Value::Int(position as i64 + 1),
                column.into(),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                if nullable { "YES".into() } else { "".into() },
                using.into(),
                comment.into(),
            ]);
        }
    }
}
