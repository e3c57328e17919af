//! `SHOW` and `DESC` of what the catalog holds.

use crate::ast::{DatabaseName, Filter, ObjectName};

/// `SHOW ..` of something in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// `SHOW CATALOGS`.
    Catalogs(Option<ShowFilter>),
    /// `SHOW DATABASES [FROM catalog]`.
    Databases {
        /// The catalog, the current one when not written.
        catalog: Option<String>,
        /// Which rows.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [FULL] TABLES`.
    Tables(ShowTables),
    /// `SHOW TABLE STATUS`.
    TableStatus {
        /// The database, the current one when not written.
        database: Option<DatabaseName>,
        /// Which rows.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [FULL] COLUMNS`.
    Columns(ShowColumns),
    /// `SHOW CREATE ..`.
    Create(CreateOf),
    /// `SHOW INDEX FROM table [FROM database] [WHERE]`.
    Index {
        /// The table; a `FROM database` is part of its name.
        table: ObjectName,
        /// Which rows.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [TEMPORARY] PARTITIONS FROM table`.
    Partitions {
        /// Temporary partitions instead of the others.
        temporary: bool,
        /// The table.
        table: ObjectName,
        /// Which rows, and in which order.
        tail: Tail,
    },
    /// `SHOW ALTER TABLE kind`.
    Alter {
        /// Which jobs.
        job: AlterJob,
        /// The database, the current one when not written.
        database: Option<DatabaseName>,
        /// Which rows, and in which order.
        tail: Tail,
    },
}

/// `SHOW [FULL] TABLES [FROM database] [LIKE | WHERE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowTables {
    /// With the kind of each table.
    pub full: bool,
    /// The database, the current one when not written.
    pub database: Option<DatabaseName>,
    /// Which rows.
    pub filter: Option<ShowFilter>,
}

/// `SHOW [FULL] COLUMNS FROM table [FROM database] [LIKE | WHERE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShowColumns {
    /// With collation, privileges and comment.
    pub full: bool,
    /// The table; a `FROM database` is part of its name.
    pub table: ObjectName,
    /// Which rows.
    pub filter: Option<ShowFilter>,
}

/// What `SHOW CREATE` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOf {
    /// `SHOW CREATE TABLE`.
    Table(ObjectName),
    /// `SHOW CREATE VIEW`.
    View(ObjectName),
    /// `SHOW CREATE DATABASE`.
    Database(DatabaseName),
}

/// The kinds of job `SHOW ALTER TABLE` tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlterJob {
    /// `COLUMN`: schema changes.
    Column,
    /// `ROLLUP`: rollups being built.
    Rollup,
    /// `OPTIMIZE`: changes of distribution, partitioning or sort key.
    Optimize,
}

impl AlterJob {
    /// All of them.
    pub const ALL: [AlterJob; 3] = [AlterJob::Column, AlterJob::Rollup, AlterJob::Optimize];

    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            AlterJob::Column => "COLUMN",
            AlterJob::Rollup => "ROLLUP",
            AlterJob::Optimize => "OPTIMIZE",
        }
    }
}

/// Which rows of a `SHOW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShowFilter {
    /// `LIKE pattern`, applied to the first column. See [`crate::like_match`].
    Like(String),
    /// `WHERE condition`, applied to the columns of the answer.
    Where(Filter),
}

/// `[WHERE ..] [ORDER BY ..] [LIMIT ..]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Which rows.
    pub filter: Option<Filter>,
    /// The order, the most significant column first.
    pub order_by: Vec<OrderBy>,
    /// How many rows.
    pub limit: Option<Limit>,
}

/// `column [ASC | DESC]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// A column of the answer.
    pub column: String,
    /// Greatest first.
    pub descending: bool,
}

/// `LIMIT [offset,] count` or `LIMIT count OFFSET offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Rows to skip.
    pub offset: u64,
    /// Rows to return at most.
    pub count: u64,
}

/// `DESC table [ALL | column]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Describe {
    /// The table.
    pub table: ObjectName,
    /// `ALL`: with its rollups.
    pub all: bool,
    /// Only this column.
    pub column: Option<String>,
}
