//! How this frontend runs modules.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::cluster::changes::next_look;
use crate::config::{Config, ModuleEngine};
use crate::machine::Machine;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::types::{FrontendKind, Lsn};

/// Read-only calls of the module that run at once; more wait.
const READ_SLOTS: u32 = 64;
/// Between two looks for modules that were retired.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// The engines that are configured. What they compile is kept in a directory, under names that tell
/// one engine from another.
pub(super) fn runtime(config: &Config, artefacts: &Path) -> Result<Runtime, StartError> {
    let options = RuntimeOptions { read_slots: READ_SLOTS };
    let runtime = Runtime::with_codegen(options, config.module_engine.into())
        .and_then(Runtime::compiling_aside)
        .map_err(StartError::Runtime)?;
    if config.module_engine != ModuleEngine::Native {
        let engine = config.module_engine.name();
        tracing::warn!(
            "modules run by module_engine = {engine}, which is slow: it is for checking"
        );
    }
    let runtime = runtime.keeping(artefacts);
    runtime.forget_partial();
    Ok(runtime)
}

/// Removes what is compiled of modules that are not installed, and goes on so whenever one is
/// retired, until told to stop.
pub(super) async fn keep_tidy(runtime: Runtime, machine: Machine, stop: CancellationToken) {
    let mut applied = machine.subscribe();
    // By which entry a module was retired last when that was done, 0 for none.
    let mut swept: Option<Lsn> = None;
    while !stop.is_cancelled() {
        let view = machine.view();
        // A state without an active module is only being made, and tells nothing.
        let found = view.active().map(|_| (view.last_retired(), view.installed()));
        // It pins what storage would give up.
        drop(view);
        if let Some((retired, installed)) = found
            && swept != Some(retired)
        {
            let runtime = runtime.clone();
            let done = tokio::task::spawn_blocking(move || runtime.sweep(&installed)).await;
            if done.is_err() {
                tracing::warn!("removing old compiled modules was interrupted");
            }
            swept = Some(retired);
        }
        if !next_look(&mut applied, TIDY_INTERVAL, &stop).await {
            return;
        }
    }
}

/// # Errors
/// When a frontend of this kind is not to run modules as it is configured: one that votes, or is
/// asked to lead, answers for all with what it costs.
pub(super) fn check(config: &Config, kind: FrontendKind) -> Result<(), StartError> {
    match (kind, config.module_engine) {
        (FrontendKind::Observer, _) | (_, ModuleEngine::Native) => Ok(()),
        (FrontendKind::Follower, engine) => Err(StartError::Engine(engine.name())),
    }
}
