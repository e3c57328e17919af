//! A StarRocks-compatible metadata catalog as a replicated state machine.
//!
//! Databases, tables with all of StarRocks' DDL, partitions and views: their definitions, not
//! their data. What the catalog answers is what a StarRocks frontend answers to the same
//! statement, so that MySQL clients, SQLAlchemy, dbt and BI tools work against it.
//!
//! # The way of a statement
//!
//! 1. [`evaluate`](mod@evaluate) parses it. What reads is answered by [`query`]; what writes
//!    becomes a [`command::Command`], which is run on a [`draft`] first.
//! 2. The host logs the command. [`apply`] runs it on every frontend, checks everything again and
//!    writes [`model`] records under the [`keys`]. [`define`] holds StarRocks' rules for tables.
//! 3. [`query::relations`] gives information_schema to the host's `SELECT`.
//!
//! [`check`] looks for contradictions, [`migrate`] is where older schemas would be read.
//!
//! # Invariants
//!
//! - Every name leads to a record of that name, every record has its name; ids are given once.
//! - Key columns come first; no name of a column, index, rollup or partition is there twice; no
//!   two partitions of a table overlap.
//! - Records and commands are packed by this crate's own layout ([`pack`]), never as SQL text: the
//!   parser may change, the log may not.
//!
//! # Limits
//!
//! There is no recycle bin: a drop is final, with or without `FORCE`. Views are stored as text;
//! their columns are read off it as far as they are plain. Nothing is known of rows.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use quorate_guest::{
    CheckPage, Constraint, Context, Description, Evaluation, Failure, Limits, Machine, ReadStore,
    RelationPage, Reply, Request, Session, StatementKind, WriteStore,
};

mod apply;
mod calendar;
mod check;
mod command;
mod define;
mod draft;
mod evaluate;
mod keys;
mod migrate;
mod model;
mod pack;
mod query;
mod refusal;
mod scalar;

pub use command::{Command, Ref, Target};

/// The version of this build; the feature `v2` makes the second one.
const VERSION: &str = if cfg!(feature = "v2") { "2.0.0" } else { "1.0.0" };

/// The catalog.
#[derive(Debug)]
pub struct Catalog;

impl Machine for Catalog {
    type Command = Command;

    fn describe() -> Description {
        Description {
            name: "catalog".to_owned(),
            version: VERSION.to_owned(),
            schema: migrate::SCHEMA,
            migrates_from: Vec::new(),
            serves: Vec::new(),
            relations: query::relations::RELATIONS.iter().map(|r| r.describe()).collect(),
            statements: statements(),
            limits: Limits::default(),
        }
    }

    fn evaluate(
        session: &Session,
        context: &Context,
        store: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<Command>, Failure> {
        match request {
            Request::Text(text) => {
                evaluate::text(&evaluate::Scope { session, context, store }, text)
            }
            Request::Bytes(_) => Err(refusal::unsupported("requests that are not SQL")),
        }
    }

    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        command: Command,
    ) -> Result<Reply, Failure> {
        apply::run(context, store, command)
    }

    fn scan(
        _context: &Context,
        store: &dyn ReadStore,
        relation: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        query::relations::scan(store, relation, constraints, cursor)
    }

    fn migrate(
        _store: &mut dyn WriteStore,
        from_schema: u32,
        _cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        migrate::migrate(from_schema)
    }

    fn check(store: &dyn ReadStore, cursor: Option<&[u8]>) -> Result<CheckPage, Failure> {
        Ok(check::check(store, cursor))
    }
}

quorate_guest::export!(Catalog);

/// The families of statements; the grammar is `quorate_sql`'s.
fn statements() -> Vec<StatementKind> {
    let reads = ["SHOW ..", "DESC[RIBE] name", "USE name", "SET CATALOG name"];
    let writes = [
        "CREATE DATABASE ..",
        "ALTER DATABASE ..",
        "DROP DATABASE ..",
        "CREATE TABLE ..",
        "CREATE TABLE .. LIKE ..",
        "ALTER TABLE ..",
        "TRUNCATE TABLE ..",
        "DROP TABLE ..",
        "CREATE VIEW ..",
        "ALTER VIEW ..",
        "DROP VIEW ..",
    ];
    reads.map(StatementKind::reads).into_iter().chain(writes.map(StatementKind::writes)).collect()
}
