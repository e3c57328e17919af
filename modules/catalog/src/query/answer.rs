//! Rows on their way out: conditions, order, limit.

use std::borrow::Cow;
use std::cmp::Ordering;

use quorate_guest::{Column, ColumnType, Failure, Reply, Value};
use quorate_sql::{Filter, ShowFilter, Tail, like_match};

use crate::refusal;

/// A result set in the making.
pub struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

impl Answer {
    /// No rows of text columns.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|name| Column::text(*name)).collect(), rows: Vec::new() }
    }

    /// Makes the named columns integers.
    pub fn integers(mut self, names: &[&str]) -> Self {
        for column in self.columns.iter_mut().filter(|c| names.contains(&c.name.as_str())) {
            column.column_type = ColumnType::Int;
        }
        self
    }

    /// Adds a row, as long as there are columns.
    pub fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    /// The rows that the condition of a `SHOW` lets pass.
    ///
    /// # Errors
    /// The condition uses a column that the answer does not have.
    pub fn reply(mut self, filter: Option<&ShowFilter>) -> Result<Reply, Failure> {
        match filter {
            None => {}
            Some(ShowFilter::Like(pattern)) => self.rows.retain(|row| {
                row.first().and_then(text).is_some_and(|name| like_match(pattern, &name, true))
            }),
            Some(ShowFilter::Where(filter)) => self.filter(filter)?,
        }
        Ok(Reply::rows(self.columns, self.rows))
    }

    /// The rows that a condition lets pass, sorted and cut.
    ///
    /// # Errors
    /// The condition or the order uses a column that the answer does not have.
    pub fn reply_tail(mut self, tail: &Tail) -> Result<Reply, Failure> {
        if let Some(filter) = &tail.filter {
            self.filter(filter)?;
        }
        // The least significant first: sorting is stable.
        for order in tail.order_by.iter().rev() {
            let at = self.position(&order.column, "order clause")?;
            self.rows.sort_by(|a, b| {
                let ordering = compare(&a[at], &b[at]);
                if order.descending { ordering.reverse() } else { ordering }
            });
        }
        if let Some(limit) = tail.limit {
            let index = |number| usize::try_from(number).unwrap_or(usize::MAX);
            self.rows.drain(..index(limit.offset).min(self.rows.len()));
            self.rows.truncate(index(limit.count));
        }
        Ok(Reply::rows(self.columns, self.rows))
    }

    fn filter(&mut self, filter: &Filter) -> Result<(), Failure> {
        for name in filter.columns() {
            self.position(name, "where clause")?;
        }
        let columns = &self.columns;
        self.rows.retain(|row| {
            filter.matches(&|name| {
                let at = columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))?;
                row.get(at).and_then(text)
            })
        });
        Ok(())
    }

    fn position(&self, name: &str, place: &str) -> Result<usize, Failure> {
        let at = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        at.ok_or_else(|| refusal::unknown_column(name, place))
    }
}

/// A value as a client sees it, `None` for null.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null | Value::Bytes(_) | Value::Double(_) => None,
        Value::Int(number) => Some(number.to_string().into()),
        Value::UInt(number) => Some(number.to_string().into()),
        Value::Text(text) => Some(text.into()),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        _ => text(a).cmp(&text(b)),
    }
}
