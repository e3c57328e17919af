//! From the syntax tree of a `CREATE TABLE` to the record of a table: StarRocks' rules.
//!
//! What is stored is complete and spelt one way: the model and the key are decided, defaults of
//! distribution and properties are filled in, `LESS THAN` and `START .. END .. EVERY` are ranges,
//! columns are named as they are defined. Printing a record and defining the text again gives the
//! same record (but for ids and stamps).

use std::collections::BTreeSet;

use quorate_guest::Failure;
use quorate_sql::{
    AggregateType, CreateTable, DataType, Distribution, DistributionMethod, IndexDef, KeyKind,
    PartitionBy, Property, Rollup,
};

use crate::keys::fold;
use crate::model::{self, Partition, PartitionMethod, Partitioning, Stamp, Table};
use crate::refusal;

mod columns;
mod partitions;

pub use columns::{COLUMNS_MAX, column};
pub use partitions::{Extents, key_type};

/// Most indexes of a table, and most rollups. StarRocks has no fixed bound; this one keeps a
/// record in its value.
const INDEXES_MAX: usize = 256;

/// What StarRocks sets when the client does not.
const DEFAULT_PROPERTIES: [(&str, &str); 1] = [("replication_num", "3")];

/// Where the ids and the stamps of new things come from.
pub struct Origin {
    /// The next id to give.
    pub next_id: u64,
    /// The entry being applied.
    pub stamp: Stamp,
}

impl Origin {
    /// An id that was never given before.
    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

/// The table that a statement describes, and its partitions.
///
/// # Errors
/// What StarRocks would refuse.
pub fn table(
    statement: &CreateTable,
    origin: &mut Origin,
) -> Result<(Table, Vec<Partition>), Failure> {
    if statement.external {
        return Err(refusal::unsupported("CREATE EXTERNAL TABLE"));
    }
    if let Some(engine) = statement.engine.as_ref().filter(|e| !e.eq_ignore_ascii_case("olap")) {
        return Err(refusal::unsupported(&format!("ENGINE={engine}")));
    }
    let (key, columns) = columns::columns(&statement.columns, statement.key.as_ref())?;
    let mut table = Table {
        id: origin.id(),
        name: statement.name.name.clone(),
        created: origin.stamp,
        changed: origin.stamp,
        key,
        columns,
        indexes: Vec::new(),
        comment: statement.comment.clone().unwrap_or_default(),
        partitioning: None,
        distribution: Distribution { method: DistributionMethod::Random, buckets: None },
        order_by: Vec::new(),
        rollups: Vec::new(),
        properties: properties(&statement.properties)?,
    };
    table.distribution = distribution(&table, statement.distribution.as_ref())?;
    table.order_by = sort_key(&table, &statement.order_by)?;
    table.partitioning =
        statement.partition.as_ref().map(|by| partitioning(&table, by)).transpose()?;
    for definition in &statement.indexes {
        let index = index(&table, definition)?;
        table.indexes.push(index);
    }
    for definition in &statement.rollups {
        let rollup = rollup(&table, definition)?;
        table.rollups.push(rollup);
    }
    let partitions = match &statement.partition {
        None => vec![partitions::only(&table, origin)],
        Some(by) => {
            let mut extents = Extents::new(&table, &[])?;
            let mut made = Vec::new();
            for item in by.partitions() {
                made.extend(extents.add(item, None, origin)?);
            }
            made
        }
    };
    Ok((table, partitions))
}

/// Whether the columns that place a row must be key columns.
fn places_by_key(table: &Table) -> bool {
    table.key != KeyKind::Duplicate
}

/// The name of a column as it is defined.
fn resolve(table: &Table, name: &str) -> Result<String, Failure> {
    match table.column(name) {
        Some(column) => Ok(column.name.clone()),
        None => Err(refusal::unknown_column(name, &table.name)),
    }
}

/// The names as defined, none of them twice.
pub fn resolve_all(table: &Table, names: &[String]) -> Result<Vec<String>, Failure> {
    let mut seen = BTreeSet::new();
    names
        .iter()
        .map(|name| match seen.insert(fold(name)) {
            true => resolve(table, name),
            false => Err(refusal::duplicate_column(name)),
        })
        .collect()
}

/// Checks the columns that place a row, in a partition or in a bucket.
fn check_placing(table: &Table, names: &[String], what: &str) -> Result<(), Failure> {
    for name in names {
        let column =
            table.column(name).ok_or_else(|| refusal::unknown_column(name, &table.name))?;
        if !column.data_type.may_be_key() {
            let kind = column.data_type.data_type();
            return Err(refusal::invalid(format!(
                "{what} column[{name}] cannot be of type {kind}"
            )));
        }
        if places_by_key(table) && !column.key {
            return Err(refusal::invalid(format!("{what} column[{name}] is not key column")));
        }
    }
    Ok(())
}

fn partitioning(table: &Table, by: &PartitionBy) -> Result<Partitioning, Failure> {
    let columns: Vec<String> = by.columns().into_iter().map(str::to_owned).collect();
    check_placing(table, &columns, "Partition")?;
    let method = match by {
        PartitionBy::Range { .. } => PartitionMethod::Range,
        PartitionBy::List { .. } => PartitionMethod::List,
        PartitionBy::Expression { .. } => PartitionMethod::Expression,
    };
    let mut keys = by.keys().to_vec();
    for key in &mut keys {
        for column in &table.columns {
            partitions::rename(key, &column.name, &column.name);
        }
    }
    Ok(Partitioning { method, keys })
}

/// The distribution asked for, or StarRocks' default for the model.
///
/// # Errors
/// Columns that cannot place a row.
pub fn distribution(table: &Table, asked: Option<&Distribution>) -> Result<Distribution, Failure> {
    let Some(asked) = asked else {
        let keys = table.key_columns().map(|column| column.name.clone()).collect();
        let method = match places_by_key(table) {
            true => DistributionMethod::Hash(keys),
            false => DistributionMethod::Random,
        };
        return Ok(Distribution { method, buckets: None });
    };
    let method = match &asked.method {
        DistributionMethod::Hash(names) => {
            let names = resolve_all(table, names)?;
            check_placing(table, &names, "Distribution")?;
            DistributionMethod::Hash(names)
        }
        DistributionMethod::Random => {
            let replaces = |column: &model::Column| {
                let replace = [AggregateType::Replace, AggregateType::ReplaceIfNotNull];
                column.aggregate.is_some_and(|aggregate| replace.contains(&aggregate))
            };
            let allowed = match table.key {
                KeyKind::Duplicate => true,
                KeyKind::Aggregate => !table.columns.iter().any(replaces),
                KeyKind::Primary | KeyKind::Unique => false,
            };
            if !allowed {
                let model = table.key.table_model();
                let message = format!("Random distribution is not supported for {model} tables");
                return Err(refusal::invalid(message));
            }
            DistributionMethod::Random
        }
    };
    Ok(Distribution { method, buckets: asked.buckets })
}

/// The sort key in normal form.
///
/// # Errors
/// Unknown columns, types without an order, and non-key columns where the key is sorted.
pub fn sort_key(table: &Table, names: &[String]) -> Result<Vec<String>, Failure> {
    let names = resolve_all(table, names)?;
    let keys = table.key_columns().count();
    for name in &names {
        let column = resolve(table, name).and_then(|name| {
            table.column(&name).ok_or_else(|| refusal::unknown_column(&name, &table.name))
        })?;
        if !column.data_type.may_be_key() {
            let message = format!("Sort key column[{name}] type not supported");
            return Err(refusal::invalid(message));
        }
        let merged = matches!(table.key, KeyKind::Aggregate | KeyKind::Unique);
        if merged && (!column.key || names.len() != keys) {
            let message = "The sort columns must be the same with key columns";
            return Err(refusal::invalid(message));
        }
    }
    Ok(names)
}

/// An index in normal form.
///
/// # Errors
/// A name in use, unknown columns.
pub fn index(table: &Table, definition: &IndexDef) -> Result<IndexDef, Failure> {
    let taken = table.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(&definition.name));
    if taken {
        return Err(refusal::duplicate_index(&definition.name));
    }
    if table.indexes.len() >= INDEXES_MAX {
        return Err(refusal::invalid(format!("a table has at most {INDEXES_MAX} indexes")));
    }
    let mut index = definition.clone();
    index.columns = resolve_all(table, &definition.columns)?;
    index.using = Some(definition.using.as_deref().unwrap_or("BITMAP").to_ascii_uppercase());
    index.properties = sorted(&definition.properties);
    index.comment = definition.comment.clone().filter(|comment| !comment.is_empty());
    Ok(index)
}

/// A rollup in normal form.
///
/// # Errors
/// A name in use, unknown columns, an unknown source.
pub fn rollup(table: &Table, definition: &Rollup) -> Result<Rollup, Failure> {
    let named = |name: &str| table.rollups.iter().any(|r| r.name.eq_ignore_ascii_case(name));
    if named(&definition.name) || table.name == definition.name {
        let message = format!("Duplicate index name: {}", definition.name);
        return Err(refusal::invalid(message));
    }
    if table.rollups.len() >= INDEXES_MAX {
        return Err(refusal::invalid(format!("a table has at most {INDEXES_MAX} rollups")));
    }
    if let Some(from) = definition.from.as_deref().filter(|from| !named(from))
        && from != table.name
    {
        return Err(refusal::invalid(format!("Rollup index {from} does not exist")));
    }
    let mut rollup = definition.clone();
    rollup.columns = resolve_all(table, &definition.columns)?;
    rollup.duplicate_key = resolve_all(table, &definition.duplicate_key)?;
    rollup.properties = sorted(&definition.properties);
    Ok(rollup)
}

/// The properties of a table: those given over the defaults.
fn properties(given: &[Property]) -> Result<Vec<Property>, Failure> {
    check_properties(given)?;
    let defaults = DEFAULT_PROPERTIES
        .map(|(key, value)| Property { key: key.to_owned(), value: value.to_owned() });
    let mut all = sorted(&defaults);
    model::set_properties(&mut all, given);
    Ok(all)
}

/// Checks the properties whose values mean something here.
///
/// # Errors
/// A replication number that is none.
pub fn check_properties(properties: &[Property]) -> Result<(), Failure> {
    let number = properties.iter().find(|property| property.key == "replication_num");
    match number.map(|property| property.value.parse::<u16>()) {
        Some(Err(_) | Ok(0)) => {
            Err(refusal::invalid("Replication num should be larger than 0 and a number"))
        }
        _ => Ok(()),
    }
}

/// Properties sorted by key, the last of each.
pub fn sorted(properties: &[Property]) -> Vec<Property> {
    let mut all = Vec::new();
    model::set_properties(&mut all, properties);
    all
}

/// Renames a column in everything of a table that names columns.
pub fn rename_column(table: &mut Table, from: &str, to: &str) {
    let mut lists: Vec<&mut Vec<String>> = vec![&mut table.order_by];
    if let DistributionMethod::Hash(names) = &mut table.distribution.method {
        lists.push(names);
    }
    lists.extend(table.indexes.iter_mut().map(|index| &mut index.columns));
    for rollup in &mut table.rollups {
        lists.push(&mut rollup.columns);
        lists.push(&mut rollup.duplicate_key);
    }
    for name in lists.into_iter().flatten().filter(|name| name.eq_ignore_ascii_case(from)) {
        to.clone_into(name);
    }
    for key in table.partitioning.iter_mut().flat_map(|partitioning| &mut partitioning.keys) {
        partitions::rename(key, from, to);
    }
    for column in table.columns.iter_mut().filter(|c| c.name.eq_ignore_ascii_case(from)) {
        to.clone_into(&mut column.name);
    }
}

/// Whether rows are placed by this column, so that it can neither go nor change.
pub fn places_rows(table: &Table, name: &str) -> Option<&'static str> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    if matches!(&table.distribution.method, DistributionMethod::Hash(names)
        if names.iter().any(|n| is(n)))
    {
        return Some("Distribution");
    }
    let mut keys = table.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
    keys.any(|key| partitions::columns(key).into_iter().any(is)).then_some("Partition")
}

/// Bytes of a value in a sort key, the way StarRocks counts them for a short key.
fn key_bytes(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Boolean | DataType::TinyInt => 1,
        DataType::SmallInt => 2,
        DataType::Int | DataType::Date => 4,
        DataType::BigInt | DataType::Datetime => 8,
        DataType::Char(length) => *length,
        DataType::Varchar(_) => 20,
        _ => 16,
    }
}
