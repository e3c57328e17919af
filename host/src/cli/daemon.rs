//! `quorate start --daemon`: a frontend in the background.
//!
//! The frontend is this program, started anew in a session of its own, so that no terminal ends it.
//! Its standard input is a socket to the process that started it, on which it tells in lines how
//! the start goes; that process ends with the outcome:
//!
//! | line | means |
//! |---|---|
//! | `waits` reason | it goes on trying, and somebody has to do something |
//! | `enters` reason | it goes on by itself |
//! | `serves` name | clients are served |
//! | `failed` reason | it ends |

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tokio::sync::watch;

use super::{Exit, exit, log, start, table};
use crate::config::Config;

/// A frontend that has not come to serve after this time is left to itself.
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Starts a frontend in the background, and returns when it serves.
pub fn launch(arguments: &start::Arguments) -> Result<(), Exit> {
    // Whatever can be refused at once is refused here, without touching a log.
    let (config, _) = start::configuration(arguments)?;
    let running = crate::server::running(&config);
    let running = running.map_err(|error| Exit::new(exit::code(error.ending()), error))?;
    if let Some(process) = running {
        let error = anyhow!("Frontend running as process {process}. Stop it first.");
        return Err(Exit::new(exit::USAGE, error));
    }
    let (socket, child) = spawn(&config).map_err(|error| Exit::new(exit::USAGE, error))?;
    follow(&config, socket, child)
}

fn spawn(config: &Config) -> anyhow::Result<(UnixStream, Child)> {
    let out = log::append(&config.sys_log_dir, "fe.out")?;
    let (mine, theirs) = UnixStream::pair().context("make a socket")?;
    let program = std::env::current_exe().context("find the running program")?;
    let child = Command::new(program)
        .args(std::env::args_os().skip(1).filter(|argument| argument != "--daemon"))
        .arg("--started-as-daemon")
        .stdin(OwnedFd::from(theirs))
        .stdout(out.try_clone().context("share fe.out")?)
        .stderr(out)
        .spawn()
        .context("start the frontend")?;
    Ok((mine, child))
}

/// Reads what the frontend tells until it serves or has ended.
fn follow(config: &Config, socket: UnixStream, mut child: Child) -> Result<(), Exit> {
    let started = Instant::now();
    let logs = config.sys_log_dir.display();
    let process = child.id();
    let mut lines = BufReader::new(&socket);
    let (mut waits, mut failed) = (String::new(), None);
    loop {
        let left = WAIT_TIMEOUT.saturating_sub(started.elapsed());
        let mut line = String::new();
        let read = match left {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => socket.set_read_timeout(Some(left)).and_then(|()| lines.read_line(&mut line)),
        };
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => {
                return Err(Exit::new(
                    exit::FAILED,
                    anyhow!(
                        "process {process} does not serve after {} s and goes on trying; {waits}; \
                         its log is {logs}/fe.log",
                        WAIT_TIMEOUT.as_secs()
                    ),
                ));
            }
        }
        match line.trim_end().split_once(' ') {
            Some(("serves", who)) => {
                let line = format!("{who} serves as process {process}; its log is {logs}/fe.log");
                return Ok(table::print(&line)?);
            }
            Some(("waits", reason)) => {
                table::complain(reason);
                reason.clone_into(&mut waits);
            }
            Some(("enters", reason)) => reason.clone_into(&mut waits),
            Some(("failed", reason)) => failed = Some(reason.to_owned()),
            _ => {}
        }
    }
    let ended = child.wait().context("wait for the frontend")?;
    let reason = failed.unwrap_or_else(|| {
        format!("the frontend ended before it served ({ended}); see {logs}/fe.out")
    });
    let code = ended.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code > 0);
    Err(Exit::new(code.unwrap_or(exit::FAILED), anyhow!(reason)))
}

/// The process that started this frontend in the background, if one did, until it was told the
/// outcome.
pub struct Starter(Option<UnixStream>);

impl Starter {
    /// Leaves the starter's session, and takes standard input for the socket to it.
    pub fn attach(is_daemon: bool) -> anyhow::Result<Self> {
        if !is_daemon {
            return Ok(Self(None));
        }
        rustix::process::setsid().context("leave the terminal")?;
        let socket = io::stdin().as_fd().try_clone_to_owned().context("take the socket")?;
        Ok(Self(Some(UnixStream::from(socket))))
    }

    /// Tells what the start waits for, as it changes. Never ends.
    pub async fn relay(&mut self, mut waits: watch::Receiver<String>) {
        while waits.changed().await.is_ok() {
            let reason = waits.borrow_and_update().clone();
            self.tell("waits", &reason);
        }
        std::future::pending().await
    }

    /// Tells what comes before clients are served.
    pub fn enters(&mut self, what: &str) {
        self.tell("enters", what);
    }

    /// Tells that clients are served.
    pub fn serves(&mut self, who: &str) {
        self.tell("serves", who);
        self.leave();
    }

    /// Tells why this process ends.
    pub fn failed(&mut self, reason: &str) {
        self.tell("failed", reason);
        self.leave();
    }

    fn tell(&mut self, word: &str, text: &str) {
        let Some(socket) = &mut self.0 else { return };
        let line = text.replace('\n', " ");
        // It may have been interrupted; that is no reason to end.
        let _ = writeln!(socket, "{word} {line}");
    }

    fn leave(&mut self) {
        if let Some(socket) = self.0.take() {
            // Standard input is the same socket, and stays open: at its end from now on.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}
