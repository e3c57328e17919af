//! The type of an expression.

use quorate_wire::{ColumnType, Value};
use sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value as Literal};

use super::{Output, Shaper, Source, unify};
use crate::query::function::{self, Returns};
use crate::query::rewrite;

impl Shaper<'_> {
    pub(super) fn expression(
        &mut self,
        expr: &Expr,
        sources: &Option<Vec<Source>>,
    ) -> Option<ColumnType> {
        use ColumnType::{Decimal, Double, Int, Text};
        match expr {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => {
                self.expression(inner, sources)
            }
            Expr::Prefixed { .. } | Expr::Trim { .. } | Expr::Substring { .. } => Some(Text),
            Expr::Value(value) => literal(&value.value),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                if let Some(value) = rewrite::variable(expr, self.scope) {
                    return of_value(&value);
                }
                column(expr, sources.as_deref()?)
            }
            Expr::Cast { data_type, .. } => cast(data_type),
            Expr::Convert { data_type: Some(data_type), .. } => cast(data_type),
            Expr::Convert { .. } => Some(Text),
            Expr::TypedString(typed) => cast(&typed.data_type),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => {
                self.expression(expr, sources).filter(|t| matches!(t, Int | Double | Decimal))
            }
            Expr::BinaryOp { left, op, right } => match op {
                BinaryOperator::Divide => Some(Double),
                BinaryOperator::Plus
                | BinaryOperator::Minus
                | BinaryOperator::Multiply
                | BinaryOperator::Modulo => {
                    if matches!(**right, Expr::Interval(_)) {
                        return Some(ColumnType::DateTime);
                    }
                    match (self.expression(left, sources)?, self.expression(right, sources)?) {
                        (Int | ColumnType::UInt, Int | ColumnType::UInt) => Some(Int),
                        _ => Some(Double),
                    }
                }
                BinaryOperator::StringConcat => None,
                _ => Some(Int),
            },
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|when| &when.result);
                results
                    .chain(else_result.as_deref())
                    .fold(None, |found, result| unify(found, self.expression(result, sources)))
            }
            Expr::Subquery(query) => self.query(query)?.into_iter().next()?.column_type,
            Expr::Function(call) => {
                let entry = function::find(&rewrite::function_name(call)?)?;
                let arguments = rewrite::arguments(call);
                match entry.returns {
                    Returns::Fixed(column_type) => Some(column_type),
                    Returns::Observed => None,
                    Returns::Arguments(from) => {
                        arguments.iter().skip(from).fold(None, |found, argument| {
                            unify(found, self.expression(argument, sources))
                        })
                    }
                }
            }
            Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Extract { .. } => Some(Int),
            Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::RLike { .. }
            | Expr::Exists { .. }
            | Expr::UnaryOp { .. } => Some(Int),
            _ => None,
        }
    }
}

fn column(expr: &Expr, sources: &[Source]) -> Option<ColumnType> {
    let (table, name) = match expr {
        Expr::Identifier(ident) => (None, &ident.value),
        Expr::CompoundIdentifier(parts) => {
            let [.., table, name] = parts.as_slice() else { return None };
            (Some(&table.value), &name.value)
        }
        _ => return None,
    };
    let columns = sources
        .iter()
        .filter(|source| table.is_none_or(|table| source.is_named(table)))
        .flat_map(|source| &source.columns);
    let found: Option<&Output> =
        columns.into_iter().find(|column| column.name.eq_ignore_ascii_case(name));
    found?.column_type
}

fn literal(value: &Literal) -> Option<ColumnType> {
    match value {
        Literal::Number(digits, _) if digits.parse::<i64>().is_ok() => Some(ColumnType::Int),
        Literal::Number(..) => Some(ColumnType::Double),
        Literal::Boolean(_) => Some(ColumnType::Int),
        Literal::HexStringLiteral(_) => Some(ColumnType::Bytes),
        Literal::Null | Literal::Placeholder(_) => None,
        _ => Some(ColumnType::Text),
    }
}

fn of_value(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Null => None,
        Value::Int(_) => Some(ColumnType::Int),
        Value::UInt(_) => Some(ColumnType::UInt),
        Value::Double(_) => Some(ColumnType::Double),
        Value::Text(_) => Some(ColumnType::Text),
        Value::Bytes(_) => Some(ColumnType::Bytes),
    }
}

/// The type that `CAST(.. AS data_type)` gives.
fn cast(data_type: &DataType) -> Option<ColumnType> {
    use rewrite::Target;
    Some(match rewrite::target(data_type)? {
        Target::Text => ColumnType::Text,
        Target::Bytes => ColumnType::Bytes,
        Target::Int => ColumnType::Int,
        Target::UInt => ColumnType::UInt,
        Target::Double => ColumnType::Double,
        Target::Decimal(_) => ColumnType::Decimal,
        Target::Date => ColumnType::Date,
        Target::DateTime => ColumnType::DateTime,
    })
}
