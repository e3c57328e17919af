//! What the catalog logs.
//!
//! A command is a statement whose names were looked up: it holds the parts of the syntax tree that
//! say what to do, and a [`Ref`] for everything that must exist. `apply` finds the name again and
//! insists on the id, so a command that was evaluated before the object was dropped, renamed or
//! made anew is refused and never hits another object.
//!
//! Tags are append-only; the golden tests below pin the bytes.

use quorate_sql::{AlterAction, CreateTable, CreateView, Property, ViewColumn};

use crate::pack::{record, stored, tagged};

/// Something that existed when the statement was evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// The id it had.
    pub id: u64,
    /// The name it had.
    pub name: String,
}
record!(Ref { id, name });

/// A table or view that existed when the statement was evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its database.
    pub database: Ref,
    /// The table or view.
    pub object: Ref,
}
record!(Target { database, object });

/// A change of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `CREATE DATABASE`.
    CreateDatabase {
        /// The new database.
        name: String,
        /// An existing one is no error.
        if_not_exists: bool,
        /// As written.
        properties: Vec<Property>,
    },
    /// `DROP DATABASE`, with all that is in it.
    DropDatabase {
        /// The database.
        database: Ref,
        /// A missing one is no error.
        if_exists: bool,
    },
    /// `ALTER DATABASE .. RENAME`.
    RenameDatabase {
        /// The database.
        database: Ref,
        /// Its new name.
        to: String,
    },
    /// `ALTER DATABASE .. SET`.
    SetDatabaseProperties {
        /// The database.
        database: Ref,
        /// What to set.
        properties: Vec<Property>,
    },
    /// `CREATE TABLE`; of the name in `table` only the last part counts.
    CreateTable {
        /// Where.
        database: Ref,
        /// What.
        table: Box<CreateTable>,
    },
    /// `CREATE TABLE .. LIKE`. The source is read when the command is applied.
    CreateTableLike {
        /// Where.
        database: Ref,
        /// The new table.
        name: String,
        /// An existing one is no error.
        if_not_exists: bool,
        /// The table to copy.
        source: Target,
    },
    /// `ALTER TABLE`: all actions or none.
    AlterTable {
        /// The table.
        target: Target,
        /// In order.
        actions: Vec<AlterAction>,
    },
    /// `TRUNCATE TABLE`.
    TruncateTable {
        /// The table.
        target: Target,
        /// The partitions to empty; none means all.
        partitions: Vec<String>,
    },
    /// `DROP TABLE`.
    DropTable {
        /// The table.
        target: Target,
        /// A missing one is no error.
        if_exists: bool,
    },
    /// `CREATE VIEW`; of the name in `view` only the last part counts.
    CreateView {
        /// Where.
        database: Ref,
        /// What.
        view: Box<CreateView>,
    },
    /// `ALTER VIEW`.
    AlterView {
        /// The view.
        target: Target,
        /// New names for its columns.
        columns: Vec<ViewColumn>,
        /// The new query.
        query: String,
    },
    /// `DROP VIEW`.
    DropView {
        /// The view.
        target: Target,
        /// A missing one is no error.
        if_exists: bool,
    },
}
tagged!(Command {
    0 => CreateDatabase { name, if_not_exists, properties },
    1 => DropDatabase { database, if_exists },
    2 => RenameDatabase { database, to },
    3 => SetDatabaseProperties { database, properties },
    4 => CreateTable { database, table },
    5 => CreateTableLike { database, name, if_not_exists, source },
    6 => AlterTable { target, actions },
    7 => TruncateTable { target, partitions },
    8 => DropTable { target, if_exists },
    9 => CreateView { database, view },
    10 => AlterView { target, columns, query },
    11 => DropView { target, if_exists },
});
stored!(Command, 1);

#[cfg(test)]
mod tests;
