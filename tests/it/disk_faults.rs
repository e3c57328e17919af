//! A disk fails, is slow or hangs, on real processes: a preloaded library makes it so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_tests::{Cluster, Frontend, Mariadb, eventually};

const LIMIT: Duration = Duration::from_secs(30);
/// Exit codes of a frontend whose disk failed, and whose disk is full.
const DISK: Option<i32> = Some(74);
const FULL: Option<i32> = Some(75);
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The library, built in a folder.
fn library(dir: &Path) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/disk_faults.c");
    let library = dir.join("disk_faults.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.expect("a C compiler is installed").success(), "{source} compiles");
    library
}

/// Makes faults possible on files of a frontend whose path contains `part`.
fn expose(dir: &Path, frontend: &mut Frontend, part: &str) {
    frontend.set_environment("LD_PRELOAD", &library(dir).to_string_lossy());
    frontend.set_environment("DISK_FAULT_PATH", part);
    frontend.set_environment("DISK_FAULT_TRIGGER", &trigger(dir).to_string_lossy());
}

fn trigger(dir: &Path) -> PathBuf {
    dir.join("trigger")
}

/// Switches a fault on, at once for whoever looks.
fn switch_on(dir: &Path, fault: &str) {
    fs::write(dir.join("trigger.new"), fault).expect("a test may write files");
    fs::rename(dir.join("trigger.new"), trigger(dir)).expect("a test may write files");
}

fn switch_off(dir: &Path) {
    fs::remove_file(trigger(dir)).expect("it was on");
}

/// Creates databases `w0`, `w1`, .. until told to stop, and gives those that were acknowledged.
fn write(client: &Mariadb, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("w{number}");
        if client.run(&format!("SET query_timeout = 5; CREATE DATABASE {name}")).is_ok() {
            acknowledged.push(name);
        }
    }
    acknowledged
}

/// Ends the writer also when the test fails.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn assert_present(client: &Mariadb, names: &[String]) {
    let shown = client.ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'w%'");
    let present: Vec<_> = shown.rows().iter().map(|row| row[0].to_owned()).collect();
    for name in names {
        assert!(present.contains(name), "{name} was acknowledged and is gone");
    }
}

/// A fault on a single frontend's files ends it with that code and text, and it comes back with
/// all that it had acknowledged.
fn ends(part: &str, fault: &str, code: Option<i32>, said: &[&str]) {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut frontend = Frontend::new(dir.path(), None, None);
    expose(dir.path(), &mut frontend, part);
    frontend.start();
    frontend.wait_ready();
    let client = frontend.mariadb();
    let acknowledged: Vec<_> = (0..5).map(|number| format!("w{number}")).collect();
    for name in &acknowledged {
        client.ok(&format!("CREATE DATABASE {name}"));
    }
    switch_on(dir.path(), fault);
    let answer = client.run("SET query_timeout = 5; CREATE DATABASE w_after");
    let found = frontend.wait_end();
    let log = frontend.log();
    assert_eq!(found, code, "{answer:?}\n{log}");
    let last = log.lines().last().unwrap_or_default();
    for part in said {
        assert!(last.contains(part), "'{part}' in: {last}");
    }
    switch_off(dir.path());
    frontend.start();
    frontend.wait_ready();
    assert_present(&client, &acknowledged);
    if answer.is_ok() {
        assert_present(&client, &["w_after".to_owned()]);
    }
    client.ok("CREATE DATABASE IF NOT EXISTS w_after");
}

#[test]
fn a_failed_fsync_of_the_log_ends_the_frontend() {
    let said = ["log/db", "has stopped", "restart this frontend once the disk works"];
    ends("meta/log/db", &format!("sync {EIO}"), DISK, &said);
}

#[test]
fn a_failed_write_of_the_log_ends_the_frontend() {
    ends("meta/log/db", &format!("write {EIO}"), DISK, &["log/db", "has stopped", "restart"]);
}

#[test]
fn a_log_without_room_ends_the_frontend_with_a_code_of_its_own() {
    let said = ["log/db", "no space left", "make room on that disk"];
    ends("meta/log/db", &format!("write {ENOSPC}"), FULL, &said);
}

#[test]
fn a_failed_fence_ends_the_frontend() {
    ends("meta/fence", &format!("sync {EIO}"), DISK, &["fence", "has stopped", "restart"]);
}

#[test]
fn a_failed_write_of_the_state_ends_the_frontend() {
    ends("meta/state", &format!("write {EIO}"), DISK, &["state", "restart this frontend"]);
}

#[test]
fn a_leader_whose_fsync_hangs_is_replaced_and_comes_back() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut cluster = Cluster::start_prepared(dir.path(), 3, None, |at, frontend| {
        if at == 0 {
            expose(dir.path(), frontend, "fe1/meta/log/db");
        }
    });
    assert_eq!(cluster.leader(0), 0, "the founder leads");
    let client = cluster.frontends[1].mariadb();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&client, &stop));
        let stopping = Stopping(&stop);
        let count = |at: usize| {
            let shown = cluster.frontends[at].mariadb().run("SHOW DATABASES LIKE 'w%'");
            shown.map_or(0, |shown| shown.rows().len())
        };
        eventually("writes go on", LIMIT, || (count(1) > 10).then_some(()));
        switch_on(dir.path(), "hang");
        eventually("another one leads", LIMIT, || (cluster.leader(1) != 0).then_some(()));
        let before = count(1);
        eventually("writes go on without it", LIMIT, || (count(1) > before + 20).then_some(()));
        switch_off(dir.path());
        drop(stopping);
        writing.join().expect("the writer does not panic")
    });
    assert!(acknowledged.len() > 20);
    cluster.wait_whole();
    cluster.assert_agreement(1);
    for frontend in &mut cluster.frontends {
        assert_present(&frontend.mariadb(), &acknowledged);
        assert!(frontend.runs(), "{}", frontend.log());
    }
}

#[test]
fn slow_fsyncs_on_every_frontend_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut cluster = Cluster::start_prepared(dir.path(), 3, None, |_, frontend| {
        expose(dir.path(), frontend, "meta/log/db");
    });
    let client = cluster.frontends[1].mariadb();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&client, &stop));
        let stopping = Stopping(&stop);
        let count = || {
            let shown = client.run("SHOW DATABASES LIKE 'w%'");
            shown.map_or(0, |shown| shown.rows().len())
        };
        eventually("writes go on", LIMIT, || (count() > 5).then_some(()));
        switch_on(dir.path(), "slow 50");
        let before = count();
        eventually("writes go on, slowly", LIMIT, || (count() > before + 3).then_some(()));
        // Longer than a leader's lease: nobody can lead for long, and writes may or may not be done.
        switch_on(dir.path(), "slow 400");
        for number in 0..3 {
            let _ = client.run(&format!("SET query_timeout = 3; CREATE DATABASE slow{number}"));
        }
        switch_off(dir.path());
        let before = count();
        eventually("writes go on as before", LIMIT, || (count() > before + 10).then_some(()));
        drop(stopping);
        writing.join().expect("the writer does not panic")
    });
    cluster.wait_whole();
    cluster.assert_agreement(1);
    for frontend in &mut cluster.frontends {
        assert_present(&frontend.mariadb(), &acknowledged);
        assert!(frontend.runs(), "{}", frontend.log());
    }
}
