//! Backups: saved from a running frontend, checked, restored.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_tests::{Cluster, Frontend, binary, eventually};

const LIMIT: Duration = Duration::from_secs(20);

/// Runs `quorate snapshot`: exit code, standard output, standard error.
fn snapshot(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = Command::new(binary()).arg("snapshot").args(arguments).output();
    let ended = ended.expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.code(), text(&ended.stdout), text(&ended.stderr))
}

fn ok(arguments: &[&str]) -> String {
    let (code, out, error) = snapshot(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {error}");
    out
}

fn refused(arguments: &[&str], why: &str) {
    let (code, _, error) = snapshot(arguments);
    assert_eq!(code, Some(2), "{arguments:?}: {error}");
    assert!(error.contains(why), "{arguments:?}: {error}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// LSN and short digest of the state of the only frontend.
fn position(frontend: &Frontend) -> (u64, String) {
    let shown = frontend.mariadb().ok("SHOW FRONTENDS");
    let lsn = shown.column("AppliedLsn")[0].parse().expect("it is a number");
    (lsn, shown.column("StateDigest")[0].to_owned())
}

fn restore(file: &Path, target: &Frontend, lsn: u64) -> String {
    let (meta_dir, port) = (target.meta_dir(), target.edit_log_port().to_string());
    let lsn = lsn.to_string();
    let place = ["--meta-dir", text(&meta_dir), "--edit-log-port", &port];
    let what = ["restore", text(file), "--host", "127.0.0.1", "--lsn", &lsn];
    ok(&[what.as_slice(), &place].concat())
}

#[test]
fn an_archive_with_any_changed_or_missing_byte_is_refused() {
    let cluster = Cluster::start(1);
    let frontend = &cluster.frontends[0];
    let dir = tempfile::tempdir().expect("a test may create folders");
    let file = dir.path().join("backup");
    refused(&["verify", text(&file)], "read");
    frontend.mariadb().ok("CREATE DATABASE a");
    let saved = ok(&["save", text(&file), "--server", &frontend.rpc()]);
    assert!(saved.contains("can be restored"), "{saved}");
    refused(&["save", text(&file), "--server", &frontend.rpc()], "exists");
    assert!(!dir.path().join("backup.part").exists());

    let whole = fs::read(&file).expect("it can be read");
    let damaged = dir.path().join("damaged");
    let meta_dir = dir.path().join("meta");
    let end = whole.len();
    for at in [0, 15, 16, 20, 25, 400, end / 3, end / 2, end - 60, end - 20, end - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&damaged, bytes).expect("it can be written");
        let why = match at {
            0 => "is not a backup archive",
            15 => "is an archive of version",
            _ => "is damaged at byte",
        };
        refused(&["verify", text(&damaged)], why);
        let place = ["--host", "127.0.0.1", "--meta-dir", text(&meta_dir)];
        refused(&[["restore", text(&damaged)].as_slice(), &place].concat(), why);
        assert!(!meta_dir.exists(), "nothing was written");
    }
    for length in [0, 10, 17, end / 2, end - 1] {
        fs::write(&damaged, &whole[..length]).expect("it can be written");
        let why = if length < 16 { "is not a backup archive" } else { "the file is cut off here" };
        refused(&["verify", text(&damaged)], why);
    }
    fs::write(&damaged, [whole.as_slice(), &[0]].concat()).expect("it can be written");
    refused(&["verify", text(&damaged)], "nothing may follow");

    assert!(ok(&["verify", text(&file)]).contains("is intact"));
    let told = ok(&["inspect", text(&file)]);
    for name in ["cluster", "generation", "first lsn", "last lsn", "last digest", "catalog@"] {
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn every_lsn_in_a_backup_is_restored_exactly_and_the_rest_is_refused() {
    let mut cluster = Cluster::start(1);
    let frontend = &cluster.frontends[0];
    let dir = tempfile::tempdir().expect("a test may create folders");
    let file = dir.path().join("backup");
    ok(&["create", "--server", &frontend.rpc()]);
    let client = frontend.mariadb();
    let mut known = Vec::new();
    for number in 0..3 {
        client.ok(&format!("CREATE DATABASE w{number}"));
        known.push(position(frontend));
    }
    ok(&["save", text(&file), "--server", &frontend.rpc()]);
    let told = ok(&["inspect", text(&file)]);
    let number = |name: &str| -> u64 {
        let line = told.lines().find(|line| line.starts_with(name)).expect("it is told");
        line.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("it is a number")
    };
    let (first, last) = (number("first lsn"), number("last lsn"));

    let target = Frontend::new(&dir.path().join("outside"), None, None);
    let beyond = (last + 1).to_string();
    let place = [text(&file), "--host", "127.0.0.1", "--lsn", &beyond, "--meta-dir"];
    let range = format!("it can restore LSN {first} to {last}");
    refused(&[["restore"].as_slice(), &place, &[text(&target.meta_dir())]].concat(), &range);
    let full = cluster.frontends[0].meta_dir();
    let place = ["restore", text(&file), "--host", "127.0.0.1", "--meta-dir", text(&full)];
    refused(&place, "is not empty");

    // All of it is what the test under load restores.
    for (at, (lsn, digest)) in known.iter().enumerate().take(2) {
        assert!((first..last).contains(lsn), "the backup begins with the snapshot before");
        let target = Frontend::new(&dir.path().join(format!("at{at}")), None, None);
        let told = restore(&file, &target, *lsn);
        assert!(told.contains(&format!("the state at LSN {lsn} has digest {digest}")), "{told}");
    }
    refused(&["verify", text(&full)], "is in use: Frontend running as process");
    cluster.frontends[0].stop();
    assert!(ok(&["verify", text(&full)]).contains("is intact"));
}

#[test]
fn a_backup_under_load_becomes_a_cluster_that_serves_and_grows() {
    let cluster = Cluster::start(3);
    let client = cluster.frontends[1].mariadb();
    let dir = tempfile::tempdir().expect("a test may create folders");
    let file = dir.path().join("backup");
    let stop = AtomicBool::new(false);
    let before = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                client.ok(&format!("CREATE DATABASE w{number}"));
                number += 1;
            }
        });
        let before = eventually("writes go on", LIMIT, || {
            let shown = client.ok("SHOW DATABASES LIKE 'w%'").rows().len();
            (shown >= 10).then_some(shown)
        });
        ok(&["save", text(&file), "--server", &cluster.frontends[2].rpc()]);
        stop.store(true, Ordering::Relaxed);
        writing.join().expect("the writer does not panic");
        before
    });
    ok(&["verify", text(&file)]);
    drop(cluster);

    let mut first = Frontend::new(&dir.path().join("fe1"), None, None);
    let meta_dir = first.meta_dir();
    let port = first.edit_log_port().to_string();
    let place = ["--meta-dir", text(&meta_dir), "--edit-log-port", &port];
    let told = ok(&[["restore", text(&file), "--host", "127.0.0.1"].as_slice(), &place].concat());
    assert!(told.contains("generation 2"), "{told}");
    first.start();
    first.wait_ready();
    let mut restored = Cluster::grow(dir.path(), first);
    let shown = restored.frontends[0].mariadb().ok("SHOW DATABASES LIKE 'w%'");
    assert!(shown.rows().len() >= before, "what was acknowledged before the save is in it");
    restored.add();
    restored.add();
    restored.wait_whole();
    restored.frontends[2].mariadb().ok("CREATE DATABASE after");
    restored.assert_agreement(1);
}
