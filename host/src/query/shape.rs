//! Names and types of a query's result, worked out from its tree.
//!
//! SQLite types values, not columns, so the types that a client is told come from here: relations
//! declare theirs, functions and operators imply theirs. Where the tree does not tell (`NATURAL
//! JOIN`, a number out of an untyped place), the values do, in [`super::engine`]. A wrong guess is
//! harmless for the same reason.

mod expression;

use quorate_wire::{ColumnType, Relation};
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins,
    Value as Literal,
};

use super::parse::Parsed;
use super::{Scope, rewrite};

/// A column of a result, or of a table in FROM.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Output {
    pub(super) name: String,
    /// `None`: as the values turn out.
    pub(super) column_type: Option<ColumnType>,
}

/// A table in FROM, under the name it can be referred to by.
struct Source {
    name: Option<String>,
    columns: Vec<Output>,
}

struct Shaper<'a> {
    scope: &'a Scope,
    relations: &'a [Relation],
    /// Common table expressions in sight, the innermost last.
    common: Vec<(String, Option<Vec<Output>>)>,
    /// Labels for the select list that is met first.
    texts: Option<&'a [String]>,
}

/// The columns of a query, if all of them can be told.
pub(super) fn outputs(
    parsed: &Parsed,
    scope: &Scope,
    relations: &[Relation],
) -> Option<Vec<Output>> {
    let mut shaper = Shaper { scope, relations, common: Vec::new(), texts: Some(&parsed.texts) };
    shaper.query(&parsed.query)
}

/// The type of a column that holds values of both types.
fn unify(a: Option<ColumnType>, b: Option<ColumnType>) -> Option<ColumnType> {
    use ColumnType::{Decimal, Double, Int, UInt};
    match (a, b) {
        (None, other) | (other, None) => other,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Double), Some(Int | UInt | Decimal)) | (Some(Int | UInt | Decimal), Some(Double)) => {
            Some(Double)
        }
        (Some(Decimal), Some(Int | UInt)) | (Some(Int | UInt), Some(Decimal)) => Some(Decimal),
        (Some(Int), Some(UInt)) | (Some(UInt), Some(Int)) => Some(Int),
        _ => Some(ColumnType::Text),
    }
}

impl<'a> Shaper<'a> {
    fn query(&mut self, query: &Query) -> Option<Vec<Output>> {
        let outer = self.common.len();
        // The labels are those of the SELECT behind WITH, not of the first inside of it.
        let texts = if query.with.is_some() { self.texts.take() } else { None };
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.query(&table.query).map(|columns| renamed(columns, &table.alias));
            self.common.push((table.alias.name.value.clone(), columns));
        }
        self.texts = texts.or(self.texts.take());
        let columns = self.body(&query.body);
        self.common.truncate(outer);
        columns
    }

    fn body(&mut self, body: &SetExpr) -> Option<Vec<Output>> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let left = self.body(left)?;
                self.texts = None;
                let right = self.body(right)?;
                (left.len() == right.len()).then(|| {
                    let pairs = left.into_iter().zip(right);
                    pairs
                        .map(|(l, r)| Output {
                            name: l.name,
                            column_type: unify(l.column_type, r.column_type),
                        })
                        .collect()
                })
            }
            // MySQL: the columns of VALUES are column_0, column_1, ..
            SetExpr::Values(values) => {
                let first = &values.rows.first()?.content;
                let name = |index| Output { name: format!("column_{index}"), column_type: None };
                Some((0..first.len()).map(name).collect())
            }
            _ => None,
        }
    }

    fn select(&mut self, select: &Select) -> Option<Vec<Output>> {
        let texts = self.texts.take().filter(|texts| texts.len() == select.projection.len());
        let sources = self.sources(&select.from);
        let mut outputs = Vec::new();
        for (index, item) in select.projection.iter().enumerate() {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let text = texts.map(|texts| texts[index].as_str());
                    let name = label(expr, text);
                    outputs.push(Output { name, column_type: self.expression(expr, &sources) });
                }
                SelectItem::ExprWithAlias { expr, alias } => outputs.push(Output {
                    name: alias.value.clone(),
                    column_type: self.expression(expr, &sources),
                }),
                SelectItem::Wildcard(_) => {
                    outputs.extend(sources.as_ref()?.iter().flat_map(|s| s.columns.clone()));
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let wanted = last(name)?;
                    let source = sources.as_ref()?.iter().find(|s| s.is_named(wanted))?;
                    outputs.extend(source.columns.clone());
                }
                _ => return None,
            }
        }
        Some(outputs)
    }

    /// The tables of FROM in the order of `*`, if all are known and no join merges columns.
    fn sources(&mut self, from: &[TableWithJoins]) -> Option<Vec<Source>> {
        let mut sources = Vec::new();
        for table in from {
            self.table(&table.relation, &mut sources)?;
            for join in &table.joins {
                if matches!(
                    rewrite::constraint(&join.join_operator),
                    Some(JoinConstraint::Using(_) | JoinConstraint::Natural)
                ) {
                    return None;
                }
                self.table(&join.relation, &mut sources)?;
            }
        }
        Some(sources)
    }

    fn table(&mut self, table: &TableFactor, sources: &mut Vec<Source>) -> Option<()> {
        match table {
            TableFactor::Table { name, alias, .. } => {
                let written = last(name)?;
                let columns = self.named(name)?;
                let name = alias.as_ref().map_or(written, |alias| alias.name.value.as_str());
                sources.push(Source { name: Some(name.to_owned()), columns });
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery)?;
                let (name, columns) = match alias {
                    Some(alias) => (Some(alias.name.value.clone()), renamed(columns, alias)),
                    None => (None, columns),
                };
                sources.push(Source { name, columns });
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                sources.extend(self.sources(std::slice::from_ref(table_with_joins))?);
            }
            _ => return None,
        }
        Some(())
    }

    fn named(&self, name: &ObjectName) -> Option<Vec<Output>> {
        if let [_] = name.0.as_slice() {
            let name = last(name)?;
            if name.eq_ignore_ascii_case("dual") {
                return Some(Vec::new());
            }
            let found = self.common.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(name));
            if let Some((_, columns)) = found {
                return columns.clone();
            }
        }
        let index = rewrite::resolve(name, self.scope, self.relations).ok()?;
        let columns = &self.relations[index].columns;
        let output = |column: &quorate_wire::RelationColumn| Output {
            name: column.name.clone(),
            column_type: Some(column.column_type),
        };
        Some(columns.iter().map(output).collect())
    }
}

impl Source {
    fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// What MySQL calls a column without an alias: a column's own name, else the text as written.
fn label(expr: &Expr, text: Option<&str>) -> String {
    let column = |ident: &Ident| {
        (ident.quote_style.is_some() || !ident.value.starts_with('@')).then(|| ident.value.clone())
    };
    let name = match expr {
        Expr::Identifier(ident) => column(ident),
        Expr::CompoundIdentifier(idents) => {
            let variable = idents.first().is_some_and(|ident| column(ident).is_none());
            idents.last().filter(|_| !variable).map(|ident| ident.value.clone())
        }
        _ => None,
    };
    // MySQL: a string is labelled with its value, without the quotes.
    let string = match expr {
        Expr::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => {
                Some(text.clone())
            }
            _ => None,
        },
        _ => None,
    };
    name.or(string).unwrap_or_else(|| text.map_or_else(|| expr.to_string(), str::to_owned))
}

fn last(name: &ObjectName) -> Option<&str> {
    Some(name.0.last()?.as_ident()?.value.as_str())
}

fn renamed(mut columns: Vec<Output>, alias: &TableAlias) -> Vec<Output> {
    for (column, new) in columns.iter_mut().zip(&alias.columns) {
        column.name.clone_from(&new.name.value);
    }
    columns
}
