//! `LIKE`, `WHERE`, `ORDER BY` and `LIMIT` behind a `SHOW`.

use crate::ast::{Comparison, Filter, Limit, Operand, OrderBy, ShowFilter, Tail};
use crate::error::ErrorKind;
use crate::limits::LIST_ITEMS_MAX;
use crate::parser::{Parser, Result};

impl Parser<'_> {
    /// `[LIKE pattern | WHERE condition]`.
    pub(super) fn show_filter(&mut self) -> Result<Option<ShowFilter>> {
        if self.accept("LIKE") {
            return Ok(Some(ShowFilter::Like(self.string("a pattern")?)));
        }
        match self.accept("WHERE") {
            true => Ok(Some(ShowFilter::Where(self.condition()?))),
            false => Ok(None),
        }
    }

    /// `[WHERE ..] [ORDER BY ..] [LIMIT ..]`.
    pub(super) fn tail(&mut self) -> Result<Tail> {
        let filter = match self.accept("WHERE") {
            true => Some(self.condition()?),
            false => None,
        };
        let order_by = match self.accept("ORDER") {
            true => {
                self.expect("BY")?;
                self.list(Self::order_by)?
            }
            false => Vec::new(),
        };
        Ok(Tail { filter, order_by, limit: self.limit()? })
    }

    fn order_by(&mut self) -> Result<OrderBy> {
        let column = self.identifier("a column name")?;
        let descending = self.accept_any(&["ASC", "DESC"]) == Some("DESC");
        Ok(OrderBy { column, descending })
    }

    /// `[LIMIT ..]`.
    pub(super) fn limit(&mut self) -> Result<Option<Limit>> {
        if !self.accept("LIMIT") {
            return Ok(None);
        }
        let first = self.integer("a number of rows")?;
        if self.accept_symbol(",") {
            let count = self.integer("a number of rows")?;
            return Ok(Some(Limit { offset: first, count }));
        }
        let offset = match self.accept("OFFSET") {
            true => self.integer("a number of rows")?,
            false => 0,
        };
        Ok(Some(Limit { offset, count: first }))
    }

    /// A condition: `OR` binds weakest, then `AND`, then `NOT`.
    fn condition(&mut self) -> Result<Filter> {
        self.nested(|p| {
            let all = p.chain(&["OR", "||"], Self::conjunction)?;
            Ok(joined(all, Filter::Or))
        })
    }

    fn conjunction(&mut self) -> Result<Filter> {
        let all = self.chain(&["AND", "&&"], Self::negation)?;
        Ok(joined(all, Filter::And))
    }

    /// `item [operator item ..]`, the operator being a word or a symbol.
    fn chain(
        &mut self,
        operator: &[&str; 2],
        item: impl Fn(&mut Self) -> Result<Filter>,
    ) -> Result<Vec<Filter>> {
        let mut items = vec![item(self)?];
        while self.accept(operator[0]) || self.accept_symbol(operator[1]) {
            if items.len() >= LIST_ITEMS_MAX {
                let reason = format!("a condition has at most {LIST_ITEMS_MAX} parts");
                return Err(self.error(ErrorKind::Limit, reason));
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn negation(&mut self) -> Result<Filter> {
        if self.accept("NOT") || self.accept_symbol("!") {
            return self.nested(|p| Ok(Filter::Not(Box::new(p.negation()?))));
        }
        if self.accept_symbol("(") {
            let inner = self.condition()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Result<Filter> {
        let left = self.operand()?;
        if self.accept("IS") {
            let negated = self.accept("NOT");
            self.expect("NULL")?;
            return Ok(Filter::IsNull { operand: left, negated });
        }
        let negated = self.accept("NOT");
        if self.accept("LIKE") {
            let pattern = self.string("a pattern")?;
            return Ok(Filter::Like { operand: left, negated, pattern });
        }
        if self.accept("IN") {
            let list = self.parenthesised(|p| p.literal("a value"))?;
            return Ok(Filter::In { operand: left, negated, list });
        }
        if self.accept("BETWEEN") {
            let between = self.between(left)?;
            return Ok(match negated {
                true => Filter::Not(Box::new(between)),
                false => between,
            });
        }
        if negated {
            return Err(self.expected("LIKE, IN or BETWEEN"));
        }
        let comparison = self.comparison()?;
        Ok(Filter::Compare { left, comparison, right: self.operand()? })
    }

    fn between(&mut self, operand: Operand) -> Result<Filter> {
        let low = Filter::Compare {
            left: operand.clone(),
            comparison: Comparison::GreaterOrEqual,
            right: self.operand()?,
        };
        self.expect("AND")?;
        let high = Filter::Compare {
            left: operand,
            comparison: Comparison::LessOrEqual,
            right: self.operand()?,
        };
        Ok(Filter::And(vec![low, high]))
    }

    fn comparison(&mut self) -> Result<Comparison> {
        if self.accept_symbol("!=") {
            return Ok(Comparison::NotEqual);
        }
        match Comparison::ALL.into_iter().find(|one| self.accept_symbol(one.symbol())) {
            Some(comparison) => Ok(comparison),
            None => Err(self.expected("a comparison")),
        }
    }

    fn operand(&mut self) -> Result<Operand> {
        if let Some(literal) = self.accept_literal()? {
            return Ok(Operand::Literal(literal));
        }
        // StarRocks' own answers have columns such as `Key` and `Default`.
        let reserved = self.accept_any(&["KEY", "DEFAULT", "DATABASE", "TABLE", "INDEX"]);
        if let Some(word) = reserved {
            return Ok(Operand::Column(word.to_owned()));
        }
        Ok(Operand::Column(self.object_name("a column or a value")?.name))
    }
}

/// The items joined, or the only item itself.
fn joined(mut items: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match (items.len(), items.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            items.extend(last);
            join(items)
        }
    }
}
