//! Databases, `USE` and `SET CATALOG`.

use crate::ast::{AlterDatabase, CatalogStatement, CreateDatabase, DatabaseAction, DropDatabase};
use crate::parser::{Parser, Result};

impl Parser<'_> {
    /// What follows `CREATE DATABASE`.
    pub(super) fn create_database(&mut self) -> Result<CatalogStatement> {
        Ok(CatalogStatement::CreateDatabase(CreateDatabase {
            if_not_exists: self.if_not_exists()?,
            name: self.database_name()?,
            charset: self.charset()?,
            collation: self.collation()?,
            properties: self.properties_clause()?,
        }))
    }

    /// What follows `DROP DATABASE`.
    pub(super) fn drop_database(&mut self) -> Result<CatalogStatement> {
        Ok(CatalogStatement::DropDatabase(DropDatabase {
            if_exists: self.if_exists()?,
            name: self.database_name()?,
            force: self.accept("FORCE"),
        }))
    }

    /// What follows `ALTER DATABASE`.
    pub(super) fn alter_database(&mut self) -> Result<CatalogStatement> {
        let name = self.database_name()?;
        let action = match self.expect_any(&["RENAME", "SET"])? {
            "RENAME" => DatabaseAction::Rename(self.identifier("a database name")?),
            _ => {
                self.accept("PROPERTIES");
                DatabaseAction::SetProperties(self.properties()?)
            }
        };
        Ok(CatalogStatement::AlterDatabase(AlterDatabase { name, action }))
    }

    /// What follows `USE`.
    pub(super) fn use_database(&mut self) -> Result<CatalogStatement> {
        Ok(CatalogStatement::Use(self.database_name()?))
    }

    /// What follows `SET`, of which only `SET CATALOG` is the catalog's.
    pub(super) fn set_catalog(&mut self) -> Result<CatalogStatement> {
        self.expect("CATALOG")?;
        Ok(CatalogStatement::SetCatalog(self.identifier_or_string("a catalog name")?))
    }
}
