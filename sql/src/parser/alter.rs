//! `ALTER TABLE`.

use crate::ast::{AlterAction, AlterTable, CatalogStatement, ColumnPosition, PartitionItem};
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

impl Parser<'_> {
    /// What follows `ALTER TABLE`.
    pub(super) fn alter_table(&mut self) -> Result<CatalogStatement> {
        let name = self.object_name("a table name")?;
        let actions = self.list(Self::alter_action)?;
        Ok(CatalogStatement::AlterTable(AlterTable { name, actions }))
    }

    fn alter_action(&mut self) -> Result<AlterAction> {
        if self.accept("ADD") {
            self.alter_add()
        } else if self.accept("DROP") {
            self.alter_drop()
        } else if self.accept("MODIFY") {
            self.expect("COLUMN")?;
            self.alter_modify_column()
        } else if self.accept("RENAME") {
            self.alter_rename()
        } else if self.accept("SWAP") {
            self.expect("WITH")?;
            Ok(AlterAction::SwapWith(self.identifier("a table name")?))
        } else if self.accept("SET") {
            Ok(AlterAction::SetProperties(self.properties()?))
        } else if self.accept("ORDER") {
            self.expect("BY")?;
            Ok(AlterAction::OrderBy(self.identifiers("a column name")?))
        } else if let Some(comment) = self.comment()? {
            Ok(AlterAction::SetComment(comment))
        } else if let Some(distribution) = self.distribution()? {
            Ok(AlterAction::SetDistribution(distribution))
        } else {
            let known = "ADD, DROP, MODIFY COLUMN, RENAME, SWAP WITH, SET, ORDER BY, COMMENT or \
                         DISTRIBUTED BY";
            Err(self.expected(known))
        }
    }

    fn alter_add(&mut self) -> Result<AlterAction> {
        let temporary = self.accept("TEMPORARY");
        if self.accept("PARTITION") {
            let partition = PartitionItem::One(self.partition()?);
            return self.alter_add_partition(temporary, partition);
        }
        if self.accept("PARTITIONS") {
            let partition = self.partition_batch()?;
            return self.alter_add_partition(temporary, partition);
        }
        if temporary {
            return Err(self.expected("PARTITION"));
        }
        match self.expect_any(&["COLUMN", "INDEX", "ROLLUP", "PARTITION"])? {
            "INDEX" => Ok(AlterAction::AddIndex(self.index_def()?)),
            "ROLLUP" => Ok(AlterAction::AddRollup(self.rollup()?)),
            _ if self.is_symbol(0, "(") => {
                Ok(AlterAction::AddColumns(self.parenthesised(Self::column_def)?))
            }
            _ => Ok(AlterAction::AddColumn {
                column: Box::new(self.column_def()?),
                position: self.column_position()?,
            }),
        }
    }

    fn alter_add_partition(
        &mut self,
        temporary: bool,
        partition: PartitionItem,
    ) -> Result<AlterAction> {
        let distribution = self.distribution()?;
        let properties = match self.is_symbol(0, "(") {
            true => self.properties()?,
            false => Vec::new(),
        };
        Ok(AlterAction::AddPartition { temporary, partition, distribution, properties })
    }

    fn alter_drop(&mut self) -> Result<AlterAction> {
        let temporary = self.accept("TEMPORARY");
        if self.accept("PARTITION") {
            return Ok(AlterAction::DropPartition {
                temporary,
                if_exists: self.if_exists()?,
                name: self.identifier("a partition name")?,
                force: self.accept("FORCE"),
            });
        }
        if temporary {
            return Err(self.expected("PARTITION"));
        }
        match self.expect_any(&["COLUMN", "INDEX", "ROLLUP", "PARTITION"])? {
            "INDEX" => Ok(AlterAction::DropIndex(self.identifier("an index name")?)),
            "ROLLUP" => Ok(AlterAction::DropRollup(self.identifier("a rollup name")?)),
            _ => Ok(AlterAction::DropColumn(self.identifier("a column name")?)),
        }
    }

    fn alter_modify_column(&mut self) -> Result<AlterAction> {
        if self.is_word(1, "COMMENT") && self.peek(2).kind == TokenKind::String {
            let name = self.identifier("a column name")?;
            self.expect("COMMENT")?;
            return Ok(AlterAction::ModifyColumnComment {
                name,
                comment: self.string("a comment")?,
            });
        }
        Ok(AlterAction::ModifyColumn {
            column: Box::new(self.column_def()?),
            position: self.column_position()?,
        })
    }

    fn alter_rename(&mut self) -> Result<AlterAction> {
        if self.accept("COLUMN") {
            let from = self.identifier("a column name")?;
            self.expect("TO")?;
            return Ok(AlterAction::RenameColumn { from, to: self.identifier("a column name")? });
        }
        if self.accept("PARTITION") {
            let from = self.identifier("a partition name")?;
            self.accept("TO");
            return Ok(AlterAction::RenamePartition {
                from,
                to: self.identifier("a partition name")?,
            });
        }
        self.accept("TO");
        Ok(AlterAction::Rename(self.identifier("a table name")?))
    }

    fn column_position(&mut self) -> Result<Option<ColumnPosition>> {
        if self.accept("FIRST") {
            return Ok(Some(ColumnPosition::First));
        }
        match self.accept("AFTER") {
            true => Ok(Some(ColumnPosition::After(self.identifier("a column name")?))),
            false => Ok(None),
        }
    }
}
