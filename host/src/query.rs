//! SELECT over relations, through an embedded SQLite.
//!
//! The layer knows nothing of Raft, storage or modules: it reads through [`Relations`], one
//! consistent view of every table that SELECT can name. A statement goes through five steps:
//!
//! 1. [`parse`]: `sqlparser`'s MySQL dialect reads the text; one query, nothing else, is accepted.
//! 2. [`shape`]: names and types of the result are worked out from the tree, as far as they can be.
//! 3. [`rewrite`]: the tree becomes one that SQLite understands and means the same by. Strings and
//!    variables become bound parameters, so no text of a client is ever quoted by us.
//! 4. [`engine`]: a fresh in-memory connection gets exactly the tables ([`table`]) and functions
//!    ([`function`]) that the statement names. Nothing outlives the query, so sessions cannot see
//!    each other; opening costs some tens of microseconds.
//! 5. The rows are collected under limits and settled to one type per column.
//!
//! # Text
//! Text columns compare without regard to ASCII case, as MySQL's default collation does for ASCII;
//! the results of functions, and bytes, dates and JSON, compare exactly. Bytes travel through
//! SQLite as text without a character set, so that `key = 'abc'` and `key >= 'a'` mean what they
//! say.
//!
//! # Bounds
//! Time: [`Limits::deadline`] and [`Cancel`] are looked at every [`PROGRESS_OPERATIONS`] steps of
//! SQLite's machine, before every page of a relation, and inside `SLEEP`.
//! Memory: [`Limits::memory_bytes`] covers the rows of the result, the pages held by cursors and
//! what functions and `GROUP_CONCAT` build. SQLite's own sorters and intermediate tables are
//! outside of that account: each keeps about 2 MiB in memory and spills the rest to an unlinked
//! temporary file, and a statement has at most [`SELECTS_MAX`] SELECTs to make them. What a query
//! can spill is bounded by its deadline only.
//!
//! # Limits of the dialect
//! `@u := v`, `INTO OUTFILE`, `WITH ROLLUP`, `LATERAL`, and `ALL` subqueries are refused. Times are
//! in the offset of `time_zone` when that is of the form `+08:00`, otherwise in UTC. Rows that are
//! equal in every column count once where SQLite merges the branches of an `OR`: relations are
//! sets.

mod calendar;
mod engine;
mod failure;
mod function;
mod guard;
mod parse;
mod regexp;
mod rewrite;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_wire::{Column, Constraint, Failure, Relation, Rows, Value};

pub use guard::Cancel;

/// Longest statement in bytes; a longer one is refused.
pub const SQL_BYTES_MAX: usize = 256 * 1024;
/// Most operators that may nest in each other, as those of `a AND b AND c` do; a statement with
/// more is refused. Bounds how deep its tree can be.
pub const OPERATORS_MAX: usize = 1000;
/// Most SELECTs in a statement, subqueries included; one with more is refused.
pub const SELECTS_MAX: usize = 64;
/// Steps of SQLite's machine between two looks at deadline and cancellation.
pub const PROGRESS_OPERATIONS: i32 = 2000;
/// [`Limits::default`]: time for one query.
pub const QUERY_TIME: Duration = Duration::from_secs(30);
/// [`Limits::default`]: memory for one query.
pub const MEMORY_BYTES: usize = 64 << 20;
/// [`Limits::default`]: rows of one result.
pub const ROWS_MAX: usize = 1_000_000;

/// One consistent view of everything SELECT can read; dropped when the query ends.
pub trait Relations: Send + Sync {
    /// All relations. Their order may change from view to view, not within one.
    fn relations(&self) -> Arc<[Relation]>;

    /// One page of a relation. Rows have as many values as the relation has columns. The
    /// constraints narrow the rows and may be ignored: every row is filtered again. Blocks.
    ///
    /// # Errors
    /// What the client is to be told.
    fn scan(
        &self,
        schema: &str,
        name: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<Page, Failure>;
}

/// A stretch of a relation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Where the next page starts; absent after the last one.
    pub next: Option<Vec<u8>>,
}

/// What a query may see of its session.
#[derive(Debug, Clone)]
pub struct Scope {
    /// `CONNECTION_ID()`.
    pub connection_id: u64,
    /// User part of `USER()`.
    pub user: String,
    /// Host part of `USER()`.
    pub host: String,
    /// `DATABASE()`; unqualified tables are looked up in it.
    pub database: Option<String>,
    /// `CATALOG()`; the first part of a three-part name must be it.
    pub catalog: String,
    /// Values of `@@x` and `@@session.x`, by lower-case name. Unknown names are NULL.
    pub system_variables: Arc<BTreeMap<String, Value>>,
    /// Values of `@@global.x`, by lower-case name.
    pub global_variables: Arc<BTreeMap<String, Value>>,
    /// Values of `@x`, by lower-case name.
    pub user_variables: Arc<BTreeMap<String, Value>>,
    /// `NOW()`, in microseconds since 1970.
    pub now_us: i64,
    /// `VERSION()`, for example `8.0.33`.
    pub version: String,
    /// `CURRENT_VERSION()`.
    pub current_version: String,
    /// `LAST_QUERY_ID()`.
    pub last_query_id: String,
}

/// Bounds on one query.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// When the query fails with error 3024.
    pub deadline: Instant,
    /// Memory for result, pages and built values; more fails with error 1041.
    pub memory_bytes: usize,
    /// Rows of the result; more fails with error 1104.
    pub rows_max: usize,
}

impl Default for Limits {
    /// [`QUERY_TIME`] from now, [`MEMORY_BYTES`] and [`ROWS_MAX`].
    fn default() -> Self {
        Self {
            deadline: Instant::now() + QUERY_TIME,
            memory_bytes: MEMORY_BYTES,
            rows_max: ROWS_MAX,
        }
    }
}

/// Runs one query. Blocks: call it on a thread that may.
///
/// # Errors
/// With MySQL's codes: 1064 syntax, 1054 and 1052 columns, 5502 unknown table (StarRocks' code),
/// 1046 no database, 1305 and 1582 functions, 3024 deadline, 1317 cancelled, 1041 memory, 1104
/// rows, 1235 not supported; and what [`Relations::scan`] fails with.
pub fn select(
    sql: &str,
    scope: &Scope,
    relations: Arc<dyn Relations>,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Rows, Failure> {
    parse::with_room(sql, || {
        let guard = Arc::new(guard::Guard::new(limits, cancel));
        guard.check()?;
        let plan = plan(sql, scope, &relations)?;
        engine::run(&plan, &relations, limits, &guard)
    })
}

/// Names and types of a query's columns, without running it; a type that cannot be told is text.
/// Placeholders `?` stand for NULL.
///
/// # Errors
/// As [`select`], where parsing and preparing can tell.
pub fn describe(
    sql: &str,
    scope: &Scope,
    relations: Arc<dyn Relations>,
) -> Result<Vec<Column>, Failure> {
    parse::with_room(sql, || {
        let guard = Arc::new(guard::Guard::new(&Limits::default(), &Cancel::default()));
        engine::describe(&plan(sql, scope, &relations)?, &relations, &guard)
    })
}

fn plan(
    sql: &str,
    scope: &Scope,
    relations: &Arc<dyn Relations>,
) -> Result<rewrite::Plan, Failure> {
    let parsed = parse::query(sql)?;
    let relations = relations.relations();
    let outputs = shape::outputs(&parsed, scope, &relations);
    rewrite::plan(parsed.query, outputs, scope, &relations)
}
