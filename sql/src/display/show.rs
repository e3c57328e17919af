//! `SHOW`, `DESC` and their conditions.

use std::fmt::{self, Display, Formatter};

use crate::ast::{
    CreateOf, DatabaseName, Describe, Filter, Limit, Operand, OrderBy, Show, ShowFilter, Tail,
};
use crate::display::joined;
use crate::quote::{quote_ident, quote_string};

impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Show::Catalogs(filter) => {
                f.write_str("SHOW CATALOGS")?;
                write_filter(f, filter)
            }
            Show::Databases { catalog, filter } => {
                f.write_str("SHOW DATABASES")?;
                if let Some(catalog) = catalog {
                    write!(f, " FROM {}", quote_ident(catalog))?;
                }
                write_filter(f, filter)
            }
            Show::Tables(show) => {
                write!(f, "SHOW {}TABLES", full(show.full))?;
                write_database(f, &show.database)?;
                write_filter(f, &show.filter)
            }
            Show::TableStatus { database, filter } => {
                f.write_str("SHOW TABLE STATUS")?;
                write_database(f, database)?;
                write_filter(f, filter)
            }
            Show::Columns(show) => {
                write!(f, "SHOW {}COLUMNS FROM {}", full(show.full), show.table)?;
                write_filter(f, &show.filter)
            }
            Show::Create(CreateOf::Table(name)) => write!(f, "SHOW CREATE TABLE {name}"),
            Show::Create(CreateOf::View(name)) => write!(f, "SHOW CREATE VIEW {name}"),
            Show::Create(CreateOf::Database(name)) => write!(f, "SHOW CREATE DATABASE {name}"),
            Show::Index { table, filter } => {
                write!(f, "SHOW INDEX FROM {table}")?;
                write_filter(f, filter)
            }
            Show::Partitions { temporary, table, tail } => {
                let temporary = if *temporary { "TEMPORARY " } else { "" };
                write!(f, "SHOW {temporary}PARTITIONS FROM {table}{tail}")
            }
            Show::Alter { job, database, tail } => {
                write!(f, "SHOW ALTER TABLE {}", job.keyword())?;
                write_database(f, database)?;
                tail.fmt(f)
            }
        }
    }
}

fn full(set: bool) -> &'static str {
    if set { "FULL " } else { "" }
}

fn write_database(f: &mut Formatter<'_>, database: &Option<DatabaseName>) -> fmt::Result {
    match database {
        Some(database) => write!(f, " FROM {database}"),
        None => Ok(()),
    }
}

fn write_filter(f: &mut Formatter<'_>, filter: &Option<ShowFilter>) -> fmt::Result {
    match filter {
        Some(filter) => write!(f, " {filter}"),
        None => Ok(()),
    }
}

impl Display for Describe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DESC {}", self.table)?;
        if self.all {
            f.write_str(" ALL")?;
        }
        match &self.column {
            Some(column) => write!(f, " {}", quote_ident(column)),
            None => Ok(()),
        }
    }
}

impl Display for ShowFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ShowFilter::Like(pattern) => write!(f, "LIKE {}", quote_string(pattern)),
            ShowFilter::Where(filter) => write!(f, "WHERE {filter}"),
        }
    }
}

impl Display for Tail {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.order_by.is_empty() {
            write!(f, " ORDER BY {}", joined(&self.order_by))?;
        }
        match self.limit {
            Some(Limit { offset: 0, count }) => write!(f, " LIMIT {count}"),
            Some(Limit { offset, count }) => write!(f, " LIMIT {offset}, {count}"),
            None => Ok(()),
        }
    }
}

impl Display for OrderBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { " DESC" } else { "" };
        write!(f, "{}{direction}", quote_ident(&self.column))
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Compare { left, comparison, right } => {
                write!(f, "{left} {} {right}", comparison.symbol())
            }
            Filter::Like { operand, negated, pattern } => {
                write!(f, "{operand} {}LIKE {}", not(*negated), quote_string(pattern))
            }
            Filter::In { operand, negated, list } => {
                write!(f, "{operand} {}IN ({})", not(*negated), joined(list))
            }
            Filter::IsNull { operand, negated } => write!(f, "{operand} IS {}NULL", not(*negated)),
            Filter::And(parts) => write_parts(f, parts, " AND "),
            Filter::Or(parts) => write_parts(f, parts, " OR "),
            Filter::Not(inner) => {
                f.write_str("NOT ")?;
                write_part(f, inner)
            }
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

fn write_parts(f: &mut Formatter<'_>, parts: &[Filter], operator: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { operator })?;
        write_part(f, part)?;
    }
    Ok(())
}

/// In parentheses if it is a conjunction or disjunction itself.
fn write_part(f: &mut Formatter<'_>, part: &Filter) -> fmt::Result {
    match part {
        Filter::And(_) | Filter::Or(_) => write!(f, "({part})"),
        _ => part.fmt(f),
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Column(name) => f.write_str(&quote_ident(name)),
            Operand::Literal(literal) => literal.fmt(f),
        }
    }
}
