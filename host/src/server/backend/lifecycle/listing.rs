//! What there is to know about modules, as rows.

use quorate_wire::{Column, ColumnType, Failure, Rows, Value};

use super::unreadable;
use crate::machine::{Activation, MachineView, Migration, ModuleState, ModuleStatus, Scheduled};
use crate::types::{ModuleDigest, NodeId, Outcome, format_time};

/// `SHOW MODULES`.
pub(in crate::server) fn modules(view: &MachineView) -> Rows {
    let columns = vec![
        Column::text("Name"),
        Column::text("Version"),
        Column::text("State"),
        Column::new("ActiveSinceLsn", ColumnType::UInt),
        Column::new("Schema", ColumnType::UInt),
        Column::new("SizeBytes", ColumnType::UInt),
        Column::text("AcknowledgedBy"),
        Column::text("RefusedBy"),
        Column::text("Digest"),
        Column::text("Migration"),
        Column::text("Scheduled"),
    ];
    let rows = view.modules().into_iter().map(|module| {
        let nodes = |refused: bool| {
            let given = module.acknowledgements.iter();
            let nodes = given.filter(|(_, refusal)| refusal.is_some() == refused);
            nodes.map(|(node, _)| node.to_string()).collect::<Vec<_>>().join(", ")
        };
        vec![
            module.description.name.clone().into(),
            module.description.version.clone().into(),
            state(view, &module).into(),
            module.active_since.map(|lsn| lsn.0).into(),
            u64::from(module.description.schema).into(),
            module.manifest.size_bytes.into(),
            nodes(false).into(),
            nodes(true).into(),
            module.manifest.digest.to_string().into(),
            view.migration().filter(|_| module.active_since.is_some()).map(progress).into(),
            view.scheduled()
                .filter(|scheduled| scheduled.order.to == module.manifest.digest)
                .map(Scheduled::due)
                .into(),
        ]
    });
    Rows { columns, rows: rows.collect() }
}

fn progress(migration: &Migration) -> String {
    let Migration { from, steps, stopped, .. } = migration;
    match stopped {
        None => format!("from schema {from}, {steps} steps done"),
        Some(reason) => format!("from schema {from}, stopped after {steps} steps: {reason}"),
    }
}

/// `SHOW MODULE HISTORY`: activations, oldest first, also those that were refused.
pub(in crate::server) fn history(view: &MachineView) -> Result<Rows, Failure> {
    let columns = vec![
        Column::new("Lsn", ColumnType::UInt),
        Column::new("Time", ColumnType::DateTime),
        Column::text("User"),
        Column::text("From"),
        Column::text("To"),
        Column::new("SchemaFrom", ColumnType::UInt),
        Column::new("SchemaTo", ColumnType::UInt),
        Column::text("Outcome"),
    ];
    let installed = view.modules();
    let name = |digest: ModuleDigest| {
        let known = installed.iter().find(|module| module.manifest.digest == digest);
        known.map_or_else(
            || digest.to_string(),
            |module| format!("{}@{}", module.description.name, module.description.version),
        )
    };
    let rows = view.history().map_err(unreadable)?.into_iter().map(|activation| {
        vec![
            activation.lsn.0.into(),
            format_time(activation.time_us.cast_signed()).into(),
            activation.caller.clone().into(),
            activation.from.map(name).into(),
            name(activation.to).into(),
            activation.schema_from.map(u64::from).into(),
            activation.schema_to.map(u64::from).into(),
            outcome(&activation).into(),
        ]
    });
    Ok(Rows { columns, rows: rows.collect() })
}

fn outcome(activation: &Activation) -> String {
    match &activation.outcome {
        Outcome::Applied(_) if activation.has_switched() => "activated".to_owned(),
        Outcome::Applied(_) => "its migration goes on".to_owned(),
        Outcome::Refused(failure) => failure.message.clone(),
        Outcome::Rejected(rejection) => rejection.failure().message,
    }
}

fn state(view: &MachineView, module: &ModuleStatus) -> &'static str {
    match (module.state, view.migration()) {
        (ModuleState::Active, Some(_)) => "MIGRATING",
        (ModuleState::Active, None) => "ACTIVE",
        (ModuleState::Retired(_), _) => "RETIRED",
        (ModuleState::Installed, _) => match view.scheduled() {
            Some(scheduled) if scheduled.order.to == module.manifest.digest => "SCHEDULED",
            _ => "INSTALLED",
        },
    }
}

/// `SHOW MODULE`: one of them, a property a row.
pub fn module(view: &MachineView, module: &ModuleStatus) -> Rows {
    let description = &module.description;
    let schemas =
        |schemas: &[u32]| schemas.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let mut rows = Properties::default();
    rows.add("Name", &description.name);
    rows.add("Version", &description.version);
    rows.add("Digest", module.manifest.digest);
    rows.add("SizeBytes", module.manifest.size_bytes);
    rows.add("State", state(view, module));
    rows.add_some("ActiveSinceLsn", module.active_since);
    if let ModuleState::Retired(lsn) = module.state {
        rows.add("RetiredAtLsn", lsn);
    }
    let scheduled = view.scheduled();
    let scheduled = scheduled.filter(|one| one.order.to == module.manifest.digest);
    rows.add_some("Scheduled", scheduled.map(Scheduled::due));
    rows.add("Schema", description.schema);
    rows.add("MigratesFrom", schemas(&description.migrates_from));
    rows.add("ServesAlso", schemas(&description.serves));
    let migration = view.migration().filter(|_| module.active_since.is_some());
    rows.add_some("Migration", migration.map(progress));
    rows.add("FuelPerCommand", description.limits.fuel);
    rows.add("MemoryBytes", description.limits.memory_bytes);
    rows.add("EngineEpoch", view.epoch());
    rows.add("SignedBy", view.signed_by(module));
    for (node, refusal) in &module.acknowledgements {
        rows.add("Acknowledged", said(view, *node, refusal.as_deref()));
    }
    for statement in &description.statements {
        let kind = if statement.writes { "WriteStatement" } else { "ReadStatement" };
        rows.add(kind, &statement.syntax);
    }
    for relation in &description.relations {
        let columns: Vec<_> = relation.columns.iter().map(|column| column.name.as_str()).collect();
        let (schema, name) = (&relation.schema, &relation.name);
        rows.add("Relation", format!("{schema}.{name} ({})", columns.join(", ")));
    }
    rows.rows()
}

fn said(view: &MachineView, node: NodeId, refusal: Option<&str>) -> String {
    let name = view.frontend(node).map_or_else(|| node.to_string(), |frontend| frontend.name());
    match refusal {
        None => format!("{name}: can run it"),
        Some(reason) => format!("{name}: cannot run it: {reason}"),
    }
}

/// Rows of a property and its value.
#[derive(Default)]
pub struct Properties {
    rows: Vec<Vec<Value>>,
}

impl Properties {
    pub fn add(&mut self, property: &str, value: impl ToString) {
        self.rows.push(vec![property.into(), value.to_string().into()]);
    }

    pub fn add_some(&mut self, property: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(property, value);
        }
    }

    pub fn rows(self) -> Rows {
        Rows { columns: vec![Column::text("Property"), Column::text("Value")], rows: self.rows }
    }
}
