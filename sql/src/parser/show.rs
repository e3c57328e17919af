//! `SHOW` and `DESC` of what the catalog holds.

use crate::ast::{AlterJob, CatalogStatement, CreateOf, Describe, Show, ShowColumns, ShowTables};
use crate::parser::{Parser, Result};

/// What the catalog shows, for the message about anything else.
const SHOWN: &str = "CATALOGS, DATABASES, TABLES, TABLE STATUS, COLUMNS, CREATE, INDEX, \
                     PARTITIONS or ALTER TABLE";

impl Parser<'_> {
    /// What follows `SHOW`.
    pub(super) fn show(&mut self) -> Result<CatalogStatement> {
        let show = if self.accept("CATALOGS") {
            Show::Catalogs(self.show_filter()?)
        } else if self.accept_any(&["DATABASES", "SCHEMAS"]).is_some() {
            self.show_databases()?
        } else if self.accept_words(&["TABLE", "STATUS"]) {
            Show::TableStatus { database: self.in_database()?, filter: self.show_filter()? }
        } else if self.accept("CREATE") {
            Show::Create(self.show_create()?)
        } else if self.accept_any(&["INDEX", "INDEXES", "KEYS"]).is_some() {
            Show::Index { table: self.of_table()?, filter: self.show_filter()? }
        } else if self.accept("PARTITIONS") {
            self.show_partitions(false)?
        } else if self.accept_words(&["TEMPORARY", "PARTITIONS"]) {
            self.show_partitions(true)?
        } else if self.accept_words(&["ALTER", "TABLE"]) {
            self.show_alter()?
        } else {
            self.show_tables_or_columns()?
        };
        Ok(CatalogStatement::Show(show))
    }

    fn show_tables_or_columns(&mut self) -> Result<Show> {
        let full = self.accept("FULL");
        match self.accept_any(&["TABLES", "COLUMNS", "FIELDS"]) {
            Some("TABLES") => Ok(Show::Tables(ShowTables {
                full,
                database: self.in_database()?,
                filter: self.show_filter()?,
            })),
            Some(_) => Ok(Show::Columns(ShowColumns {
                full,
                table: self.of_table()?,
                filter: self.show_filter()?,
            })),
            None if full => Err(self.expected("TABLES or COLUMNS")),
            None => Err(self.expected(SHOWN)),
        }
    }

    fn show_databases(&mut self) -> Result<Show> {
        let catalog = match self.accept_any(&["FROM", "IN"]) {
            Some(_) => Some(self.identifier("a catalog name")?),
            None => None,
        };
        Ok(Show::Databases { catalog, filter: self.show_filter()? })
    }

    fn show_create(&mut self) -> Result<CreateOf> {
        match self.expect_any(&["TABLE", "VIEW", "DATABASE", "SCHEMA"])? {
            "TABLE" => Ok(CreateOf::Table(self.object_name("a table name")?)),
            "VIEW" => Ok(CreateOf::View(self.object_name("a view name")?)),
            _ => Ok(CreateOf::Database(self.database_name()?)),
        }
    }

    fn show_partitions(&mut self, temporary: bool) -> Result<Show> {
        Ok(Show::Partitions { temporary, table: self.of_table()?, tail: self.tail()? })
    }

    fn show_alter(&mut self) -> Result<Show> {
        match AlterJob::ALL.into_iter().find(|job| self.accept(job.keyword())) {
            Some(job) => Ok(Show::Alter { job, database: self.in_database()?, tail: self.tail()? }),
            None => Err(self.expected("COLUMN, ROLLUP or OPTIMIZE")),
        }
    }

    /// What follows `DESC`.
    pub(super) fn describe(&mut self) -> Result<CatalogStatement> {
        if ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].iter().any(|word| self.is_word(0, word))
        {
            return Err(self.unsupported("EXPLAIN of a statement"));
        }
        let table = self.object_name("a table name")?;
        let all = self.accept("ALL");
        let column = match all || self.is_end() {
            true => None,
            false => Some(self.identifier_or_string("a column name")?),
        };
        Ok(CatalogStatement::Describe(Describe { table, all, column }))
    }
}
