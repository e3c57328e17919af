//! First starts with a helper, later ones with and without: what fits and what is refused.

use std::process::Stdio;
use std::time::Duration;

use quorate_tests::{Daemon, Ended, eventually};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

fn folder() -> TempDir {
    tempfile::tempdir().expect("a test may create folders")
}

fn refused(ended: &Ended, text: &str) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains(text), "{text} in {ended:?}");
}

#[test]
fn a_helper_that_cannot_be_one_is_refused_and_nothing_is_left_behind() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let second = Daemon::new(&dir.path().join("fe2"));
    for (helper, text) in [
        ("fe1", "helper's format seems was wrong [fe1], eg. host:port,host:port"),
        (&second.address(), "Do not specify the helper node to FE itself."),
    ] {
        refused(&second.start(&["--helper", helper]), text);
    }
    let [_, rpc, query, http] = first.ports();
    for port in [rpc, query, http] {
        let helper = format!("127.0.0.1:{port}");
        let text = format!("helper {helper} answers, but not as a frontend does");
        refused(&second.start(&["--helper", &helper]), &text);
    }
    assert!(!second.meta_dir().exists());
}

#[test]
fn a_start_before_its_registration_waits_says_so_and_goes_on_after_it() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let second = Daemon::new(&dir.path().join("fe2"));
    let helper = first.address();
    let starting = second
        .command("start", &["--daemon", "--helper", &helper])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let add = format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", second.address());
    eventually("it says what it waits for", LIMIT, || second.log().contains(&add).then_some(()));
    first.mariadb().ok(&add);
    let ended = starting.wait_with_output().expect("it can be waited for");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains(&add), "{said}");
    second.mariadb().ok("SHOW FRONTENDS");
}

#[test]
fn a_stop_while_waiting_to_join_leaves_nothing_behind() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let second = Daemon::new(&dir.path().join("fe2"));
    let mut starting = second
        .command("start", &["--helper", &first.address()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    eventually("it waits", LIMIT, || second.log().contains("waiting to join").then_some(()));
    assert!(second.meta_dir().exists());
    assert_eq!(second.stop(&[]).code, Some(0));
    assert!(starting.wait().expect("it can be waited for").success());
    assert!(!second.meta_dir().exists());
}

#[test]
fn later_starts_need_no_helper_and_refuse_one_of_another_cluster() {
    let dir = folder();
    let ours = Daemon::new(&dir.path().join("ours"));
    ours.started(&[]);
    let second = Daemon::new(&dir.path().join("second"));
    ours.mariadb().ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", second.address()));
    second.started(&["--helper", &ours.address()]);
    assert_eq!(second.stop(&[]).code, Some(0));

    let stranger = Daemon::new(&dir.path().join("stranger"));
    stranger.started(&[]);
    refused(&second.start(&["--helper", &stranger.address()]), "it belongs to cluster");

    // Its own cluster confirms it; one that nobody answers for is believed.
    second.started(&["--helper", &ours.address()]);
    assert_eq!(second.stop(&[]).code, Some(0));
    assert_eq!(stranger.stop(&[]).code, Some(0));
    second.started(&["--helper", &stranger.address()]);
    assert_eq!(second.stop(&[]).code, Some(0));
    second.started(&[]);
    second.mariadb().ok("CREATE DATABASE through_the_second");
}

#[test]
fn a_data_directory_from_before_a_recovery_is_refused_by_a_helper_from_after_it() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let second = Daemon::new(&dir.path().join("fe2"));
    first.mariadb().ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", second.address()));
    second.started(&["--helper", &first.address()]);
    eventually("it votes", LIMIT, || {
        let shown = first.mariadb().run("SHOW FRONTENDS").ok()?;
        (shown.column("Join") == ["true"; 2]).then_some(())
    });
    for daemon in [&second, &first] {
        assert_eq!(daemon.stop(&[]).code, Some(0));
    }
    let mut recover = std::process::Command::new(quorate_tests::binary());
    recover.arg("recover").arg("--meta-dir").arg(first.meta_dir());
    recover.arg("--compare").arg(second.meta_dir()).arg("--yes");
    let recovered = Ended::of(&mut recover);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    first.started(&[]);
    refused(&second.start(&["--helper", &first.address()]), "it is of generation 1");
}

#[test]
fn one_that_lost_its_data_enters_as_a_new_frontend_unless_it_votes() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let add = |role: &str, daemon: &Daemon| {
        first.mariadb().ok(&format!("ALTER SYSTEM ADD {role} \"{}\"", daemon.address()));
        daemon.started(&["--helper", &first.address()]);
    };
    let lose_data = |daemon: &Daemon| {
        assert_eq!(daemon.stop(&[]).code, Some(0));
        std::fs::remove_dir_all(daemon.meta_dir()).expect("a test may remove folders");
    };
    let name = || {
        let shown = first.mariadb().ok("SHOW FRONTENDS");
        let at = shown.column("Role").iter().position(|role| *role == "OBSERVER");
        at.map(|at| shown.column("Name")[at].to_owned())
    };
    let observer = Daemon::new(&dir.path().join("observer"));
    add("OBSERVER", &observer);
    let before = name();
    lose_data(&observer);
    first.mariadb().ok("CREATE DATABASE meanwhile");
    observer.started(&["--helper", &first.address()]);
    assert_ne!(name(), before);
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'meanwhile'";
    assert_eq!(observer.mariadb().ok(read).rows().len(), 1);

    let follower = Daemon::new(&dir.path().join("follower"));
    add("FOLLOWER", &follower);
    eventually("it votes", LIMIT, || {
        let shown = first.mariadb().run("SHOW FRONTENDS").ok()?;
        (shown.column("Join") == ["true"; 3]).then_some(())
    });
    // Beside one that is down the first has no majority, so it is asked before.
    let third = Daemon::new(&dir.path().join("third"));
    add("FOLLOWER", &third);
    eventually("it votes", LIMIT, || {
        let shown = first.mariadb().run("SHOW FRONTENDS").ok()?;
        (shown.column("Join") == ["true"; 4]).then_some(())
    });
    lose_data(&follower);
    refused(&follower.start(&["--helper", &first.address()]), "already votes");
    first.mariadb().ok(&format!("ALTER SYSTEM DROP FOLLOWER \"{}\"", follower.address()));
    add("FOLLOWER", &follower);
}

#[test]
fn the_data_directory_of_a_dropped_frontend_is_refused_when_it_was_added_anew_in_another_role() {
    let dir = folder();
    let first = Daemon::new(&dir.path().join("fe1"));
    first.started(&[]);
    let second = Daemon::new(&dir.path().join("fe2"));
    first.mariadb().ok(&format!("ALTER SYSTEM ADD OBSERVER \"{}\"", second.address()));
    second.started(&["--helper", &first.address()]);
    first.mariadb().ok(&format!("ALTER SYSTEM DROP OBSERVER \"{}\"", second.address()));
    eventually("it is told and ends", LIMIT, || second.process().is_none().then_some(()));
    first.mariadb().ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", second.address()));
    let again = second.start(&["--helper", &first.address()]);
    assert_eq!(again.code, Some(66), "{again:?}");
    let text = "was dropped from the cluster, and";
    assert!(again.err.contains(text) && again.err.contains("added anew as FOLLOWER"), "{again:?}");
    std::fs::remove_dir_all(second.meta_dir()).expect("a test may remove folders");
    second.started(&["--helper", &first.address()]);
}
