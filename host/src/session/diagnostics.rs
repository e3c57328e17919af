//! What `SHOW WARNINGS` and `SHOW ERRORS` list: the warnings and the error of the last statement.

use quorate_sql::Limit;
use quorate_wire::{Column, ColumnType, Failure, Reply, Value, Warning};

/// Most conditions kept; more are counted by nobody. As MySQL's `max_error_count`.
const CONDITIONS_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    warnings: Vec<Warning>,
    error: Option<Warning>,
}

impl Diagnostics {
    /// Replaces what the statement before left.
    pub fn record(&mut self, result: &Result<Reply, Failure>) {
        *self = Self::default();
        match result {
            Ok(reply) => {
                self.warnings.extend(reply.warnings.iter().take(CONDITIONS_MAX).cloned());
            }
            Err(failure) => {
                self.error = Some(Warning { code: failure.code, message: failure.message.clone() });
            }
        }
    }

    /// Warnings and errors.
    pub fn count(&self) -> usize {
        self.warnings.len() + self.error_count()
    }

    /// Errors.
    pub fn error_count(&self) -> usize {
        usize::from(self.error.is_some())
    }

    /// `SHOW WARNINGS`.
    pub fn warnings(&self, limit: Option<&Limit>) -> Reply {
        let warnings = self.warnings.iter().map(|warning| ("Warning", warning));
        listed(warnings.chain(self.errors_only()), limit)
    }

    /// `SHOW ERRORS`.
    pub fn errors(&self, limit: Option<&Limit>) -> Reply {
        listed(self.errors_only(), limit)
    }

    fn errors_only(&self) -> impl Iterator<Item = (&'static str, &Warning)> {
        self.error.iter().map(|error| ("Error", error))
    }
}

fn listed<'a>(
    conditions: impl Iterator<Item = (&'static str, &'a Warning)>,
    limit: Option<&Limit>,
) -> Reply {
    let bound = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (skip, take) = limit.map_or((0, usize::MAX), |l| (bound(l.offset), bound(l.count)));
    let columns =
        vec![Column::text("Level"), Column::new("Code", ColumnType::Int), Column::text("Message")];
    let row = |(level, condition): (&str, &Warning)| {
        vec![level.into(), Value::Int(condition.code.into()), condition.message.clone().into()]
    };
    Reply::rows(columns, conditions.skip(skip).take(take).map(row).collect())
}
