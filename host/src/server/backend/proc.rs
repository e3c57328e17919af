//! `SHOW PROC`: StarRocks' tree of what a cluster has, as far as it has it.
//!
//! | path | shows |
//! |---|---|
//! | `/` | what there is below |
//! | `/frontends` | as `SHOW FRONTENDS` |
//! | `/backends`, `/compute_nodes`, `/brokers` | nothing, with StarRocks' columns: there are none |
//! | `/dbs`, `/dbs/<db>`, `/dbs/<db>/<table>` and what is below | what the module says of them |
//!
//! Databases are there when the active module describes information_schema. It knows no ids of
//! databases, so `DbId` is NULL; a table may be named by its id. Nor does it know indexes apart
//! from their table, so a table has one, with StarRocks' id of none, -1.

mod schema;

use quorate_sql::quote_ident;
use quorate_wire::{Column, Failure, Rows, Value};

use self::schema::Schema;
use super::relations::Snapshot;
use super::{Services, blocking};
use crate::session::{Answer, Request, StatementContext};

/// Children of the root that every cluster has, with the columns of their empty lists.
const EMPTY: [(&str, &[&str]); 3] =
    [("backends", BACKENDS), ("brokers", BROKERS), ("compute_nodes", COMPUTE_NODES)];

const BACKENDS: &[&str] = &[
    "BackendId",
    "IP",
    "HeartbeatPort",
    "BePort",
    "HttpPort",
    "BrpcPort",
    "LastStartTime",
    "LastHeartbeat",
    "Alive",
    "SystemDecommissioned",
    "ClusterDecommissioned",
    "TabletNum",
    "DataUsedCapacity",
    "AvailCapacity",
    "TotalCapacity",
    "UsedPct",
    "MaxDiskUsedPct",
    "ErrMsg",
    "Version",
    "Status",
    "DataTotalCapacity",
    "DataUsedPct",
    "CpuCores",
    "NumRunningQueries",
    "MemUsedPct",
    "CpuUsedPct",
];

const COMPUTE_NODES: &[&str] = &[
    "ComputeNodeId",
    "IP",
    "HeartbeatPort",
    "BePort",
    "HttpPort",
    "BrpcPort",
    "LastStartTime",
    "LastHeartbeat",
    "Alive",
    "SystemDecommissioned",
    "ClusterDecommissioned",
    "ErrMsg",
    "Version",
    "CpuCores",
    "NumRunningQueries",
    "MemUsedPct",
    "CpuUsedPct",
];

const BROKERS: &[&str] =
    &["Name", "IP", "Port", "Alive", "LastStartTime", "LastUpdateTime", "ErrMsg"];

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Root,
    Frontends,
    /// A list that is always empty.
    Empty(&'static [&'static str]),
    Databases,
    Database(&'a str),
    Table(&'a str, &'a str),
    Partitions {
        database: &'a str,
        table: &'a str,
        temporary: bool,
    },
    Indexes(&'a str, &'a str),
    IndexSchema(&'a str, &'a str),
}

impl Services {
    pub(super) async fn show_proc(
        &self,
        context: StatementContext,
        path: &str,
    ) -> Result<Answer, Failure> {
        let place = find(path)?;
        match place {
            Place::Frontends => return self.show_frontends(context).await,
            Place::Empty(columns) => return Ok(self.here(rows(columns, Vec::new()))),
            _ => self.barrier.wait(&context).await?,
        }
        let deadline = context.deadline.into_std();
        let snapshot = Snapshot::take(&self.cluster, deadline, "").await?;
        let schema = Schema::new(snapshot);
        let unknown = || cannot_find(path);
        let (database, table) = match place {
            Place::Root => return Ok(self.here(root(schema.is_some()))),
            Place::Databases => (None, None),
            Place::Database(database) => (Some(database.to_owned()), None),
            Place::Table(database, table)
            | Place::Partitions { database, table, .. }
            | Place::Indexes(database, table)
            | Place::IndexSchema(database, table) => {
                (Some(database.to_owned()), Some(table.to_owned()))
            }
            Place::Frontends | Place::Empty(_) => return Err(unknown()),
        };
        let schema = schema.ok_or_else(unknown)?;
        let lsn = schema.lsn();
        let lists_indexes = matches!(place, Place::Indexes(..));
        let found = blocking(move || match (database, table) {
            (None, _) => schema.databases().map(|found| Some(Found::List(found))),
            (Some(database), None) => Ok(schema.tables(&database)?.map(Found::List)),
            (Some(database), Some(table)) => match schema.table(&database, &table)? {
                Some(name) if lists_indexes => {
                    schema.indexes(&database, &name).map(|found| Some(Found::List(found)))
                }
                found => Ok(found.map(|name| Found::Table(database, name))),
            },
        });
        match (found.await?.ok_or_else(unknown)?, place) {
            (Found::List(rows), _) => Ok(Answer { lsn, ..self.here(rows) }),
            (Found::Table(database, table), Place::Partitions { temporary, .. }) => {
                let kind = if temporary { "TEMPORARY PARTITIONS" } else { "PARTITIONS" };
                let name = format!("{}.{}", quote_ident(&database), quote_ident(&table));
                let show = Request::Text(format!("SHOW {kind} FROM {name}"));
                self.run_module(context, show).await
            }
            (Found::Table(database, table), Place::IndexSchema(..)) => {
                let name = format!("{}.{}", quote_ident(&database), quote_ident(&table));
                self.run_module(context, Request::Text(format!("DESC {name}"))).await
            }
            (Found::Table(..), _) => Ok(Answer { lsn, ..self.here(table_nodes()) }),
        }
    }
}

/// What is at a place that names a database or a table.
enum Found {
    List(Rows),
    Table(String, String),
}

/// Follows a path. Whether a database or table of that name exists is not looked at.
fn find(path: &str) -> Result<Place<'_>, Failure> {
    let trimmed = path.trim();
    if trimmed.is_empty() {
        return Err(failed("Path is null".to_owned()));
    }
    if !trimmed.starts_with('/') {
        return Err(failed(format!("Path({path}) does not start with '/'")));
    }
    let names: Vec<_> = trimmed.split('/').filter(|name| !name.is_empty()).collect();
    let file = |place, upto: usize| {
        if names.len() == upto {
            return Ok(place);
        }
        Err(failed(format!("/{} is not a directory", names[..upto].join("/"))))
    };
    match *names {
        [] => Ok(Place::Root),
        ["frontends", ..] => file(Place::Frontends, 1),
        ["dbs"] => Ok(Place::Databases),
        ["dbs", database] => Ok(Place::Database(database)),
        ["dbs", database, table] => Ok(Place::Table(database, table)),
        ["dbs", database, table, kind @ ("partitions" | "temp_partitions"), ..] => {
            let temporary = kind == "temp_partitions";
            file(Place::Partitions { database, table, temporary }, 4)
        }
        ["dbs", database, table, "index_schema"] => Ok(Place::Indexes(database, table)),
        ["dbs", database, table, "index_schema", id, ..] => match id.parse::<i64>() {
            Ok(schema::NO_INDEX) => file(Place::IndexSchema(database, table), 5),
            Ok(id) => Err(failed(format!("Index {id} does not exist"))),
            Err(_) => Err(failed(format!("Invalid index id format: {id}"))),
        },
        [name, ..] => match EMPTY.iter().find(|(known, _)| *known == name) {
            Some((_, columns)) => file(Place::Empty(columns), 1),
            None => Err(cannot_find(path)),
        },
    }
}

fn root(has_databases: bool) -> Rows {
    let mut names: Vec<_> = EMPTY.iter().map(|(name, _)| *name).collect();
    names.push("frontends");
    if has_databases {
        names.push("dbs");
    }
    names.sort_unstable();
    rows(&["name"], names.into_iter().map(|name| vec![name.into()]).collect())
}

fn table_nodes() -> Rows {
    let nodes = ["partitions", "temp_partitions", "index_schema"];
    rows(&["Nodes"], nodes.map(|node| vec![node.into()]).to_vec())
}

fn rows(columns: &[&str], rows: Vec<Vec<Value>>) -> Rows {
    Rows { columns: columns.iter().map(|name| Column::text(*name)).collect(), rows }
}

fn cannot_find(path: &str) -> Failure {
    failed(format!("Cannot find path: {path}"))
}

/// With StarRocks' code for what it cannot analyse.
fn failed(message: String) -> Failure {
    Failure::new(1064, "HY000", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_that_leads_nowhere_fails_with_starrocks_text() {
        for (path, text) in [
            ("", "Path is null"),
            ("  ", "Path is null"),
            ("frontends", "Path(frontends) does not start with '/'"),
            ("/nothing", "Cannot find path: /nothing"),
            ("/nothing/more", "Cannot find path: /nothing/more"),
            ("/frontends/1", "/frontends is not a directory"),
            ("/backends/1/2", "/backends is not a directory"),
            ("/dbs/d/t/more", "Cannot find path: /dbs/d/t/more"),
            ("/dbs/d/t/index_schema/7", "Index 7 does not exist"),
            ("/dbs/d/t/index_schema/t", "Invalid index id format: t"),
            ("/dbs/d/t/index_schema/-1/k", "/dbs/d/t/index_schema/-1 is not a directory"),
            ("/dbs/d/t/partitions/1", "/dbs/d/t/partitions is not a directory"),
        ] {
            let failure = find(path).unwrap_err();
            assert_eq!((failure.code, failure.message.as_str()), (1064, text));
        }
    }

    #[test]
    fn slashes_and_blanks_around_a_path_do_not_matter() {
        assert_eq!(find("/").unwrap(), Place::Root);
        assert_eq!(find(" //frontends/ ").unwrap(), Place::Frontends);
        assert_eq!(find("/dbs/").unwrap(), Place::Databases);
        assert_eq!(find("/dbs//d").unwrap(), Place::Database("d"));
        let partitions = Place::Partitions { database: "d", table: "t", temporary: true };
        assert_eq!(find("/dbs/d/t/temp_partitions/").unwrap(), partitions);
    }

    #[test]
    fn the_root_lists_what_can_be_followed_and_nothing_else() {
        for has_databases in [false, true] {
            let root = root(has_databases);
            for row in &root.rows {
                let Value::Text(name) = &row[0] else { panic!("{row:?}") };
                assert!(find(&format!("/{name}")).is_ok(), "{name}");
            }
            let dbs = root.rows.iter().any(|row| row[0] == Value::from("dbs"));
            assert_eq!(dbs, has_databases);
        }
    }
}
