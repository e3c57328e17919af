//! A MySQL query as one that SQLite understands and means the same by.
//!
//! One walk over the tree. Every string, variable and session fact becomes a bound parameter; every
//! identifier is quoted; every operation is parenthesised, because the two dialects disagree on
//! precedence; functions and tables are looked up here, so that SQLite only ever meets what this
//! layer offers. What has no counterpart is refused by name.

mod cast;
mod expression;
mod having;
mod name;
mod set;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use quorate_wire::{Failure, Relation, Value};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause, ObjectName,
    ObjectNamePart, OffsetRows, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, TableAlias, TableFactor, TableWithJoins, Value as Literal,
    ValueWithSpan, VisitMut, VisitorMut,
};

use super::shape::Output;
use super::{Scope, failure};
pub(super) use cast::{Target, target};
pub(super) use expression::{arguments, function_name};
pub(super) use name::{mangle, resolve, variable};

/// Longest label, in characters, of a column inside a subquery; MySQL's own limit.
const LABEL_MAX: usize = 256;

/// A query that is ready for SQLite.
pub(super) struct Plan {
    /// The statement.
    pub(super) sql: String,
    /// What to bind, from parameter 1 on.
    pub(super) parameters: Vec<Value>,
    /// The relations it reads, by position; each is a table named by [`table_name`].
    pub(super) tables: BTreeSet<usize>,
    /// The functions it calls, by their names in [`super::function`].
    pub(super) functions: BTreeSet<&'static str>,
    /// Separators of `GROUP_CONCAT`; each makes an aggregate named by [`concat_name`].
    pub(super) separators: Vec<String>,
    /// Names and types of the result, if they could be told.
    pub(super) outputs: Option<Vec<Output>>,
}

/// What a relation is called inside SQLite.
pub(super) fn table_name(index: usize) -> String {
    format!("relation {index}")
}

/// What `GROUP_CONCAT` with the separator of that position is called inside SQLite.
pub(super) fn concat_name(index: usize) -> String {
    format!("group_concat {index}")
}

/// Rewrites `query`.
pub(super) fn plan(
    mut query: Box<Query>,
    outputs: Option<Vec<Output>>,
    scope: &Scope,
    relations: &[Relation],
) -> Result<Plan, Failure> {
    let sql_mode = scope.system_variables.get("sql_mode");
    let mut rewriter = Rewriter {
        scope,
        relations,
        pipes_concatenate: matches!(sql_mode, Some(Value::Text(mode))
            if mode.contains("PIPES_AS_CONCAT") || mode.contains("ANSI")),
        common: Vec::new(),
        plan: Plan {
            sql: String::new(),
            parameters: Vec::new(),
            tables: BTreeSet::new(),
            functions: BTreeSet::new(),
            separators: Vec::new(),
            outputs,
        },
    };
    if let ControlFlow::Break(failure) = query.visit(&mut rewriter) {
        return Err(*failure);
    }
    rewriter.plan.sql = query.to_string();
    Ok(rewriter.plan)
}

/// The condition of a join.
pub(super) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator as Op;
    match operator {
        Op::Join(c)
        | Op::Inner(c)
        | Op::Left(c)
        | Op::LeftOuter(c)
        | Op::Right(c)
        | Op::RightOuter(c)
        | Op::FullOuter(c)
        | Op::CrossJoin(c)
        | Op::StraightJoin(c) => Some(c),
        _ => None,
    }
}

struct Rewriter<'a> {
    scope: &'a Scope,
    relations: &'a [Relation],
    /// `||` joins strings; otherwise it is OR.
    pipes_concatenate: bool,
    /// Names of common table expressions, a list for each query around.
    common: Vec<Vec<String>>,
    plan: Plan,
}

/// Outcome of a step; boxed, because it is carried up through deep recursion.
type Step = ControlFlow<Box<Failure>>;

fn refuse(failure: Failure) -> Step {
    ControlFlow::Break(Box::new(failure))
}

/// Refuses `what` if it is there.
fn absent(there: bool, what: &str) -> Step {
    if there { refuse(failure::unsupported(what)) } else { ControlFlow::Continue(()) }
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('`', mangle(name))
}

impl Rewriter<'_> {
    /// A bound parameter.
    fn parameter(&mut self, value: Value) -> Literal {
        self.plan.parameters.push(value);
        Literal::Placeholder(format!("?{}", self.plan.parameters.len()))
    }

    fn bound(&mut self, value: Value) -> Expr {
        Expr::value(self.parameter(value))
    }

    fn joins(&self, table: &mut TableWithJoins) -> Step {
        for join in &mut table.joins {
            if let JoinOperator::StraightJoin(constraint) = &mut join.join_operator {
                let constraint = std::mem::replace(constraint, JoinConstraint::None);
                join.join_operator = JoinOperator::Inner(constraint);
            }
            absent(constraint(&join.join_operator).is_none(), "this kind of join")?;
        }
        ControlFlow::Continue(())
    }

    fn table(&mut self, name: &mut ObjectName, alias: &mut Option<TableAlias>) -> Step {
        if let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() {
            let known = self.common.iter().flatten().any(|n| n.eq_ignore_ascii_case(&ident.value));
            if known {
                return ControlFlow::Continue(());
            }
        }
        let index = match resolve(name, self.scope, self.relations) {
            Ok(index) => index,
            Err(failure) => return refuse(failure),
        };
        self.plan.tables.insert(index);
        let written = name.0.last().and_then(ObjectNamePart::as_ident).cloned();
        if let (None, Some(name)) = (&alias, written) {
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
        }
        *name = ObjectName::from(quoted(&table_name(index)));
        ControlFlow::Continue(())
    }

    /// MySQL's own idiom for "no limit" is a number that SQLite cannot hold.
    fn limit(&self, limit: &mut Expr) {
        if let Expr::Value(ValueWithSpan { value: Literal::Number(digits, _), .. }) = limit
            && digits.parse::<u64>().is_ok_and(|number| i64::try_from(number).is_err())
        {
            *digits = i64::MAX.to_string();
        }
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Box<Failure>;

    fn pre_visit_query(&mut self, query: &mut Query) -> Step {
        set::flatten(query)?;
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common.push(tables.map(|table| table.alias.name.value.clone()).collect());
        query.locks.clear();
        absent(query.fetch.is_some(), "FETCH")?;
        let foreign = query.for_clause.is_some() || query.settings.is_some();
        let foreign = foreign || query.format_clause.is_some() || !query.pipe_operators.is_empty();
        absent(foreign, "a clause behind the query")?;
        if let Some(order) = &query.order_by {
            absent(matches!(order.kind, OrderByKind::All(_)), "ORDER BY ALL")?;
        }
        match &mut query.limit_clause {
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.limit(offset);
                self.limit(limit);
            }
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                absent(!limit_by.is_empty(), "LIMIT BY")?;
                limit.iter_mut().for_each(|limit| self.limit(limit));
                if let Some(offset) = offset {
                    self.limit(&mut offset.value);
                    offset.rows = OffsetRows::None;
                }
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> Step {
        self.common.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Step {
        select.optimizer_hints.clear();
        select.select_modifiers = None;
        absent(select.into.is_some(), "SELECT .. INTO")?;
        absent(matches!(select.distinct, Some(Distinct::On(_))), "DISTINCT ON")?;
        let foreign = select.top.is_some() || select.exclude.is_some() || select.qualify.is_some();
        let foreign = foreign || select.prewhere.is_some() || select.value_table_mode.is_some();
        let foreign = foreign || select.flavor != SelectFlavor::Standard;
        let lists = [select.lateral_views.len(), select.connect_by.len(), select.cluster_by.len()];
        let lists = lists.iter().sum::<usize>() + select.distribute_by.len() + select.sort_by.len();
        absent(foreign || lists > 0, "this form of SELECT")?;
        match &select.group_by {
            GroupByExpr::All(_) => return refuse(failure::unsupported("GROUP BY ALL")),
            GroupByExpr::Expressions(_, modifiers) => {
                absent(!modifiers.is_empty(), "GROUP BY .. WITH ROLLUP")?;
            }
        }
        if let [TableWithJoins { relation: TableFactor::Table { name, .. }, joins }] =
            select.from.as_slice()
            && joins.is_empty()
            && name.to_string().eq_ignore_ascii_case("dual")
        {
            select.from.clear();
        }
        for table in &mut select.from {
            self.joins(table)?;
        }
        having::fold(select)?;
        for item in &mut select.projection {
            match item {
                // SQLite labels columns its own way, and only an alias is kept through subqueries.
                SelectItem::UnnamedExpr(expr) => {
                    let alias = match &*expr {
                        Expr::Identifier(ident) => ident.value.clone(),
                        Expr::CompoundIdentifier(parts) if !parts[0].value.starts_with('@') => {
                            parts[parts.len() - 1].value.clone()
                        }
                        other => other.to_string().chars().take(LABEL_MAX).collect(),
                    };
                    let expr = std::mem::replace(expr, Expr::value(Literal::Null));
                    *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(alias) };
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    name.0.drain(..name.0.len() - 1);
                }
                SelectItem::Wildcard(_) if select.from.is_empty() => {
                    return refuse(Failure::new(1096, "HY000", "No tables used"));
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> Step {
        match table {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let extras = args.is_some() || version.is_some() || *with_ordinality;
                let extras = extras || json_path.is_some() || sample.is_some();
                absent(extras || !partitions.is_empty(), "this form of table reference")?;
                absent(
                    alias.as_ref().is_some_and(|a| !a.columns.is_empty()),
                    "a column list behind a table alias",
                )?;
                index_hints.clear();
                with_hints.clear();
                self.table(name, alias)
            }
            TableFactor::Derived { lateral, sample, alias, .. } => {
                absent(*lateral, "LATERAL")?;
                absent(
                    alias.as_ref().is_some_and(|a| !a.columns.is_empty()),
                    "a column list behind a table alias",
                )?;
                absent(sample.is_some(), "TABLESAMPLE")
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                absent(alias.is_some(), "an alias for a join in parentheses")?;
                self.joins(table_with_joins)
            }
            _ => refuse(failure::unsupported("this form of table reference")),
        }
    }

    fn pre_visit_ident(&mut self, ident: &mut Ident) -> Step {
        *ident = quoted(&ident.value);
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> Step {
        let new = match &value.value {
            Literal::Null | Literal::Boolean(_) => return ControlFlow::Continue(()),
            Literal::Number(digits, _) => {
                let plain =
                    |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
                absent(!digits.chars().all(plain), "this form of number")?;
                return ControlFlow::Continue(());
            }
            Literal::Placeholder(mark) if mark != "?" => return ControlFlow::Continue(()),
            Literal::Placeholder(_) => Value::Null,
            Literal::HexStringLiteral(digits) => match super::function::unhex(digits) {
                Some(bytes) => Value::Bytes(bytes),
                None => return refuse(failure::syntax("a hexadecimal literal has odd digits")),
            },
            other => match other.clone().into_string() {
                Some(text) => Value::Text(text),
                None => return refuse(failure::unsupported("this form of literal")),
            },
        };
        value.value = self.parameter(new);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Step {
        self.prepare(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Step {
        self.translate(expr)
    }
}
