//! Statements about modules.

use bytes::Bytes;
use quorate_sql::{ModuleStatement, ModuleVersion};
use quorate_wire::{Body, Column, ColumnType, Failure, Reply, Rows, Severity, Value};

use super::{Services, blocking};
use crate::cluster::modules::{MODULE_BYTES_MAX, UNUSABLE};
use crate::machine::{MachineView, Migration};
use crate::session::{Answer, StatementContext};
use crate::types::{ModuleDigest, Outcome, Rejection, ViewError, format_time};

/// Most findings that CHECK MODULE lists.
const FINDINGS_MAX: usize = 1000;

impl Services {
    pub(super) async fn run_lifecycle(
        &self,
        context: StatementContext,
        statement: ModuleStatement,
    ) -> Result<Answer, Failure> {
        if !matches!(statement, ModuleStatement::Install { .. }) {
            self.barrier.wait(&context).await?;
        }
        let view = self.cluster.machine().view();
        let rows = match statement {
            ModuleStatement::Install { file } => return self.install_file(context, file).await,
            ModuleStatement::Show => modules(&view),
            ModuleStatement::History => {
                let state = view.clone();
                blocking(move || history(&state)).await?
            }
            ModuleStatement::Check(module) => {
                let digest = find(&view, &module)?;
                self.check(context, digest).await?
            }
            ModuleStatement::Activate { module, force } => {
                let digest = find(&view, &module)?;
                return self.switch(&context, digest, force).await;
            }
            ModuleStatement::Rollback => {
                let state = view.clone();
                let digest = self.read(move || previous(&state)).await?;
                return self.switch(&context, digest, false).await;
            }
        };
        Ok(Answer { reply: Reply::from(Body::Rows(rows)), lsn: view.lsn().0 })
    }

    async fn install_file(
        &self,
        context: StatementContext,
        file: String,
    ) -> Result<Answer, Failure> {
        let component = blocking(move || read_component(&file)).await?;
        let installed = self.cluster.install(&context.user, component, context.deadline).await?;
        let mut reply = Reply::affected(1);
        for (node, refusal) in installed.acknowledgements {
            if let Some(refusal) = refusal {
                reply = reply
                    .with_warning(UNUSABLE, format!("frontend {node} cannot run it: {refusal}"));
            }
        }
        Ok(Answer { reply, lsn: installed.lsn.0 })
    }

    async fn switch(
        &self,
        context: &StatementContext,
        digest: ModuleDigest,
        force: bool,
    ) -> Result<Answer, Failure> {
        let lsn = self.cluster.activate(&context.user, digest, force, context.deadline).await?;
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }

    /// Runs the module's own check over the present state.
    async fn check(
        &self,
        context: StatementContext,
        digest: ModuleDigest,
    ) -> Result<Rows, Failure> {
        let machine = self.cluster.machine().clone();
        blocking(move || {
            let module = machine
                .load_module(digest)
                .map_err(|error| Failure::new(UNUSABLE, "HY000", error.to_string()))?;
            let view = machine.view();
            let (mut rows, mut cursor) = (Vec::new(), None);
            while rows.len() < FINDINGS_MAX {
                let call = view
                    .read_call(context.deadline.into_std())
                    .ok_or_else(|| Rejection::NoModule.failure())?;
                let (findings, next) =
                    module.check(call, cursor.as_deref()).map_err(|error| error.failure())?;
                rows.extend(findings.into_iter().map(|finding| {
                    let severity = match finding.severity {
                        Severity::Notice => "NOTICE",
                        Severity::Error => "ERROR",
                    };
                    vec![Value::from(severity), Value::Bytes(finding.key), finding.note.into()]
                }));
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            rows.truncate(FINDINGS_MAX);
            let columns = vec![
                Column::text("Severity"),
                Column::new("Key", ColumnType::Bytes),
                Column::text("Finding"),
            ];
            Ok(Rows { columns, rows })
        })
        .await
    }
}

fn read_component(file: &str) -> Result<Bytes, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::new(1017, "HY000", format!("cannot read '{file}' on this frontend: {error}"))
    };
    let size = std::fs::metadata(file).map_err(cannot)?.len();
    if size > MODULE_BYTES_MAX as u64 {
        let message = format!("'{file}' has {size} bytes; at most {MODULE_BYTES_MAX} are accepted");
        return Err(Failure::new(UNUSABLE, "HY000", message));
    }
    std::fs::read(file).map(Bytes::from).map_err(cannot)
}

fn find(view: &MachineView, wanted: &ModuleVersion) -> Result<ModuleDigest, Failure> {
    view.modules()
        .into_iter()
        .find(|module| {
            module.description.name == wanted.name && module.description.version == wanted.version
        })
        .map(|module| module.manifest.digest)
        .ok_or_else(|| {
            let message = format!("module '{wanted}' is not installed; SHOW MODULES lists them");
            Failure::new(UNUSABLE, "HY000", message)
        })
}

/// The module that was active before the active one.
fn previous(view: &MachineView) -> Result<ModuleDigest, Failure> {
    view.history()
        .map_err(unreadable)?
        .into_iter()
        .rev()
        .find(|activation| matches!(activation.outcome, Outcome::Applied(_)))
        .and_then(|activation| activation.from)
        .ok_or_else(|| {
            Failure::new(UNUSABLE, "HY000", "no module was active before the present one")
        })
}

/// `SHOW MODULES`.
pub(super) fn modules(view: &MachineView) -> Rows {
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
            match (module.active_since, view.migration()) {
                (Some(_), Some(_)) => "MIGRATING",
                (Some(_), None) => "ACTIVE",
                (None, _) => "INSTALLED",
            }
            .into(),
            module.active_since.map(|lsn| lsn.0).into(),
            u64::from(module.description.schema).into(),
            module.manifest.size_bytes.into(),
            nodes(false).into(),
            nodes(true).into(),
            module.manifest.digest.to_string().into(),
            view.migration().filter(|_| module.active_since.is_some()).map(progress).into(),
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
pub(super) fn history(view: &MachineView) -> Result<Rows, Failure> {
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
            outcome(&activation.outcome).into(),
        ]
    });
    Ok(Rows { columns, rows: rows.collect() })
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied(_) => "activated".to_owned(),
        Outcome::Refused(failure) => failure.message.clone(),
        Outcome::Rejected(rejection) => rejection.failure().message,
    }
}

pub(super) fn unreadable(error: ViewError) -> Failure {
    Failure::new(1105, "HY000", error.to_string())
}
