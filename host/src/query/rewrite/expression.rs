//! Expressions. `prepare` works before the parts of an expression are visited, on what the client
//! wrote; `translate` after, on parts that are SQLite's already.

use std::ops::ControlFlow;

use quorate_wire::{Failure, Value};
use sqlparser::ast::{
    BinaryOperator as Op, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName,
    Parens, Query, SetExpr, TrimWhereField, UnaryOperator, Value as Literal, Values,
};

use super::{Rewriter, Step, Target, absent, concat_name, quoted, refuse, set, target, variable};
use crate::query::failure;
use crate::query::function::{self, Body};

/// What a step makes of an expression.
type Made = ControlFlow<Box<Failure>, Expr>;

fn refused(failure: Failure) -> Made {
    ControlFlow::Break(Box::new(failure))
}

/// Functions whose first argument is the name of a unit.
const UNIT_FIRST: [&str; 2] = ["timestampdiff", "timestampadd"];

/// The name that is called, in lower case; `None` if it is qualified.
pub(in crate::query) fn function_name(call: &Function) -> Option<String> {
    match call.name.0.as_slice() {
        [name] => Some(name.as_ident()?.value.to_ascii_lowercase()),
        _ => None,
    }
}

/// The arguments that are expressions.
pub(in crate::query) fn arguments(call: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &call.args else { return Vec::new() };
    let expressions = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    expressions.collect()
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e)));
    Expr::Function(Function {
        name: ObjectName::from(quoted(name)),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Literal::Null))
}

fn not(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) } } else { expr }
}

impl Rewriter<'_> {
    /// A call of one of our functions.
    fn apply(&mut self, name: &'static str, arguments: Vec<Expr>) -> Expr {
        self.plan.functions.insert(name);
        call(name, arguments)
    }

    fn text(&mut self, text: &str) -> Expr {
        self.bound(Value::from(text))
    }

    pub(super) fn prepare(&mut self, expr: &mut Expr) -> Step {
        if let Some(value) = variable(expr, self.scope) {
            *expr = self.bound(value);
            return ControlFlow::Continue(());
        }
        match expr {
            // MySQL: this one may go without parentheses.
            Expr::Identifier(Ident { value, quote_style: None, .. })
                if value.eq_ignore_ascii_case("current_user") =>
            {
                *expr = call("current_user", Vec::new());
            }
            // SQLite would read the database as one of its own.
            Expr::CompoundIdentifier(parts) if parts.len() > 2 => {
                parts.drain(..parts.len() - 2);
            }
            Expr::TypedString(typed) => {
                let value = Expr::Value(typed.value.clone());
                let (data_type, kind) = (typed.data_type.clone(), sqlparser::ast::CastKind::Cast);
                *expr = Expr::Cast { kind, expr: Box::new(value), data_type, format: None };
            }
            Expr::Prefixed { value, .. } => *expr = take(value),
            Expr::Function(function) => {
                let name = function_name(function).unwrap_or_default();
                let FunctionArguments::List(list) = &mut function.args else {
                    return ControlFlow::Continue(());
                };
                if UNIT_FIRST.contains(&name.as_str())
                    && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) =
                        list.args.first_mut()
                {
                    *unit = Expr::value(Literal::SingleQuotedString(unit.to_string()));
                }
                if name == "group_concat" {
                    let mut separator = ",".to_owned();
                    list.clauses.retain(|clause| match clause {
                        FunctionArgumentClause::Separator(text) => {
                            separator = text.clone().into_string().unwrap_or_default();
                            false
                        }
                        _ => true,
                    });
                    if list.args.len() > 1 {
                        let all = std::mem::take(&mut list.args);
                        let all = all.into_iter().filter_map(|argument| match argument {
                            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                            _ => None,
                        });
                        let joined = call("concat", all.collect());
                        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(joined)));
                    }
                    self.plan.separators.push(separator);
                    let name = concat_name(self.plan.separators.len() - 1);
                    function.name = ObjectName::from(Ident::new(name));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    pub(super) fn translate(&mut self, expr: &mut Expr) -> Step {
        let new = match take(expr) {
            Expr::BinaryOp { left, op, right } => self.binary(*left, op, *right)?,
            Expr::UnaryOp { op, expr } => {
                let op = match op {
                    UnaryOperator::BangNot | UnaryOperator::Not => UnaryOperator::Not,
                    UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::BitwiseNot => op,
                    other => return refuse(failure::unsupported(&format!("operator {other}"))),
                };
                Expr::UnaryOp { op, expr }
            }
            Expr::Like { negated, any, expr, pattern, escape_char } => {
                absent(any, "LIKE ANY")?;
                let escape = escape_char.unwrap_or_else(|| Box::new(self.text("\\")));
                Expr::Like { negated, any, expr, pattern, escape_char: Some(escape) }
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                not(self.apply("regexp_like", vec![*expr, *pattern]), negated)
            }
            Expr::Cast { expr, data_type, .. } => self.cast(*expr, &data_type)?,
            Expr::Convert { expr, data_type, .. } => match data_type {
                Some(data_type) => self.cast(*expr, &data_type)?,
                None => *expr,
            },
            Expr::Collate { expr, collation } => {
                let binary = collation.to_string().trim_matches('`').ends_with("bin");
                let binary = binary || collation.to_string().contains("binary");
                let name = if binary { "BINARY" } else { "NOCASE" };
                Expr::Collate { expr, collation: ObjectName::from(quoted(name)) }
            }
            Expr::Extract { field, expr, .. } => {
                let unit = self.text(&field.to_string());
                self.apply("extract", vec![unit, *expr])
            }
            Expr::Ceil { expr, .. } => self.apply("ceil", vec![*expr]),
            Expr::Floor { expr, .. } => self.apply("floor", vec![*expr]),
            Expr::Position { expr, r#in } => self.apply("locate", vec![*expr, *r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let Some(from) = substring_from else {
                    return refuse(failure::argument_count("substring"));
                };
                let parts = [Some(expr), Some(from), substring_for];
                self.apply("substring", parts.into_iter().flatten().map(|part| *part).collect())
            }
            Expr::Trim { trim_where, trim_what, expr, .. } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "trim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                self.apply(
                    name,
                    [Some(expr), trim_what].into_iter().flatten().map(|e| *e).collect(),
                )
            }
            Expr::Function(function) => self.function(function)?,
            Expr::AnyOp { left, compare_op: Op::Eq, right, .. } => {
                membership(*left, *right, false)?
            }
            Expr::AllOp { left, compare_op: Op::NotEq, right } => membership(*left, *right, true)?,
            Expr::AnyOp { .. } | Expr::AllOp { .. } => {
                return refuse(failure::unsupported("comparison with ANY or ALL of a subquery"));
            }
            // SQLite: rows are looked up in VALUES, not in a list.
            Expr::InList { expr, list, negated }
                if list.iter().any(|e| matches!(e, Expr::Tuple(_))) =>
            {
                let rows = list.into_iter().map(|row| match row {
                    Expr::Tuple(row) => Parens::with_empty_span(row),
                    other => Parens::with_empty_span(vec![other]),
                });
                let values =
                    Values { explicit_row: false, value_keyword: false, rows: rows.collect() };
                let subquery = Box::new(set::wrapping(SetExpr::Values(values)));
                Expr::InSubquery { expr, subquery, negated }
            }
            Expr::IsUnknown(expr) => Expr::IsNull(expr),
            Expr::IsNotUnknown(expr) => Expr::IsNotNull(expr),
            same @ (Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::Tuple(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::Interval(_)
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)) => same,
            other => return refuse(failure::unsupported(&format!("the expression {other}"))),
        };
        *expr = match new {
            open @ (Expr::BinaryOp { .. }
            | Expr::UnaryOp { .. }
            | Expr::Like { .. }
            | Expr::Between { .. }
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotDistinctFrom(..)
            | Expr::Collate { .. }
            | Expr::Exists { .. }) => Expr::Nested(Box::new(open)),
            closed => closed,
        };
        ControlFlow::Continue(())
    }

    fn binary(&mut self, left: Expr, op: Op, right: Expr) -> Made {
        let function = match (&op, &left, &right) {
            (Op::Plus, _, Expr::Interval(_)) => return self.shift("date_add", left, right),
            (Op::Plus, Expr::Interval(_), _) => return self.shift("date_add", right, left),
            (Op::Minus, _, Expr::Interval(_)) => return self.shift("date_sub", left, right),
            (Op::Divide, ..) => "divide",
            (Op::MyIntegerDivide, ..) => "integer divide",
            (Op::Modulo, ..) => "mod",
            (Op::Xor, ..) => "exclusive or",
            (Op::BitwiseXor, ..) => "bitwise exclusive or",
            (Op::StringConcat, ..) if self.pipes_concatenate => "concat",
            (Op::StringConcat, ..) => {
                let (left, right) = (Box::new(left), Box::new(right));
                return ControlFlow::Continue(Expr::BinaryOp { left, op: Op::Or, right });
            }
            (Op::Spaceship, ..) => {
                let both = Expr::IsNotDistinctFrom(Box::new(left), Box::new(right));
                return ControlFlow::Continue(both);
            }
            (Op::Assignment, ..) => {
                return refused(failure::unsupported("assignment to a variable inside a query"));
            }
            (
                Op::Plus
                | Op::Minus
                | Op::Multiply
                | Op::Gt
                | Op::Lt
                | Op::GtEq
                | Op::LtEq
                | Op::Eq
                | Op::NotEq
                | Op::And
                | Op::Or
                | Op::BitwiseOr
                | Op::BitwiseAnd
                | Op::PGBitwiseShiftLeft
                | Op::PGBitwiseShiftRight,
                ..,
            ) => {
                let (left, right) = (Box::new(left), Box::new(right));
                return ControlFlow::Continue(Expr::BinaryOp { left, op, right });
            }
            (other, ..) => {
                return refused(failure::unsupported(&format!("operator {other}")));
            }
        };
        ControlFlow::Continue(self.apply(function, vec![left, right]))
    }

    /// `name(date, amount, unit)` out of an interval.
    fn shift(&mut self, name: &'static str, date: Expr, interval: Expr) -> Made {
        let (amount, unit) = match interval {
            Expr::Interval(Interval {
                value, leading_field: Some(unit), last_field: None, ..
            }) => (*value, self.text(unit.to_string().trim_matches('`'))),
            days => (days, self.text("DAY")),
        };
        ControlFlow::Continue(self.apply(name, vec![date, amount, unit]))
    }

    fn cast(&mut self, value: Expr, data_type: &DataType) -> Made {
        let Some(target) = target(data_type) else {
            return refused(failure::unsupported(&format!("a cast to {data_type}")));
        };
        let plain = |data_type| Expr::Cast {
            kind: sqlparser::ast::CastKind::Cast,
            expr: Box::new(value.clone()),
            data_type,
            format: None,
        };
        ControlFlow::Continue(match target {
            Target::Text => plain(DataType::Text),
            Target::Bytes => {
                let (expr, collation) =
                    (Box::new(plain(DataType::Text)), ObjectName::from(quoted("BINARY")));
                Expr::Collate { expr, collation }
            }
            Target::Int | Target::UInt => plain(DataType::Integer(None)),
            Target::Double => plain(DataType::Real),
            Target::Decimal(scale) => {
                let scale = self.bound(Value::Int(scale));
                self.apply("cast decimal", vec![value, scale])
            }
            Target::Date => self.apply("date", vec![value]),
            Target::DateTime => self.apply("timestamp", vec![value]),
        })
    }

    fn function(&mut self, mut function: Function) -> Made {
        let Some(name) = function_name(&function) else {
            return refused(failure::unknown_function(&function.name.to_string().replace('`', "")));
        };
        if name.starts_with("group_concat ") {
            return ControlFlow::Continue(Expr::Function(function));
        }
        let Some(entry) = function::find(&name) else {
            return refused(failure::unknown_function(&name));
        };
        let (count, expressions) = match &function.args {
            FunctionArguments::List(list) => (list.args.len(), arguments(&function).len()),
            _ => (0, 0),
        };
        // `COUNT(*)` is the only call with an argument that is no expression.
        let odd = expressions < count && name != "count";
        if odd || !(entry.least..=entry.most).contains(&count) {
            return refused(failure::argument_count(&name));
        }
        function.uses_odbc_syntax = false;
        match entry.body {
            Body::Session(value) => {
                let value = value(self.scope);
                return ControlFlow::Continue(self.bound(value));
            }
            Body::Native(name) => function.name = ObjectName::from(quoted(name)),
            Body::Shift(_) => {
                let mut parts: Vec<Expr> = arguments(&function).into_iter().cloned().collect();
                if let (Some(amount), Some(date)) = (parts.pop(), parts.pop()) {
                    return self.shift(entry.name, date, amount);
                }
                return refused(failure::argument_count(&name));
            }
            Body::Either(value, _) if count == 0 => {
                let value = value(self.scope);
                return ControlFlow::Continue(self.bound(value));
            }
            Body::Strict(_) | Body::Loose(_) | Body::Either(..) | Body::Sleep => {
                self.plan.functions.insert(entry.name);
                function.name = ObjectName::from(quoted(entry.name));
            }
        }
        if let FunctionArguments::None = function.args {
            let (duplicate_treatment, args, clauses) = (None, Vec::new(), Vec::new());
            function.args = FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment,
                args,
                clauses,
            });
        }
        ControlFlow::Continue(Expr::Function(function))
    }
}

/// `left = ANY (subquery)` and its opposite.
fn membership(left: Expr, right: Expr, negated: bool) -> Made {
    let subquery: Box<Query> = match right {
        Expr::Subquery(query) => query,
        _ => return refused(failure::unsupported("ANY and ALL of a list")),
    };
    ControlFlow::Continue(Expr::InSubquery { expr: Box::new(left), subquery, negated })
}
