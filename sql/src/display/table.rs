//! `CREATE TABLE` and the statements that take a whole table.

use std::fmt::{self, Display, Formatter};

use crate::ast::{
    ColumnDef, CreateTable, CreateTableLike, DefaultValue, DropTable, IndexDef, Rollup, TableKey,
    TruncateTable,
};
use crate::display::{
    force, if_exists, if_not_exists, joined, names, write_charset, write_properties,
};
use crate::quote::{plain_or_quoted, quote_double, quote_ident};

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let external = if self.external { "EXTERNAL " } else { "" };
        let if_not_exists = if_not_exists(self.if_not_exists);
        write!(f, "CREATE {external}TABLE {if_not_exists}{} (", self.name)?;
        let mut separator = "\n  ";
        for column in &self.columns {
            write!(f, "{separator}{column}")?;
            separator = ",\n  ";
        }
        for index in &self.indexes {
            write!(f, "{separator}INDEX {index}")?;
            separator = ",\n  ";
        }
        f.write_str("\n)")?;
        if let Some(engine) = &self.engine {
            // The blank behind it is StarRocks' own.
            write!(f, " ENGINE={} ", plain_or_quoted(engine))?;
        }
        write_charset(f, &self.charset, &self.collation)?;
        self.fmt_clauses(f)?;
        write_properties(f, &self.properties)
    }
}

impl CreateTable {
    fn fmt_clauses(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "\n{key}")?;
        }
        if let Some(comment) = &self.comment {
            write!(f, "\nCOMMENT {}", quote_double(comment))?;
        }
        if let Some(partition) = &self.partition {
            write!(f, "\n{partition}")?;
        }
        if let Some(distribution) = &self.distribution {
            // The blank behind the buckets is StarRocks' own.
            let blank = if distribution.buckets.is_some() { " " } else { "" };
            write!(f, "\n{distribution}{blank}")?;
        }
        if !self.order_by.is_empty() {
            write!(f, "\nORDER BY({})", names(&self.order_by))?;
        }
        if !self.rollups.is_empty() {
            write!(f, "\nROLLUP ({})", joined(&self.rollups))?;
        }
        Ok(())
    }
}

impl Display for CreateTableLike {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let external = if self.external { "EXTERNAL " } else { "" };
        let if_not_exists = if_not_exists(self.if_not_exists);
        write!(f, "CREATE {external}TABLE {if_not_exists}{} LIKE {}", self.name, self.source)
    }
}

impl Display for ColumnDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", quote_ident(&self.name), self.data_type)?;
        if let Some(charset) = &self.charset {
            write!(f, " CHARACTER SET {}", plain_or_quoted(charset))?;
        }
        if self.key {
            f.write_str(" KEY")?;
        }
        if let Some(aggregate) = self.aggregate {
            write!(f, " {}", aggregate.keyword())?;
        }
        match self.nullable {
            Some(true) => f.write_str(" NULL")?,
            Some(false) => f.write_str(" NOT NULL")?,
            None => {}
        }
        if self.auto_increment {
            f.write_str(" AUTO_INCREMENT")?;
        }
        if let Some(default) = &self.default {
            write!(f, " DEFAULT {default}")?;
        }
        if let Some(expression) = &self.generated {
            write!(f, " AS {expression}")?;
        }
        match &self.comment {
            Some(comment) => write!(f, " COMMENT {}", quote_double(comment)),
            None => Ok(()),
        }
    }
}

impl Display for DefaultValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DefaultValue::Literal(literal) => literal.fmt(f),
            DefaultValue::CurrentTimestamp(None) => f.write_str("CURRENT_TIMESTAMP"),
            DefaultValue::CurrentTimestamp(Some(digits)) => {
                write!(f, "CURRENT_TIMESTAMP({digits})")
            }
            DefaultValue::Expression(expression) => write!(f, "({expression})"),
        }
    }
}

impl Display for IndexDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", quote_ident(&self.name), names(&self.columns))?;
        if let Some(using) = &self.using {
            write!(f, " USING {}", plain_or_quoted(using))?;
        }
        if !self.properties.is_empty() {
            write!(f, " ({})", joined(&self.properties))?;
        }
        match &self.comment {
            Some(comment) => write!(f, " COMMENT {}", quote_double(comment)),
            None => Ok(()),
        }
    }
}

impl Display for TableKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} KEY({})", self.kind.keyword(), names(&self.columns))
    }
}

impl Display for Rollup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", quote_ident(&self.name), names(&self.columns))?;
        if !self.duplicate_key.is_empty() {
            write!(f, " DUPLICATE KEY({})", names(&self.duplicate_key))?;
        }
        if let Some(from) = &self.from {
            write!(f, " FROM {}", quote_ident(from))?;
        }
        match self.properties.is_empty() {
            true => Ok(()),
            false => write!(f, " PROPERTIES ({})", joined(&self.properties)),
        }
    }
}

impl Display for DropTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "DROP TABLE {}{}{}", if_exists(self.if_exists), self.name, force(self.force))
    }
}

impl Display for TruncateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TRUNCATE TABLE {}", self.name)?;
        match self.partitions.is_empty() {
            true => Ok(()),
            false => write!(f, " PARTITION ({})", names(&self.partitions)),
        }
    }
}
