//! A relation as a virtual table of SQLite.
//!
//! The planner offers the comparisons of the statement, we take those the relation can use, and
//! price the scan by how many there are, so that joins run the narrow way round. SQLite filters
//! every row again. A scan that was read to its end is kept, within [`KEPT_BYTES`], for the next
//! one with the same constraints: the inner side of a join is not fetched once per outer row.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use quorate_wire::{ColumnType, Constraint, Operator, Relation, Value, Writer};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection, VTabCursor,
    sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Result};

use super::guard::Guard;
use super::{Relations, failure, rewrite};

/// Most bytes of a finished scan that are kept; a larger one is fetched again.
const KEPT_BYTES: usize = 8 << 20;
/// Most constraints handed to one scan; further ones are left to SQLite.
const CONSTRAINTS_MAX: i32 = 16;
/// What the planner is told of a scan without constraints.
const ROWS_UNCONSTRAINED: f64 = 100_000.0;
/// By how much an equality, or a bound, is taken to narrow a scan.
const NARROWED_BY_EQUALITY: f64 = 200.0;
const NARROWED_BY_BOUND: f64 = 4.0;
/// Cost of starting a scan, in rows.
const START_COST: f64 = 20.0;

/// A relation and where to read it.
pub(super) struct Source {
    pub(super) relations: Arc<dyn Relations>,
    pub(super) relation: Relation,
    pub(super) guard: Arc<Guard>,
}

/// Makes `source` available to the statements of `connection` as the table `name`.
pub(super) fn register(connection: &Connection, name: &str, source: Source) -> Result<()> {
    const MODULE: Module<'static, Table> = Module::eponymous_only_module();
    connection.create_module(name, &MODULE, Some(Arc::new(source)))
}

/// A value as SQLite takes it, which has neither unsigned integers nor bytes that compare with
/// text: both go as text.
pub(super) fn sqlite(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Int(v) => ToSqlOutput::Borrowed(ValueRef::Integer(*v)),
        Value::UInt(v) => match i64::try_from(*v) {
            Ok(v) => ToSqlOutput::Borrowed(ValueRef::Integer(v)),
            Err(_) => ToSqlOutput::Owned(v.to_string().into()),
        },
        Value::Double(v) => ToSqlOutput::Borrowed(ValueRef::Real(*v)),
        Value::Text(v) => ToSqlOutput::Borrowed(ValueRef::Text(v.as_bytes())),
        Value::Bytes(v) => ToSqlOutput::Borrowed(ValueRef::Text(v)),
    }
}

/// A value that is bound or given as a column.
pub(super) struct Cell<'a>(pub(super) &'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(sqlite(self.0))
    }
}

/// A value that came out of SQLite.
pub(super) fn value(from: ValueRef<'_>) -> Value {
    match from {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Double(v),
        ValueRef::Blob(v) => Value::Bytes(v.to_vec()),
        ValueRef::Text(v) => match str::from_utf8(v) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(v.to_vec()),
        },
    }
}

/// Memory that a value takes, about.
pub(super) fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Text(v) => v.len(),
            Value::Bytes(v) => v.len(),
            _ => 0,
        }
}

/// The rows of one page, with their place in the query's memory account.
struct Loaded {
    rows: Vec<Vec<Value>>,
    bytes: usize,
    guard: Arc<Guard>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.guard.release(self.bytes);
    }
}

/// A scan that was read to its end.
struct Kept {
    constraints: Vec<Constraint>,
    pages: Vec<Arc<Loaded>>,
}

#[repr(C)]
struct Table {
    /// SQLite's part; must come first.
    base: sqlite3_vtab,
    source: Arc<Source>,
    kept: Arc<Mutex<Option<Kept>>>,
}

// SAFETY: `Table` is `repr(C)` and begins with SQLite's `sqlite3_vtab`, which is all that the trait
// demands; the rest is ordinary owned data.
#[expect(unsafe_code, reason = "the contract of SQLite's virtual tables is one of memory layout")]
unsafe impl VTab<'_> for Table {
    type Aux = Arc<Source>;
    type Cursor = Scan;

    fn connect(
        _: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let source = aux.expect("every table is registered with its source").clone();
        let declaration = CString::new(declaration(&source.relation))?;
        let table = Self { base: sqlite3_vtab::default(), source, kept: Arc::default() };
        Ok((Cow::Owned(declaration), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let columns = &self.source.relation.columns;
        let mut rows = ROWS_UNCONSTRAINED;
        let mut chosen = String::new();
        let mut arguments = 0;
        for (constraint, mut usage) in info.constraints_and_usages() {
            let Some((index, column)) = usize::try_from(constraint.column())
                .ok()
                .and_then(|index| Some((index, columns.get(index)?)))
            else {
                continue;
            };
            let Some(sign) = sign(&constraint.operator(), column.column_type) else { continue };
            if !column.constrainable || !constraint.is_usable() || arguments == CONSTRAINTS_MAX {
                continue;
            }
            arguments += 1;
            usage.set_argv_index(arguments);
            chosen.push_str(&format!("{index}{sign} "));
            rows /= if sign == "=" { NARROWED_BY_EQUALITY } else { NARROWED_BY_BOUND };
        }
        info.set_idx_str(&chosen);
        info.set_estimated_cost(START_COST + rows);
        info.set_estimated_rows((rows as i64).max(1));
        Ok(true)
    }

    fn open(&mut self) -> Result<Scan> {
        Ok(Scan {
            base: sqlite3_vtab_cursor::default(),
            source: self.source.clone(),
            kept: self.kept.clone(),
            constraints: Vec::new(),
            pages: Vec::new(),
            page: 0,
            row: 0,
            rest: Rest::None,
        })
    }
}

/// The table as SQLite is told of it. Affinities make SQLite compare across types as MySQL does;
/// the collations are those of the module head.
fn declaration(relation: &Relation) -> String {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| {
            let affinity = match column.column_type {
                ColumnType::Int | ColumnType::UInt => "INTEGER",
                ColumnType::Double => "REAL",
                ColumnType::Decimal => "NUMERIC",
                ColumnType::Text => "TEXT COLLATE NOCASE",
                ColumnType::Bytes | ColumnType::Date | ColumnType::DateTime | ColumnType::Json => {
                    "TEXT"
                }
            };
            format!("`{}` {affinity}", rewrite::mangle(&column.name))
        })
        .collect();
    format!("CREATE TABLE t({})", columns.join(","))
}

/// How a comparison is written in the plan, when a scan could use it. Bounds on text are left to
/// SQLite: it orders text without regard to case, a scan by bytes.
fn sign(operator: &IndexConstraintOp, column_type: ColumnType) -> Option<&'static str> {
    use IndexConstraintOp as Op;
    match operator {
        Op::SQLITE_INDEX_CONSTRAINT_EQ => Some("="),
        _ if column_type == ColumnType::Text => None,
        Op::SQLITE_INDEX_CONSTRAINT_LT => Some("<"),
        Op::SQLITE_INDEX_CONSTRAINT_LE => Some("<="),
        Op::SQLITE_INDEX_CONSTRAINT_GT => Some(">"),
        Op::SQLITE_INDEX_CONSTRAINT_GE => Some(">="),
        _ => None,
    }
}

fn operator(sign: &str) -> Option<Operator> {
    Some(match sign {
        "=" => Operator::Eq,
        "<" => Operator::Lt,
        "<=" => Operator::Le,
        ">" => Operator::Gt,
        ">=" => Operator::Ge,
        _ => return None,
    })
}

/// `value` as the column's own type, when that compares as SQLite will compare.
fn fitting(value: Value, column_type: ColumnType) -> Option<Value> {
    Some(match (column_type, value) {
        (ColumnType::Int, Value::Int(v)) => Value::Int(v),
        (ColumnType::Int, Value::Text(v)) => Value::Int(v.parse().ok()?),
        (ColumnType::UInt, Value::Int(v)) => Value::UInt(v.try_into().ok()?),
        (ColumnType::UInt, Value::Text(v)) => Value::UInt(v.parse().ok()?),
        (ColumnType::Text, Value::Int(v)) => Value::Text(v.to_string()),
        (ColumnType::Text | ColumnType::Date | ColumnType::DateTime, Value::Text(v)) => {
            Value::Text(v)
        }
        (ColumnType::Bytes, Value::Text(v)) => Value::Bytes(v.into_bytes()),
        (ColumnType::Bytes, Value::Bytes(v)) => Value::Bytes(v),
        _ => return None,
    })
}

/// What of a scan has not been fetched.
enum Rest {
    /// Nothing.
    None,
    /// All from the cursor on; `whole` while `pages` still holds every page so far.
    From { cursor: Vec<u8>, whole: bool },
}

#[repr(C)]
struct Scan {
    /// SQLite's part; must come first.
    base: sqlite3_vtab_cursor,
    source: Arc<Source>,
    kept: Arc<Mutex<Option<Kept>>>,
    constraints: Vec<Constraint>,
    pages: Vec<Arc<Loaded>>,
    /// Position: page, and row in it. At the end when there is no such page.
    page: usize,
    row: usize,
    rest: Rest,
}

impl Scan {
    /// Fetches one page behind those at hand.
    fn fetch(&mut self, cursor: Option<&[u8]>, whole: bool) -> Result<()> {
        let Source { relations, relation, guard } = &*self.source;
        let stop = |failure| guard.stop(failure);
        guard.check().map_err(stop)?;
        let page = relations
            .scan(&relation.schema, &relation.name, &self.constraints, cursor)
            .map_err(stop)?;
        if page.rows.iter().any(|row| row.len() != relation.columns.len()) {
            return Err(stop(failure::ragged(&relation.schema, &relation.name)));
        }
        let bytes = page.rows.iter().flatten().map(size).sum();
        let loaded = Loaded { rows: page.rows, bytes, guard: guard.clone() };
        guard.charge(bytes).map_err(stop)?;
        let held: usize = self.pages.iter().map(|page| page.bytes).sum();
        let whole = whole && held + bytes <= KEPT_BYTES;
        if !whole {
            self.pages.clear();
            self.page = 0;
        }
        self.pages.push(Arc::new(loaded));
        self.rest = match page.next {
            Some(cursor) => Rest::From { cursor, whole },
            None => {
                if whole {
                    let (constraints, pages) = (self.constraints.clone(), self.pages.clone());
                    *self.kept.lock() = Some(Kept { constraints, pages });
                }
                Rest::None
            }
        };
        Ok(())
    }

    /// Moves on to a row, if the position is not one.
    fn settle(&mut self) -> Result<()> {
        loop {
            match self.pages.get(self.page) {
                Some(page) if self.row < page.rows.len() => return Ok(()),
                Some(_) => {
                    self.page += 1;
                    self.row = 0;
                }
                None => match std::mem::replace(&mut self.rest, Rest::None) {
                    Rest::None => return Ok(()),
                    Rest::From { cursor, whole } => self.fetch(Some(&cursor), whole)?,
                },
            }
        }
    }

    fn current(&self) -> Option<&Vec<Value>> {
        self.pages.get(self.page)?.rows.get(self.row)
    }
}

// SAFETY: `Scan` is `repr(C)` and begins with SQLite's `sqlite3_vtab_cursor`, which is all that the
// trait demands; the rest is ordinary owned data.
#[expect(unsafe_code, reason = "the contract of SQLite's virtual tables is one of memory layout")]
unsafe impl VTabCursor for Scan {
    fn filter(&mut self, _: c_int, plan: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        self.constraints.clear();
        self.pages.clear();
        (self.page, self.row, self.rest) = (0, 0, Rest::None);
        let terms = plan.unwrap_or_default().split_ascii_whitespace();
        for (term, argument) in terms.zip(arguments.iter()) {
            if argument == ValueRef::Null {
                return Ok(());
            }
            let digits = term.find(|c: char| !c.is_ascii_digit()).unwrap_or(term.len());
            let (column, sign) = term.split_at(digits);
            let (Ok(column), Some(operator)) = (column.parse::<u32>(), operator(sign)) else {
                continue;
            };
            let Some(definition) = self.source.relation.columns.get(column as usize) else {
                continue;
            };
            if let Some(value) = fitting(value(argument), definition.column_type) {
                self.constraints.push(Constraint { column, operator, value });
            }
        }
        let kept =
            self.kept.lock().as_ref().and_then(|kept| {
                (kept.constraints == self.constraints).then(|| kept.pages.clone())
            });
        match kept {
            Some(pages) => self.pages = pages,
            None => self.fetch(None, true)?,
        }
        self.settle()
    }

    fn next(&mut self) -> Result<()> {
        self.row += 1;
        self.settle()
    }

    fn eof(&self) -> bool {
        self.current().is_none()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        let value = usize::try_from(index).ok().and_then(|index| self.current()?.get(index));
        context.set_result(Cell(value.unwrap_or(&Value::Null)))
    }

    /// A number that stays the same for a row however it was found, which SQLite relies on where
    /// it merges the branches of an OR.
    fn rowid(&self) -> Result<i64> {
        let mut packed = Writer::new();
        for value in self.current().into_iter().flatten() {
            value.encode(&mut packed);
        }
        let mut hasher = DefaultHasher::new();
        hasher.write(&packed.finish());
        Ok(hasher.finish().cast_signed())
    }
}
