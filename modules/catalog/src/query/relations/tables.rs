//! Rows about databases, tables and views as wholes.

use quorate_guest::Value;
use quorate_sql::{DistributionMethod, KeyKind, Property, quote_ident};

use super::super::partitions::{distribution_key, partition_key};
use super::super::{CHARSET, COLLATION};
use super::{DEF, Item, Row, SYSTEM_VIEW, Subject};
use crate::calendar::timestamp_text;
use crate::model::{Object, ObjectKind, Table};

pub(super) fn schemata(name: &str) -> Row {
    vec![DEF.into(), name.into(), CHARSET.into(), COLLATION.into(), Value::Null]
}

pub(super) fn tables(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let (table_type, engine, created, changed, comment) = match subject.item {
        Item::Relation(_) => {
            (SYSTEM_VIEW, Value::from("MEMORY"), Value::Null, Value::Null, Value::from(""))
        }
        Item::Object(_, object) => {
            let (created, changed) = object.stamps();
            let time = |stamp: crate::model::Stamp| Value::from(timestamp_text(stamp.time_us));
            let table = object.kind() == ObjectKind::Table;
            let engine = if table { "StarRocks".into() } else { Value::from("") };
            let kind = object.kind().table_type();
            (kind, engine, time(created), time(changed), object.comment().into())
        }
    };
    let stored = table_type == ObjectKind::Table.table_type();
    let number = || if stored { Value::Int(0) } else { Value::Null };
    rows.push(vec![
        DEF.into(),
        subject.schema.into(),
        subject.name().into(),
        table_type.into(),
        engine,
        Value::Null,
        if stored { "".into() } else { Value::Null },
        number(),
        number(),
        number(),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        created,
        changed,
        Value::Null,
        COLLATION.into(),
        Value::Null,
        Value::Null,
        comment,
    ]);
}

pub(super) fn views(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, Object::View(view)) = subject.item else { return };
    rows.push(vec![
        DEF.into(),
        subject.schema.into(),
        view.name.as_str().into(),
        view.query.as_str().into(),
        "NONE".into(),
        "NO".into(),
        "".into(),
        "NONE".into(),
        CHARSET.into(),
        COLLATION.into(),
    ]);
}

pub(super) fn tables_config(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, Object::Table(table)) = subject.item else { return };
    let keys = quoted(table.key_columns().map(|column| column.name.as_str()));
    let primary = matches!(table.key, KeyKind::Primary | KeyKind::Unique);
    let sort_key = match table.order_by.is_empty() {
        false => quoted(table.order_by.iter().map(String::as_str)),
        true if primary => String::new(),
        true => keys.clone(),
    };
    let (kind, key) = match &table.distribution.method {
        DistributionMethod::Hash(_) => ("HASH", distribution_key(table)),
        DistributionMethod::Random => ("RANDOM", String::new()),
    };
    rows.push(vec![
        subject.schema.into(),
        table.name.as_str().into(),
        "OLAP".into(),
        table.key.table_model().into(),
        if primary { keys.into() } else { "".into() },
        partition_columns(table).into(),
        key.into(),
        kind.into(),
        table.distribution.buckets.map_or(0, i64::from).into(),
        sort_key.into(),
        json(&table.properties).into(),
        table.id.cast_signed().into(),
    ]);
}

fn partition_columns(table: &Table) -> String {
    let columns = table.partitioning.iter().all(|partitioning| {
        let plain = |key| matches!(key, &quorate_sql::PartitionTerm::Column(_));
        partitioning.keys.iter().all(plain)
    });
    match columns {
        true => quoted(partition_key(table).split(", ").filter(|name| !name.is_empty())),
        false => partition_key(table),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(quote_ident).collect::<Vec<_>>().join(", ")
}

/// Properties as a JSON object.
fn json(properties: &[Property]) -> String {
    let mut out = String::from("{");
    for (at, property) in properties.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        json_string(&property.key, &mut out);
        out.push(':');
        json_string(&property.value, &mut out);
    }
    out.push('}');
    out
}

fn json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What the second version adds: one line for each table and view.
#[cfg(feature = "v2")]
pub(super) fn table_summary(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(_, object) = subject.item else { return };
    let columns = match object {
        Object::Table(table) => table.columns.len(),
        Object::View(view) => view.columns.len(),
    };
    let (created, _) = object.stamps();
    rows.push(vec![
        subject.schema.into(),
        object.name().into(),
        Value::Int(columns as i64),
        created.lsn.cast_signed().into(),
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_escapes_what_would_break_it() {
        let property = Property { key: "a\"b".into(), value: "c\\d\n\u{1}ü".into() };
        assert_eq!(json(&[property]), r#"{"a\"b":"c\\d\n\u0001ü"}"#);
        assert_eq!(json(&[]), "{}");
    }
}
