//! Statements about the life of modules.

use std::fmt;

/// Changes or shows which module is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleStatement {
    /// `INSTALL MODULE FROM 'file' [SIGNED BY 'file']`.
    Install {
        /// Path of the file on the frontend that has the client.
        file: String,
        /// Path of its signature file; none: the file's own with `.minisig`, if there is one.
        signature: Option<String>,
    },
    /// `SHOW MODULES`.
    List,
    /// `SHOW MODULE 'name@version'`.
    Show(ModuleVersion),
    /// `SHOW MODULE HISTORY`.
    History,
    /// `CHECK MODULE 'name@version' [LIMIT n]`.
    Check {
        /// The installed module.
        module: ModuleVersion,
        /// How many of the newest entries of the log it is tried with.
        limit: Option<u64>,
    },
    /// `ACTIVATE MODULE 'name@version' [FROM 'name@version' | FROM NONE] [FORCE | QUORUM]
    /// [AT LSN n | AFTER n SECONDS] [BREAKING 'token']`.
    Activate(ActivateModule),
    /// `ROLLBACK MODULE [FROM 'name@version'] [FORCE | QUORUM]`: activate the previous one.
    Rollback(RollbackModule),
    /// `EXPLAIN ACTIVATE MODULE ..`: what it would do.
    ExplainActivate(ActivateModule),
    /// `EXPLAIN ROLLBACK MODULE ..`: what it would do.
    ExplainRollback(RollbackModule),
    /// `CANCEL MODULE ACTIVATION`: forget the one that is scheduled.
    Cancel,
    /// `RETIRE MODULE 'name@version'`: remove its file.
    Retire(ModuleVersion),
}

/// An activation as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivateModule {
    /// The installed module.
    pub module: ModuleVersion,
    /// What must be active for that; any, if it is not said.
    pub from: Option<ModuleFrom>,
    /// Who must have acknowledged it.
    pub gate: ModuleGate,
    /// When it takes effect.
    pub time: ModuleTime,
    /// `BREAKING 'token'`: shows that what clients will miss is known.
    pub breaking: Option<String>,
}

/// A rollback as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackModule {
    /// What must be active for that; any, if it is not said.
    pub from: Option<ModuleFrom>,
    /// Who must have acknowledged the previous one.
    pub gate: ModuleGate,
}

/// What must be active for an activation to take place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleFrom {
    /// `FROM NONE`: no module.
    Nothing,
    /// `FROM 'name@version'`: this one.
    Module(ModuleVersion),
}

/// Which voters must have acknowledged a module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModuleGate {
    /// All.
    #[default]
    All,
    /// `QUORUM`: a majority.
    Quorum,
    /// `FORCE`: any one frontend.
    Force,
}

/// When an activation takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModuleTime {
    /// At once.
    #[default]
    Now,
    /// `AT LSN n`: before the entry at that LSN.
    AtLsn(u64),
    /// `AFTER n SECONDS`, or `MINUTES`, or `HOURS`: in so many seconds.
    After(u64),
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
