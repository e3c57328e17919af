//! `quorate module inspect`: what a component file is, without a cluster.
//!
//! It is checked, compiled and described by the code that an installation runs on every frontend,
//! so a file without problems here is refused there only for what a cluster knows: another file
//! under the same name and version, or a state that it does not migrate from.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use quorate_wire::{Description, Relation};
use serde_json::json;

use super::super::{Exit, exit, table};
use crate::proto::client::{Column, Row, Rows, Value, value};
use crate::runtime::{Inspection, LoadError, Runtime, RuntimeOptions};

#[derive(Args)]
pub(super) struct Arguments {
    /// The component file
    file: PathBuf,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// All that is known of a file.
struct Report {
    size_bytes: usize,
    digest: String,
    /// Absent when the file is no valid component.
    inspection: Option<Inspection>,
    /// Absent when it cannot be asked.
    description: Option<Description>,
    problems: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let file = &arguments.file;
    let bytes = std::fs::read(file)
        .with_context(|| format!("read {}", file.display()))
        .map_err(|error| Exit::new(exit::USAGE, error))?;
    let runtime = Runtime::new(RuntimeOptions { read_slots: 1 })?;
    let report = Report::of(&runtime, &bytes)?;
    if arguments.json {
        table::print(&report.json().to_string())?;
    } else {
        report.print()?;
    }
    match &report.problems[..] {
        [] => Ok(()),
        problems => {
            Err(anyhow!("{} would be refused: {}", file.display(), problems.join("; ")).into())
        }
    }
}

impl Report {
    /// # Errors
    /// When this machine cannot tell.
    fn of(runtime: &Runtime, bytes: &[u8]) -> Result<Self, Exit> {
        let mut problems = Vec::new();
        let mut known = |error: LoadError| match error {
            LoadError::Fault(fault) => Err(anyhow!("the file cannot be inspected here: {fault}")),
            refused => {
                let refused = explained(&refused);
                // Both ways may come upon the same.
                if !problems.contains(&refused) {
                    problems.push(refused);
                }
                Ok(())
            }
        };
        let inspection = match runtime.inspect(bytes) {
            Ok(inspection) => Some(inspection),
            Err(error) => {
                known(error)?;
                None
            }
        };
        let description = match runtime.load(bytes) {
            Ok(module) => Some(module.description().clone()),
            Err(error) => {
                known(error)?;
                None
            }
        };
        let digest = Runtime::digest(bytes).to_string();
        Ok(Self { size_bytes: bytes.len(), digest, inspection, description, problems })
    }

    fn print(&self) -> std::io::Result<()> {
        let mut facts = Table::new(&["Property", "Value"]);
        let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
        if let Some(description) = &self.description {
            fact("Name", description.name.clone());
            fact("Version", description.version.clone());
        }
        fact("Digest", self.digest.clone());
        fact("Size", format!("{} bytes", self.size_bytes));
        if let Some(inspection) = &self.inspection {
            fact("Interface", inspection.interface.clone().unwrap_or_else(|| "none".to_owned()));
        }
        if let Some(description) = &self.description {
            let from: Vec<_> = description.migrates_from.iter().map(u32::to_string).collect();
            fact("Schema", description.schema.to_string());
            fact("MigratesFrom", if from.is_empty() { "none".to_owned() } else { from.join(", ") });
            let serves: Vec<_> = description.serves.iter().map(u32::to_string).collect();
            fact("Serves", if serves.is_empty() { "none".to_owned() } else { serves.join(", ") });
            fact("Fuel", format!("{} per command", description.limits.fuel));
            fact("Memory", format!("{} bytes", description.limits.memory_bytes));
        }
        let problems =
            if self.problems.is_empty() { "none".to_owned() } else { self.problems.join("\n") };
        fact("Problems", problems);
        facts.print()?;
        if let Some(inspection) = &self.inspection {
            let mut imports = Table::new(&["Import", "Allowed"]);
            for import in &inspection.imports {
                imports.row([import.name.clone(), import.allowed.to_string()]);
            }
            imports.print()?;
        }
        let Some(description) = &self.description else { return Ok(()) };
        let mut relations = Table::new(&["Relation", "Columns"]);
        for relation in &description.relations {
            relations.row([full_name(relation), columns(relation)]);
        }
        relations.print()?;
        let mut statements = Table::new(&["Statement", "Kind"]);
        for statement in &description.statements {
            let kind = if statement.writes { "command" } else { "read" };
            statements.row([statement.syntax.clone(), kind.to_owned()]);
        }
        statements.print()
    }

    fn json(&self) -> serde_json::Value {
        let description = self.description.as_ref();
        let relation = |relation: &Relation| {
            let columns = relation.columns.iter().map(|column| {
                json!({
                    "name": column.name,
                    "type": format!("{:?}", column.column_type).to_lowercase(),
                    "constrainable": column.constrainable,
                })
            });
            json!({ "name": full_name(relation), "columns": columns.collect::<Vec<_>>() })
        };
        let imports = self.inspection.as_ref().map(|inspection| {
            let imports = inspection.imports.iter();
            let import = imports.map(|one| json!({ "name": one.name, "allowed": one.allowed }));
            import.collect::<Vec<_>>()
        });
        json!({
            "name": description.map(|it| &it.name),
            "version": description.map(|it| &it.version),
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "interface": self.inspection.as_ref().and_then(|it| it.interface.as_ref()),
            "imports": imports,
            "schema": description.map(|it| it.schema),
            "migrates_from": description.map(|it| &it.migrates_from),
            "serves": description.map(|it| &it.serves),
            "relations": description.map(|it| it.relations.iter().map(relation).collect::<Vec<_>>()),
            "statements": description.map(|it| {
                let statements = it.statements.iter();
                let one = statements.map(|one| json!({ "syntax": one.syntax, "writes": one.writes }));
                one.collect::<Vec<_>>()
            }),
            "limits": description.map(|it| {
                json!({ "fuel": it.limits.fuel, "memory_bytes": it.limits.memory_bytes })
            }),
            "problems": self.problems,
        })
    }
}

/// A refusal, with what to do about the usual mistake.
fn explained(error: &LoadError) -> String {
    let told = error.to_string();
    match error {
        LoadError::Forbidden(names) if names.iter().any(|name| name.starts_with("wasi:")) => {
            format!("{told} (a module has no WASI: build it for wasm32-unknown-unknown)")
        }
        _ => told,
    }
}

fn full_name(relation: &Relation) -> String {
    format!("{}.{}", relation.schema, relation.name)
}

fn columns(relation: &Relation) -> String {
    let columns = relation.columns.iter();
    let typed = columns.map(|column| {
        format!("{} {}", column.name, format!("{:?}", column.column_type).to_lowercase())
    });
    typed.collect::<Vec<_>>().join(", ")
}

/// A table of text.
struct Table(Rows);

impl Table {
    fn new(columns: &[&str]) -> Self {
        let column = |name: &&str| Column { name: (*name).to_owned(), ..Column::default() };
        Self(Rows { columns: columns.iter().map(column).collect(), rows: Vec::new() })
    }

    fn row(&mut self, cells: [String; 2]) {
        let value = |text| Value { value: Some(value::Value::Text(text)) };
        self.0.rows.push(Row { values: cells.map(value).to_vec() });
    }

    /// One without rows is left out.
    fn print(&self) -> std::io::Result<()> {
        if self.0.rows.is_empty() { Ok(()) } else { table::print_rows(&self.0) }
    }
}
