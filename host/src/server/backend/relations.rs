//! What SELECT can read: one view of the state, with the active module's relations and the host's.

use std::sync::Arc;
use std::time::Instant;

use quorate_wire::{
    Column, ColumnType, Constraint, Failure, Relation, RelationColumn, Rows, Value,
};

use super::blocking;
use super::lifecycle::listing::{history, modules};
use super::lifecycle::unreadable;
use crate::cluster::Cluster;
use crate::machine::MachineView;
use crate::query::{Page, Relations};
use crate::types::{Rejection, format_time};

/// Schema of the host's own relations.
const HOST_SCHEMA: &str = "quorate";

/// One consistent view for one query.
pub struct Snapshot {
    view: MachineView,
    deadline: Instant,
    relations: Arc<[Relation]>,
    host: Vec<(&'static str, Rows)>,
}

impl Snapshot {
    /// Takes a view. The rows of the host's relations are gathered only for a query whose text
    /// names their schema; frontends are asked over the network.
    pub async fn take(cluster: &Cluster, deadline: Instant, sql: &str) -> Result<Self, Failure> {
        let view = cluster.machine().view();
        let mut relations: Vec<Relation> = Vec::new();
        if let Some(active) = view.active() {
            relations.extend(active.module.description().relations.iter().cloned());
        }
        let mut host = Vec::new();
        // A query that does not name the schema cannot read it, so nothing is gathered for it.
        if sql.to_ascii_lowercase().contains(HOST_SCHEMA) {
            let state = view.clone();
            let stored = move || Ok((history(&state)?, recoveries(&state)?));
            let (history, recoveries) = blocking(stored).await?;
            host.push(("frontends", cluster.frontends().await));
            host.push(("modules", modules(&view)));
            host.push(("module_history", history));
            host.push(("recoveries", recoveries));
            host.push(("settings", settings(&view)));
            relations.extend(host.iter().map(|(name, rows)| relation(name, rows)));
        }
        Ok(Self { view, deadline, relations: relations.into(), host })
    }

    /// LSN of the view.
    pub fn lsn(&self) -> u64 {
        self.view.lsn().0
    }
}

impl Relations for Snapshot {
    fn relations(&self) -> Arc<[Relation]> {
        Arc::clone(&self.relations)
    }

    fn scan(
        &self,
        schema: &str,
        name: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<Page, Failure> {
        if schema.eq_ignore_ascii_case(HOST_SCHEMA)
            && let Some((_, rows)) = self.host.iter().find(|(known, _)| *known == name)
        {
            return Ok(Page { rows: rows.rows.clone(), next: None });
        }
        let active = self.view.active().ok_or_else(|| {
            Failure::new(1146, "42S02", format!("Table '{schema}.{name}' doesn't exist"))
        })?;
        let call =
            self.view.read_call(self.deadline).ok_or_else(|| Rejection::NoModule.failure())?;
        let (rows, next) =
            active.module.scan(call, name, constraints, cursor).map_err(|error| error.failure())?;
        Ok(Page { rows, next })
    }
}

fn relation(name: &str, rows: &Rows) -> Relation {
    let columns = rows
        .columns
        .iter()
        .map(|column| RelationColumn::new(&column.name, column.column_type))
        .collect();
    Relation { schema: HOST_SCHEMA.to_owned(), name: name.to_owned(), columns }
}

fn recoveries(view: &MachineView) -> Result<Rows, Failure> {
    let columns = vec![
        Column::new("Lsn", ColumnType::UInt),
        Column::new("Time", ColumnType::DateTime),
        Column::new("Generation", ColumnType::UInt),
        Column::new("Node", ColumnType::UInt),
        Column::text("Address"),
        Column::text("Note"),
    ];
    let rows = view.recoveries().map_err(unreadable)?.into_iter().map(|recovery| {
        vec![
            recovery.lsn.0.into(),
            format_time(recovery.time_us.cast_signed()).into(),
            recovery.generation.0.into(),
            recovery.node.0.into(),
            recovery.address.into(),
            recovery.note.into(),
        ]
    });
    Ok(Rows { columns, rows: rows.collect() })
}

fn settings(view: &MachineView) -> Rows {
    let column = |name: &str| Column::new(name, ColumnType::Text);
    let rows = view.settings().into_iter().map(|(key, value)| vec![key.into(), value.into()]);
    let rows: Vec<Vec<Value>> = rows.collect();
    Rows { columns: vec![column("Key"), column("Value")], rows }
}
