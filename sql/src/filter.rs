//! Deciding `SHOW .. WHERE` for a row, by SQL's three-valued logic.
//!
//! Values are text, as in the answers `SHOW` gives. Two values that both look like numbers are
//! compared as numbers when one side was written as a number, otherwise as text in any case, like
//! the default collation of MySQL.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::ast::{Comparison, Filter, Literal, Operand};
use crate::like::{like_match, lower};

/// A value and whether it was written as a number.
struct Value<'a> {
    text: Cow<'a, str>,
    number: bool,
}

impl Filter {
    /// Whether a row passes. `column` gives the text of a column of the row by its name, `None`
    /// for NULL. Names are compared by `column`; check [`columns`](Self::columns) first to tell
    /// an unknown column from NULL.
    pub fn matches<'a>(&self, column: &dyn Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        self.decide(column) == Some(true)
    }

    /// The names of all columns used, in order, each as often as it is used.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = Vec::new();
        self.collect_columns(&mut columns);
        columns
    }

    // As deep as the parser let it be.
    fn collect_columns<'f>(&'f self, columns: &mut Vec<&'f str>) {
        match self {
            Filter::Compare { left, right, .. } => {
                columns.extend(left.column());
                columns.extend(right.column());
            }
            Filter::Like { operand, .. }
            | Filter::In { operand, .. }
            | Filter::IsNull { operand, .. } => columns.extend(operand.column()),
            Filter::And(parts) | Filter::Or(parts) => {
                for part in parts {
                    part.collect_columns(columns);
                }
            }
            Filter::Not(inner) => inner.collect_columns(columns),
        }
    }

    /// `None` is SQL's unknown.
    fn decide<'a>(&self, column: &dyn Fn(&str) -> Option<Cow<'a, str>>) -> Option<bool> {
        match self {
            Filter::Compare { left, comparison, right } => {
                let ordering = compare(&left.value(column)?, &right.value(column)?);
                Some(comparison.holds(ordering))
            }
            Filter::Like { operand, negated, pattern } => {
                let value = operand.value(column)?;
                Some(like_match(pattern, &value.text, true) != *negated)
            }
            Filter::In { operand, negated, list } => {
                let found = is_in(&operand.value(column)?, list)?;
                Some(found != *negated)
            }
            Filter::IsNull { operand, negated } => {
                Some(operand.value(column).is_none() != *negated)
            }
            Filter::And(parts) => all(parts, true, |part| part.decide(column)),
            Filter::Or(parts) => all(parts, false, |part| part.decide(column)),
            Filter::Not(inner) => inner.decide(column).map(|decided| !decided),
        }
    }
}

/// `neutral` if every part is, its opposite as soon as one part is that, else unknown.
fn all(parts: &[Filter], neutral: bool, decide: impl Fn(&Filter) -> Option<bool>) -> Option<bool> {
    let mut result = Some(neutral);
    for part in parts {
        match decide(part) {
            Some(decided) if decided == neutral => {}
            Some(decided) => return Some(decided),
            None => result = None,
        }
    }
    result
}

fn is_in(value: &Value<'_>, list: &[Literal]) -> Option<bool> {
    let mut result = Some(false);
    for literal in list {
        match literal_value(literal) {
            Some(item) if compare(value, &item) == Ordering::Equal => return Some(true),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

impl Operand {
    fn column(&self) -> Option<&str> {
        match self {
            Operand::Column(name) => Some(name),
            Operand::Literal(_) => None,
        }
    }

    fn value<'v, 'a: 'v>(
        &'v self,
        column: &dyn Fn(&str) -> Option<Cow<'a, str>>,
    ) -> Option<Value<'v>> {
        match self {
            Operand::Column(name) => column(name).map(|text| Value { text, number: false }),
            Operand::Literal(literal) => literal_value(literal),
        }
    }
}

fn literal_value(literal: &Literal) -> Option<Value<'_>> {
    match literal {
        Literal::Null => None,
        Literal::String(text) => Some(Value { text: text.into(), number: false }),
        Literal::Number(text) => Some(Value { text: text.into(), number: true }),
        Literal::Boolean(value) => {
            Some(Value { text: if *value { "1" } else { "0" }.into(), number: true })
        }
    }
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

fn compare(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    if left.number || right.number {
        if let (Ok(left), Ok(right)) = (left.text.parse::<i128>(), right.text.parse::<i128>()) {
            return left.cmp(&right);
        }
        if let (Ok(left), Ok(right)) = (left.text.parse::<f64>(), right.text.parse::<f64>()) {
            return left.total_cmp(&right);
        }
    }
    left.text.chars().map(lower).cmp(right.text.chars().map(lower))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{CatalogStatement, Show, ShowFilter, ShowTables};
    use crate::parser::catalog_statement;

    fn filter(condition: &str) -> Filter {
        match catalog_statement(&format!("SHOW TABLES WHERE {condition}")).unwrap() {
            CatalogStatement::Show(Show::Tables(ShowTables {
                filter: Some(ShowFilter::Where(filter)),
                ..
            })) => filter,
            other => panic!("{other:?}"),
        }
    }

    fn passes(condition: &str) -> bool {
        filter(condition).matches(&|name| match name.to_ascii_lowercase().as_str() {
            "name" => Some(Cow::Borrowed("Orders")),
            "rows" => Some(Cow::Borrowed("10")),
            "key" => Some(Cow::Borrowed("PRI")),
            _ => None,
        })
    }

    #[test]
    fn rows_that_fail_or_stay_unknown_are_left_out() {
        for condition in [
            "name = 'x'",
            "rows < 9",
            "comment = 'x'",
            "comment <> 'x'",
            "NOT comment = 'x'",
            "name NOT LIKE 'o%'",
            "name IN ('a', NULL)",
            "name NOT IN ('a', NULL)",
            "comment IS NOT NULL",
            "name = 'Orders' AND comment = 'x'",
            "name = 'x' OR comment = 'x'",
            "name = NULL",
            "rows NOT BETWEEN 1 AND 10",
            "NOT (1 = 1)",
        ] {
            assert!(!passes(condition), "{condition}");
        }
    }

    #[test]
    fn rows_that_hold_pass() {
        for condition in [
            "name = 'ORDERS'",
            "`name` LIKE 'ord%'",
            "t.name = 'orders'",
            "rows > 9 AND rows >= 10 AND rows <= 10.0 AND 9.5 < rows",
            "rows < '9'",
            "comment IS NULL",
            "name = 'x' OR name = 'orders' AND key = 'pri'",
            "comment = 'x' || rows = 10",
            "NOT (name = 'x') && ! name = 'y'",
            "name IN ('x', 'orders')",
            "rows IN (1, 10)",
            "rows BETWEEN 1 AND 10",
            "name != 'x'",
            "TRUE = 1",
        ] {
            assert!(passes(condition), "{condition}");
        }
    }

    #[test]
    fn columns_are_listed_for_a_check_beforehand() {
        assert_eq!(filter("a = 1 AND NOT (b LIKE 'x' OR c IS NULL)").columns(), ["a", "b", "c"]);
    }
}
