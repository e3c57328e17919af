//! The relations of information_schema, for the host's `SELECT`.
//!
//! A relation is a list of columns and a function from one subject - a database, a table, a
//! view, or one of these relations - to rows. [`scan`] walks the subjects, narrowed by what a
//! query says about the names of database and table.
//!
//! Relations that are always empty (routines, triggers, ..) are here because clients ask for them
//! and the catalog is the one to know that there are none.

use quorate_guest::{ColumnType, ReadStore, RelationColumn, Value};
use quorate_sql::DataType;

use super::INFORMATION_SCHEMA;
use crate::model::{Database, Object};

mod columns;
mod layout;
mod partitions;
mod tables;
mod walk;

pub use layout::RELATIONS;
pub use walk::scan;

/// `TABLE_TYPE` of these relations.
pub const SYSTEM_VIEW: &str = "SYSTEM VIEW";

/// The type of a view's column: that of an expression of a query nobody analyses here.
pub const UNKNOWN_TYPE: &str = "unknown";

/// `TABLE_CATALOG` of everything.
const DEF: &str = "def";

/// A row of a relation, as long as its columns.
type Row = Vec<Value>;

/// A table that `SELECT` can read.
pub struct Relation {
    /// Name in information_schema.
    pub name: &'static str,
    /// Names and types.
    pub columns: &'static [(&'static str, ColumnType)],
    rows: Rows,
}

/// Where the rows of a relation come from.
#[derive(Clone, Copy)]
enum Rows {
    /// Nowhere.
    None,
    /// Databases, by name.
    Databases(fn(&str) -> Row),
    /// Tables, views and relations.
    Objects(fn(&Subject<'_>, &mut Vec<Row>)),
}

/// What rows are made of.
struct Subject<'a> {
    store: &'a dyn ReadStore,
    /// Name of the database.
    schema: &'a str,
    item: Item<'a>,
}

/// What is in a database.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// A table or view, with its database.
    Object(&'a Database, &'a Object),
    /// One of [`RELATIONS`].
    Relation(&'static Relation),
}

impl Subject<'_> {
    fn name(&self) -> &str {
        match self.item {
            Item::Object(_, object) => object.name(),
            Item::Relation(relation) => relation.name,
        }
    }
}

impl Relation {
    /// What the host is told of it.
    pub fn describe(&self) -> quorate_guest::Relation {
        let column = |(at, (name, column_type)): (usize, &(&'static str, ColumnType))| {
            let narrows = Some(at) == self.schema_column() || Some(at) == self.table_column();
            RelationColumn {
                name: (*name).to_owned(),
                column_type: *column_type,
                constrainable: narrows,
            }
        };
        quorate_guest::Relation {
            schema: INFORMATION_SCHEMA.to_owned(),
            name: self.name.to_owned(),
            columns: self.columns.iter().enumerate().map(column).collect(),
        }
    }

    /// The column that holds the name of the database.
    fn schema_column(&self) -> Option<usize> {
        match self.rows {
            Rows::None => None,
            Rows::Databases(_) => self.position("SCHEMA_NAME"),
            Rows::Objects(_) => self.position("TABLE_SCHEMA").or_else(|| self.position("DB_NAME")),
        }
    }

    /// The column that holds the name of the table.
    fn table_column(&self) -> Option<usize> {
        match self.rows {
            Rows::Objects(_) => self.position("TABLE_NAME"),
            Rows::None | Rows::Databases(_) => None,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }
}

/// The relation of that name, in any case.
pub fn find(name: &str) -> Option<&'static Relation> {
    RELATIONS.iter().find(|relation| relation.name.eq_ignore_ascii_case(name))
}

/// The type that a client sees for a column of a relation.
pub fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Int | ColumnType::UInt => DataType::BigInt,
        ColumnType::Double => DataType::Double,
        ColumnType::Decimal => DataType::Decimal { precision: 38, scale: 0 },
        ColumnType::Bytes => DataType::Varbinary(None),
        ColumnType::Date => DataType::Date,
        ColumnType::DateTime => DataType::Datetime,
        ColumnType::Text | ColumnType::Json => DataType::STRING,
    }
}
