//! Subscribers see everything once and in order, whatever happens to frontends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use quorate_tests::{Cluster, Frontend, Mariadb, binary, eventually, modules};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// The program as a subscriber. Killed when dropped.
struct Subscriber {
    child: Child,
    lines: Option<Receiver<Value>>,
}

impl Subscriber {
    fn start(frontends: &[&Frontend], arguments: &[&str]) -> Self {
        let endpoints: Vec<_> = frontends.iter().map(|frontend| frontend.rpc()).collect();
        let child = Command::new(binary())
            .args(["subscribe", "--endpoints", &endpoints.join(",")])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        Self { child, lines: None }
    }

    /// The next line; reading begins with the first call.
    fn next(&mut self) -> Option<Value> {
        let lines = self.lines.get_or_insert_with(|| {
            let out = self.child.stdout.take().expect("it is piped");
            let (send, lines) = channel();
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines() {
                    let line = line.expect("the output is text");
                    let line = serde_json::from_str(&line).expect("each line is JSON");
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
            lines
        });
        lines.recv_timeout(LIMIT).ok()
    }

    /// Lines until one is the last that is wanted.
    fn until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (mut lines, started) = (Vec::new(), Instant::now());
        loop {
            assert!(started.elapsed() < LIMIT, "it does not come: {:?}", lines.last());
            let line = self.next();
            lines.push(line.unwrap_or_else(|| panic!("it went silent after {:?}", lines.last())));
            if last(&lines[lines.len() - 1]) {
                return lines;
            }
        }
    }

    /// All lines to the end, and the exit code.
    fn end(mut self) -> (Vec<Value>, Option<i32>) {
        let mut lines = Vec::new();
        while let Some(line) = self.next() {
            lines.push(line);
        }
        (lines, self.child.wait().expect("it can be waited for").code())
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a subscription to its end: lines, exit code and what it said.
fn run(frontends: &[&Frontend], arguments: &[&str]) -> (Vec<Value>, Option<i32>, String) {
    let endpoints: Vec<_> = frontends.iter().map(|frontend| frontend.rpc()).collect();
    let ended = Command::new(binary())
        .args(["subscribe", "--endpoints", &endpoints.join(",")])
        .args(arguments)
        .output()
        .expect("the program runs");
    let lines = String::from_utf8(ended.stdout).expect("the output is text");
    let lines = lines.lines().map(|line| serde_json::from_str(line).expect("each line is JSON"));
    (lines.collect(), ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn lsn(line: &Value) -> u64 {
    line["lsn"].as_u64().unwrap_or_else(|| panic!("no LSN: {line}"))
}

fn at(line: &Value) -> (u64, u64) {
    (lsn(line), line["ordinal"].as_u64().expect("each change has one"))
}

/// A key as the module was given it: one byte of its own comes before.
fn key(line: &Value) -> &str {
    line["key"]["text"]
        .as_str()
        .expect("the keys of these tests are text")
        .trim_start_matches('\u{1}')
}

fn assert_once_and_in_order(lines: &[Value]) {
    for pair in lines.windows(2) {
        assert!(at(&pair[0]) < at(&pair[1]), "{} is not before {}", pair[0], pair[1]);
    }
}

/// Puts keys `name` and a number, each until it is acknowledged.
fn put(client: &Mariadb, name: &str, numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    let keys = numbers.map(|number| format!("{name}{number:05}"));
    keys.inspect(|key| {
        eventually("a put succeeds", LIMIT, || client.run(&format!("PUT {key} v")).ok());
    })
    .collect()
}

#[test]
fn when_the_frontend_that_serves_it_dies_a_subscriber_goes_on_at_another() {
    let mut cluster = Cluster::start_with(3, Some(modules::KV));
    let leader = cluster.leader(0);
    let (serving, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let writer = cluster.frontends[other].mariadb();
    let [a, b, c] = [serving, leader, other].map(|at| &cluster.frontends[at]);
    let mut subscriber =
        Subscriber::start(&[a, b, c], &["--from-now", "--prefix", "\\x01k", "--progress"]);
    let begin = subscriber.next().expect("progress comes at once");
    assert_eq!(begin["kind"], "progress");

    let mut acknowledged = put(&writer, "k", 0..40);
    put(&writer, "other", 0..5);
    let mut lines = subscriber.until(|line| line["key"]["text"] == "\u{1}k00039");
    cluster.frontends[serving].kill();
    acknowledged.extend(put(&writer, "k", 40..80));
    lines.extend(subscriber.until(|line| line["key"]["text"] == "\u{1}k00079"));
    // Now the leader serves it. It dies too, and the first one is back.
    cluster.frontends[serving].start();
    cluster.frontends[serving].wait_ready();
    cluster.frontends[leader].kill();
    acknowledged.extend(put(&writer, "k", 80..120));
    lines.extend(subscriber.until(|line| line["key"]["text"] == "\u{1}k00119"));

    let progress = |line: &&Value| line["kind"] == "progress";
    let told: Vec<_> = lines.iter().filter(progress).collect();
    assert!(told.is_sorted_by_key(|line| line["complete_lsn"].as_u64()), "{told:?}");
    lines.retain(|line| !progress(&line));
    assert_once_and_in_order(&lines);
    assert!(lines.iter().all(|line| line["kind"] == "put" && key(line).starts_with('k')));
    let seen: BTreeSet<_> = lines.iter().map(|line| key(line).to_owned()).collect();
    let missing: Vec<_> = acknowledged.difference(&seen).collect();
    assert!(missing.is_empty(), "acknowledged and never seen: {missing:?}");

    // The same from another frontend at one go.
    let after = begin["complete_lsn"].to_string();
    let until = lsn(&lines[lines.len() - 1]).to_string();
    let arguments = ["--after", &after, "--until", &until, "--prefix", "\\x01k"];
    let (again, code, said) = run(&[&cluster.frontends[other]], &arguments);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(again, lines);
}

#[test]
fn a_subscriber_that_reads_late_gets_every_change_from_each_frontend() {
    let cluster = Cluster::start_with(3, Some(modules::KV));
    let writer = cluster.frontends[0].mariadb();
    let mut late = Subscriber::start(&[&cluster.frontends[1]], &["--after", "0", "--kind", "keys"]);
    // More than all buffers on the way hold.
    let value = "v".repeat(16 << 10);
    let statements: Vec<_> = (0..400).map(|number| format!("PUT k{number:03} {value}")).collect();
    for some in statements.chunks(6) {
        writer.ok(&some.join("; "));
    }
    writer.ok("PUT k000 again; DELETE k001; DELETE k001");
    let lines = late.until(|line| line["kind"] == "delete");
    assert_once_and_in_order(&lines);
    assert_eq!(lines.len(), 402);
    for (number, line) in lines[..400].iter().enumerate() {
        assert_eq!(key(line), format!("k{number:03}"));
        assert_eq!(line["before"], Value::Null);
    }
    let [again, deleted] = &lines[400..] else { panic!("two more") };
    assert_eq!(again["before"], lines[0]["after"]);
    assert_eq!((key(deleted), &deleted["after"]), ("k001", &Value::Null));
    assert_eq!(deleted["before"], lines[1]["after"]);

    let until = lsn(deleted).to_string();
    for frontend in &cluster.frontends {
        let arguments = ["--after", "0", "--until", &until];
        let (all, code, said) = run(&[frontend], &arguments);
        assert_eq!(code, Some(0), "{said}");
        let keys: Vec<_> = all.iter().filter(|line| line["module"] == "kv").cloned().collect();
        assert_eq!(keys, lines);
        let cluster: Vec<_> = all.iter().filter(|line| line["kind"] == "cluster").collect();
        let named = |name: &str| cluster.iter().filter(|line| line["command"] == name).count();
        assert_eq!((named("found"), named("add_frontends"), named("activate_module")), (1, 2, 1));
        assert!(named("membership") >= 2, "{cluster:?}");
    }
    let (few, code, _) =
        run(&[&cluster.frontends[2]], &["--after", "0", "--kind", "keys", "--limit", "3"]);
    assert_eq!((few.as_slice(), code), (&lines[..3], Some(0)));
}

#[test]
fn what_is_purged_and_what_is_switched_off_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let cluster = Cluster::start_prepared(dir.path(), 1, Some(modules::KV), |_, frontend| {
        frontend.configure("log_retention_entries", 10);
        frontend.configure("snapshot_log_entries", 20);
    });
    let frontend = &cluster.frontends[0];
    let client = frontend.mariadb();
    let mut number = 0;
    let refused = eventually("old changes go with the log", LIMIT, || {
        number += 1;
        client.ok(&format!("PUT k{number} v"));
        let (lines, code, said) = run(&[frontend], &["--after", "0", "--limit", "1"]);
        if code == Some(0) {
            // The first entries are blank.
            assert!(lsn(&lines[0]) <= 3, "{lines:?}");
            return None;
        }
        assert_eq!(code, Some(1), "{said}");
        Some(said)
    });
    assert!(refused.contains("changes of LSN 1 are not kept here"), "{refused}");
    let (oldest, code, said) =
        run(&[frontend], &["--from-oldest", "--kind", "keys", "--limit", "1"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(lsn(&oldest[0]) > 1);

    let wrong = client.error("ADMIN SET FRONTEND CONFIG (\"change_feed\" = \"maybe\")");
    assert!(wrong.contains("true or false"), "{wrong}");
    client.ok("ADMIN SET FRONTEND CONFIG (\"change_feed\" = \"false\")");
    let (_, code, said) = run(&[frontend], &["--from-now", "--limit", "1"]);
    assert_eq!(code, Some(1));
    let remedy = "ADMIN SET FRONTEND CONFIG (\"change_feed\" = \"true\")";
    assert!(said.contains(remedy), "{said}");
    client.ok(remedy);
    let mut again = Subscriber::start(&[frontend], &["--from-oldest", "--kind", "keys"]);
    client.ok("PUT back v");
    assert_eq!(again.next().as_ref().map(key), Some("back"));
}

#[test]
fn without_a_frontend_it_ends_with_code_3_and_on_a_signal_or_a_closed_pipe_well() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let nobody = Frontend::new(&dir.path().join("nobody"), None, None);
    let (_, code, said) = run(&[&nobody], &["--from-now"]);
    assert_eq!(code, Some(3), "{said}");
    let cluster = Cluster::start_with(1, Some(modules::KV));
    let frontend = &cluster.frontends[0];
    let (_, code, _) = run(&[frontend], &["--prefix", "\\q"]);
    assert_eq!(code, Some(2));

    let mut interrupted = Subscriber::start(&[&nobody, frontend], &["--progress"]);
    assert_eq!(interrupted.next().expect("the second frontend serves")["kind"], "progress");
    let process = rustix::process::Pid::from_child(&interrupted.child);
    let sent = rustix::process::kill_process(process, rustix::process::Signal::INT);
    sent.expect("it can be interrupted");
    assert_eq!(interrupted.end().1, Some(0));

    let mut closed = Subscriber::start(&[frontend], &["--progress"]);
    drop(closed.child.stdout.take());
    let code = eventually("a closed pipe ends it", LIMIT, || {
        closed.child.try_wait().expect("it can be waited for")
    });
    assert_eq!(code.code(), Some(0));
}
