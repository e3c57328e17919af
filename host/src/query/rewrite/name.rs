//! Names: of tables, of variables, and as they are printed for SQLite.

use quorate_wire::{Failure, Relation, Value};
use sqlparser::ast::{Expr, ObjectName};

use crate::query::{Scope, failure};

/// A name without the two characters that a printed identifier cannot be trusted to carry. Both
/// sides of every comparison of names go through here, and labels are restored from the plan.
pub(in crate::query) fn mangle(name: &str) -> String {
    name.replace('`', "\u{2cb}").replace('\\', "\u{29f5}").replace('\0', "\u{2400}")
}

/// The relation that `[[catalog.]database.]table` means, by its position.
///
/// # Errors
/// 5502 when there is none, 1046 when there is no current database to look in.
pub(in crate::query) fn resolve(
    name: &ObjectName,
    scope: &Scope,
    relations: &[Relation],
) -> Result<usize, Failure> {
    let mut parts = Vec::new();
    for part in &name.0 {
        let ident = part.as_ident().ok_or_else(|| failure::unsupported("a table function"))?;
        parts.push(ident.value.as_str());
    }
    let (schema, table) = match parts.as_slice() {
        [table] => (scope.database.as_deref().ok_or_else(failure::no_database)?, *table),
        [schema, table] => (*schema, *table),
        [catalog, schema, table] if catalog.eq_ignore_ascii_case(&scope.catalog) => {
            (*schema, *table)
        }
        [catalog, _, _] => return Err(failure::unknown_catalog(catalog)),
        _ => return Err(failure::syntax("a table name has at most three parts")),
    };
    let same = |relation: &Relation| {
        relation.schema.eq_ignore_ascii_case(schema) && relation.name.eq_ignore_ascii_case(table)
    };
    relations.iter().position(same).ok_or_else(|| failure::unknown_table(schema, table))
}

/// The value of `@x`, `@@x`, `@@session.x` or `@@global.x`, if `expr` is one. A variable that is
/// not known is NULL: clients ask for MySQL's in great numbers, and give up on an error.
pub(in crate::query) fn variable(expr: &Expr, scope: &Scope) -> Option<Value> {
    let parts = match expr {
        Expr::Identifier(ident) => std::slice::from_ref(ident),
        Expr::CompoundIdentifier(parts) => parts.as_slice(),
        _ => return None,
    };
    let first = parts.first().filter(|ident| ident.quote_style.is_none())?;
    let (variables, name) = match (first.value.strip_prefix("@@"), parts) {
        (Some(name), [_]) => (&scope.system_variables, name),
        (Some(space), [_, name]) if space.eq_ignore_ascii_case("global") => {
            (&scope.global_variables, name.value.as_str())
        }
        (Some(_), [_, name]) => (&scope.system_variables, name.value.as_str()),
        (None, [_]) => (&scope.user_variables, first.value.strip_prefix('@')?),
        _ => return None,
    };
    Some(variables.get(&name.to_ascii_lowercase()).cloned().unwrap_or(Value::Null))
}
