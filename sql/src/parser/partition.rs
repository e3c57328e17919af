//! `PARTITION BY`, single partitions and `DISTRIBUTED BY`.

use crate::ast::{
    Distribution, DistributionMethod, Every, Literal, Partition, PartitionBy, PartitionItem,
    PartitionTerm, PartitionValue, PartitionValues, Property, TimeUnit,
};
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

impl Parser<'_> {
    /// What follows `PARTITION BY`.
    pub(super) fn partition_by(&mut self) -> Result<PartitionBy> {
        if self.is_symbol(1, "(") {
            if self.accept("RANGE") {
                let keys = self.parenthesised(Self::partition_key)?;
                return Ok(PartitionBy::Range { keys, partitions: self.partition_items()? });
            }
            if self.accept("LIST") {
                let keys = self.parenthesised(Self::partition_key)?;
                return Ok(PartitionBy::List { keys, partitions: self.partition_items()? });
            }
        }
        let keys = match self.is_symbol(0, "(") {
            true => self.parenthesised(Self::partition_key)?,
            false => self.list(Self::partition_key)?,
        };
        Ok(PartitionBy::Expression { keys, partitions: self.partition_items()? })
    }

    /// A column or an expression; a constant alone decides nothing.
    fn partition_key(&mut self) -> Result<PartitionTerm> {
        let at = self.at;
        match self.partition_term()? {
            PartitionTerm::Literal(_) | PartitionTerm::Interval(_) => {
                self.at = at;
                Err(self.expected("a column or a function"))
            }
            key => Ok(key),
        }
    }

    fn partition_term(&mut self) -> Result<PartitionTerm> {
        self.nested(|p| {
            let token = p.peek(0);
            if token.kind == TokenKind::Word && p.is_symbol(1, "(") && !p.is_partition_list(2) {
                let function = p.source(token).to_owned();
                p.advance();
                let arguments = match p.is_symbol(1, ")") {
                    true => {
                        p.expect_symbol("(")?;
                        p.expect_symbol(")")?;
                        Vec::new()
                    }
                    false => p.parenthesised(Self::partition_term)?,
                };
                return Ok(PartitionTerm::Call { function, arguments });
            }
            if p.is_word(0, "INTERVAL") && p.peek(1).kind == TokenKind::Number {
                return Ok(PartitionTerm::Interval(p.interval()?));
            }
            match p.accept_literal()? {
                Some(literal) => Ok(PartitionTerm::Literal(literal)),
                None => Ok(PartitionTerm::Column(p.identifier("a column or a function")?)),
            }
        })
    }

    /// Whether a list of partitions goes on here, behind its parenthesis: the word before it was a
    /// column then, not a function.
    fn is_partition_list(&self, ahead: usize) -> bool {
        self.is_word(ahead, "PARTITION") || self.is_word(ahead, "START")
    }

    /// `[(partition, ..)]`.
    fn partition_items(&mut self) -> Result<Vec<PartitionItem>> {
        if !self.accept_symbol("(") {
            return Ok(Vec::new());
        }
        if self.accept_symbol(")") {
            return Ok(Vec::new());
        }
        let items = self.list(Self::partition_item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    /// `PARTITION name VALUES ..`, or a batch.
    pub(super) fn partition_item(&mut self) -> Result<PartitionItem> {
        if self.is_word(0, "START") {
            return self.partition_batch();
        }
        self.expect("PARTITION")?;
        self.partition().map(PartitionItem::One)
    }

    /// `START (..) END (..) EVERY (..)`.
    pub(super) fn partition_batch(&mut self) -> Result<PartitionItem> {
        self.expect("START")?;
        let start = self.bound()?;
        self.expect("END")?;
        let end = self.bound()?;
        self.expect("EVERY")?;
        self.expect_symbol("(")?;
        let every = match self.is_word(0, "INTERVAL") {
            true => self.interval()?,
            false => Every { amount: self.integer("INTERVAL or a number")?, unit: None },
        };
        self.expect_symbol(")")?;
        Ok(PartitionItem::Batch { start, end, every })
    }

    fn bound(&mut self) -> Result<Literal> {
        self.expect_symbol("(")?;
        let bound = self.literal("a bound")?;
        self.expect_symbol(")")?;
        Ok(bound)
    }

    /// `INTERVAL amount unit`.
    fn interval(&mut self) -> Result<Every> {
        self.expect("INTERVAL")?;
        let amount = self.integer("a number")?;
        match TimeUnit::ALL.into_iter().find(|unit| self.accept(unit.keyword())) {
            Some(unit) => Ok(Every { amount, unit: Some(unit) }),
            None => Err(self.expected("a unit of time")),
        }
    }

    /// `[IF NOT EXISTS] name VALUES .. [(properties)]`.
    pub(super) fn partition(&mut self) -> Result<Partition> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.identifier("a partition name")?;
        self.expect("VALUES")?;
        let values = if self.accept("LESS") {
            self.expect("THAN")?;
            match self.accept("MAXVALUE") {
                true => PartitionValues::LessThan(vec![PartitionValue::MaxValue]),
                false => PartitionValues::LessThan(self.partition_bounds()?),
            }
        } else if self.accept("IN") {
            PartitionValues::In(self.parenthesised(Self::list_row)?)
        } else if self.accept_symbol("[") {
            let lower = self.partition_bounds()?;
            self.expect_symbol(",")?;
            let upper = self.partition_bounds()?;
            self.expect_symbol(")")?;
            PartitionValues::Range { lower, upper }
        } else {
            return Err(self.expected("LESS THAN, IN or '['"));
        };
        Ok(Partition { name, if_not_exists, values, properties: self.bare_properties()? })
    }

    /// `("key" = "value", ..)`, if it is there.
    fn bare_properties(&mut self) -> Result<Vec<Property>> {
        match self.is_symbol(0, "(") {
            true => self.properties(),
            false => Ok(Vec::new()),
        }
    }

    fn partition_bounds(&mut self) -> Result<Vec<PartitionValue>> {
        self.parenthesised(|p| match p.accept("MAXVALUE") {
            true => Ok(PartitionValue::MaxValue),
            false => Ok(PartitionValue::Literal(p.literal("a value or MAXVALUE")?)),
        })
    }

    /// `value` or `(value, ..)`.
    fn list_row(&mut self) -> Result<Vec<Literal>> {
        match self.is_symbol(0, "(") {
            true => self.parenthesised(|p| p.literal("a value")),
            false => Ok(vec![self.literal("a value")?]),
        }
    }

    /// `DISTRIBUTED BY ..`, if it is there.
    pub(super) fn distribution(&mut self) -> Result<Option<Distribution>> {
        if !self.accept("DISTRIBUTED") {
            return Ok(None);
        }
        self.expect("BY")?;
        let method = match self.expect_any(&["HASH", "RANDOM"])? {
            "HASH" => DistributionMethod::Hash(self.identifiers("a column name")?),
            _ => DistributionMethod::Random,
        };
        let buckets = match self.accept("BUCKETS") {
            true => self.buckets()?,
            false => None,
        };
        Ok(Some(Distribution { method, buckets }))
    }

    /// A number of buckets; `AUTO` is as if nothing was said.
    fn buckets(&mut self) -> Result<Option<u32>> {
        if self.accept("AUTO") {
            return Ok(None);
        }
        let at = self.at;
        match self.integer32("a number of buckets")? {
            0 => Err(self.invalid(at, "a table has at least 1 bucket".to_owned())),
            buckets => Ok(Some(buckets)),
        }
    }
}
