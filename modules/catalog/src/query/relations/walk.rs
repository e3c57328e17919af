//! From subject to subject, a page at a time.
//!
//! Names that a query asks for are looked up; nothing else is read. A page ends at a number of
//! rows, of bytes or of subjects, whichever comes first, so a call is short however large the
//! catalog is; a page may be empty and not the last.

use std::ops::ControlFlow;

use quorate_guest::{Codec, Constraint, Failure, Operator, ReadStore, RelationPage, Value};

use super::{INFORMATION_SCHEMA, Item, RELATIONS, Relation, Row, Rows, Subject};
use crate::keys::{self, DATABASE_NAMES, DATABASES, OBJECT_NAMES, OBJECTS, fold};
use crate::model::Database;
use crate::pack::{record, stored};
use crate::query::is_information_schema;

/// Most rows of a page.
const PAGE_ROWS_MAX: usize = 1024;
/// A page ends with the row that reaches this many bytes.
const PAGE_BYTES_MAX: usize = 200 << 10;
/// Most databases, tables and views looked at for one page.
const PAGE_VISITS_MAX: usize = 2048;

/// What a query says about names; they are compared without case.
struct Wanted {
    schema: Option<String>,
    table: Option<String>,
}

impl Wanted {
    fn new(relation: &Relation, constraints: &[Constraint]) -> Self {
        let equal = |column: Option<usize>| {
            let column = u32::try_from(column?).ok()?;
            constraints.iter().find_map(|constraint| match &constraint.value {
                Value::Text(name)
                    if constraint.column == column && constraint.operator == Operator::Eq =>
                {
                    Some(fold(name))
                }
                _ => None,
            })
        };
        Self { schema: equal(relation.schema_column()), table: equal(relation.table_column()) }
    }

    fn has_schema(&self, name: &str) -> bool {
        self.schema.as_ref().is_none_or(|schema| schema.eq_ignore_ascii_case(name))
    }

    fn has_table(&self, name: &str) -> bool {
        self.table.as_ref().is_none_or(|table| table.eq_ignore_ascii_case(name))
    }
}

/// Where a page starts: at a row of a subject. Empty names stand before all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Position {
    database: String,
    object: String,
    row: u32,
}
record!(Position { database, object, row });
stored!(Position, 1);

/// A page in the making.
struct Page {
    start: Position,
    rows: Vec<Row>,
    bytes: usize,
    visits: usize,
    next: Option<Position>,
}

impl Page {
    /// Takes the rows of a subject; breaks when the page is full.
    fn visit(&mut self, database: &str, object: &str, rows: Vec<Row>) -> ControlFlow<()> {
        let here = |row: usize| Position {
            database: database.to_owned(),
            object: object.to_owned(),
            row: u32::try_from(row).unwrap_or(u32::MAX),
        };
        let begun = self.start.database == database && self.start.object == object;
        let skipped = if begun { self.start.row as usize } else { 0 };
        for (at, row) in rows.into_iter().enumerate().skip(skipped) {
            if self.rows.len() >= PAGE_ROWS_MAX || self.bytes >= PAGE_BYTES_MAX {
                self.next = Some(here(at));
                return ControlFlow::Break(());
            }
            self.bytes += row.iter().map(size).sum::<usize>();
            self.rows.push(row);
        }
        self.visits += 1;
        if self.visits >= PAGE_VISITS_MAX {
            // All rows of this subject are done with.
            self.next = Some(here(usize::MAX));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// Bytes of a value in a packed page, about.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => 4 + text.len(),
        Value::Bytes(bytes) => 4 + bytes.len(),
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) => 5,
    }
}

/// One page of a relation.
///
/// # Errors
/// No such relation, or a cursor that is none.
pub fn scan(
    store: &dyn ReadStore,
    relation: &str,
    constraints: &[Constraint],
    cursor: Option<&[u8]>,
) -> Result<RelationPage, Failure> {
    let unknown = || {
        let message = format!("Unknown table '{INFORMATION_SCHEMA}.{relation}'");
        Failure::new(1109, "42S02", message)
    };
    let relation = super::find(relation).ok_or_else(unknown)?;
    let start = match cursor {
        None => Position::default(),
        Some(bytes) => Position::from_bytes(bytes)
            .map_err(|error| Failure::new(1105, "HY000", format!("cursor: {error}")))?,
    };
    let wanted = Wanted::new(relation, constraints);
    let mut page = Page { start, rows: Vec::new(), bytes: 0, visits: 0, next: None };
    // Breaking off is how a full page ends; what is left is in `next`.
    let _ = walk(store, relation, &wanted, &mut page);
    Ok(RelationPage { rows: page.rows, next: page.next.map(|next| next.to_bytes()) })
}

fn walk(
    store: &dyn ReadStore,
    relation: &Relation,
    wanted: &Wanted,
    page: &mut Page,
) -> ControlFlow<()> {
    let from = page.start.database.clone();
    // information_schema comes first, wherever its name would be.
    if (from.is_empty() || is_information_schema(&from)) && wanted.has_schema(INFORMATION_SCHEMA) {
        match relation.rows {
            Rows::None => return ControlFlow::Continue(()),
            Rows::Databases(row) => {
                page.visit(INFORMATION_SCHEMA, "", vec![row(INFORMATION_SCHEMA)])?;
            }
            Rows::Objects(rows) => walk_relations(store, rows, wanted, page)?,
        }
    }
    let from = if is_information_schema(&from) { String::new() } else { from };
    for (name, id) in databases(store, wanted, &from) {
        match relation.rows {
            Rows::None => {}
            Rows::Databases(row) => page.visit(&name, "", vec![row(&name)])?,
            Rows::Objects(rows) => {
                let Some(database) = DATABASES.get(store, &id) else { continue };
                walk_objects(store, rows, &database, wanted, page)?;
            }
        }
    }
    ControlFlow::Continue(())
}

/// Databases from the name `from` on, which is included.
fn databases<'s>(
    store: &'s dyn ReadStore,
    wanted: &Wanted,
    from: &str,
) -> Box<dyn Iterator<Item = (String, u64)> + 's> {
    let from = (fold(from), from.to_owned());
    let entries: Box<dyn Iterator<Item = ((String, String), u64)>> = match &wanted.schema {
        Some(schema) => {
            Box::new(DATABASE_NAMES.scan_prefix(store, schema).filter(move |(key, _)| *key >= from))
        }
        None => Box::new(keys::from(&DATABASE_NAMES, store, &from, &[])),
    };
    Box::new(entries.map(|((_, name), id)| (name, id)))
}

fn walk_objects(
    store: &dyn ReadStore,
    rows: fn(&Subject<'_>, &mut Vec<Row>),
    database: &Database,
    wanted: &Wanted,
    page: &mut Page,
) -> ControlFlow<()> {
    let begun = page.start.database == database.name;
    let from = if begun { page.start.object.clone() } else { String::new() };
    let from = (database.id, fold(&from), from);
    let entries: Box<dyn Iterator<Item = _>> = match &wanted.table {
        Some(table) => {
            let prefix = (database.id, table.clone());
            Box::new(OBJECT_NAMES.scan_prefix(store, &prefix).filter(move |(key, _)| *key >= from))
        }
        None => {
            let prefix = database.id.to_be_bytes();
            Box::new(keys::from(&OBJECT_NAMES, store, &from, &prefix))
        }
    };
    for (_, entry) in entries {
        let Some(object) = OBJECTS.get(store, &(database.id, entry.id)) else { continue };
        let item = Item::Object(database, &object);
        let mut made = Vec::new();
        rows(&Subject { store, schema: &database.name, item }, &mut made);
        page.visit(&database.name, object.name(), made)?;
    }
    ControlFlow::Continue(())
}

fn walk_relations(
    store: &dyn ReadStore,
    rows: fn(&Subject<'_>, &mut Vec<Row>),
    wanted: &Wanted,
    page: &mut Page,
) -> ControlFlow<()> {
    let from = page.start.object.clone();
    for relation in RELATIONS.iter().filter(|relation| relation.name >= from.as_str()) {
        if wanted.has_table(relation.name) {
            let item = Item::Relation(relation);
            let mut made = Vec::new();
            rows(&Subject { store, schema: INFORMATION_SCHEMA, item }, &mut made);
            page.visit(INFORMATION_SCHEMA, relation.name, made)?;
        }
    }
    ControlFlow::Continue(())
}
