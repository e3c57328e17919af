//! A majority is lost for good.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use quorate_tests::{Cluster, Frontend, binary, eventually};

const LIMIT: Duration = Duration::from_secs(20);

/// How a run of the program ended: exit code, standard output, standard error.
struct Ended {
    code: Option<i32>,
    out: String,
    error: String,
}

fn recover(meta_dir: &Path, more: &[&str], compare: &[&Path]) -> Ended {
    let mut command = Command::new(binary());
    command.arg("recover").arg("--meta-dir").arg(meta_dir).args(more);
    for other in compare {
        command.arg("--compare").arg(other);
    }
    let ended = command.output().expect("the program runs");
    Ended {
        code: ended.status.code(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        error: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

fn refused(meta_dir: &Path, compare: &[&Path], why: &str) {
    let ended = recover(meta_dir, &["--yes"], compare);
    assert_eq!(ended.code, Some(2), "{}", ended.error);
    assert!(ended.error.contains(why), "{}", ended.error);
}

/// Everything in a folder, as `cp -r`.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a test may create folders");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

/// Waits until two frontends have applied the same.
fn settle(asked: &Frontend, ports: [u16; 2]) {
    eventually("both have applied the same", LIMIT, || {
        let shown = asked.mariadb().run("SHOW FRONTENDS").ok()?;
        let (port, applied) = (shown.column("EditLogPort"), shown.column("AppliedLsn"));
        let of = |wanted: u16| {
            let at = port.iter().position(|port| *port == wanted.to_string())?;
            Some(applied[at].to_owned())
        };
        (of(ports[0])? == of(ports[1])?).then_some(())
    });
}

#[test]
fn the_wrong_directory_is_refused_and_left_as_it_was() {
    let mut cluster = Cluster::start(3);
    cluster.frontends[0].mariadb().ok("CREATE DATABASE a");
    let dirs: Vec<_> = cluster.frontends.iter().map(Frontend::meta_dir).collect();
    let temporary = tempfile::tempdir().expect("a test may create folders");

    refused(&dirs[0], &[], "is in use: Frontend running as process");
    refused(temporary.path(), &[], "is not a data directory");
    assert_eq!(fs::read_dir(temporary.path()).expect("it is there").count(), 0);
    refused(&temporary.path().join("absent"), &[], "is not a data directory");

    // The third frontend misses what is written from here on.
    cluster.frontends[2].stop();
    let (first, second) = (&cluster.frontends[0], &cluster.frontends[1]);
    first.mariadb().ok("CREATE DATABASE b; CREATE DATABASE c");
    settle(first, [first.edit_log_port(), second.edit_log_port()]);
    cluster.frontends[1].stop();
    cluster.frontends[0].kill();

    refused(&dirs[2], &[&dirs[0]], "is fresher");
    refused(&dirs[0], &[&dirs[0]], "was named twice");
    let other = Cluster::start(1);
    let foreign = other.frontends[0].meta_dir();
    drop(other.frontends);
    refused(&dirs[1], &[&foreign], "is of cluster");

    let damaged = temporary.path().join("damaged");
    copy(&dirs[1], &damaged);
    flip_log_byte(&damaged);
    let ended = recover(&damaged, &["--yes"], &[]);
    assert_eq!(ended.code, Some(65), "{}", ended.error);
    assert!(ended.error.contains("log"), "{}", ended.error);

    let ended = recover(&dirs[1], &[], &[&dirs[2]]);
    assert_eq!(ended.code, Some(1), "{}", ended.error);
    assert!(ended.error.contains("nothing was done"), "{}", ended.error);
    assert!(ended.out.contains("StateDigest"), "{}", ended.out);

    // None of it changed anything: the three are a cluster as before.
    for frontend in &mut cluster.frontends {
        frontend.start();
    }
    cluster.wait_whole();
    cluster.frontends[2].mariadb().ok("CREATE DATABASE d");
    cluster.assert_agreement(0);
}

/// Flips a bit among the first records of the log.
fn flip_log_byte(meta_dir: &Path) {
    let files = fs::read_dir(meta_dir.join("log/db")).expect("it can be listed");
    let largest = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "log" || end == "sst"))
        .max_by_key(|path| fs::metadata(path).map_or(0, |data| data.len()))
        .expect("there are records");
    let mut bytes = fs::read(&largest).expect("it can be read");
    bytes[200] ^= 1;
    fs::write(&largest, bytes).expect("it can be written");
}

#[test]
fn one_survivor_goes_on_with_all_it_had_and_the_old_cluster_stays_out() {
    let mut cluster = Cluster::start(3);
    let client = cluster.frontends[0].mariadb();
    for number in 0..20 {
        client.ok(&format!("CREATE DATABASE w{number}"));
    }
    cluster.assert_agreement(0);
    let dirs: Vec<_> = cluster.frontends.iter().map(Frontend::meta_dir).collect();
    for at in [2, 1, 0] {
        cluster.frontends[at].kill();
    }
    let survivor = &dirs[0];
    fs::remove_dir_all(&dirs[1]).expect("it can be removed");
    let old_identity = fs::read(survivor.join("identity")).expect("it is there");

    let first = recover(survivor, &["--yes"], &[&dirs[2]]);
    assert_eq!(first.code, Some(0), "{}", first.error);
    assert!(first.out.contains("generation 2"), "{}", first.out);
    // As after a crash just before the last step.
    fs::write(survivor.join("identity"), old_identity).expect("it can be written");
    let again = recover(survivor, &["--yes"], &[&dirs[2]]);
    assert_eq!(again.code, Some(0), "{}", again.error);
    let told = |ended: &Ended| ended.out.lines().last().map(str::to_owned);
    assert_eq!(told(&again), told(&first), "it goes on where it was");
    refused(survivor, &[&dirs[2]], "is of generation 1, not of generation 2");

    cluster.frontends[0].start();
    cluster.frontends[0].wait_ready();
    let client = cluster.frontends[0].mariadb();
    let shown = client.ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'w%'");
    assert_eq!(shown.rows().len(), 20);
    assert_eq!(client.ok("SHOW FRONTENDS").rows().len(), 1);
    let recoveries = client.ok("SELECT Generation, Note FROM quorate.recoveries");
    assert_eq!(recoveries.rows().len(), 1, "{}", recoveries.text);
    assert_eq!(recoveries.column("Generation"), ["2"]);

    // A frontend of the old generation is not let in.
    cluster.frontends[2].start();
    assert!(cluster.frontends[2].wait_end().is_some_and(|code| code != 0));
    let said = cluster.frontends[2].log();
    assert!(said.contains("generation 1") && said.contains("generation 2"), "{said}");
    assert_eq!(client.ok("SHOW FRONTENDS").rows().len(), 1);

    fs::remove_dir_all(&dirs[2]).expect("it can be removed");
    cluster.frontends.truncate(1);
    cluster.add();
    cluster.add();
    cluster.wait_whole();
    cluster.frontends[2].mariadb().ok("CREATE DATABASE after");
    cluster.assert_agreement(1);
    // Three again: one may die.
    cluster.frontends[0].kill();
    eventually("writes go on without the survivor", LIMIT, || {
        cluster.frontends[1].mariadb().run("CREATE DATABASE IF NOT EXISTS x").ok()
    });
}

#[test]
fn an_observer_that_is_left_alone_goes_on_and_tells_what_it_cannot_have() {
    let mut cluster = Cluster::start(1);
    cluster.add_observer();
    cluster.wait_whole();
    cluster.frontends[0].mariadb().ok("CREATE DATABASE seen");
    let ports = [0, 1].map(|at| cluster.frontends[at].edit_log_port());
    settle(&cluster.frontends[0], ports);
    cluster.frontends[1].stop();
    cluster.frontends[0].mariadb().ok("CREATE DATABASE unseen");
    cluster.frontends[0].stop();
    let [follower, observer] = [0, 1].map(|at| cluster.frontends[at].meta_dir());

    // As long as the follower's data is there, nothing has to be lost.
    refused(&observer, &[&follower], "is fresher");
    let ended = recover(&observer, &[], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.error);
    assert!(ended.out.contains("OBSERVER"), "{}", ended.out);
    assert!(ended.error.contains("what followers acknowledged after LSN"), "{}", ended.error);

    fs::remove_dir_all(&follower).expect("it can be removed");
    let ended = recover(&observer, &["--yes"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.error);
    cluster.frontends.remove(0);
    cluster.frontends[0].set_helper(None);
    cluster.frontends[0].start();
    cluster.frontends[0].wait_ready();
    let client = cluster.frontends[0].mariadb();
    let shown = client.ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE '%seen'");
    assert_eq!(shown.rows(), [["seen"]], "{}", shown.text);
    let recoveries = client.ok("SELECT Note FROM quorate.recoveries");
    assert!(recoveries.text.contains("an observer of generation 1"), "{}", recoveries.text);
    client.ok("CREATE DATABASE after");
    assert_eq!(client.ok("SHOW FRONTENDS").column("Role"), ["LEADER"]);
}

#[test]
fn an_uncommitted_end_can_be_cut_off() {
    let mut cluster = Cluster::start(1);
    cluster.frontends[0].mariadb().ok("CREATE DATABASE kept");
    cluster.frontends[0].stop();
    let dir = cluster.frontends[0].meta_dir();
    let ended = recover(&dir, &["--yes", "--drop-uncommitted"], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.error);
    cluster.frontends[0].start();
    cluster.frontends[0].wait_ready();
    // What was applied was committed, and stays.
    let shown = cluster.frontends[0].mariadb().ok("SHOW DATABASES LIKE 'kept'");
    assert_eq!(shown.rows().len(), 1);
}
