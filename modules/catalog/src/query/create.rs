//! `SHOW CREATE ..`: records back to the syntax tree, which prints itself.

use quorate_guest::{Failure, Reply};
use quorate_sql::{
    ColumnDef, CreateOf, CreateTable, CreateView, DatabaseName, ObjectName, Partition as Item,
    PartitionBy, PartitionItem, PartitionValues, TableKey, quote_ident,
};

use super::answer::Answer;
use super::columns::{Found, find};
use super::relations::{self, Relation};
use super::{CHARSET, COLLATION, is_information_schema};
use crate::evaluate::Scope;
use crate::keys;
use crate::model::{Column, Extent, Object, Partition, PartitionMethod, Table, View};
use crate::query::partitions;
use crate::refusal;

pub(super) fn show(scope: &Scope<'_>, of: &CreateOf) -> Result<Reply, Failure> {
    match of {
        CreateOf::Database(name) => database(scope, name),
        CreateOf::Table(name) => match find(scope, name)? {
            Found::Object(Object::Table(table)) => {
                let place = (database_id(scope, name)?, table.id);
                let partitions = keys::partitions(scope.store, place, false);
                let text = format!("{};", statement(&table, partitions));
                let mut answer = Answer::new(&["Table", "Create Table"]);
                answer.push(vec![table.name.as_str().into(), text.into()]);
                answer.reply(None)
            }
            Found::Object(Object::View(view)) => show_view(&view),
            Found::Relation(relation) => {
                let mut answer = Answer::new(&["Table", "Create Table"]);
                answer.push(vec![relation.name.into(), relation_text(relation).into()]);
                answer.reply(None)
            }
        },
        CreateOf::View(name) => match find(scope, name)? {
            Found::Object(Object::View(view)) => show_view(&view),
            _ => Err(refusal::wrong_object(&name.name, "VIEW")),
        },
    }
}

fn database(scope: &Scope<'_>, name: &DatabaseName) -> Result<Reply, Failure> {
    let name = scope.database_name(Some(name))?;
    let mut text = format!("CREATE DATABASE {}", quote_ident(&name));
    if !is_information_schema(&name) {
        let database = keys::database(scope.store, &name)
            .ok_or_else(|| refusal::unknown_database(&name))?;
        let properties: Vec<String> =
            database.properties.iter().map(|property| property.to_string()).collect();
        if !properties.is_empty() {
            text.push_str("\nPROPERTIES (\n");
            text.push_str(&properties.join(",\n"));
            text.push_str("\n)");
        }
    }
    let mut answer = Answer::new(&["Database", "Create Database"]);
    answer.push(vec![name.into(), text.into()]);
    answer.reply(None)
}

fn database_id(scope: &Scope<'_>, name: &ObjectName) -> Result<u64, Failure> {
    let database = scope.database_of(name)?;
    let found = keys::database(scope.store, &database);
    found.map(|found| found.id).ok_or_else(|| refusal::unknown_database(&database))
}

fn show_view(view: &View) -> Result<Reply, Failure> {
    let mut answer = Answer::new(&[
        "View", "Create View", "character_set_client", "collation_connection",
    ]);
    let text = format!("{};", view_statement(view));
    answer.push(vec![view.name.as_str().into(), text.into(), CHARSET.into(), COLLATION.into()]);
    answer.reply(None)
}

fn named(name: &str) -> ObjectName {
    ObjectName { catalog: None, database: None, name: name.to_owned() }
}

/// The statement that creates the view.
pub(super) fn view_statement(view: &View) -> CreateView {
    CreateView {
        name: named(&view.name),
        or_replace: false,
        if_not_exists: false,
        columns: view.columns.clone(),
        comment: Some(view.comment.clone()).filter(|comment| !comment.is_empty()),
        query: view.query.clone(),
    }
}

/// The statement that creates the table.
pub(crate) fn statement(table: &Table, partitions: Vec<Partition>) -> CreateTable {
    CreateTable {
        name: named(&table.name),
        external: false,
        if_not_exists: false,
        columns: table.columns.iter().map(definition).collect(),
        indexes: table.indexes.clone(),
        engine: Some("OLAP".to_owned()),
        charset: None,
        collation: None,
        key: Some(TableKey {
            kind: table.key,
            columns: table.key_columns().map(|column| column.name.clone()).collect(),
        }),
        comment: Some(table.comment.clone()).filter(|comment| !comment.is_empty()),
        partition: partition_by(table, partitions),
        distribution: Some(table.distribution.clone()),
        order_by: table.order_by.clone(),
        rollups: table.rollups.clone(),
        properties: table.properties.clone(),
    }
}

fn definition(column: &Column) -> ColumnDef {
    ColumnDef {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        charset: None,
        key: false,
        aggregate: column.aggregate,
        nullable: Some(column.nullable),
        auto_increment: column.auto_increment,
        default: column.default.clone(),
        generated: column.generated.clone(),
        comment: Some(column.comment.clone()),
    }
}

fn partition_by(table: &Table, partitions: Vec<Partition>) -> Option<PartitionBy> {
    let partitioning = table.partitioning.as_ref()?;
    let keys = partitioning.keys.clone();
    let partitions = partitions::in_order(table, partitions).into_iter().filter_map(item).collect();
    Some(match partitioning.method {
        PartitionMethod::Range => PartitionBy::Range { keys, partitions },
        PartitionMethod::List => PartitionBy::List { keys, partitions },
        PartitionMethod::Expression => PartitionBy::Expression { keys, partitions },
    })
}

fn item(partition: Partition) -> Option<PartitionItem> {
    let values = match partition.extent {
        Extent::All => return None,
        Extent::Range { lower, upper } => PartitionValues::Range { lower, upper },
        Extent::In(rows) => PartitionValues::In(rows),
    };
    Some(PartitionItem::One(Item {
        name: partition.name,
        if_not_exists: false,
        values,
        properties: partition.properties,
    }))
}

fn relation_text(relation: &Relation) -> String {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|(name, column_type)| {
            format!("  {} {} NULL COMMENT \"\"", quote_ident(name), relations::data_type(*column_type))
        })
        .collect();
    let name = quote_ident(relation.name);
    format!("CREATE TABLE {name} (\n{}\n) ENGINE=SCHEMA ;", columns.join(",\n"))
}
