//! Changes of columns. Key columns stay in front, in the order they have; what places rows stays
//! as it is.

use quorate_guest::Failure;
use quorate_sql::{AggregateType, ColumnDef, ColumnPosition, DataType, KeyKind};

use crate::define;
use crate::model::{Column, Table};
use crate::refusal;

/// The column of that name.
pub(super) fn find<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut Column, Failure> {
    let unknown = refusal::unknown_column(name, &table.name);
    match table.position(name) {
        Some(at) => table.columns.get_mut(at).ok_or(unknown),
        None => Err(unknown),
    }
}

/// `ADD COLUMN`. Without a position it goes behind the last column of its kind.
pub(super) fn add(
    table: &mut Table,
    definition: &ColumnDef,
    position: Option<&ColumnPosition>,
) -> Result<(), Failure> {
    if table.column(&definition.name).is_some() {
        return Err(refusal::duplicate_column(&definition.name));
    }
    if table.columns.len() >= define::COLUMNS_MAX {
        let message = format!("a table has at most {} columns", define::COLUMNS_MAX);
        return Err(refusal::invalid(message));
    }
    let merged = table.key == KeyKind::Aggregate;
    let dimension =
        merged && definition.aggregate.is_none() && definition.generated.is_none();
    let key = definition.key || dimension;
    if key && table.key == KeyKind::Primary {
        let message = "Can not add key column to primary key table";
        return Err(refusal::invalid(message));
    }
    let column = define::column(definition, table.key, key)?;
    if column.auto_increment && table.columns.iter().any(|column| column.auto_increment) {
        return Err(refusal::invalid("More than one AUTO_INCREMENT column defined"));
    }
    let end = if key { table.key_columns().count() } else { table.columns.len() };
    let at = place(table, position)?.unwrap_or(end);
    table.columns.insert(at, column);
    check_order(table)
}

/// `DROP COLUMN`.
pub(super) fn drop(table: &mut Table, name: &str) -> Result<(), Failure> {
    let at = table.position(name).ok_or_else(|| refusal::nothing_to_drop(name))?;
    if table.columns.len() == 1 {
        return Err(refusal::last_column());
    }
    if let Some(what) = define::places_rows(table, name) {
        return Err(refusal::invalid(format!("{what} column[{name}] cannot be dropped")));
    }
    let is = |other: &String| other.eq_ignore_ascii_case(name);
    if table.order_by.iter().any(is) {
        return Err(refusal::invalid(format!("Sort key column[{name}] cannot be dropped")));
    }
    if table.columns[at].key {
        check_drop_key(table, name)?;
    }
    table.columns.remove(at);
    for index in &mut table.indexes {
        index.columns.retain(|column| !is(column));
    }
    table.indexes.retain(|index| !index.columns.is_empty());
    for rollup in &mut table.rollups {
        rollup.columns.retain(|column| !is(column));
        rollup.duplicate_key.retain(|column| !is(column));
    }
    table.rollups.retain(|rollup| !rollup.columns.is_empty());
    Ok(())
}

/// Without one of its keys, rows of a table that merges rows would merge with others.
fn check_drop_key(table: &Table, name: &str) -> Result<(), Failure> {
    let replaces = table.columns.iter().any(|column| {
        matches!(
            column.aggregate,
            Some(AggregateType::Replace | AggregateType::ReplaceIfNotNull)
        )
    });
    let refused = match table.key {
        KeyKind::Primary | KeyKind::Unique => true,
        KeyKind::Aggregate => replaces || table.key_columns().count() == 1,
        KeyKind::Duplicate => table.key_columns().count() == 1,
    };
    match refused {
        true => {
            let model = table.key.table_model();
            let message = format!("Can not drop key column[{name}] of a {model} table");
            Err(refusal::invalid(message))
        }
        false => Ok(()),
    }
}

/// `MODIFY COLUMN`. Key and aggregation stay; the comment does when none is written.
pub(super) fn modify(
    table: &mut Table,
    definition: &ColumnDef,
    position: Option<&ColumnPosition>,
) -> Result<(), Failure> {
    let name = &definition.name;
    let old = find(table, name)?.clone();
    if definition.key && !old.key {
        return Err(refusal::invalid(format!("Can not modify value column[{name}] to key")));
    }
    if definition.aggregate.is_some() && definition.aggregate != old.aggregate {
        return Err(refusal::invalid(format!("Can not change aggregation type of column[{name}]")));
    }
    let mut definition = definition.clone();
    definition.name.clone_from(&old.name);
    definition.aggregate = old.aggregate;
    definition.auto_increment |= old.auto_increment;
    definition.generated = definition.generated.or_else(|| old.generated.clone());
    definition.comment = definition.comment.or_else(|| Some(old.comment.clone()));
    let column = define::column(&definition, table.key, old.key)?;
    if old.nullable && !column.nullable {
        let message = format!("Can not change column[{name}] from nullable to non-nullable");
        return Err(refusal::invalid(message));
    }
    if column.data_type != old.data_type {
        if let Some(what) = define::places_rows(table, name) {
            return Err(refusal::invalid(format!("Can not modify {what} column[{name}]")));
        }
        if !may_become(&old.data_type, &column.data_type) {
            let (from, to) = (&old.data_type, &column.data_type);
            return Err(refusal::invalid(format!("Can not change {from} to {to}")));
        }
    }
    *find(table, name)? = column;
    if let Some(position) = position {
        if matches!(position, ColumnPosition::After(after) if after.eq_ignore_ascii_case(name)) {
            return Err(refusal::invalid(format!("Can not move column[{name}] behind itself")));
        }
        if let Some(at) = table.position(name) {
            let column = table.columns.remove(at);
            let to = place(table, Some(position))?.unwrap_or(at);
            table.columns.insert(to, column);
        }
    }
    check_order(table)
}

/// `RENAME COLUMN`, also in everything that names the column.
pub(super) fn rename(table: &mut Table, from: &str, to: &str) -> Result<(), Failure> {
    find(table, from)?;
    if !from.eq_ignore_ascii_case(to) && table.column(to).is_some() {
        return Err(refusal::duplicate_column(to));
    }
    define::rename_column(table, from, to);
    Ok(())
}

/// `ORDER BY`: all columns, in a new order, or else the sort key.
pub(super) fn order(table: &mut Table, names: &[String]) -> Result<(), Failure> {
    if names.len() != table.columns.len() || table.key == KeyKind::Primary {
        table.order_by = define::sort_key(table, names)?;
        return Ok(());
    }
    let names = define::resolve_all(table, names)?;
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        columns.push(find(table, name)?.clone());
    }
    table.columns = columns;
    check_order(table)
}

fn place(table: &Table, position: Option<&ColumnPosition>) -> Result<Option<usize>, Failure> {
    match position {
        None => Ok(None),
        Some(ColumnPosition::First) => Ok(Some(0)),
        Some(ColumnPosition::After(name)) => match table.position(name) {
            Some(at) => Ok(Some(at + 1)),
            None => Err(refusal::unknown_column(name, &table.name)),
        },
    }
}

fn check_order(table: &Table) -> Result<(), Failure> {
    match table.columns.is_sorted_by_key(|column| !column.key) {
        true => Ok(()),
        false => Err(refusal::invalid("Invalid column order. value should be after key")),
    }
}

/// Whether StarRocks converts one type to another: what loses nothing, text that may hold the
/// value, and everything to text.
fn may_become(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        BigInt, Boolean, Char, Date, Datetime, Decimal, Double, Float, Int, Json, LargeInt,
        SmallInt, TinyInt, Varbinary, Varchar,
    };
    let integer = |data_type: &DataType| {
        [TinyInt, SmallInt, Int, BigInt, LargeInt].iter().position(|width| width == data_type)
    };
    if let (Some(from), Some(to)) = (integer(from), integer(to)) {
        return from < to;
    }
    match (from, to) {
        (Char(a) | Varchar(a), Char(b) | Varchar(b)) => a <= b,
        (Varbinary(a), Varbinary(b)) => match (a, b) {
            (_, None) => true,
            (Some(a), Some(b)) => a <= b,
            (None, Some(_)) => false,
        },
        (Decimal { precision: p, scale: s }, Decimal { precision, scale }) => {
            scale >= s && precision - scale >= p - s
        }
        (Char(_) | Varchar(_), other) => {
            integer(other).is_some() || matches!(other, Float | Double | Date | Datetime | Json)
        }
        (other, Varchar(_)) => other.may_be_key() || matches!(other, Float | Double | Json),
        (TinyInt | SmallInt | Int | BigInt, Float | Double) | (Float, Double) => true,
        (Boolean, other) => integer(other).is_some(),
        (Int, Date) | (Date, Datetime) | (Datetime, Date) => true,
        _ => false,
    }
}
