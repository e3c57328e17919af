//! `quorate start`: one frontend.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::daemon::Starter;
use super::settings::Source;
use super::{Exit, exit, log, table};
use crate::cluster::Surroundings;
use crate::config::{Config, ConfigError, Live, Setting};
use crate::server::{Ending, Frontend, StartOptions};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub source: Source,
    /// Frontends to join through, as host:edit_log_port; needed at the first start only
    #[arg(long, env = "QUORATE_HELPER", value_delimiter = ',', value_name = "HOST:PORT")]
    helper: Vec<String>,
    /// Run in the background; returns once the frontend serves, or tells why it does not
    #[arg(long)]
    pub daemon: bool,
    /// Be known to the others by address or by this machine's name; as the key host_type
    #[arg(long, visible_alias = "host_type", value_name = "IP|FQDN", ignore_case = true)]
    host_type: Option<HostType>,
    /// Component file of the first module of a new cluster, instead of the catalog
    #[arg(long)]
    module: Option<PathBuf>,
    /// Stop when standard input is closed
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
    /// What the wall clock is taken to be ahead, in milliseconds: for tests
    #[arg(long, hide = true, allow_negative_numbers = true, default_value_t = 0)]
    clock_offset_ms: i64,
    /// What names this machine, instead of what the system says: for tests
    #[arg(long, hide = true)]
    machine_id: Option<String>,
    /// Standard input is a socket to the process that started this one in the background
    #[arg(long, hide = true, conflicts_with_all = ["stop_with_stdin", "daemon"])]
    pub started_as_daemon: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
enum HostType {
    Ip,
    Fqdn,
}

/// What ends a frontend: `stop` in order, `hurry` without waiting for statements.
#[derive(Clone, Default)]
struct Stops {
    stop: CancellationToken,
    hurry: CancellationToken,
}

impl Stops {
    fn hurry(&self) {
        self.stop.cancel();
        self.hurry.cancel();
    }
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let is_daemon = arguments.started_as_daemon;
    let mut starter = Starter::attach(is_daemon)?;
    let ended = serve(arguments, &mut starter).await;
    if let (true, Err(exit)) = (is_daemon, &ended) {
        tracing::error!("{:#}", exit.error);
        starter.failed(&format!("{:#}", exit.error));
    }
    ended
}

async fn serve(arguments: Arguments, starter: &mut Starter) -> Result<(), Exit> {
    let (config, warnings) = configuration(&arguments)?;
    let set_log_level = log::start(&config).map_err(|error| Exit::new(exit::USAGE, error))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let stops = Stops::default();
    tokio::spawn(wait_for_stop(stops.clone(), arguments.stop_with_stdin));
    let (progress, waits) = watch::channel(String::new());
    let options = StartOptions {
        surroundings: Some(surroundings(&arguments, &config)),
        config,
        helpers: arguments.helper,
        module: arguments.module,
        set_log_level: Some(set_log_level),
        progress,
    };
    let frontend = tokio::select! {
        // A start that is stopped ends with an error, which is none when it was asked for.
        biased;
        () = stops.stop.cancelled() => return Ok(()),
        started = Frontend::start(options, stops.stop.clone()) => {
            started.map_err(|error| Exit::new(exit::code(error.ending()), error))?
        }
        () = starter.relay(waits) => return Ok(()),
    };
    let identity = frontend.identity();
    let name = format!("frontend {} of cluster {}", identity.node, identity.cluster);
    tracing::info!("{name} serves");
    let told = async {
        starter.enters(&format!("{name} has joined and waits for the cluster's state"));
        frontend.usable().await;
        starter.serves(&name);
        std::future::pending::<()>().await;
    };
    let failed = tokio::select! {
        () = told => None,
        () = stops.stop.cancelled() => None,
        reason = frontend.failed() => Some(reason),
    };
    match failed {
        None => {
            tracing::info!("stopping");
            frontend.stop(&stops.hurry).await;
            tracing::info!("stopped");
            Ok(())
        }
        // Nothing failed: its clients may finish.
        Some((ending @ (Ending::Expelled | Ending::Usage), reason)) => {
            frontend.stop(&stops.hurry).await;
            Err(Exit::new(exit::code(ending), anyhow!(reason)))
        }
        // What failed cannot be trusted to end in order; what is acknowledged is on disk.
        Some((ending, reason)) => {
            std::mem::forget(frontend);
            Err(Exit::new(exit::code(ending), anyhow!("this frontend cannot go on: {reason}")))
        }
    }
}

/// The configuration that the arguments lead to, and what is odd about it.
pub fn configuration(arguments: &Arguments) -> Result<(Config, Vec<String>), Exit> {
    let (mut settings, warnings) =
        arguments.source.read().map_err(|error| Exit::new(exit::USAGE, error))?;
    if let Some(host_type) = arguments.host_type {
        let value = match host_type {
            HostType::Ip => "IP",
            HostType::Fqdn => "FQDN",
        };
        let (value, source_name) = (value.to_owned(), "--host_type".to_owned());
        settings.insert("host_type".to_owned(), Setting { value, source_name });
    }
    let mut config = Config::from_settings(&settings).map_err(unusable)?;
    let in_background = arguments.daemon || arguments.started_as_daemon;
    if in_background && config.sys_log_dir.as_os_str().is_empty() {
        config.sys_log_dir = PathBuf::from(log::FOLDER);
    }
    Ok((config, warnings))
}

fn unusable(error: ConfigError) -> Exit {
    let code = if error.passing { exit::FAILED } else { exit::USAGE };
    Exit::new(code, error)
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

/// Ends the frontend at the first signal: SIGUSR1 lets statements end, SIGTERM and SIGINT do not
/// wait for long ones. One of these two more and it hurries, another and the process ends at once.
async fn wait_for_stop(stops: Stops, with_stdin: bool) {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut leave)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::user_defined1()),
    ) else {
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
    tokio::pin!(stdin_closed);
    let mut open = true;
    while !stops.hurry.is_cancelled() {
        tokio::select! {
            _ = terminate.recv() => stops.hurry(),
            _ = interrupt.recv() => stops.hurry(),
            _ = leave.recv() => stops.stop.cancel(),
            () = &mut stdin_closed, if open => {
                open = false;
                stops.hurry();
            }
        }
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    exit::end(exit::FAILED);
}
