//! Statements about modules.

pub(super) mod listing;
mod plan;

use bytes::Bytes;
use quorate_sql::{
    ActivateModule, ModuleFrom, ModuleGate, ModuleStatement, ModuleTime, ModuleVersion,
    RollbackModule,
};
use quorate_wire::{Body, Column, Description, Failure, Reply, Rows};

use super::{Services, blocking};
use crate::cluster::modules::{MODULE_BYTES_MAX, UNUSABLE};
use crate::machine::{MachineView, ModuleStatus, SIGNATURE_BYTES_MAX};
use crate::rescue::shadow::{ENTRIES_DEFAULT, ENTRIES_MAX, ShadowError, ShadowOptions};
use crate::session::{Answer, StatementContext};
use crate::types::{
    BreakToken, Consent, Gate, Lifecycle, Lsn, ModuleDigest, Order, ViewError, When,
};

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
        let command = match statement {
            ModuleStatement::Install { file, signature } => {
                return self.install_file(context, file, signature).await;
            }
            ModuleStatement::Activate(wanted) => Lifecycle::Activate(order(&view, &wanted)?),
            ModuleStatement::Rollback(wanted) => {
                Lifecycle::Activate(self.back(&view, wanted).await?)
            }
            ModuleStatement::Cancel => Lifecycle::CancelScheduled,
            ModuleStatement::Retire(module) => {
                Lifecycle::Retire { digest: find(&view, &module)?.manifest.digest }
            }
            question => return self.tell(context, view, question).await,
        };
        let lsn = self.cluster.lifecycle(&context.user, command, context.deadline).await?;
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }

    /// Answers a statement that changes nothing.
    async fn tell(
        &self,
        context: StatementContext,
        view: MachineView,
        question: ModuleStatement,
    ) -> Result<Answer, Failure> {
        let lsn = view.lsn().0;
        let rows = match question {
            ModuleStatement::Show(module) => listing::module(&view, &find(&view, &module)?),
            ModuleStatement::History => blocking(move || listing::history(&view)).await?,
            ModuleStatement::Check { module, limit } => {
                let digest = find(&view, &module)?.manifest.digest;
                self.check(context, digest, limit).await?
            }
            ModuleStatement::ExplainActivate(wanted) => {
                plan::explain(&view, &order(&view, &wanted)?)?
            }
            ModuleStatement::ExplainRollback(wanted) => {
                let order = self.back(&view, wanted).await?;
                plan::explain(&view, &order)?
            }
            _ => listing::modules(&view),
        };
        Ok(Answer { reply: Reply::from(Body::Rows(rows)), lsn })
    }

    async fn install_file(
        &self,
        context: StatementContext,
        file: String,
        signature: Option<String>,
    ) -> Result<Answer, Failure> {
        let read = move || Ok((read_component(&file)?, read_signature(&file, signature)?));
        let (component, signature) = blocking(read).await?;
        let installed =
            self.cluster.install(&context.user, component, signature, context.deadline).await?;
        let mut reply = Reply::affected(1);
        for (node, refusal) in installed.acknowledgements {
            if let Some(refusal) = refusal {
                reply = reply
                    .with_warning(UNUSABLE, format!("frontend {node} cannot run it: {refusal}"));
            }
        }
        Ok(Answer { reply, lsn: installed.lsn.0 })
    }

    /// The order to activate the module that was active before the active one. Clients know it, so
    /// they need no warning.
    async fn back(&self, view: &MachineView, wanted: RollbackModule) -> Result<Order, Failure> {
        let expected = expected(view, wanted.from.as_ref())?;
        let state = view.clone();
        let to = self.read(move || previous(&state)).await?;
        Ok(Order {
            gate: required(wanted.gate),
            consent: Consent::Waived,
            ..Order::new(to, expected)
        })
    }

    /// Tries a module on copies of the state, and tells what would become of it.
    async fn check(
        &self,
        context: StatementContext,
        digest: ModuleDigest,
        limit: Option<u64>,
    ) -> Result<Rows, Failure> {
        let shadows = self.shadows.as_ref().ok_or_else(|| {
            Failure::new(1235, "42000", "this frontend keeps no state to check modules on")
        })?;
        if self.cluster.node().proposer().is_full() {
            let message = "there is too little room on the disk for copies of the state";
            return Err(Failure::new(1021, "HY000", message));
        }
        let entries = limit.unwrap_or(ENTRIES_DEFAULT).min(ENTRIES_MAX);
        let deadline = context.deadline.into_std();
        let run = shadows.begin(ShadowOptions { module: digest, entries, deadline });
        let done = match run {
            // Dropped with this future, which ends it.
            Ok(run) => run.report().await,
            Err(error) => Err(error),
        };
        let report = done.map_err(|error| {
            let code = match &error {
                ShadowError::Stopped => 1317,
                // MySQL: ER_QUERY_TIMEOUT.
                ShadowError::Deadline => 3024,
                ShadowError::Load(_) => UNUSABLE,
                _ => 1105,
            };
            Failure::new(code, if code == 1317 { "70100" } else { "HY000" }, error.to_string())
        })?;
        let rows = report.remarks.into_iter().map(|remark| {
            vec![remark.weight.name().into(), remark.subject.into(), remark.finding.into()]
        });
        let columns = ["Severity", "Subject", "Finding"].map(Column::text).to_vec();
        Ok(Rows { columns, rows: rows.collect() })
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

/// The signature at `path`, or else the one beside the file, if there is one.
fn read_signature(file: &str, path: Option<String>) -> Result<Option<String>, Failure> {
    let beside = path.is_none();
    let path = path.unwrap_or_else(|| format!("{file}.minisig"));
    match std::fs::metadata(&path) {
        Err(error) if beside && error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(found) if found.len() > SIGNATURE_BYTES_MAX as u64 => {
            let message =
                format!("'{path}' is no signature: it has more than {SIGNATURE_BYTES_MAX} bytes");
            return Err(Failure::new(UNUSABLE, "HY000", message));
        }
        _ => {}
    }
    std::fs::read_to_string(&path).map(Some).map_err(|error| {
        let message = format!("cannot read '{path}' on this frontend: {error}");
        Failure::new(1017, "HY000", message)
    })
}

fn find(view: &MachineView, wanted: &ModuleVersion) -> Result<ModuleStatus, Failure> {
    let found = view.modules().into_iter().find(|module| {
        module.description.name == wanted.name && module.description.version == wanted.version
    });
    found.ok_or_else(|| {
        let message = format!("module '{wanted}' is not installed; SHOW MODULES lists them");
        Failure::new(UNUSABLE, "HY000", message)
    })
}

/// What is asked for, as it goes into the log.
fn order(view: &MachineView, wanted: &ActivateModule) -> Result<Order, Failure> {
    let consent = match &wanted.breaking {
        None => Consent::None,
        Some(text) => BreakToken::parse(text).map(Consent::Token).ok_or_else(|| {
            let message = format!("'{text}' is no token: 16 hexadecimal digits");
            Failure::new(1105, "HY000", message)
        })?,
    };
    let when = match wanted.time {
        ModuleTime::Now => When::Now,
        ModuleTime::AtLsn(lsn) => When::AtLsn(Lsn(lsn)),
        ModuleTime::After(seconds) => When::After(seconds.saturating_mul(1_000_000)),
    };
    let to = find(view, &wanted.module)?.manifest.digest;
    let expected = expected(view, wanted.from.as_ref())?;
    Ok(Order { to, expected, gate: required(wanted.gate), when, consent })
}

/// The module that must be the active one when the order is carried out: the one that it names, or
/// else the one that is active here. Another that is activated meanwhile has the order refused.
fn expected(
    view: &MachineView,
    from: Option<&ModuleFrom>,
) -> Result<Option<ModuleDigest>, Failure> {
    let active = view.active();
    let digest = active.map(|active| active.digest);
    let named = match from {
        None => return Ok(digest),
        Some(ModuleFrom::Nothing) => None,
        Some(ModuleFrom::Module(module)) => Some(find(view, module)?.manifest.digest),
    };
    if named == digest {
        return Ok(digest);
    }
    let active = active.map_or_else(
        || "no module".to_owned(),
        |active| {
            let Description { name, version, .. } = active.module.description();
            format!("'{name}@{version}'")
        },
    );
    let wanted = match from {
        Some(ModuleFrom::Module(module)) => format!("'{module}'"),
        _ => "no module".to_owned(),
    };
    let message = format!("FROM says {wanted}, but {active} is active; look at the plan again");
    Err(Failure::new(1105, "HY000", message))
}

fn required(gate: ModuleGate) -> Gate {
    match gate {
        ModuleGate::All => Gate::All,
        ModuleGate::Quorum => Gate::Quorum,
        ModuleGate::Force => Gate::One,
    }
}

fn previous(view: &MachineView) -> Result<ModuleDigest, Failure> {
    view.previous().map_err(unreadable)?.ok_or_else(|| {
        Failure::new(UNUSABLE, "HY000", "no module was active before the present one")
    })
}

pub(super) fn unreadable(error: ViewError) -> Failure {
    Failure::new(1105, "HY000", error.to_string())
}
