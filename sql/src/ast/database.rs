//! Databases.

use crate::ast::{DatabaseName, Property};

/// `CREATE DATABASE [IF NOT EXISTS] name ..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDatabase {
    /// The new database.
    pub name: DatabaseName,
    /// An existing one is no error.
    pub if_not_exists: bool,
    /// `[DEFAULT] CHARACTER SET`, which StarRocks ignores.
    pub charset: Option<String>,
    /// `[DEFAULT] COLLATE`, which StarRocks ignores.
    pub collation: Option<String>,
    /// `PROPERTIES`, in the order written.
    pub properties: Vec<Property>,
}

/// `DROP DATABASE [IF EXISTS] name [FORCE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropDatabase {
    /// The database to drop.
    pub name: DatabaseName,
    /// A missing one is no error.
    pub if_exists: bool,
    /// Not to be recovered afterwards.
    pub force: bool,
}

/// `ALTER DATABASE name ..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterDatabase {
    /// The database to change.
    pub name: DatabaseName,
    /// The change.
    pub action: DatabaseAction,
}

/// What `ALTER DATABASE` changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseAction {
    /// `RENAME new_name`.
    Rename(String),
    /// `SET ("key" = "value", ..)` or `SET PROPERTIES (..)`.
    SetProperties(Vec<Property>),
}
