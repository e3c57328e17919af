//! Names, literals and properties: the leaves of every statement.

/// `[catalog.][database.]name` of a table or view.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// The catalog, when the client wrote one. Never without a database.
    pub catalog: Option<String>,
    /// The database, when the client wrote one.
    pub database: Option<String>,
    /// The table or view.
    pub name: String,
}

/// `[catalog.]name` of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatabaseName {
    /// The catalog, when the client wrote one.
    pub catalog: Option<String>,
    /// The database.
    pub name: String,
}

/// `"key" = "value"`, as in `PROPERTIES (..)` and `SET (..)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Property {
    /// The key, quotes off.
    pub key: String,
    /// The value, quotes off. A bare number or word counts as its text.
    pub value: String,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// A string, escapes resolved.
    String(String),
    /// A number as written, with its sign.
    Number(String),
    /// `TRUE` or `FALSE`.
    Boolean(bool),
    /// `NULL`.
    Null,
}

impl Literal {
    /// The constant as text, `None` for `NULL`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Literal::String(text) | Literal::Number(text) => Some(text),
            Literal::Boolean(true) => Some("true"),
            Literal::Boolean(false) => Some("false"),
            Literal::Null => None,
        }
    }
}
