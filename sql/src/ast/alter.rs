//! `ALTER TABLE` and its actions.

use crate::ast::{ColumnDef, Distribution, IndexDef, ObjectName, PartitionItem, Property, Rollup};

/// `ALTER TABLE name action [, action ..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterTable {
    /// The table.
    pub name: ObjectName,
    /// At least one action, to be done in order, all or none.
    pub actions: Vec<AlterAction>,
}

/// One change of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterAction {
    /// `ADD COLUMN definition [FIRST | AFTER column]`.
    AddColumn {
        /// The new column.
        column: Box<ColumnDef>,
        /// Where it goes; at the end when not written.
        position: Option<ColumnPosition>,
    },
    /// `ADD COLUMN (definition, ..)`.
    AddColumns(Vec<ColumnDef>),
    /// `DROP COLUMN name`.
    DropColumn(String),
    /// `MODIFY COLUMN definition [FIRST | AFTER column]`.
    ModifyColumn {
        /// The column's new definition.
        column: Box<ColumnDef>,
        /// Where it goes; stays when not written.
        position: Option<ColumnPosition>,
    },
    /// `MODIFY COLUMN name COMMENT ..`.
    ModifyColumnComment {
        /// The column.
        name: String,
        /// Its new comment.
        comment: String,
    },
    /// `RENAME COLUMN from TO to`.
    RenameColumn {
        /// The present name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `ORDER BY (columns)`: a new order of the columns, or a new sort key.
    OrderBy(Vec<String>),
    /// `RENAME new_name`.
    Rename(String),
    /// `SWAP WITH other`: both tables exchange their names.
    SwapWith(String),
    /// `SET ("key" = "value", ..)`.
    SetProperties(Vec<Property>),
    /// `COMMENT = ..`.
    SetComment(String),
    /// `DISTRIBUTED BY ..`.
    SetDistribution(Distribution),
    /// `ADD [TEMPORARY] PARTITION ..`, or `ADD PARTITIONS START .. END .. EVERY ..`.
    AddPartition {
        /// Not visible until it replaces another.
        temporary: bool,
        /// The partition or the batch.
        partition: PartitionItem,
        /// `DISTRIBUTED BY ..` of its own.
        distribution: Option<Distribution>,
        /// Properties behind the distribution.
        properties: Vec<Property>,
    },
    /// `DROP [TEMPORARY] PARTITION [IF EXISTS] name [FORCE]`.
    DropPartition {
        /// A temporary one.
        temporary: bool,
        /// A missing one is no error.
        if_exists: bool,
        /// The partition.
        name: String,
        /// Not to be recovered afterwards.
        force: bool,
    },
    /// `RENAME PARTITION from to`.
    RenamePartition {
        /// The present name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `ADD INDEX ..`.
    AddIndex(IndexDef),
    /// `DROP INDEX name`.
    DropIndex(String),
    /// `ADD ROLLUP ..`.
    AddRollup(Rollup),
    /// `DROP ROLLUP name`.
    DropRollup(String),
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnPosition {
    /// `FIRST`.
    First,
    /// `AFTER column`.
    After(String),
}
