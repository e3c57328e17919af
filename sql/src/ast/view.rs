//! Views. Their query is text: whoever runs it parses it.

use crate::ast::ObjectName;

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name [(columns)] [COMMENT ..] AS query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateView {
    /// The view.
    pub name: ObjectName,
    /// An existing view is replaced.
    pub or_replace: bool,
    /// An existing view is kept and no error.
    pub if_not_exists: bool,
    /// Names for the columns of the query; empty when the query names them.
    pub columns: Vec<ViewColumn>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// The query as written, from its first to its last token.
    pub query: String,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// `COMMENT`.
    pub comment: Option<String>,
}

/// `ALTER VIEW name [(columns)] AS query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterView {
    /// The view.
    pub name: ObjectName,
    /// New names for the columns; empty when the query names them.
    pub columns: Vec<ViewColumn>,
    /// The new query as written.
    pub query: String,
}

/// `DROP VIEW [IF EXISTS] name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropView {
    /// The view.
    pub name: ObjectName,
    /// A missing one is no error.
    pub if_exists: bool,
}
