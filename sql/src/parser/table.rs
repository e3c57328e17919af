//! `CREATE TABLE` and the statements that take a whole table.

use crate::ast::{
    CatalogStatement, ColumnDef, CreateTable, CreateTableLike, DropTable, IndexDef, KeyKind,
    ObjectName, Rollup, TableKey, TruncateTable,
};
use crate::parser::{Parser, Result};

/// What may follow the columns, for the message about a clause out of order.
const CLAUSES: &str = "ENGINE, the key, COMMENT, PARTITION BY, DISTRIBUTED BY, ORDER BY, ROLLUP, \
                       PROPERTIES, in this order";

/// Which `CREATE TABLE` is being parsed.
pub(super) struct TableHead {
    pub external: bool,
}

impl Parser<'_> {
    /// What follows `CREATE [EXTERNAL] TABLE`.
    pub(super) fn create_table(&mut self, head: TableHead) -> Result<CatalogStatement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name("a table name")?;
        if self.accept("LIKE") {
            let source = self.object_name("a table name")?;
            let TableHead { external } = head;
            let like = CreateTableLike { name, external, if_not_exists, source };
            return Ok(CatalogStatement::CreateTableLike(Box::new(like)));
        }
        let mut table = empty(name);
        table.external = head.external;
        table.if_not_exists = if_not_exists;
        if !self.is_symbol(0, "(") {
            return Err(match self.is_query_ahead() {
                true => self.unsupported("CREATE TABLE AS SELECT"),
                false => self.expected("'(' and columns, or LIKE"),
            });
        }
        self.columns_and_indexes(&mut table)?;
        self.table_clauses(&mut table)?;
        if self.is_query_ahead() {
            return Err(self.unsupported("CREATE TABLE AS SELECT"));
        }
        self.finish(CLAUSES)?;
        Ok(CatalogStatement::CreateTable(Box::new(table)))
    }

    fn is_query_ahead(&self) -> bool {
        self.is_word(0, "AS") || self.is_word(0, "SELECT")
    }

    fn columns_and_indexes(&mut self, table: &mut CreateTable) -> Result<()> {
        let at = self.at;
        let items = self.parenthesised(Self::column_or_index)?;
        for item in items {
            match item {
                Item::Column(column) => table.columns.push(*column),
                Item::Index(index) => table.indexes.push(index),
            }
        }
        match table.columns.is_empty() {
            true => Err(self.invalid(at, "a table must have at least 1 column".to_owned())),
            false => Ok(()),
        }
    }

    fn column_or_index(&mut self) -> Result<Item> {
        if self.accept("INDEX") {
            return Ok(Item::Index(self.index_def()?));
        }
        if KeyKind::ALL.iter().any(|kind| self.are_words(&[kind.keyword(), "KEY"])) {
            return Err(self.expected("a column; the key goes behind the list of columns"));
        }
        Ok(Item::Column(Box::new(self.column_def()?)))
    }

    fn table_clauses(&mut self, table: &mut CreateTable) -> Result<()> {
        if self.accept("ENGINE") {
            self.accept_symbol("=");
            table.engine = Some(self.identifier_or_string("an engine")?);
        }
        table.charset = self.charset()?;
        table.collation = self.collation()?;
        table.key = self.table_key()?;
        table.comment = self.comment()?;
        if self.accept("PARTITION") {
            self.expect("BY")?;
            table.partition = Some(self.partition_by()?);
        }
        table.distribution = self.distribution()?;
        if self.accept("ORDER") {
            self.expect("BY")?;
            table.order_by = self.identifiers("a column name")?;
        }
        if self.accept("ROLLUP") {
            table.rollups = self.parenthesised(Self::rollup)?;
        }
        table.properties = self.properties_clause()?;
        Ok(())
    }

    fn table_key(&mut self) -> Result<Option<TableKey>> {
        let Some(kind) = KeyKind::ALL.into_iter().find(|kind| self.accept(kind.keyword())) else {
            return Ok(None);
        };
        self.expect("KEY")?;
        Ok(Some(TableKey { kind, columns: self.identifiers("a column name")? }))
    }

    /// `name (columns) [DUPLICATE KEY (..)] [FROM rollup] [PROPERTIES (..)]`.
    pub(super) fn rollup(&mut self) -> Result<Rollup> {
        let name = self.identifier("a rollup name")?;
        let columns = self.identifiers("a column name")?;
        let duplicate_key = match self.accept_words(&["DUPLICATE", "KEY"]) {
            true => self.identifiers("a column name")?,
            false => Vec::new(),
        };
        let from = match self.accept("FROM") {
            true => Some(self.identifier("a rollup name")?),
            false => None,
        };
        let properties = self.properties_clause()?;
        Ok(Rollup { name, columns, duplicate_key, from, properties })
    }

    /// What follows `DROP TABLE`.
    pub(super) fn drop_table(&mut self) -> Result<CatalogStatement> {
        Ok(CatalogStatement::DropTable(DropTable {
            if_exists: self.if_exists()?,
            name: self.object_name("a table name")?,
            force: self.accept("FORCE"),
        }))
    }

    /// What follows `TRUNCATE`.
    pub(super) fn truncate_table(&mut self) -> Result<CatalogStatement> {
        self.expect("TABLE")?;
        let name = self.object_name("a table name")?;
        let partitions = match self.accept_any(&["PARTITION", "PARTITIONS"]) {
            Some(_) => self.identifiers("a partition name")?,
            None => Vec::new(),
        };
        Ok(CatalogStatement::TruncateTable(TruncateTable { name, partitions }))
    }
}

enum Item {
    Column(Box<ColumnDef>),
    Index(IndexDef),
}

/// A table of which nothing but its name is known.
fn empty(name: ObjectName) -> CreateTable {
    CreateTable {
        name,
        external: false,
        if_not_exists: false,
        columns: Vec::new(),
        indexes: Vec::new(),
        engine: None,
        charset: None,
        collation: None,
        key: None,
        comment: None,
        partition: None,
        distribution: None,
        order_by: Vec::new(),
        rollups: Vec::new(),
        properties: Vec::new(),
    }
}
