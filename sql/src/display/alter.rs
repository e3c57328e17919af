//! `ALTER TABLE`.

use std::fmt::{self, Display, Formatter};

use crate::ast::{AlterAction, AlterTable, ColumnPosition, PartitionItem};
use crate::display::{force, if_exists, joined, names};
use crate::quote::{quote_double, quote_ident};

impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "ALTER TABLE {} {}", self.name, joined(&self.actions))
    }
}

impl Display for AlterAction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            AlterAction::AddColumn { column, position } => {
                write!(f, "ADD COLUMN {column}")?;
                write_position(f, position)
            }
            AlterAction::AddColumns(columns) => write!(f, "ADD COLUMN ({})", joined(columns)),
            AlterAction::DropColumn(name) => write!(f, "DROP COLUMN {}", quote_ident(name)),
            AlterAction::ModifyColumn { column, position } => {
                write!(f, "MODIFY COLUMN {column}")?;
                write_position(f, position)
            }
            AlterAction::ModifyColumnComment { name, comment } => {
                let comment = quote_double(comment);
                write!(f, "MODIFY COLUMN {} COMMENT {comment}", quote_ident(name))
            }
            AlterAction::RenameColumn { from, to } => {
                write!(f, "RENAME COLUMN {} TO {}", quote_ident(from), quote_ident(to))
            }
            AlterAction::OrderBy(columns) => write!(f, "ORDER BY ({})", names(columns)),
            AlterAction::Rename(name) => write!(f, "RENAME {}", quote_ident(name)),
            AlterAction::SwapWith(name) => write!(f, "SWAP WITH {}", quote_ident(name)),
            AlterAction::SetProperties(properties) => write!(f, "SET ({})", joined(properties)),
            AlterAction::SetComment(comment) => write!(f, "COMMENT = {}", quote_double(comment)),
            AlterAction::SetDistribution(distribution) => distribution.fmt(f),
            AlterAction::RenamePartition { from, to } => {
                write!(f, "RENAME PARTITION {} {}", quote_ident(from), quote_ident(to))
            }
            AlterAction::AddIndex(index) => write!(f, "ADD INDEX {index}"),
            AlterAction::DropIndex(name) => write!(f, "DROP INDEX {}", quote_ident(name)),
            AlterAction::AddRollup(rollup) => write!(f, "ADD ROLLUP {rollup}"),
            AlterAction::DropRollup(name) => write!(f, "DROP ROLLUP {}", quote_ident(name)),
            AlterAction::AddPartition { .. } | AlterAction::DropPartition { .. } => {
                self.fmt_partition(f)
            }
        }
    }
}

impl AlterAction {
    fn fmt_partition(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            AlterAction::AddPartition { temporary, partition, distribution, properties } => {
                write!(f, "ADD {}", temporary_word(*temporary))?;
                match partition {
                    PartitionItem::One(partition) => partition.fmt(f)?,
                    batch => write!(f, "PARTITIONS {batch}")?,
                }
                if let Some(distribution) = distribution {
                    write!(f, " {distribution}")?;
                }
                match properties.is_empty() {
                    true => Ok(()),
                    false => write!(f, " ({})", joined(properties)),
                }
            }
            AlterAction::DropPartition { temporary, if_exists: exists, name, force: forced } => {
                let (temporary, exists) = (temporary_word(*temporary), if_exists(*exists));
                let name = quote_ident(name);
                write!(f, "DROP {temporary}PARTITION {exists}{name}{}", force(*forced))
            }
            _ => Ok(()),
        }
    }
}

fn temporary_word(temporary: bool) -> &'static str {
    if temporary { "TEMPORARY " } else { "" }
}

fn write_position(f: &mut Formatter<'_>, position: &Option<ColumnPosition>) -> fmt::Result {
    match position {
        Some(ColumnPosition::First) => f.write_str(" FIRST"),
        Some(ColumnPosition::After(column)) => write!(f, " AFTER {}", quote_ident(column)),
        None => Ok(()),
    }
}
