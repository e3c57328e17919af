//! One frontend as an operator runs it: in the background, started and stopped by commands.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Mariadb, binary, free_ports};

const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ended {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn of(command: &mut Command) -> Self {
        // A daemon must not hold the pipes of those who start it: reading them would never end.
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Kills the frontends that run on data directories when it is dropped, or when this process ends
/// in any way: they are in sessions of their own, and nothing else would.
pub struct Reaper(Child);

impl Reaper {
    /// A reaper for these data directories, which need not exist yet.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn new(meta_dirs: &[PathBuf]) -> Self {
        // Its standard input ends when this process does. A lock that can be had is nobody's.
        let script = "cat; for meta in \"$@\"; do [ ! -e \"$meta/lock\" ] || \
                      flock -n \"$meta/lock\" true || kill -9 $(cat \"$meta/lock\"); done";
        let mut sh = Command::new("sh");
        sh.args(["-c", script, "reaper"]).args(meta_dirs).process_group(0).stdin(Stdio::piped());
        Self(sh.spawn().expect("there is a shell"))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A frontend in the background. Killed when dropped.
pub struct Daemon {
    _reaper: Reaper,
    dir: PathBuf,
    ports: [u16; 4],
    settings: Vec<String>,
}

impl Daemon {
    /// A frontend in a folder, on ports that were free a moment ago; not started yet.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).expect("a test may create folders");
        let ports = free_ports();
        let [edit_log, rpc, query, http] = ports;
        let settings = vec![
            format!("meta_dir={}", dir.join("meta").display()),
            format!("sys_log_dir={}", dir.join("log").display()),
            format!("pid_dir={}", dir.join("run").display()),
            format!("edit_log_port={edit_log}"),
            format!("rpc_port={rpc}"),
            format!("query_port={query}"),
            format!("http_port={http}"),
        ];
        let reaper = Reaper::new(&[dir.join("meta")]);
        Self { _reaper: reaper, dir: dir.to_owned(), ports, settings }
    }

    /// Sets a configuration key, from the next command on.
    pub fn configure(&mut self, key: &str, value: impl std::fmt::Display) {
        self.settings.push(format!("{key}={value}"));
    }

    /// `quorate VERB` with its settings and more arguments.
    pub fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg(verb).args(more);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
    }

    /// `quorate start --daemon`.
    pub fn start(&self, more: &[&str]) -> Ended {
        Ended::of(self.command("start", more).arg("--daemon"))
    }

    /// As [`start`](Self::start), which must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn started(&self, more: &[&str]) -> u32 {
        let ended = self.start(more);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, self.log());
        self.process().expect("a frontend that serves has a process")
    }

    /// `quorate stop`.
    pub fn stop(&self, more: &[&str]) -> Ended {
        Ended::of(&mut self.command("stop", more))
    }

    /// Its data directory.
    pub fn meta_dir(&self) -> PathBuf {
        self.dir.join("meta")
    }

    /// Its ports: for frontends, gRPC, MySQL, HTTP.
    pub fn ports(&self) -> [u16; 4] {
        self.ports
    }

    /// `127.0.0.1:edit_log_port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// A client connected to it.
    pub fn mariadb(&self) -> Mariadb {
        Mariadb::new(self.ports[2])
    }

    /// Status and body of a GET, or nothing if nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[3])).ok()?;
        stream.set_read_timeout(Some(HTTP_TIMEOUT)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: fe\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    /// The process that has its data directory, if one runs.
    ///
    /// # Panics
    /// When its lock file cannot be read.
    pub fn process(&self) -> Option<u32> {
        process_of(&self.meta_dir())
    }

    /// Sends its process a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        let process = self.process().expect("it runs");
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw).expect("it is an id");
        kill_process(pid, signal).expect("it runs");
    }

    /// Its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log/fe.log")).unwrap_or_default()
    }
}

/// The process that has a data directory open, if one has.
///
/// # Panics
/// When its lock file cannot be read.
pub fn process_of(meta_dir: &Path) -> Option<u32> {
    quorate::server::user(meta_dir).expect("the lock can be read")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.dir.display(), self.log());
        }
    }
}
