//! HAVING without groups, which MySQL takes as a second WHERE that sees the aliases of the select
//! list, and prefers them to columns. JDBC drivers list tables with it; SQLite refuses it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Select, SelectItem, Visit, visit_expressions,
    visit_expressions_mut,
};

use super::{Step, absent, function_name};

/// Functions that make a query one of groups.
const AGGREGATES: [&str; 7] = ["count", "sum", "avg", "min", "max", "any_value", "group_concat"];
/// How often such a HAVING may mention aliases: each mention repeats an expression.
const MENTIONS_MAX: usize = 64;

/// Moves a HAVING without groups into WHERE.
pub(super) fn fold(select: &mut Select) -> Step {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if grouped || aggregates(&select.projection) || aggregates(&select.having) {
        return ControlFlow::Continue(());
    }
    let Some(mut having) = select.having.take() else { return ControlFlow::Continue(()) };
    let mut mentions = 0;
    let _ = visit_expressions_mut(&mut having, |expr| {
        let aliased = select.projection.iter().find_map(|item| match (item, &*expr) {
            (SelectItem::ExprWithAlias { expr, alias }, Expr::Identifier(name))
                if alias.value.eq_ignore_ascii_case(&name.value) =>
            {
                Some(expr.clone())
            }
            _ => None,
        });
        if let Some(aliased) = aliased {
            *expr = Expr::Nested(Box::new(aliased));
            mentions += 1;
        }
        if mentions > MENTIONS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    absent(mentions > MENTIONS_MAX, "a HAVING without groups that is this long")?;
    let having = Expr::Nested(Box::new(having));
    select.selection = Some(match select.selection.take() {
        None => having,
        Some(condition) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(condition))),
            op: BinaryOperator::And,
            right: Box::new(having),
        },
    });
    ControlFlow::Continue(())
}

fn aggregates(tree: &impl Visit) -> bool {
    let found = visit_expressions(tree, |expr| match expr {
        Expr::Function(call)
            if call.over.is_none()
                && function_name(call).is_some_and(|name| AGGREGATES.contains(&name.as_str())) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}
