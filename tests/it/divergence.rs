//! A frontend whose state is not the others' is found out, and serves nothing of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate::storage::{Log, LogOptions, RocksLogDevice};
use quorate::types::Vote;
use quorate_tests::daemon::Ended;
use quorate_tests::files::{falsify, files};
use quorate_tests::{Cluster, binary, eventually, modules};

const LIMIT: Duration = Duration::from_secs(60);
/// Exit code of a frontend whose state is not to be used.
const DAMAGE: Option<i32> = Some(65);
const REASON: &str = "its state differs from that of the other followers";

#[test]
fn an_outvoted_frontend_neither_applies_nor_serves_but_votes_until_its_state_is_made_anew() {
    let mut cluster = Cluster::start(3);
    let wrong = cluster.follower();
    let (right, third) = ((wrong + 1) % 3, (wrong + 2) % 3);
    let client = cluster.frontends[right].mariadb();
    client.ok("CREATE DATABASE before");
    let nodes: Vec<_> =
        client.ok("SHOW FRONTENDS").column("NodeId").iter().map(|id| (*id).to_owned()).collect();
    assert!(cluster.frontends[wrong].stop().success());
    falsify(&cluster.frontends[wrong].meta_dir());
    cluster.frontends[wrong].start();
    let shown_as_wrong = || {
        let shown = client.run("SHOW FRONTENDS").ok()?;
        let port = cluster.frontends[wrong].edit_log_port().to_string();
        let at = shown.column("EditLogPort").iter().position(|cell| **cell == port)?;
        shown.column("ErrMsg")[at].contains(REASON).then_some(())
    };
    client.ok("CREATE DATABASE something_new");
    eventually("the others show what is wrong with it", LIMIT, shown_as_wrong);
    let serves_nothing = || {
        let error = cluster.frontends[wrong].mariadb().run("SHOW DATABASES").err()?;
        error.contains(REASON).then_some(())
    };
    eventually("it serves nothing", LIMIT, serves_nothing);
    for statement in ["CREATE DATABASE through_it", "ALTER SYSTEM CREATE IMAGE", "SHOW MODULES"] {
        let error = cluster.frontends[wrong].mariadb().error(statement);
        assert!(error.contains(REASON), "{error}");
    }
    assert!(cluster.frontends[wrong].mariadb().ok("SHOW FRONTENDS").rows().len() == 3);

    // Its log is right, so its vote counts.
    cluster.frontends[third].kill();
    client.ok("CREATE DATABASE by_its_vote");
    cluster.frontends[third].start();
    cluster.frontends[third].wait_ready();

    assert!(cluster.frontends[wrong].stop().success());
    let before = cluster.frontends[wrong].log().len();
    cluster.frontends[wrong].start();
    assert_eq!(cluster.frontends[wrong].wait_end(), DAMAGE);
    assert!(cluster.frontends[wrong].log()[before..].contains(REASON));

    // Its own log proves that it can make its state anew.
    let meta = cluster.frontends[wrong].meta_dir();
    let vote = vote_of(&meta);
    let rebuilt = rebuild(&meta, &[]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.err);
    assert_eq!(vote_of(&meta), vote);
    let again = rebuild(&meta, &[]);
    assert_eq!(again.code, Some(2), "{}", again.err);
    assert!(again.err.contains("was not put aside"), "{}", again.err);
    cluster.frontends[wrong].start();
    cluster.wait_whole();
    let shown = cluster.assert_agreement(right);
    assert_eq!(shown.column("NodeId"), nodes, "it is the same frontend");
    assert_eq!(cluster.frontends[wrong].mariadb().ok("SHOW DATABASES LIKE 'by%'").rows().len(), 1);
    assert_eq!(aside(&meta).len(), 1, "what was wrong is kept");
}

/// `quorate cluster rebuild`.
fn rebuild(meta: &Path, more: &[&str]) -> Ended {
    let mut command = Command::new(binary());
    Ended::of(command.args(["cluster", "rebuild", "--meta-dir"]).arg(meta).args(more))
}

/// What `rebuild` has put aside, which holds a state each.
fn aside(meta: &Path) -> Vec<PathBuf> {
    let found = files(meta, "").into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("diverged-"))
    });
    found.filter(|path| path.join("state/current").exists()).collect()
}

/// The vote of a stopped frontend.
fn vote_of(meta: &Path) -> Option<Vote> {
    let (log, fence) = (meta.join("log"), meta.join("fence"));
    let device = RocksLogDevice::open(&log, &fence).expect("a stopped frontend's log opens");
    let log = Log::open(device, LogOptions::default()).expect("it is whole");
    let vote = log.positions().vote;
    log.close().expect("it can be closed");
    vote
}

/// A snapshot of its own that was made of the wrong state is of no use, and told from a right one.
#[test]
fn a_wrong_snapshot_is_refused_and_a_backup_of_another_frontend_takes_its_place() {
    let mut cluster = Cluster::start(3);
    let wrong = cluster.follower();
    let (right, third) = ((wrong + 1) % 3, (wrong + 2) % 3);
    let client = cluster.frontends[right].mariadb();
    client.ok("CREATE DATABASE before");
    let meta = cluster.frontends[wrong].meta_dir();
    let refused = rebuild(&meta, &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("Stop it first"), "{}", refused.err);

    assert!(cluster.frontends[wrong].stop().success());
    falsify(&meta);
    // It makes a snapshot of the wrong state, and purges its log up to that, before it is found out:
    // there is nobody to compare with.
    let others = [right, third];
    others.iter().for_each(|at| cluster.frontends[*at].kill());
    cluster.frontends[wrong].configure("snapshot_interval_seconds", 1);
    cluster.frontends[wrong].configure("log_retention_entries", 0);
    let before = cluster.frontends[wrong].log().len();
    cluster.frontends[wrong].start();
    let own = cluster.frontends[wrong].mariadb();
    for said in ["took a snapshot", "purging the log"] {
        eventually(said, LIMIT, || {
            cluster.frontends[wrong].log()[before..].contains(said).then_some(())
        });
    }
    others.iter().for_each(|at| cluster.frontends[*at].start());
    eventually("it is found out", LIMIT, || {
        own.run("SHOW DATABASES").err().filter(|error| error.contains(REASON))
    });
    assert!(cluster.frontends[wrong].stop().success());
    let refused = rebuild(&meta, &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("--from FILE"), "{}", refused.err);
    assert!(refused.err.contains("from its snapshot at LSN"), "{}", refused.err);
    assert!(aside(&meta).is_empty());

    let file = meta.with_file_name("backup");
    let (rpc, file) = (cluster.frontends[right].rpc(), file.display().to_string());
    for arguments in [&["snapshot", "create", "--server", &rpc][..], &["snapshot", "save", &file]] {
        let mut command = Command::new(binary());
        command.args(arguments);
        if arguments[1] == "save" {
            command.args(["--server", &rpc]);
        }
        let ended = Ended::of(&mut command);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    let other = Cluster::start(1);
    let foreign = other.frontends[0].meta_dir();
    drop(other.frontends);
    let refused = rebuild(&foreign, &["--from", &file]);
    assert!(refused.err.contains("was not put aside"), "{}", refused.err);

    let vote = vote_of(&meta);
    let rebuilt = rebuild(&meta, &["--from", &file]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.err);
    assert_eq!(vote_of(&meta), vote);
    assert_eq!(aside(&meta).len(), 1);
    client.ok("CREATE DATABASE meanwhile");
    cluster.frontends[wrong].start();
    cluster.wait_whole();
    cluster.assert_agreement(right);
    let found = own.ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'meanwhile'");
    assert_eq!(found.rows().len(), 1);
}

/// While a third is down that could say who is right, neither of two that differ is believed.
#[test]
fn what_follows_a_start_or_an_activation_is_acknowledged_by_nobody_until_a_majority_has_its_state()
{
    const UNKNOWN: &str = "the outcome is unknown";
    let mut cluster = Cluster::start_with(3, Some(modules::KV));
    let wrong = cluster.follower();
    let (right, third) = ((wrong + 1) % 3, (wrong + 2) % 3);
    let client = cluster.frontends[right].mariadb();
    client.ok(&format!("INSTALL MODULE FROM '{}'; PUT before 1", modules::KV_TWIN));
    assert!(cluster.frontends[wrong].stop().success());
    falsify(&cluster.frontends[wrong].meta_dir());
    cluster.frontends[third].kill();
    cluster.frontends[wrong].start();
    cluster.frontends[wrong].wait_ready();
    let through = cluster.frontends[wrong].mariadb();
    let held_back = || through.run("PUT through_wrong 1").err()?.contains(UNKNOWN).then_some(());
    eventually("what the wrong one applies is held back", LIMIT, held_back);
    // The wrong one may lead, and then it does not tell.
    let _ = client.run("ACTIVATE MODULE 'kv@1.0.1'");
    eventually("the right one has activated it", LIMIT, || {
        let shown = client.run("SHOW MODULES").ok()?;
        let at = shown.column("Version").iter().position(|version| *version == "1.0.1")?;
        (shown.column("State")[at] == "ACTIVE").then_some(())
    });
    let error = client.error("PUT through_right 1");
    assert!(error.contains(UNKNOWN), "{error}");

    // Two of three have the same then.
    cluster.frontends[third].start();
    let serves_nothing = || {
        let error = through.run("PUT later 1").err()?;
        error.contains(REASON).then_some(())
    };
    eventually("the wrong one serves nothing", LIMIT, serves_nothing);
    eventually("the right one answers", LIMIT, || client.run("PUT theirs 1").ok());
    assert_eq!(client.ok("GET theirs").column("value"), ["1"]);
    // Unknown is what it says: it may have taken effect, and then once.
    for key in ["through_wrong", "through_right"] {
        assert!(client.ok(&format!("GET {key}")).rows().len() <= 1, "{key}");
    }
}

#[test]
fn where_states_agree_what_follows_an_activation_is_acknowledged_on_every_frontend() {
    let mut cluster = Cluster::start_with(1, Some(modules::KV));
    let client = cluster.frontends[0].mariadb();
    client.ok(&format!("INSTALL MODULE FROM '{}'", modules::KV_TWIN));
    client.ok("ACTIVATE MODULE 'kv@1.0.1'; PUT alone 1");
    // They apply that activation from the log or have it in a snapshot.
    cluster.add();
    cluster.add();
    cluster.wait_whole();
    for (at, version) in [(0, "1.0.0"), (1, "1.0.1"), (2, "1.0.0")] {
        let client = cluster.frontends[at].mariadb();
        // Those that were added have to try the modules first.
        let activate = format!("ACTIVATE MODULE 'kv@{version}'");
        eventually("it is activated", LIMIT, || client.run(&activate).ok());
        client.ok(&format!("PUT k{at} 1"));
        cluster.frontends.iter().for_each(|other| drop(other.mariadb().ok("PUT k 1")));
    }
    cluster.assert_agreement(0);
}
