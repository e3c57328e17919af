//! Views.

use crate::ast::{AlterView, CatalogStatement, CreateView, DropView, ViewColumn};
use crate::parser::{Parser, Result};

/// How the query of a view may begin.
const QUERY_STARTS: &[&str] = &["SELECT", "WITH", "VALUES", "TABLE"];

/// Which `CREATE VIEW` is being parsed.
pub(super) struct ViewHead {
    pub or_replace: bool,
}

impl Parser<'_> {
    /// What follows `CREATE [OR REPLACE] VIEW`.
    pub(super) fn create_view(&mut self, head: ViewHead) -> Result<CatalogStatement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name("a view name")?;
        let columns = self.view_columns()?;
        let comment = self.comment()?;
        self.expect("AS")?;
        let query = self.query_text()?;
        let or_replace = head.or_replace;
        let view = CreateView { name, or_replace, if_not_exists, columns, comment, query };
        Ok(CatalogStatement::CreateView(Box::new(view)))
    }

    /// What follows `ALTER VIEW`.
    pub(super) fn alter_view(&mut self) -> Result<CatalogStatement> {
        let name = self.object_name("a view name")?;
        let columns = self.view_columns()?;
        self.expect("AS")?;
        let query = self.query_text()?;
        Ok(CatalogStatement::AlterView(AlterView { name, columns, query }))
    }

    /// What follows `DROP VIEW`.
    pub(super) fn drop_view(&mut self) -> Result<CatalogStatement> {
        Ok(CatalogStatement::DropView(DropView {
            if_exists: self.if_exists()?,
            name: self.object_name("a view name")?,
        }))
    }

    fn view_columns(&mut self) -> Result<Vec<ViewColumn>> {
        if !self.is_symbol(0, "(") {
            return Ok(Vec::new());
        }
        self.parenthesised(|p| {
            Ok(ViewColumn { name: p.identifier("a column name")?, comment: p.comment()? })
        })
    }

    /// The rest of the statement as it was written, which must look like a query.
    fn query_text(&mut self) -> Result<String> {
        let query = QUERY_STARTS.iter().any(|word| self.is_word(0, word));
        if !query && !self.is_symbol(0, "(") {
            return Err(self.expected("a query"));
        }
        let from = self.at;
        // Ends at the end token.
        while !self.is_end() {
            self.advance();
        }
        self.text_since(from, "a query")
    }
}
