//! `quorate start`: one frontend.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{Exit, exit, table};
use crate::cluster::Surroundings;
use crate::config::{self, Config, Live, Settings};
use crate::server::{Ending, Frontend, SetLogLevel, StartOptions};

#[derive(Args)]
pub struct Arguments {
    /// Configuration file with lines of key = value
    #[arg(long, env = "QUORATE_CONF")]
    conf: Option<PathBuf>,
    /// Frontends to join through, as host:edit_log_port; needed at the first start only
    #[arg(long, value_delimiter = ',')]
    helper: Vec<String>,
    /// Component file of the first module of a new cluster, instead of the catalog
    #[arg(long)]
    module: Option<PathBuf>,
    /// A configuration key and its value, as key=value; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Stop when standard input is closed
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
    /// What the wall clock is taken to be ahead, in milliseconds: for tests
    #[arg(long, hide = true, allow_negative_numbers = true, default_value_t = 0)]
    clock_offset_ms: i64,
    /// What names this machine, instead of what the system says: for tests
    #[arg(long, hide = true)]
    machine_id: Option<String>,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let (config, warnings) =
        configuration(&arguments).map_err(|error| Exit::new(exit::USAGE, error))?;
    let set_log_level = start_log(&config).map_err(|error| Exit::new(exit::USAGE, error))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let stop = CancellationToken::new();
    tokio::spawn(wait_for_stop(stop.clone(), arguments.stop_with_stdin));
    let options = StartOptions {
        surroundings: Some(surroundings(&arguments, &config)),
        config,
        helpers: arguments.helper,
        module: arguments.module,
        set_log_level: Some(set_log_level),
    };
    let frontend = tokio::select! {
        started = Frontend::start(options, stop.clone()) => {
            started.map_err(|error| Exit::new(exit::code(error.ending()), error))?
        }
        () = stop.cancelled() => return Ok(()),
    };
    let identity = frontend.identity();
    tracing::info!("frontend {} of cluster {} serves", identity.node, identity.cluster);
    let failed = tokio::select! {
        () = stop.cancelled() => None,
        reason = frontend.failed() => Some(reason),
    };
    match failed {
        None => {
            tracing::info!("stopping");
            frontend.stop().await;
            Ok(())
        }
        // Nothing failed: its clients may finish.
        Some((ending @ (Ending::Expelled | Ending::Usage), reason)) => {
            frontend.stop().await;
            Err(Exit::new(exit::code(ending), anyhow!(reason)))
        }
        // What failed cannot be trusted to end in order; what is acknowledged is on disk.
        Some((ending, reason)) => {
            std::mem::forget(frontend);
            Err(Exit::new(exit::code(ending), anyhow!("this frontend cannot go on: {reason}")))
        }
    }
}

fn configuration(arguments: &Arguments) -> anyhow::Result<(Config, Vec<String>)> {
    let mut settings = Settings::new();
    let mut warnings = Vec::new();
    if let Some(path) = &arguments.conf {
        (settings, warnings) = read_file(path)?;
    }
    settings.extend(config::from_environment(std::env::vars()));
    for flag in &arguments.settings {
        let (parsed, unknown) = config::parse("--set", flag)?;
        if let Some(unknown) = unknown.first() {
            return Err(anyhow!("{unknown}"));
        }
        settings.extend(parsed);
    }
    Ok((Config::from_settings(&settings)?, warnings))
}

fn read_file(path: &Path) -> anyhow::Result<(Settings, Vec<String>)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(config::parse(&path.display().to_string(), &text)?)
}

/// Starts the program's log, and gives what changes its level later.
fn start_log(config: &Config) -> anyhow::Result<SetLogLevel> {
    let filter = EnvFilter::try_new(&config.sys_log_level)
        .with_context(|| format!("sys_log_level is '{}'", config.sys_log_level))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.try_init().map_err(|error| anyhow!("start the log: {error}"))?;
    Ok(Arc::new(move |level| {
        let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}

/// This machine, or what a test makes of it.
fn surroundings(arguments: &Arguments, config: &Config) -> Surroundings {
    let mut surroundings = Surroundings::here(Live::new(config.clone()));
    if let Some(machine) = &arguments.machine_id {
        surroundings.machine.clone_from(machine);
    }
    let offset_us = arguments.clock_offset_ms.saturating_mul(1000);
    if offset_us != 0 {
        let clock = surroundings.clock;
        surroundings.clock = Arc::new(move || clock().saturating_add(offset_us));
    }
    surroundings
}

/// Cancels `stop` at the first signal; the second one ends the process at once.
async fn wait_for_stop(stop: CancellationToken, with_stdin: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        table::complain("quorate: signals cannot be received");
        return;
    };
    let stdin_closed = async {
        if !with_stdin {
            std::future::pending::<()>().await;
        }
        // A thread of its own: a read from standard input cannot be cancelled.
        let (closed, wait) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = closed.send(());
        });
        let _ = wait.await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_closed => {}
    }
    stop.cancel();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    std::process::exit(exit::FAILED.into());
}
