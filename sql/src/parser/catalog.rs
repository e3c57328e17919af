//! Which catalog statement it is, by its first words.

use crate::ast::CatalogStatement;
use crate::error::{ErrorKind, ParseError};
use crate::parser::table::TableHead;
use crate::parser::view::ViewHead;
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

/// How a catalog statement may begin, for the message about anything else.
const STARTS: &str = "CREATE, DROP, ALTER, TRUNCATE, USE, SET CATALOG, SHOW or DESC";

/// Parses a statement of the catalog module.
///
/// # Errors
///
/// With the place, what was expected there and what was found: see [`ParseError`].
pub fn catalog_statement(text: &str) -> std::result::Result<CatalogStatement, ParseError> {
    let mut parser = Parser::new(text)?;
    let statement = parser.catalog()?;
    parser.finish("the end of the statement")?;
    Ok(statement)
}

impl Parser<'_> {
    fn catalog(&mut self) -> Result<CatalogStatement> {
        if self.peek(0).kind == TokenKind::End {
            return Err(self.error(ErrorKind::Empty, "expected a statement".to_owned()));
        }
        if self.accept("CREATE") {
            self.create()
        } else if self.accept("DROP") {
            match self.expect_any(&["DATABASE", "SCHEMA", "TABLE", "VIEW"])? {
                "TABLE" => self.drop_table(),
                "VIEW" => self.drop_view(),
                _ => self.drop_database(),
            }
        } else if self.accept("ALTER") {
            match self.expect_any(&["DATABASE", "SCHEMA", "TABLE", "VIEW"])? {
                "TABLE" => self.alter_table(),
                "VIEW" => self.alter_view(),
                _ => self.alter_database(),
            }
        } else if self.accept("TRUNCATE") {
            self.truncate_table()
        } else if self.accept("USE") {
            self.use_database()
        } else if self.accept("SET") {
            self.set_catalog()
        } else if self.accept("SHOW") {
            self.show()
        } else if self.accept_any(&["DESC", "DESCRIBE", "EXPLAIN"]).is_some() {
            self.describe()
        } else {
            Err(self.expected(STARTS))
        }
    }

    fn create(&mut self) -> Result<CatalogStatement> {
        if self.accept_words(&["OR", "REPLACE"]) {
            self.expect("VIEW")?;
            return self.create_view(ViewHead { or_replace: true });
        }
        if self.accept("EXTERNAL") {
            self.expect("TABLE")?;
            return self.create_table(TableHead { external: true });
        }
        match self.expect_any(&["DATABASE", "SCHEMA", "TABLE", "VIEW", "EXTERNAL TABLE"])? {
            "TABLE" => self.create_table(TableHead { external: false }),
            "VIEW" => self.create_view(ViewHead { or_replace: false }),
            _ => self.create_database(),
        }
    }
}
