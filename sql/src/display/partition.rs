//! `PARTITION BY`, single partitions and `DISTRIBUTED BY`.

use std::fmt::{self, Display, Formatter};

use crate::ast::{
    Distribution, DistributionMethod, Every, Literal, Partition, PartitionBy, PartitionItem,
    PartitionTerm, PartitionValue, PartitionValues,
};
use crate::display::{if_not_exists, joined, names};
use crate::quote::{plain_or_quoted, quote_ident, quote_string};

impl Display for PartitionBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let keys = self.keys().iter().map(key_text).collect::<Vec<_>>();
        match self {
            PartitionBy::Range { .. } => write!(f, "PARTITION BY RANGE({})", joined(&keys))?,
            PartitionBy::List { .. } => write!(f, "PARTITION BY LIST({})", joined(&keys))?,
            PartitionBy::Expression { keys: terms, .. } => {
                match terms.iter().all(|term| matches!(term, PartitionTerm::Column(_))) {
                    true => write!(f, "PARTITION BY ({})", joined(&keys))?,
                    false => write!(f, "PARTITION BY {}", joined(&keys))?,
                }
            }
        }
        let partitions = self.partitions();
        if partitions.is_empty() {
            return match self {
                PartitionBy::Expression { .. } => Ok(()),
                _ => f.write_str("\n()"),
            };
        }
        for (index, partition) in partitions.iter().enumerate() {
            let separator = if index == 0 { "\n(" } else { ",\n" };
            write!(f, "{separator}{partition}")?;
        }
        f.write_str(")")
    }
}

/// A key on its own: columns in backticks, unlike inside of a function.
fn key_text(key: &PartitionTerm) -> String {
    match key {
        PartitionTerm::Column(name) => quote_ident(name),
        term => term.to_string(),
    }
}

impl Display for PartitionTerm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionTerm::Column(name) => f.write_str(&plain_or_quoted(name)),
            PartitionTerm::Literal(Literal::String(text)) => f.write_str(&quote_string(text)),
            PartitionTerm::Literal(literal) => literal.fmt(f),
            PartitionTerm::Interval(every) => every.fmt(f),
            PartitionTerm::Call { function, arguments } => {
                write!(f, "{function}({})", joined(arguments))
            }
        }
    }
}

impl Display for Every {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.unit {
            Some(unit) => write!(f, "INTERVAL {} {}", self.amount, unit.keyword()),
            None => write!(f, "{}", self.amount),
        }
    }
}

impl Display for PartitionItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionItem::One(partition) => partition.fmt(f),
            PartitionItem::Batch { start, end, every } => {
                write!(f, "START ({start}) END ({end}) EVERY ({every})")
            }
        }
    }
}

impl Display for Partition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let if_not_exists = if_not_exists(self.if_not_exists);
        write!(f, "PARTITION {if_not_exists}{} {}", quote_ident(&self.name), self.values)?;
        match self.properties.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", joined(&self.properties)),
        }
    }
}

impl Display for PartitionValues {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionValues::LessThan(bound) => write!(f, "VALUES LESS THAN ({})", joined(bound)),
            PartitionValues::Range { lower, upper } => {
                write!(f, "VALUES [({}), ({}))", joined(lower), joined(upper))
            }
            PartitionValues::In(rows) => {
                let rows = rows.iter().map(|row| row_text(row)).collect::<Vec<_>>();
                write!(f, "VALUES IN ({})", joined(&rows))
            }
        }
    }
}

fn row_text(row: &[Literal]) -> String {
    match row {
        [only] => only.to_string(),
        row => format!("({})", joined(row)),
    }
}

impl Display for PartitionValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionValue::Literal(literal) => literal.fmt(f),
            PartitionValue::MaxValue => f.write_str("MAXVALUE"),
        }
    }
}

impl Display for Distribution {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.method {
            DistributionMethod::Hash(columns) => {
                write!(f, "DISTRIBUTED BY HASH({})", names(columns))?;
            }
            DistributionMethod::Random => f.write_str("DISTRIBUTED BY RANDOM")?,
        }
        match self.buckets {
            Some(buckets) => write!(f, " BUCKETS {buckets}"),
            None => Ok(()),
        }
    }
}
