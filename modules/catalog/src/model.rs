//! What the catalog stores.
//!
//! A [`Database`] is one record. A table or view is one [`Object`]; the [`Partition`]s of a table
//! are records of their own, because there may be thousands and they come and go one by one. Names
//! are found through indexes (see [`keys`](crate::keys)); the records hold the name as written.
//!
//! Every record begins with a version byte; the golden tests below pin the bytes.

use quorate_sql::{
    AggregateType, DataType, DefaultValue, Distribution, IndexDef, KeyKind, Literal, PartitionTerm,
    PartitionValue, Property, Rollup, ViewColumn,
};

use crate::pack::{record, stored, tagged};

/// When something happened: the entry and the leader's clock in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Log sequence number.
    pub lsn: u64,
    /// Microseconds since 1970.
    pub time_us: u64,
}
record!(Stamp { lsn, time_us });

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Never used again, also not after a drop.
    pub id: u64,
    /// As written when it was created or renamed.
    pub name: String,
    /// Sorted by key.
    pub properties: Vec<Property>,
    /// When it was created.
    pub created: Stamp,
}
record!(Database { id, name, properties, created });
stored!(Database, 1);

/// A table or a view. They share one space of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A table.
    Table(Box<Table>),
    /// A view.
    View(Box<View>),
}
tagged!(Object { 0 => Table(table), 1 => View(view) });
stored!(Object, 1);

/// A table. Lists of columns elsewhere in the record spell names as [`columns`](Self::columns) do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Never used again, also not after a drop.
    pub id: u64,
    /// As written when it was created or renamed.
    pub name: String,
    /// When it was created.
    pub created: Stamp,
    /// When it was last altered.
    pub changed: Stamp,
    /// The table model.
    pub key: KeyKind,
    /// Key columns first, no name twice (in any case), never empty.
    pub columns: Vec<Column>,
    /// No name twice.
    pub indexes: Vec<IndexDef>,
    /// Empty when there is none.
    pub comment: String,
    /// `None`: one partition, named like the table.
    pub partitioning: Option<Partitioning>,
    /// How rows find their bucket.
    pub distribution: Distribution,
    /// The sort key; empty when it is the key.
    pub order_by: Vec<String>,
    /// No name twice.
    pub rollups: Vec<Rollup>,
    /// Sorted by key.
    pub properties: Vec<Property>,
}
record!(Table {
    id,
    name,
    created,
    changed,
    key,
    columns,
    indexes,
    comment,
    partitioning,
    distribution,
    order_by,
    rollups,
    properties,
});

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As written.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Part of the table's key.
    pub key: bool,
    /// How values of a key are merged, in AGGREGATE KEY tables.
    pub aggregate: Option<AggregateType>,
    /// Whether it may be null.
    pub nullable: bool,
    /// `AUTO_INCREMENT`.
    pub auto_increment: bool,
    /// The value of rows that give none. Literals are text; `None` stands for null.
    pub default: Option<DefaultValue>,
    /// The expression of a generated column.
    pub generated: Option<String>,
    /// Empty when there is none.
    pub comment: String,
}
record!(Column {
    name,
    data_type,
    key,
    aggregate,
    nullable,
    auto_increment,
    default,
    generated,
    comment,
});

/// How a table is cut into partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitioning {
    /// The kind.
    pub method: PartitionMethod,
    /// Columns and expressions, at least one.
    pub keys: Vec<PartitionTerm>,
}
record!(Partitioning { method, keys });

/// The kinds of partitioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionMethod {
    /// `RANGE (..)`.
    Range,
    /// `LIST (..)`.
    List,
    /// An expression: partitions appear as rows arrive.
    Expression,
}
tagged!(PartitionMethod { 0 => Range, 1 => List, 2 => Expression });

/// A partition of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Changes when the partition is truncated.
    pub id: u64,
    /// As written. Partition names are equal in any case.
    pub name: String,
    /// Which rows it holds.
    pub extent: Extent,
    /// Its own number of buckets, else the table's.
    pub buckets: Option<u32>,
    /// Sorted by key.
    pub properties: Vec<Property>,
    /// When it was created or truncated.
    pub created: Stamp,
}
record!(Partition { id, name, extent, buckets, properties, created });
stored!(Partition, 1);

/// Which rows a partition holds. Values are spelt in the normal form of their type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// All rows of a table without partitions.
    All,
    /// From `lower` up to `upper`, which is excluded; each as long as the partition key.
    Range {
        /// The first included.
        lower: Vec<PartitionValue>,
        /// The first excluded.
        upper: Vec<PartitionValue>,
    },
    /// These values, each as long as the partition key.
    In(Vec<Vec<Literal>>),
}
tagged!(Extent { 0 => All, 1 => Range { lower, upper }, 2 => In(rows) });

/// A view. Its query is text: whoever runs it parses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Never used again, also not after a drop.
    pub id: u64,
    /// As written when it was created.
    pub name: String,
    /// When it was created.
    pub created: Stamp,
    /// When it was last altered.
    pub changed: Stamp,
    /// Names for the columns of the query; empty when the query names them.
    pub columns: Vec<ViewColumn>,
    /// Empty when there is none.
    pub comment: String,
    /// The query as written.
    pub query: String,
}
record!(View { id, name, created, changed, columns, comment, query });

/// What the name index says of an object, so that listing names reads no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The object's id.
    pub id: u64,
    /// What it is.
    pub kind: ObjectKind,
}
record!(Entry { id, kind });
stored!(Entry, 1);

/// A table or a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A view.
    View,
}
tagged!(ObjectKind { 0 => Table, 1 => View });

impl Object {
    /// Its id.
    pub fn id(&self) -> u64 {
        match self {
            Object::Table(table) => table.id,
            Object::View(view) => view.id,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Object::Table(table) => &table.name,
            Object::View(view) => &view.name,
        }
    }

    /// What it is.
    pub fn kind(&self) -> ObjectKind {
        match self {
            Object::Table(_) => ObjectKind::Table,
            Object::View(_) => ObjectKind::View,
        }
    }

    /// When it was created and when it was last changed.
    pub fn stamps(&self) -> (Stamp, Stamp) {
        match self {
            Object::Table(table) => (table.created, table.changed),
            Object::View(view) => (view.created, view.changed),
        }
    }

    /// Its comment, empty when there is none.
    pub fn comment(&self) -> &str {
        match self {
            Object::Table(table) => &table.comment,
            Object::View(view) => &view.comment,
        }
    }
}

impl Table {
    /// The column of that name, in any case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.position(name).and_then(|at| self.columns.get(at))
    }

    /// Where the column of that name is, in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The key columns.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().take_while(|column| column.key)
    }

    /// The value of a property.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|property| property.key == key).map(|p| p.value.as_str())
    }
}

impl ObjectKind {
    /// `TABLE_TYPE` of `information_schema.tables`.
    pub fn table_type(self) -> &'static str {
        match self {
            ObjectKind::Table => "BASE TABLE",
            ObjectKind::View => "VIEW",
        }
    }
}

/// Sets properties, sorted by key, later ones over earlier ones.
pub fn set_properties(properties: &mut Vec<Property>, changes: &[Property]) {
    for change in changes {
        match properties.binary_search_by(|property| property.key.cmp(&change.key)) {
            Ok(at) => properties[at].value.clone_from(&change.value),
            Err(at) => properties.insert(at, change.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
