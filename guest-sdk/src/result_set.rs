//! Builds the rows of an answer.

use quorate_wire::{Column, ColumnType, Reply, Value};

/// A result set under construction: columns first, then rows.
///
/// ```
/// # use quorate_guest::{ResultSet, row};
/// let mut result = ResultSet::new().text("owner").int("cents");
/// for (owner, cents) in [("ann", 1250i64), ("bob", -3)] {
///     result.push(row![owner, cents]);
/// }
/// let reply = result.reply();
/// ```
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $type:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(self, name: &str) -> Self {
            self.column(name, ColumnType::$type)
        }
    )*};
}

impl ResultSet {
    /// Without columns and rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of any type.
    ///
    /// # Panics
    /// When there are rows already.
    #[must_use]
    pub fn column(mut self, name: &str, column_type: ColumnType) -> Self {
        assert!(self.rows.is_empty(), "columns come before rows");
        self.columns.push(Column::new(name, column_type));
        self
    }

    columns! {
        /// Adds a column of text.
        text Text;
        /// Adds a column of signed integers.
        int Int;
        /// Adds a column of unsigned integers.
        uint UInt;
        /// Adds a column of bytes.
        bytes Bytes;
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not one value for each column.
    pub fn push(&mut self, row: Vec<Value>) {
        let (values, columns) = (row.len(), self.columns.len());
        assert!(values == columns, "a row of {values} values for {columns} columns");
        self.rows.push(row);
    }

    /// As [`push`](Self::push), for a result that is made in one expression.
    #[must_use]
    pub fn with(mut self, row: Vec<Value>) -> Self {
        self.push(row);
        self
    }

    /// The answer.
    pub fn reply(self) -> Reply {
        Reply::rows(self.columns, self.rows)
    }
}

/// A row of a result or a relation: each value is anything that a [`Value`] can be made of.
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a row of 1 values for 2 columns")]
    fn a_row_must_fill_its_columns() {
        let _ = ResultSet::new().text("a").int("b").with(row!["x"]);
    }

    #[test]
    #[should_panic(expected = "columns come before rows")]
    fn a_column_cannot_follow_a_row() {
        let _ = ResultSet::new().text("a").with(row!["x"]).int("b");
    }

    #[test]
    fn a_result_set_is_the_reply_of_its_columns_and_rows() {
        let built = ResultSet::new()
            .text("a")
            .uint("b")
            .with(row!["x", 7u64])
            .with(row![None::<i64>, 8u64]);
        let columns = vec![Column::text("a"), Column::new("b", ColumnType::UInt)];
        let rows = vec![vec!["x".into(), Value::UInt(7)], vec![Value::Null, Value::UInt(8)]];
        assert_eq!(built.reply(), Reply::rows(columns, rows));
    }
}
