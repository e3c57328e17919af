//! What the catalog answers without changing anything: `SHOW`, `DESC`, and the relations of
//! information_schema for the host's `SELECT`.
//!
//! Column names and values are StarRocks'. Where it reports storage (rows, sizes, versions of
//! data), there is none here: numbers are 0, the rest is null.

use quorate_guest::{Failure, Reply};
use quorate_sql::{Describe, Show};

use crate::evaluate::Scope;

mod answer;
mod columns;
mod create;
mod list;
mod partitions;
pub mod relations;

/// The only catalog.
pub const CATALOG: &str = "default_catalog";

/// The database of the relations.
pub const INFORMATION_SCHEMA: &str = "information_schema";

/// Databases that StarRocks keeps for itself. The first one is offered, no client may use the
/// names of the others.
const SYSTEM_DATABASES: [&str; 3] = [INFORMATION_SCHEMA, "sys", "_statistics_"];

/// What MySQL clients are told about text.
const CHARSET: &str = "utf8";
const COLLATION: &str = "utf8_general_ci";

/// Whether a name, in any case, is that of a system database.
pub fn is_system(name: &str) -> bool {
    SYSTEM_DATABASES.iter().any(|system| system.eq_ignore_ascii_case(name))
}

/// Whether a name, in any case, is `information_schema`.
fn is_information_schema(name: &str) -> bool {
    name.eq_ignore_ascii_case(INFORMATION_SCHEMA)
}

/// Answers a `SHOW`.
///
/// # Errors
/// Unknown names, in the statement or in its condition.
pub fn show(scope: &Scope<'_>, show: &Show) -> Result<Reply, Failure> {
    match show {
        Show::Catalogs(filter) => list::catalogs(filter.as_ref()),
        Show::Databases { catalog, filter } => {
            list::databases(scope, catalog.as_deref(), filter.as_ref())
        }
        Show::Tables(show) => list::tables(scope, show),
        Show::TableStatus { database, filter } => {
            list::table_status(scope, database.as_ref(), filter.as_ref())
        }
        Show::Columns(show) => columns::show(scope, show),
        Show::Create(of) => create::show(scope, of),
        Show::Index { table, filter } => columns::index(scope, table, filter.as_ref()),
        Show::Partitions { temporary, table, tail } => {
            partitions::show(scope, table, *temporary, tail)
        }
        Show::Alter { job, database, tail } => {
            partitions::alter_jobs(scope, *job, database.as_ref(), tail)
        }
    }
}

/// Answers a `DESC`.
///
/// # Errors
/// Unknown names.
pub fn describe(scope: &Scope<'_>, describe: &Describe) -> Result<Reply, Failure> {
    columns::describe(scope, describe)
}
