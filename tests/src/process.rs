//! One frontend as a process.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{Mariadb, eventually};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The program under test.
///
/// # Panics
/// When it has not been built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // Tests lie in `deps` beside it, the benchmark lies beside it.
    let near = test.ancestors().skip(1).take(2).map(|folder| folder.join("quorate"));
    let found = near.into_iter().find(|binary| binary.exists());
    found.expect("the program is built: `cargo build -p quorate`")
}

/// A frontend, running or not. Killed when dropped.
pub struct Frontend {
    dir: PathBuf,
    host: String,
    ports: [u16; 4],
    /// Ports for gRPC and MySQL clients that lead to its own.
    doors: Option<(u16, u16)>,
    /// What its command line begins with.
    wrapper: Vec<String>,
    helper: Option<String>,
    module: Option<PathBuf>,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Frontend {
    /// A frontend that is not started yet, on ports that were free a moment ago.
    ///
    /// # Panics
    /// When no ports are free.
    pub fn new(dir: &Path, helper: Option<String>, module: Option<&str>) -> Self {
        std::fs::create_dir_all(dir).expect("a test may create folders");
        let module = module.map(PathBuf::from);
        Self {
            dir: dir.to_owned(),
            host: "127.0.0.1".to_owned(),
            ports: free_ports(),
            doors: None,
            wrapper: Vec::new(),
            helper,
            module,
            settings: Vec::new(),
            environment: Vec::new(),
            arguments: Vec::new(),
            child: None,
        }
    }

    /// Sets a configuration key, from the next start on.
    pub fn configure(&mut self, key: &str, value: impl std::fmt::Display) {
        self.settings.push(format!("{key}={value}"));
    }

    /// Sets an environment variable, from the next start on.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Adds an argument of its command line, from the next start on.
    pub fn add_argument(&mut self, argument: impl Into<String>) {
        self.arguments.push(argument.into());
    }

    /// Has it listen on other ports, from the next start on.
    ///
    /// # Panics
    /// When no ports are free.
    pub fn relocate(&mut self) {
        self.ports = free_ports();
    }

    /// Has it ask this helper, or none, from the next start on.
    pub fn set_helper(&mut self, helper: Option<String>) {
        self.helper = helper;
    }

    /// Has the others reach it under another host than 127.0.0.1, from the first start on.
    pub fn register_as(&mut self, host: &str) {
        host.clone_into(&mut self.host);
        self.configure("frontend_address", host);
    }

    /// Has it be on a machine of its own, as far as it can tell, with the HTTP port that all
    /// frontends have, from the first start on.
    pub fn be_alone_on(&mut self, machine: &str, http_port: u16) {
        self.add_argument(format!("--machine-id={machine}"));
        self.ports[3] = http_port;
    }

    /// Has it run by another command, which ends in running it in its own place.
    pub fn run_through(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Has clients use other ports of 127.0.0.1, which lead to its own for gRPC and MySQL.
    pub fn reach_through(&mut self, rpc: u16, query: u16) {
        self.doors = Some((rpc, query));
    }

    /// `host:edit_log_port`, as it is registered.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.ports[0])
    }

    /// `127.0.0.1:rpc_port`, for clients.
    pub fn rpc(&self) -> String {
        format!("127.0.0.1:{}", self.doors.map_or(self.ports[1], |(rpc, _)| rpc))
    }

    /// The ports that it binds to for gRPC and MySQL clients.
    pub fn bound(&self) -> (u16, u16) {
        (self.ports[1], self.ports[2])
    }

    /// Its HTTP port.
    pub fn http_port(&self) -> u16 {
        self.ports[3]
    }

    /// Its port for other frontends.
    pub fn edit_log_port(&self) -> u16 {
        self.ports[0]
    }

    /// Its MySQL port, for clients.
    pub fn query_port(&self) -> u16 {
        self.doors.map_or(self.ports[2], |(_, query)| query)
    }

    /// Its process id, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its data directory.
    pub fn meta_dir(&self) -> PathBuf {
        self.dir.join("meta")
    }

    /// A client connected to it.
    pub fn mariadb(&self) -> Mariadb {
        Mariadb::new(self.query_port())
    }

    /// A page of its HTTP port, with status line and headers.
    ///
    /// # Panics
    /// When it does not serve HTTP.
    pub fn get(&self, path: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.http_port()));
        let mut stream = stream.expect("HTTP is served");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("HTTP is served");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in text");
        answer
    }

    /// What one of its metrics says, if it has that one; with its labels, if it has any.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.get("/metrics");
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value)
    }

    /// The command that starts it, with its standard error in a file.
    pub fn command(&self) -> Command {
        let mut command = match self.wrapper.split_first() {
            None => Command::new(binary()),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
        let [edit_log, rpc, query, http] = self.ports;
        command.args(["start", "--stop-with-stdin"]);
        let meta_dir = self.meta_dir();
        for setting in [
            format!("meta_dir={}", meta_dir.display()),
            format!("edit_log_port={edit_log}"),
            format!("rpc_port={rpc}"),
            format!("query_port={query}"),
            format!("http_port={http}"),
        ] {
            command.args(["--set", &setting]);
        }
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command.args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        if let Some(helper) = &self.helper {
            command.args(["--helper", helper]);
        }
        if let Some(module) = &self.module {
            command.arg("--module").arg(module);
        }
        let log = File::options().create(true).append(true).open(self.log_path());
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(log.expect("a test may write its log"));
        command
    }

    /// Starts it, without waiting for anything.
    ///
    /// # Panics
    /// When the process cannot be made.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "already started");
        self.child = Some(self.command().spawn().expect("the program starts"));
    }

    /// Starts it, to die as by `kill -9` at a crash point of the program.
    ///
    /// # Panics
    /// When the process cannot be made.
    pub fn start_to_crash(&mut self, point: &str) {
        assert!(self.child.is_none(), "already started");
        let child = self.command().env("QUORATE_CRASH_AT", point).spawn();
        self.child = Some(child.expect("the program starts"));
    }

    /// Waits until it answers and has an active module.
    ///
    /// # Panics
    /// When it ends or does not answer.
    pub fn wait_ready(&mut self) {
        let what = format!("frontend at {} answers; its log:\n{}", self.address(), self.log());
        eventually(&what, START_LIMIT, || {
            let child = self.child.as_mut().expect("it was started");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the frontend ended ({status}); its log:\n{}", self.log());
            }
            let shown = self.mariadb().run("SHOW MODULES").ok()?;
            shown.text.contains("ACTIVE").then_some(())
        });
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = self.process().and_then(|id| i32::try_from(id).ok());
        let process = process.and_then(rustix::process::Pid::from_raw).expect("it runs");
        rustix::process::kill_process(process, signal).expect("it can be signalled");
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Panics
    /// When it does not run or does not end.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        drop(child.stdin.take());
        let what = format!("frontend at {} stops", self.address());
        eventually(&what, STOP_LIMIT, || child.try_wait().expect("it can be waited for"))
    }

    /// Waits for its end and gives its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait_end(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it was started");
        let what = format!("frontend at {} ends", self.address());
        let ended =
            eventually(&what, STOP_LIMIT, || child.try_wait().expect("it can be waited for"));
        ended.code()
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// What it wrote to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("fe.log")
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log_path().display(), self.log());
        }
    }
}

/// Where [`free_ports`] looks: below the ports that the kernel gives to outgoing connections, which
/// could take one while its frontend is being started again.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// How far apart processes begin to look. More than most of them need, so that two that look at
/// once do not find the same.
const PORTS_APART: u32 = 97;

/// Four ports that were free a moment ago.
///
/// # Panics
/// When loopback has none.
pub fn free_ports() -> [u16; 4] {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    std::array::from_fn(|_| {
        let mut candidates = (0..count).map(|_| {
            let number = GIVEN.fetch_add(1, Ordering::Relaxed);
            let at = std::process::id().wrapping_mul(PORTS_APART).wrapping_add(number) % count;
            PORTS.start + u16::try_from(at).expect("it is below the count, which fits")
        });
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        candidates.find(free).expect("loopback has free ports")
    })
}
