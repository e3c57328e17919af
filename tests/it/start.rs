//! `quorate dev`: the first command a newcomer types.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use quorate_tests::{Mariadb, binary, eventually};

const LIMIT: Duration = Duration::from_secs(60);

struct Dev {
    child: std::process::Child,
    ports: Vec<u16>,
}

impl Dev {
    /// Starts a cluster and reads its MySQL ports from the lines that it prints for pasting.
    fn start(dir: &std::path::Path, more: &[&str]) -> Self {
        let base = base_port();
        let mut child = Command::new(binary())
            .args(["dev", "--frontends", "3", "--base-port", &base.to_string(), "--dir"])
            .arg(dir)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut ports = Vec::new();
        for line in stdout.lines() {
            let line = line.expect("it prints text");
            if let Some((_, rest)) = line.split_once("mariadb -h 127.0.0.1 -P ") {
                let port = rest.split(' ').next().and_then(|port| port.parse().ok());
                ports.push(port.expect("a port follows"));
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        assert_eq!(ports.len(), 3, "one line for each frontend");
        Self { child, ports }
    }

    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        let ended = eventually("the cluster stops", LIMIT, || {
            self.child.try_wait().expect("it can be waited for")
        });
        assert!(ended.success(), "{ended}");
        for port in &self.ports {
            Mariadb::new(*port).error("SELECT 1");
        }
    }
}

/// A port with 11 free ones after it, probably.
fn base_port() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 20_000 + u16::try_from(std::process::id() % 500).expect("it is small") * 16;
    (start..start + 4000)
        .step_by(16)
        .find(|base| (0..12).all(|offset| free(base + offset)))
        .expect("there are free ports")
}

#[test]
fn a_development_cluster_starts_stops_and_keeps_its_data_until_reset() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let cluster = Dev::start(dir.path(), &[]);
    Mariadb::new(cluster.ports[1]).ok("CREATE DATABASE kept");
    cluster.stop();

    let cluster = Dev::start(dir.path(), &[]);
    let shown = Mariadb::new(cluster.ports[2])
        .ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'kept'");
    assert_eq!(shown.rows().len(), 1);
    cluster.stop();

    let cluster = Dev::start(dir.path(), &["--reset"]);
    let shown = Mariadb::new(cluster.ports[0]).ok("SHOW DATABASES LIKE 'kept'");
    assert_eq!(shown.rows().len(), 0);
    cluster.stop();
}

#[test]
fn observers_beside_a_single_follower_follow_it() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let base = base_port();
    let mut child = Command::new(binary())
        .args(["dev", "--frontends", "1", "--observers", "2", "--base-port", &base.to_string()])
        .arg("--dir")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let printed: Vec<_> = stdout
        .lines()
        .map(|line| line.expect("it prints text"))
        .take_while(|line| !line.contains("Ctrl-C"))
        .collect();
    let observers = printed.iter().filter(|line| line.starts_with("| OBSERVER")).count();
    assert_eq!(observers, 2, "{printed:?}");
    Mariadb::new(base + 2).ok("CREATE DATABASE followed");
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'followed'";
    for observer in [base + 6, base + 10] {
        assert_eq!(Mariadb::new(observer).ok(read).rows().len(), 1);
    }
    Dev { child, ports: Vec::new() }.stop();
}
