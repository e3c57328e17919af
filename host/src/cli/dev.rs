//! `quorate dev`: a cluster of frontends on this machine, each a process of its own.
//!
//! The processes stop when this one does, however it ends: they watch their standard input, which
//! only this process holds open.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use indicatif::ProgressBar;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::client::{connect, execute, rows};
use super::{Exit, exit, table};
use crate::proto::client::Rows;

/// A cluster that is not whole after this time is reported and left running.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Time for one statement while starting.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at a cluster that starts.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A frontend that has not stopped after this time is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Most frontends of a development cluster, and most observers beside them.
const FRONTENDS_MAX: u16 = 9;
/// Room for the ports of all of them.
const BASE_PORT_MAX: u16 = u16::MAX - 8 * FRONTENDS_MAX;

#[derive(Args)]
pub struct Arguments {
    /// How many frontends
    #[arg(long, default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(FRONTENDS_MAX)))]
    frontends: u16,
    /// How many observers beside them
    #[arg(long, default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=i64::from(FRONTENDS_MAX)))]
    observers: u16,
    /// Where their data and logs are kept
    #[arg(long, default_value = ".quorate")]
    dir: PathBuf,
    /// Throw away the data of an earlier run
    #[arg(long)]
    reset: bool,
    /// First module of a new cluster: a component file; the catalog without it
    #[arg(long)]
    module: Option<PathBuf>,
    /// First of the ports, four for each frontend; without it StarRocks' ports, counted up
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(BASE_PORT_MAX)))]
    base_port: Option<u16>,
}

/// One frontend of the cluster.
struct Member {
    number: u16,
    dir: PathBuf,
    ports: [u16; 4],
    observes: bool,
    child: Option<Child>,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let mut stops = Stops::new()?;
    if arguments.reset {
        reset(&arguments.dir).map_err(|error| Exit::new(exit::USAGE, error))?;
    }
    let mut members: Vec<Member> = (0..arguments.frontends + arguments.observers)
        .map(|index| Member::new(&arguments, index))
        .collect();
    let progress = ProgressBar::new_spinner().with_message("starting frontends");
    progress.enable_steady_tick(LOOK_INTERVAL);
    let helper = members[0].address();
    for member in &mut members {
        member
            .start(&helper, arguments.module.as_deref())
            .map_err(|error| Exit::new(exit::USAGE, error))?;
    }
    let whole = tokio::select! {
        whole = form(&mut members, &progress) => Some(whole),
        () = stops.wait() => None,
    };
    progress.finish_and_clear();
    match whole {
        Some(Ok(rows)) => greet(&arguments, &members, &rows)?,
        Some(Err(error)) => {
            stop_all(&mut members).await;
            return Err(Exit::new(exit::FAILED, error));
        }
        None => {}
    }
    if whole_runs(&mut members, &mut stops).await {
        table::complain("stopping");
    }
    stop_all(&mut members).await;
    Ok(())
}

/// Waits for the stop signal and tells of frontends that end before it.
async fn whole_runs(members: &mut [Member], stops: &mut Stops) -> bool {
    loop {
        tokio::select! {
            () = stops.wait() => return true,
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        for member in members.iter_mut() {
            if let Some(how) = member.ended() {
                table::complain(&format!(
                    "frontend {} ended ({how}); its log is {}; to start it again:\n  {}",
                    member.number,
                    member.log().display(),
                    member.command_line()
                ));
            }
        }
    }
}

impl Member {
    fn new(arguments: &Arguments, index: u16) -> Self {
        let ports = match arguments.base_port {
            Some(base) => [0, 1, 2, 3].map(|port| base + 4 * index + port),
            None => [9010, 9020, 9030, 8030].map(|port| port + index),
        };
        let number = index + 1;
        let dir = arguments.dir.join(format!("fe{number}"));
        Self { number, dir, ports, observes: index >= arguments.frontends, child: None }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    fn rpc(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }

    fn log(&self) -> PathBuf {
        self.dir.join("fe.log")
    }

    fn settings(&self) -> Vec<String> {
        let [edit_log, rpc, query, http] = self.ports;
        vec![
            format!("meta_dir={}", self.dir.join("meta").display()),
            format!("edit_log_port={edit_log}"),
            format!("rpc_port={rpc}"),
            format!("query_port={query}"),
            format!("http_port={http}"),
        ]
    }

    fn command_line(&self) -> String {
        let program = std::env::current_exe().unwrap_or_else(|_| "quorate".into());
        let mut line = format!("{} start", program.display());
        for setting in self.settings() {
            line.push_str(&format!(" --set {setting}"));
        }
        line
    }

    fn start(&mut self, helper: &str, module: Option<&Path>) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.dir)
            .with_context(|| format!("create {}", self.dir.display()))?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.with_context(|| format!("write {}", self.log().display()))?;
        let program = std::env::current_exe().context("find the running program")?;
        let mut command = Command::new(program);
        command.arg("start").arg("--stop-with-stdin");
        for setting in self.settings() {
            command.arg("--set").arg(setting);
        }
        if self.number > 1 {
            command.arg("--helper").arg(helper);
        } else if let Some(module) = module {
            command.arg("--module").arg(module);
        }
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context("start a frontend")?;
        if let Some(pid) = child.id() {
            std::fs::write(self.dir.join("fe.pid"), format!("{pid}\n"))
                .with_context(|| format!("write {}", self.dir.join("fe.pid").display()))?;
        }
        self.child = Some(child);
        Ok(())
    }

    /// How it ended, told once.
    fn ended(&mut self) -> Option<std::process::ExitStatus> {
        let ended = self.child.as_mut()?.try_wait().ok().flatten();
        if ended.is_some() {
            self.child = None;
        }
        ended
    }

    /// The last line of its log that says something.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().rev().find(|line| !line.is_empty()).unwrap_or("").to_owned()
    }
}

/// Registers what is not registered and waits until all are alive and joined.
async fn form(members: &mut [Member], progress: &ProgressBar) -> anyhow::Result<Rows> {
    let started = Instant::now();
    let mut last = anyhow!("no frontend answered");
    while started.elapsed() < START_TIMEOUT {
        for member in members.iter_mut() {
            if let Some(how) = member.ended() {
                bail!("frontend {} did not start ({how}): {}", member.number, member.last_words());
            }
        }
        match look(members).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(waiting)) => {
                last = anyhow!("{waiting}");
                progress.set_message(waiting);
            }
            Err(error) => last = error,
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Err(last.context(format!("the cluster is not whole after {} s", START_TIMEOUT.as_secs())))
}

/// The rows of `SHOW FRONTENDS` when the cluster is whole, else what it waits for.
async fn look(members: &[Member]) -> anyhow::Result<Result<Rows, String>> {
    let mut client = connect(&members[0].rpc()).await?;
    let modules = rows(&mut client, "SHOW MODULES", STATEMENT_TIMEOUT).await?;
    if !modules.rows.iter().any(|row| row.values.iter().any(|cell| table::text(cell) == "ACTIVE")) {
        return Ok(Err("installing the first module".to_owned()));
    }
    let frontends = rows(&mut client, "SHOW FRONTENDS", STATEMENT_TIMEOUT).await?;
    let cell = |row: usize, name: &str| {
        let column = frontends.columns.iter().position(|column| column.name == name);
        column.and_then(|column| frontends.rows[row].values.get(column)).map(table::text)
    };
    let mut ready = 0;
    for member in members {
        let port = member.ports[0].to_string();
        let known =
            (0..frontends.rows.len()).find(|row| cell(*row, "EditLogPort") == Some(port.clone()));
        match known {
            None => {
                let kind = if member.observes { "OBSERVER" } else { "FOLLOWER" };
                let add = format!("ALTER SYSTEM ADD {kind} \"{}\"", member.address());
                execute(&mut client, &add, STATEMENT_TIMEOUT).await?;
            }
            Some(row) => {
                let is = |name| cell(row, name).as_deref() == Some("true");
                let serves = cell(row, "Module").is_some_and(|module| module.contains('@'));
                ready += usize::from(is("Alive") && is("Join") && serves);
            }
        }
    }
    if ready < members.len() {
        return Ok(Err(format!("{ready} of {} frontends have joined", members.len())));
    }
    Ok(Ok(frontends))
}

fn greet(arguments: &Arguments, members: &[Member], frontends: &Rows) -> anyhow::Result<()> {
    let shown = ["Role", "EditLogPort", "RpcPort", "QueryPort", "HttpPort", "Alive", "AppliedLsn"];
    let at: Vec<usize> = shown
        .iter()
        .filter_map(|name| frontends.columns.iter().position(|column| column.name == *name))
        .collect();
    let pick = |row: &crate::proto::client::Row| crate::proto::client::Row {
        values: at.iter().filter_map(|column| row.values.get(*column).cloned()).collect(),
    };
    table::print_rows(&Rows {
        columns: at.iter().map(|column| frontends.columns[*column].clone()).collect(),
        rows: frontends.rows.iter().map(pick).collect(),
    })?;
    table::print("\nConnect to any of them, with mysql or mariadb:\n")?;
    for member in members {
        table::print(&format!("  mariadb -h 127.0.0.1 -P {} -u root", member.ports[2]))?;
    }
    let dir = arguments.dir.display();
    table::print(&format!("\nData and logs are in {dir}. Ctrl-C stops the cluster."))?;
    Ok(())
}

/// Closes their standard inputs, which asks them to stop, and waits for them.
async fn stop_all(members: &mut [Member]) {
    for member in members.iter_mut() {
        if let Some(child) = &mut member.child {
            drop(child.stdin.take());
        }
    }
    for member in members.iter_mut() {
        let Some(child) = &mut member.child else { continue };
        if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
            table::complain(&format!("frontend {} does not stop and is killed", member.number));
            if let Err(error) = child.kill().await {
                table::complain(&format!("frontend {}: {error}", member.number));
            }
        }
    }
}

/// Removes the data of an earlier run, and nothing else.
fn reset(dir: &Path) -> anyhow::Result<()> {
    for number in 1..=2 * FRONTENDS_MAX {
        let member = dir.join(format!("fe{number}"));
        if member.join("fe.pid").exists() {
            std::fs::remove_dir_all(&member)
                .with_context(|| format!("remove {}", member.display()))?;
        }
    }
    Ok(())
}

struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stops {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
