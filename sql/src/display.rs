//! Statements as text, in the form StarRocks itself prints.
//!
//! What is printed parses back to the same statement. The shape of `CREATE TABLE` is a contract
//! with clients, which cut the answer of `SHOW CREATE TABLE` into lines: two blanks before each
//! column, `\n) ENGINE=` behind the last, and a line for each clause.

mod alter;
mod partition;
mod show;
mod table;
mod types;

use std::fmt::{self, Display, Formatter, Write as _};

use crate::ast::{
    AlterDatabase, AlterView, CatalogStatement, CreateDatabase, CreateView, DatabaseAction,
    DatabaseName, DropDatabase, DropView, Literal, ObjectName, Property, ViewColumn,
};
use crate::quote::{quote_double, quote_ident};

impl Display for CatalogStatement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            CatalogStatement::CreateDatabase(statement) => statement.fmt(f),
            CatalogStatement::DropDatabase(statement) => statement.fmt(f),
            CatalogStatement::AlterDatabase(statement) => statement.fmt(f),
            CatalogStatement::CreateTable(statement) => statement.fmt(f),
            CatalogStatement::CreateTableLike(statement) => statement.fmt(f),
            CatalogStatement::AlterTable(statement) => statement.fmt(f),
            CatalogStatement::DropTable(statement) => statement.fmt(f),
            CatalogStatement::TruncateTable(statement) => statement.fmt(f),
            CatalogStatement::CreateView(statement) => statement.fmt(f),
            CatalogStatement::AlterView(statement) => statement.fmt(f),
            CatalogStatement::DropView(statement) => statement.fmt(f),
            CatalogStatement::Use(name) => write!(f, "USE {name}"),
            CatalogStatement::SetCatalog(name) => write!(f, "SET CATALOG {}", quote_ident(name)),
            CatalogStatement::Show(statement) => statement.fmt(f),
            CatalogStatement::Describe(statement) => statement.fmt(f),
        }
    }
}

impl Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for qualifier in [&self.catalog, &self.database].into_iter().flatten() {
            write!(f, "{}.", quote_ident(qualifier))?;
        }
        f.write_str(&quote_ident(&self.name))
    }
}

impl Display for DatabaseName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(catalog) = &self.catalog {
            write!(f, "{}.", quote_ident(catalog))?;
        }
        f.write_str(&quote_ident(&self.name))
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::String(text) => f.write_str(&quote_double(text)),
            Literal::Number(text) => f.write_str(text),
            Literal::Boolean(true) => f.write_str("TRUE"),
            Literal::Boolean(false) => f.write_str("FALSE"),
            Literal::Null => f.write_str("NULL"),
        }
    }
}

impl Display for Property {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", quote_double(&self.key), quote_double(&self.value))
    }
}

impl Display for CreateDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE DATABASE {}{}", if_not_exists(self.if_not_exists), self.name)?;
        write_charset(f, &self.charset, &self.collation)?;
        write_properties(f, &self.properties)
    }
}

impl Display for DropDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP DATABASE {}{}{}", if_exists(self.if_exists), self.name, force(self.force))
    }
}

impl Display for AlterDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER DATABASE {} ", self.name)?;
        match &self.action {
            DatabaseAction::Rename(name) => write!(f, "RENAME {}", quote_ident(name)),
            DatabaseAction::SetProperties(properties) => write!(f, "SET ({})", joined(properties)),
        }
    }
}

impl Display for CreateView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let or_replace = if self.or_replace { "OR REPLACE " } else { "" };
        let if_not_exists = if_not_exists(self.if_not_exists);
        write!(f, "CREATE {or_replace}VIEW {if_not_exists}{}", self.name)?;
        write_view_columns(f, &self.columns)?;
        if let Some(comment) = &self.comment {
            write!(f, "\nCOMMENT {}", quote_double(comment))?;
        }
        write!(f, "\nAS {}", self.query)
    }
}

impl Display for AlterView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER VIEW {}", self.name)?;
        write_view_columns(f, &self.columns)?;
        write!(f, "\nAS {}", self.query)
    }
}

impl Display for DropView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP VIEW {}{}", if_exists(self.if_exists), self.name)
    }
}

fn write_view_columns(f: &mut Formatter<'_>, columns: &[ViewColumn]) -> fmt::Result {
    for (index, column) in columns.iter().enumerate() {
        let separator = if index == 0 { " (" } else { ", " };
        write!(f, "{separator}{}", quote_ident(&column.name))?;
        if let Some(comment) = &column.comment {
            write!(f, " COMMENT {}", quote_double(comment))?;
        }
    }
    match columns.is_empty() {
        true => Ok(()),
        false => f.write_str(")"),
    }
}

fn write_charset(
    f: &mut Formatter<'_>,
    charset: &Option<String>,
    collation: &Option<String>,
) -> fmt::Result {
    if let Some(charset) = charset {
        write!(f, " DEFAULT CHARACTER SET {}", quote_ident(charset))?;
    }
    if let Some(collation) = collation {
        write!(f, " DEFAULT COLLATE {}", quote_ident(collation))?;
    }
    Ok(())
}

/// `PROPERTIES`, a line for each; nothing without properties.
fn write_properties(f: &mut Formatter<'_>, properties: &[Property]) -> fmt::Result {
    for (index, property) in properties.iter().enumerate() {
        let separator = if index == 0 { "\nPROPERTIES (\n" } else { ",\n" };
        write!(f, "{separator}{property}")?;
    }
    match properties.is_empty() {
        true => Ok(()),
        false => f.write_str("\n)"),
    }
}

/// The items with commas between them.
fn joined<T: Display>(items: &[T]) -> String {
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{item}");
    }
    text
}

/// The names in backticks with commas between them.
fn names(names: &[String]) -> String {
    joined(&names.iter().map(|name| quote_ident(name)).collect::<Vec<_>>())
}

fn if_not_exists(set: bool) -> &'static str {
    if set { "IF NOT EXISTS " } else { "" }
}

fn if_exists(set: bool) -> &'static str {
    if set { "IF EXISTS " } else { "" }
}

fn force(set: bool) -> &'static str {
    if set { " FORCE" } else { "" }
}
