//! Tables as `CREATE TABLE` describes them, and the statements that take a whole table.

use crate::ast::{DataType, Literal, ObjectName, PartitionBy, Property};

/// `CREATE [EXTERNAL] TABLE [IF NOT EXISTS] name (..) ..`, clauses in StarRocks' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTable {
    /// The new table.
    pub name: ObjectName,
    /// `EXTERNAL`.
    pub external: bool,
    /// An existing table is no error.
    pub if_not_exists: bool,
    /// At least one, in the order written.
    pub columns: Vec<ColumnDef>,
    /// `INDEX` definitions among the columns.
    pub indexes: Vec<IndexDef>,
    /// `ENGINE = ..`, in the case written.
    pub engine: Option<String>,
    /// `[DEFAULT] CHARACTER SET`.
    pub charset: Option<String>,
    /// `[DEFAULT] COLLATE`.
    pub collation: Option<String>,
    /// `PRIMARY | DUPLICATE | UNIQUE | AGGREGATE KEY (..)`.
    pub key: Option<TableKey>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `PARTITION BY ..`.
    pub partition: Option<PartitionBy>,
    /// `DISTRIBUTED BY ..`.
    pub distribution: Option<Distribution>,
    /// `ORDER BY (..)`, the sort key; empty when not written.
    pub order_by: Vec<String>,
    /// `ROLLUP (..)`.
    pub rollups: Vec<Rollup>,
    /// `PROPERTIES (..)`, in the order written.
    pub properties: Vec<Property>,
}

/// `CREATE TABLE [IF NOT EXISTS] name LIKE source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTableLike {
    /// The new table.
    pub name: ObjectName,
    /// `EXTERNAL`.
    pub external: bool,
    /// An existing table is no error.
    pub if_not_exists: bool,
    /// The table whose definition is copied.
    pub source: ObjectName,
}

/// `name type [attributes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// The column.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// `CHARACTER SET`, which StarRocks ignores.
    pub charset: Option<String>,
    /// `KEY`: part of the table's key.
    pub key: bool,
    /// How values of the same key are merged.
    pub aggregate: Option<AggregateType>,
    /// `NULL` is `Some(true)`, `NOT NULL` is `Some(false)`.
    pub nullable: Option<bool>,
    /// `AUTO_INCREMENT`.
    pub auto_increment: bool,
    /// `DEFAULT ..`.
    pub default: Option<DefaultValue>,
    /// `AS expression`, the expression as written.
    pub generated: Option<String>,
    /// `COMMENT`.
    pub comment: Option<String>,
}

/// How an AGGREGATE KEY table merges a value column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateType {
    /// `SUM`.
    Sum,
    /// `MAX`.
    Max,
    /// `MIN`.
    Min,
    /// `REPLACE`: the last one loaded.
    Replace,
    /// `REPLACE_IF_NOT_NULL`: the last one loaded that is not null.
    ReplaceIfNotNull,
    /// `HLL_UNION`.
    HllUnion,
    /// `BITMAP_UNION`.
    BitmapUnion,
    /// `PERCENTILE_UNION`.
    PercentileUnion,
}

impl AggregateType {
    /// All of them.
    pub const ALL: [AggregateType; 8] = [
        AggregateType::Sum,
        AggregateType::Max,
        AggregateType::Min,
        AggregateType::Replace,
        AggregateType::ReplaceIfNotNull,
        AggregateType::HllUnion,
        AggregateType::BitmapUnion,
        AggregateType::PercentileUnion,
    ];

    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            AggregateType::Sum => "SUM",
            AggregateType::Max => "MAX",
            AggregateType::Min => "MIN",
            AggregateType::Replace => "REPLACE",
            AggregateType::ReplaceIfNotNull => "REPLACE_IF_NOT_NULL",
            AggregateType::HllUnion => "HLL_UNION",
            AggregateType::BitmapUnion => "BITMAP_UNION",
            AggregateType::PercentileUnion => "PERCENTILE_UNION",
        }
    }
}

/// The value of a column that a row does not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// A constant.
    Literal(Literal),
    /// `CURRENT_TIMESTAMP [(digits)]`, the digits of its fraction of a second.
    CurrentTimestamp(Option<u32>),
    /// `(expression)`: the expression as written, without the parentheses.
    Expression(String),
}

/// `INDEX name (columns) [USING type] [(properties)] [COMMENT ..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDef {
    /// The index.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// `USING`: `BITMAP`, `NGRAMBF`, `GIN`, .., in the case written.
    pub using: Option<String>,
    /// Properties of the index.
    pub properties: Vec<Property>,
    /// `COMMENT`.
    pub comment: Option<String>,
}

/// `PRIMARY KEY (a, b)` and its kin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableKey {
    /// Which table model it makes.
    pub kind: KeyKind,
    /// The key columns in order.
    pub columns: Vec<String>,
}

/// The table models of StarRocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `PRIMARY KEY`: unique, updated in place.
    Primary,
    /// `DUPLICATE KEY`: rows are kept as they come.
    Duplicate,
    /// `UNIQUE KEY`: the last row wins when read.
    Unique,
    /// `AGGREGATE KEY`: rows of a key are merged.
    Aggregate,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [KeyKind; 4] =
        [KeyKind::Primary, KeyKind::Duplicate, KeyKind::Unique, KeyKind::Aggregate];

    /// The keyword before `KEY`.
    pub fn keyword(self) -> &'static str {
        match self {
            KeyKind::Primary => "PRIMARY",
            KeyKind::Duplicate => "DUPLICATE",
            KeyKind::Unique => "UNIQUE",
            KeyKind::Aggregate => "AGGREGATE",
        }
    }

    /// `TABLE_MODEL` of `information_schema.tables_config`.
    pub fn table_model(self) -> &'static str {
        match self {
            KeyKind::Primary => "PRI_KEYS",
            KeyKind::Duplicate => "DUP_KEYS",
            KeyKind::Unique => "UNQ_KEYS",
            KeyKind::Aggregate => "AGG_KEYS",
        }
    }
}

/// `DISTRIBUTED BY .. [BUCKETS n]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// How rows find their bucket.
    pub method: DistributionMethod,
    /// The number of buckets; `None` lets the system choose.
    pub buckets: Option<u32>,
}

/// How rows find their bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DistributionMethod {
    /// `HASH (columns)`.
    Hash(Vec<String>),
    /// `RANDOM`.
    Random,
}

/// A pre-aggregated or re-sorted copy of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollup {
    /// The rollup.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// `DUPLICATE KEY (..)`; empty when not written.
    pub duplicate_key: Vec<String>,
    /// `FROM rollup`: what it is built from, the table itself when not written.
    pub from: Option<String>,
    /// `PROPERTIES (..)`.
    pub properties: Vec<Property>,
}

/// `DROP TABLE [IF EXISTS] name [FORCE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropTable {
    /// The table.
    pub name: ObjectName,
    /// A missing one is no error.
    pub if_exists: bool,
    /// Not to be recovered afterwards.
    pub force: bool,
}

/// `TRUNCATE TABLE name [PARTITION (..)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncateTable {
    /// The table.
    pub name: ObjectName,
    /// The partitions to empty; none means all.
    pub partitions: Vec<String>,
}
