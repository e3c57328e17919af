//! `start --daemon` and `stop`: what an operator types, on real processes.

use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use quorate_tests::{Daemon, Ended, eventually};
use rustix::process::Signal;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

fn folder() -> TempDir {
    tempfile::tempdir().expect("a test may create folders")
}

/// State, parent and session of a process, from its `stat`.
fn stat(process: u32) -> Option<(String, u32, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let (state, parent) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
    Some((state, parent, fields.nth(1)?.parse().ok()?))
}

fn assert_says(ended: &Ended, code: i32, text: &str) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert!(ended.err.contains(text) || ended.out.contains(text), "{text} in {ended:?}");
}

#[test]
fn a_daemon_that_cannot_start_says_why_to_who_starts_it_and_leaves_nothing() {
    let dir = folder();
    let mut daemon = Daemon::new(dir.path());
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = taken.local_addr().expect("it is bound").port();
    daemon.configure("query_port", port);
    assert_says(&daemon.start(&[]), 2, &format!("query_port {port}"));
    assert!(!daemon.meta_dir().exists());

    let mut daemon = Daemon::new(dir.path());
    daemon.configure("priority_networks", "192.0.2.255/32");
    let refused = daemon.start(&[]);
    assert_says(&refused, 2, "no address of this machine lies in priority_networks");
    assert_says(&refused, 2, "127.0.0.1 (lo)");
    assert!(!daemon.meta_dir().exists());

    let mut daemon = Daemon::new(dir.path());
    assert_says(&daemon.start(&["--host_type", "DNS"]), 2, "possible values: IP, FQDN");
    daemon.configure("host_type", "DNS");
    assert_says(&daemon.start(&[]), 2, "IP or FQDN");
    assert!(!daemon.meta_dir().exists());
}

#[test]
fn a_second_daemon_is_refused_with_the_process_of_the_first() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    let process = daemon.started(&[]);
    let text = format!("Frontend running as process {process}. Stop it first.");
    assert_says(&daemon.start(&[]), 2, &text);
    // In the foreground too, and on other ports.
    assert_says(&Ended::of(&mut daemon.command("start", &[])), 2, &text);
    daemon.mariadb().ok("CREATE DATABASE unharmed");
}

#[test]
fn a_daemon_serves_once_its_start_returns_and_outlives_its_terminal_until_it_is_stopped() {
    let dir = folder();
    let mut daemon = Daemon::new(dir.path());
    daemon.configure("priority_networks", "127.0.0.0/8");
    let process = daemon.started(&[]);
    daemon.mariadb().ok("SELECT 1");
    let (_, parent, session) = stat(process).expect("it runs");
    assert_eq!(session, process, "a session of its own");
    assert_ne!(parent, std::process::id());
    let text = |path: &str| std::fs::read_to_string(dir.path().join(path)).expect("it is there");
    assert_eq!(text("run/fe.pid"), format!("{process}\n"));
    assert!(text("log/fe.log").contains("serves"), "{}", daemon.log());
    assert_eq!(text("log/fe.out"), "");
    let shown = daemon.mariadb().ok("SHOW FRONTENDS");
    assert_eq!(shown.column("IP"), ["127.0.0.1"]);
    daemon.mariadb().ok("CREATE DATABASE kept");

    assert_says(&daemon.stop(&[]), 0, &format!("process {process}, stopped"));
    assert!(stat(process).is_none_or(|(state, ..)| state == "Z"), "it has ended");
    assert!(!dir.path().join("run/fe.pid").exists());
    assert_says(&daemon.stop(&[]), 0, "no frontend runs");

    daemon.started(&[]);
    assert_eq!(daemon.mariadb().ok("SHOW DATABASES LIKE 'kept'").rows().len(), 1);
}

#[test]
fn a_dead_daemons_pid_file_is_no_obstacle() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    let process = daemon.started(&[]);
    daemon.signal(Signal::KILL);
    eventually("the process is gone", LIMIT, || daemon.process().is_none().then_some(()));
    assert!(dir.path().join("run/fe.pid").exists());
    assert_says(&daemon.stop(&[]), 0, "no frontend runs");
    assert_ne!(daemon.started(&[]), process);
}

#[test]
fn what_does_not_stop_is_killed_after_the_timeout_and_loses_nothing() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    let process = daemon.started(&[]);
    daemon.mariadb().ok("CREATE DATABASE kept");
    daemon.signal(Signal::STOP);
    let stopped = daemon.stop(&["--timeout", "1"]);
    assert_says(
        &stopped,
        1,
        &format!("process {process} had not stopped after 1 s and was killed"),
    );
    daemon.started(&[]);
    assert_eq!(daemon.mariadb().ok("SHOW DATABASES LIKE 'kept'").rows().len(), 1);
}

#[test]
fn stop_names_a_data_directory_that_is_not_there() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    assert_says(&daemon.stop(&[]), 2, "there is no data directory");
}

#[test]
fn a_quick_stop_cuts_long_statements_off() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    daemon.started(&[]);
    let client = daemon.mariadb();
    let running = thread::spawn(move || client.run("SELECT SLEEP(60)"));
    wait_for_sleep(&daemon);
    let asked = Instant::now();
    assert_says(&daemon.stop(&[]), 0, "stopped");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    running.join().expect("it ends").expect_err("it was cut off");
}

#[test]
fn a_graceful_stop_of_a_leader_hands_over_and_lets_statements_end_while_probes_say_no() {
    let dir = folder();
    let daemons = cluster(dir.path());
    let (leader, other) = (&daemons[0], &daemons[1]);
    let client = leader.mariadb();
    let running = thread::spawn(move || client.run("SELECT SLEEP(8) AS slept"));
    wait_for_sleep(leader);
    eventually("it is ready", LIMIT, || (leader.get("/readyz")?.0 == 200).then_some(()));
    thread::scope(|scope| {
        let stopping = scope.spawn(|| leader.stop(&["-g"]));
        eventually("it says that it is not ready", LIMIT, || {
            let (status, body) = leader.get("/readyz")?;
            (status == 503 && body.contains("shutting down")).then_some(())
        });
        assert_eq!(leader.get("/api/health").map(|(status, _)| status), Some(500));
        eventually("another one leads", LIMIT, || {
            let shown = other.mariadb().run("SHOW FRONTENDS").ok()?;
            let at = shown.column("Role").iter().position(|role| *role == "LEADER")?;
            (shown.column("EditLogPort")[at] != leader.ports()[0].to_string()).then_some(())
        });
        other.mariadb().ok("CREATE DATABASE meanwhile");
        assert!(!running.is_finished(), "the statement runs through all of this");
        let stopped = stopping.join().expect("it ends");
        assert_says(&stopped, 0, "stopped");
    });
    let slept = running.join().expect("it ends").expect("it was answered");
    assert_eq!(slept.column("slept"), ["0"]);
}

#[test]
fn a_graceful_stop_can_be_hurried() {
    let dir = folder();
    let daemon = Daemon::new(dir.path());
    let process = daemon.started(&[]);
    let client = daemon.mariadb();
    let running = thread::spawn(move || client.run("SELECT SLEEP(60)"));
    wait_for_sleep(&daemon);
    daemon.signal(Signal::USR1);
    eventually("it stops", LIMIT, || (daemon.get("/readyz")?.0 == 503).then_some(()));
    assert_says(&daemon.stop(&[]), 0, &format!("process {process}, stopped"));
    running.join().expect("it ends").expect_err("it was cut off");
}

fn wait_for_sleep(daemon: &Daemon) {
    eventually("the statement runs", LIMIT, || {
        let shown = daemon.mariadb().run("SHOW PROCESSLIST").ok()?;
        shown.column("Info").iter().any(|info| info.contains("SLEEP")).then_some(())
    });
}

/// Three frontends that vote; the first one leads.
fn cluster(dir: &Path) -> Vec<Daemon> {
    let first = Daemon::new(&dir.join("fe1"));
    first.started(&[]);
    let mut daemons = vec![first];
    for name in ["fe2", "fe3"] {
        let next = Daemon::new(&dir.join(name));
        let add = format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", next.address());
        daemons[0].mariadb().ok(&add);
        next.started(&["--helper", &daemons[0].address()]);
        daemons.push(next);
    }
    eventually("all have joined", LIMIT, || {
        let shown = daemons[0].mariadb().run("SHOW FRONTENDS").ok()?;
        (shown.column("Join") == ["true"; 3]).then_some(())
    });
    daemons
}
