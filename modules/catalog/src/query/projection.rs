//! The columns of a view, read off the text of its query.
//!
//! A catalog does not analyse queries; that is up to whoever runs them. But clients that browse
//! want to see a view's columns, and most views select columns of tables. So names are taken from
//! the list of items, and types from the tables of the `FROM` clause where an item is plainly one
//! of their columns. What is not plain has no type; a query that does not begin with `SELECT`, or
//! a `*` over something that is not a table or view, has no columns here.

use std::cell::Cell;

use quorate_guest::ReadStore;
use quorate_sql::DataType;

use crate::define::COLUMNS_MAX;
use crate::keys;
use crate::model::{Database, Object, View};
use token::{Kind, Token, tokens};

mod token;

/// Most tables and views read for one view, those of the views it reads included. Beyond that
/// nothing is known, so that views of views of views end, also when they go round in a circle.
const SOURCES_MAX: usize = 64;

/// Words that end the list of items, and the list of tables.
const ITEMS_END: &[&str] = &["FROM", "WHERE", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"];
const TABLES_END: &[&str] = &[
    "WHERE",
    "GROUP",
    "HAVING",
    "QUALIFY",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
];
const SETS: &[&str] = &["UNION", "EXCEPT", "INTERSECT"];
const JOINS: &[&str] =
    &["INNER", "LEFT", "RIGHT", "FULL", "CROSS", "OUTER", "SEMI", "ANTI", "JOIN"];

/// Words behind which a name is no alias, and words that are none.
const OPERATORS: &[&str] = &[
    "NOT", "AND", "OR", "XOR", "IS", "LIKE", "RLIKE", "REGEXP", "IN", "BETWEEN", "DIV", "MOD",
    "CASE", "WHEN", "THEN", "ELSE", "BINARY",
];
const NO_ALIASES: &[&str] = &["END", "NULL", "TRUE", "FALSE"];

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// `CREATE VIEW` may comment on it.
    pub comment: String,
    /// Its type, where it is plain.
    pub data_type: Option<DataType>,
}

/// A table or view that a query reads, under the name it has there.
struct Source {
    name: String,
    columns: Vec<Output>,
}

/// The columns of a view of `database`, as far as they are known.
pub fn columns(store: &dyn ReadStore, database: &Database, view: &View) -> Vec<Output> {
    outputs(&Reading { store, left: Cell::new(SOURCES_MAX) }, database, view)
}

/// The state, and how many more sources may be read of it.
struct Reading<'s> {
    store: &'s dyn ReadStore,
    left: Cell<usize>,
}

fn outputs(reading: &Reading<'_>, database: &Database, view: &View) -> Vec<Output> {
    let found = selected(reading, database, &view.query).unwrap_or_default();
    if view.columns.is_empty() {
        return found;
    }
    let fits = found.len() == view.columns.len();
    let named = view.columns.iter().enumerate().map(|(at, column)| Output {
        name: column.name.clone(),
        comment: column.comment.clone().unwrap_or_default(),
        data_type: found.get(at).filter(|_| fits).and_then(|output| output.data_type.clone()),
    });
    named.collect()
}

fn selected(reading: &Reading<'_>, database: &Database, query: &str) -> Option<Vec<Output>> {
    let tokens = tokens(query);
    let (first, rest) = tokens.split_first()?;
    if !first.is("SELECT") {
        return None;
    }
    let quantified = rest.first().is_some_and(|token| token.is_any(&["DISTINCT", "ALL"]));
    let rest = &rest[usize::from(quantified)..];
    let (items, rest) = split_outside(rest, |token| token.is_any(ITEMS_END));
    let tables = match rest.first() {
        Some(token) if token.is("FROM") => split_outside(&rest[1..], |t| t.is_any(TABLES_END)).0,
        _ => &[],
    };
    let sources = sources(reading, database, tables);
    // Both sides of a set operation have a say in the types.
    let typed = !rest.iter().any(|token| token.is_any(SETS));
    let mut outputs = Vec::new();
    let mut items = items;
    while !items.is_empty() {
        let (item, rest) = split_outside(items, |token| token.is_symbol(","));
        outputs.extend(item_outputs(query, item, sources.as_deref())?);
        if outputs.len() > COLUMNS_MAX {
            return None;
        }
        items = rest.get(1..).unwrap_or_default();
    }
    if !typed {
        outputs.iter_mut().for_each(|output| output.data_type = None);
    }
    Some(outputs)
}

/// The tokens before and from the first one outside of parentheses that `ends` the list.
fn split_outside<'t, 'a>(
    tokens: &'t [Token<'a>],
    ends: impl Fn(&Token<'a>) -> bool,
) -> (&'t [Token<'a>], &'t [Token<'a>]) {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            open += 1;
        } else if token.is_symbol(")") {
            open = open.saturating_sub(1);
        } else if open == 0 && ends(token) {
            return tokens.split_at(at);
        }
    }
    (tokens, &[])
}

/// The columns that one item of the list gives; `None` when it is a `*` over unknown columns.
fn item_outputs(
    query: &str,
    item: &[Token<'_>],
    sources: Option<&[Source]>,
) -> Option<Vec<Output>> {
    let (last, before) = item.split_last()?;
    let qualified = before.last().is_some_and(|token| token.is_symbol("."));
    if last.is_symbol("*") && (before.is_empty() || qualified) {
        let qualifier = qualified.then(|| before.iter().rev().nth(1)?.name()).flatten();
        let mut all = Vec::new();
        for source in sources? {
            if qualifier.as_ref().is_none_or(|name| source.name.eq_ignore_ascii_case(name)) {
                all.extend(source.columns.iter().cloned());
            }
        }
        return if all.is_empty() { None } else { Some(all) };
    }
    let (expression, alias) = match before.split_last() {
        Some((word, expression)) if word.is("AS") => {
            (expression, last.name().or_else(|| Some(last.text.trim_matches(['\'', '"']).into())))
        }
        Some((word, _)) if is_alias(last, word, before) => (before, last.name()),
        _ => (item, None),
    };
    let path = column_path(expression);
    let data_type = path.as_ref().and_then(|path| column_type(path, sources?));
    let name = alias.or_else(|| path.and_then(|path| path.last().cloned())).unwrap_or_else(|| {
        let start = expression.first().map_or(0, |token| token.start);
        let end = expression.last().map_or(start, |token| token.start + token.text.len());
        query[start..end].to_owned()
    });
    Some(vec![Output { name, comment: String::new(), data_type }])
}

/// Whether the last token of an item names it, though there is no `AS`.
fn is_alias(last: &Token<'_>, word: &Token<'_>, before: &[Token<'_>]) -> bool {
    let unit = before.iter().rev().nth(1).is_some_and(|token| token.is("INTERVAL"));
    let ends = match word.kind {
        Kind::Word => !word.is_any(OPERATORS),
        Kind::Quoted | Kind::Literal => true,
        Kind::Symbol => word.text == ")",
    };
    ends && !unit && last.name().is_some() && !last.is_any(NO_ALIASES)
}

/// The parts of `a.b.c`, if the tokens are just that.
fn column_path(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let mut path = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match at % 2 {
            0 => path.push(token.name().filter(|_| !token.is_any(NO_ALIASES))?),
            _ if token.is_symbol(".") => {}
            _ => return None,
        }
    }
    (tokens.len() % 2 == 1).then_some(path)
}

fn column_type(path: &[String], sources: &[Source]) -> Option<DataType> {
    let (name, qualifier) = path.split_last()?;
    let qualifier = qualifier.last();
    let meant = |source: &&Source| qualifier.is_none_or(|q| source.name.eq_ignore_ascii_case(q));
    let mut columns = sources.iter().filter(meant).flat_map(|source| &source.columns);
    columns.find(|column| column.name.eq_ignore_ascii_case(name))?.data_type.clone()
}

/// The tables of a `FROM` clause; `None` when one of them is neither a table nor a view.
fn sources(
    reading: &Reading<'_>,
    database: &Database,
    mut tokens: &[Token<'_>],
) -> Option<Vec<Source>> {
    let mut sources = Vec::new();
    while !tokens.is_empty() {
        let joins = |token: &Token<'_>| token.is_symbol(",") || token.is_any(JOINS);
        let (reference, rest) = split_outside(tokens, joins);
        let words = rest.iter().take_while(|token| joins(token)).count();
        tokens = &rest[words..];
        let (reference, _) = split_outside(reference, |token| token.is_any(&["ON", "USING"]));
        sources.push(source(reading, database, reference)?);
    }
    Some(sources)
}

/// `[database.]name [[AS] alias]`.
fn source(reading: &Reading<'_>, database: &Database, reference: &[Token<'_>]) -> Option<Source> {
    reading.left.set(reading.left.get().checked_sub(1)?);
    let dots = reference.iter().filter(|token| token.is_symbol(".")).count();
    let (path, alias) = reference.split_at_checked(2 * dots + 1)?;
    let path = column_path(path)?;
    let (name, qualifier) = path.split_last()?;
    let other = match qualifier.last() {
        Some(qualifier) => Some(keys::database(reading.store, qualifier)?),
        None => None,
    };
    let database = other.as_ref().unwrap_or(database);
    let columns = match keys::object(reading.store, database.id, name)? {
        Object::View(view) => outputs(reading, database, &view),
        Object::Table(table) => {
            let output = |column: crate::model::Column| Output {
                name: column.name,
                comment: String::new(),
                data_type: Some(column.data_type),
            };
            table.columns.into_iter().map(output).collect()
        }
    };
    let alias = match alias {
        [] => None,
        [alias] => Some(alias.name()?),
        [word, alias] if word.is("AS") => Some(alias.name()?),
        _ => return None,
    };
    Some(Source { name: alias.unwrap_or_else(|| name.clone()), columns })
}
