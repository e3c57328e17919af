//! UNION and its kin: SQLite takes no parentheses around their operands.

use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    GroupByExpr, Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator, SetQuantifier,
    TableFactor, TableWithJoins, Values, WildcardAdditionalOptions,
};

use super::{Step, absent, refuse};
use crate::query::failure;

/// Takes the parentheses off the body of a query and off the operands in it.
pub(super) fn flatten(query: &mut Query) -> Step {
    while let SetExpr::Query(inner) = &mut *query.body {
        if query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() {
            let inner = std::mem::replace(inner, Box::new(wrapping(empty())));
            *query = *inner;
        } else {
            derive(&mut query.body);
        }
    }
    let mut body = &mut *query.body;
    loop {
        match body {
            SetExpr::Select(_) => return ControlFlow::Continue(()),
            SetExpr::Values(values) => {
                values.explicit_row = false;
                values.value_keyword = false;
                return ControlFlow::Continue(());
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                if *op == SetOperator::Minus {
                    *op = SetOperator::Except;
                }
                match set_quantifier {
                    SetQuantifier::None => {}
                    SetQuantifier::Distinct => *set_quantifier = SetQuantifier::None,
                    SetQuantifier::All => {
                        absent(*op != SetOperator::Union, "EXCEPT ALL and INTERSECT ALL")?
                    }
                    _ => return refuse(failure::unsupported("BY NAME")),
                }
                if matches!(**right, SetExpr::Query(_) | SetExpr::SetOperation { .. }) {
                    derive(right);
                }
                if matches!(**left, SetExpr::Query(_)) {
                    derive(left);
                }
                plain(right)?;
                body = left;
            }
            _ => return refuse(failure::unsupported("a query of this kind")),
        }
    }
}

/// An operand on the right.
fn plain(body: &mut SetExpr) -> Step {
    match body {
        SetExpr::Select(_) => ControlFlow::Continue(()),
        SetExpr::Values(Values { explicit_row, value_keyword, .. }) => {
            (*explicit_row, *value_keyword) = (false, false);
            ControlFlow::Continue(())
        }
        _ => refuse(failure::unsupported("a query of this kind")),
    }
}

/// `body` as `SELECT * FROM (body)`.
fn derive(body: &mut SetExpr) {
    let subquery = match std::mem::replace(body, empty()) {
        SetExpr::Query(query) => query,
        other => Box::new(wrapping(other)),
    };
    let relation = TableFactor::Derived { lateral: false, subquery, alias: None, sample: None };
    let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let from = vec![TableWithJoins { relation, joins: Vec::new() }];
    *body = SetExpr::Select(Box::new(select(vec![all], from)));
}

fn empty() -> SetExpr {
    SetExpr::Select(Box::new(select(Vec::new(), Vec::new())))
}

/// A query that is `body` and nothing else.
pub(super) fn wrapping(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn select(projection: Vec<SelectItem>, from: Vec<TableWithJoins>) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}
