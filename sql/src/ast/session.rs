//! Statements about one client's session.

use crate::ast::{Limit, ShowFilter};

/// Changes or shows the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionStatement {
    /// `SET ..` with one or more assignments, to be done in order.
    Set(Vec<Assignment>),
    /// `SET [scope] TRANSACTION ..`.
    SetTransaction {
        /// `None`: only for the next transaction.
        scope: Option<Scope>,
        /// At least one.
        modes: Vec<TransactionMode>,
    },
    /// `SET PASSWORD [FOR account] = ..`.
    SetPassword {
        /// Whose, the session's own when not written.
        account: Option<Account>,
        /// The new one.
        password: Password,
    },
    /// `BEGIN` or `START TRANSACTION ..`.
    Begin(Vec<TransactionMode>),
    /// `COMMIT`.
    Commit(Completion),
    /// `ROLLBACK`.
    Rollback(Completion),
    /// `SHOW [scope] VARIABLES`.
    ShowVariables {
        /// Whose variables.
        scope: Scope,
        /// Which rows.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [scope] STATUS`.
    ShowStatus {
        /// Whose counters.
        scope: Scope,
        /// Which rows.
        filter: Option<ShowFilter>,
    },
    /// `SHOW WARNINGS`.
    ShowWarnings(Option<Limit>),
    /// `SHOW ERRORS`.
    ShowErrors(Option<Limit>),
    /// `SHOW COUNT(*) WARNINGS`.
    CountWarnings,
    /// `SHOW COUNT(*) ERRORS`.
    CountErrors,
    /// `SHOW [FULL] PROCESSLIST`.
    ShowProcesslist {
        /// With statements in full length.
        full: bool,
    },
    /// `SHOW [STORAGE] ENGINES`.
    ShowEngines,
    /// `SHOW COLLATION`.
    ShowCollation(Option<ShowFilter>),
    /// `SHOW CHARACTER SET`.
    ShowCharacterSet(Option<ShowFilter>),
    /// `SHOW PLUGINS`.
    ShowPlugins,
    /// `SHOW PRIVILEGES`.
    ShowPrivileges,
    /// `KILL [CONNECTION | QUERY] id`.
    Kill {
        /// The connection, or only what it runs.
        target: KillTarget,
        /// The connection's id.
        id: u64,
    },
}

/// Whose variable is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `GLOBAL`: the frontend's.
    Global,
    /// `SESSION`, `LOCAL`, or not written: the connection's.
    Session,
    /// `PERSIST`: the frontend's, to be kept over a restart.
    Persist,
    /// `PERSIST_ONLY`: effective from the next start on.
    PersistOnly,
}

/// One part of `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// `[scope] name = value`, `@@[scope.]name = value`.
    Variable {
        /// Whose variable.
        scope: Scope,
        /// Its name in the case written, dots included.
        name: String,
        /// The new value.
        value: SetValue,
    },
    /// `@name = value`.
    User {
        /// The variable's name, without `@`.
        name: String,
        /// The new value.
        value: SetValue,
    },
    /// `NAMES charset [COLLATE collation]`; `DEFAULT` is `None`.
    Names {
        /// The character set.
        charset: Option<String>,
        /// The collation.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`; `DEFAULT` is `None`.
    CharacterSet(Option<String>),
}

/// The right side of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetValue {
    /// `DEFAULT`.
    Default,
    /// `NULL`.
    Null,
    /// A number as written, with its sign.
    Number(String),
    /// A string, escapes resolved.
    String(String),
    /// A bare word such as `ON`, `TRUE` or `utf8mb4`.
    Word(String),
    /// `@@[scope.]name`.
    Variable {
        /// Whose variable.
        scope: Scope,
        /// Its name in the case written.
        name: String,
    },
    /// `@name`.
    User(String),
    /// Anything else, as written.
    Expression(String),
}

/// A property of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionMode {
    /// `ISOLATION LEVEL READ UNCOMMITTED`.
    ReadUncommitted,
    /// `ISOLATION LEVEL READ COMMITTED`.
    ReadCommitted,
    /// `ISOLATION LEVEL REPEATABLE READ`.
    RepeatableRead,
    /// `ISOLATION LEVEL SERIALIZABLE`.
    Serializable,
    /// `READ WRITE`.
    ReadWrite,
    /// `READ ONLY`.
    ReadOnly,
    /// `WITH CONSISTENT SNAPSHOT`.
    ConsistentSnapshot,
}

/// What follows the end of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Completion {
    /// `AND CHAIN`: another transaction begins.
    pub chain: bool,
    /// `RELEASE`: the connection ends.
    pub release: bool,
}

/// `'name'@'host'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub name: String,
    /// The host, `%` when not written.
    pub host: String,
}

/// The right side of `SET PASSWORD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// `PASSWORD('..')`: in the clear.
    Clear(String),
    /// `'..'`: StarRocks takes it for a hash, MySQL 8 for a clear password.
    Text(String),
}

/// What `KILL` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillTarget {
    /// The connection.
    Connection,
    /// Only the statement it runs.
    Query,
}
