//! Statements about the life of modules.

use std::fmt;

/// Changes or shows which module is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleStatement {
    /// `INSTALL MODULE FROM 'file'`.
    Install {
        /// Path of the file on the frontend that has the client.
        file: String,
    },
    /// `SHOW MODULES`.
    Show,
    /// `SHOW MODULE HISTORY`.
    History,
    /// `CHECK MODULE 'name@version' [LIMIT n]`.
    Check {
        /// The installed module.
        module: ModuleVersion,
        /// How many of the newest entries of the log it is tried with.
        limit: Option<u64>,
    },
    /// `ACTIVATE MODULE 'name@version' [FORCE]`.
    Activate {
        /// The installed module.
        module: ModuleVersion,
        /// `FORCE`: even when the check refuses it.
        force: bool,
    },
    /// `ROLLBACK MODULE`: activate the previous one.
    Rollback,
}

/// `name@version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModuleVersion {
    /// The module's name, without `@`.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
