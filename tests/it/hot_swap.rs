//! The catalog is replaced while a client writes.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use quorate_tests::{Cluster, binary, eventually, modules};

const LIMIT: Duration = Duration::from_secs(60);
/// Shown by the second version only.
const ADDITION: &str = "SELECT count(*) FROM information_schema.table_summary";

fn module(cluster: &Cluster, at: usize, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(binary())
        .args(["module", "--endpoints", &cluster.frontends[at].rpc()])
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_second_catalog_is_activated_at_one_lsn_without_a_failed_statement() {
    let cluster = Cluster::start(3);
    let client = cluster.frontends[cluster.follower()].mariadb();
    let error = client.error(ADDITION);
    assert!(error.contains("table_summary"), "{error}");
    let error = client.error("ACTIVATE MODULE 'catalog@2.0.0'");
    assert!(error.contains("not installed"), "{error}");

    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (writer, stop, written) = (client.clone(), &stop, &written);
        let writing = scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let number = written.load(Ordering::Relaxed);
                writer.ok(&format!("CREATE DATABASE s{number}"));
                written.store(number + 1, Ordering::Relaxed);
            }
        });
        let wait_for_writes = |count| {
            let goal = written.load(Ordering::Relaxed) + count;
            eventually("the loop writes", LIMIT, || {
                assert!(!writing.is_finished(), "a statement of the loop failed");
                (written.load(Ordering::Relaxed) >= goal).then_some(())
            });
        };
        wait_for_writes(5);
        let (done, text) = module(&cluster, 0, &["install", modules::CATALOG_2]);
        assert!(done, "{text}");
        wait_for_writes(5);
        client.ok("ACTIVATE MODULE 'catalog@2.0.0'");
        wait_for_writes(20);
        stop.store(true, Ordering::Relaxed);
        writing.join().expect("no statement of the loop failed");
    });

    let mut since = Vec::new();
    for frontend in &cluster.frontends {
        let client = frontend.mariadb();
        client.ok(&format!("SET read_consistency = 'linearizable'; {ADDITION}"));
        let shown = client.ok("SHOW MODULES");
        let at = shown.column("State").iter().position(|state| *state == "ACTIVE");
        let at = at.expect("a module is active");
        assert_eq!(shown.column("Version")[at], "2.0.0");
        since.push(shown.column("ActiveSinceLsn")[at].to_owned());
    }
    assert!(since.iter().all(|lsn| *lsn == since[0]), "{since:?}");
    cluster.assert_agreement(0);

    let (done, text) = module(&cluster, 1, &["rollback"]);
    assert!(done, "{text}");
    client.error(&format!("SET read_consistency = 'linearizable'; {ADDITION}"));
    let count = client.ok("SHOW DATABASES LIKE 's%'").rows().len();
    assert!(count >= written.load(Ordering::Relaxed));
    cluster.assert_agreement(2);
}

#[test]
fn older_rows_are_migrated_beside_writes_though_the_leader_is_killed_meanwhile() {
    const ROWS: usize = 3000;
    let mut cluster = Cluster::start_with(3, Some(modules::KV));
    std::thread::scope(|scope| {
        for (at, frontend) in cluster.frontends.iter().enumerate() {
            scope.spawn(move || {
                let puts = (0..ROWS / 3).map(|number| format!("PUT {at}.{number:04} old;"));
                frontend.mariadb().ok(&puts.collect::<String>());
            });
        }
    });
    let (done, text) = module(&cluster, 0, &["install", modules::KV_2]);
    assert!(done, "{text}");
    let (leader, at) = (cluster.leader(0), cluster.follower());
    let client = cluster.frontends[at].mariadb();
    let (stop, writer) = (AtomicBool::new(false), client.clone());
    let written = std::thread::scope(|scope| {
        let stop = &stop;
        let writing = scope.spawn(move || {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                writer.ok(&format!("PUT w.{written} new"));
                written += 1;
            }
            written
        });
        let state = || {
            let shown = client.run("SHOW MODULES").ok()?;
            let at = shown.column("Version").iter().position(|version| *version == "2.0.0")?;
            Some((shown.column("State")[at].to_owned(), shown.column("Migration")[at].to_owned()))
        };
        client.ok("ACTIVATE MODULE 'kv@2.0.0'");
        cluster.frontends[leader].kill();
        eventually("the migration is done", LIMIT, || {
            (state()? == ("ACTIVE".to_owned(), "NULL".to_owned())).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
        writing.join().expect("no statement of the loop failed")
    });
    let count = "SELECT count(*) AS n, min(created) > 0 AS known FROM kv.pairs";
    let counted = client.ok(count);
    assert_eq!(counted.rows()[0], [&(ROWS + written).to_string(), "1"]);
    cluster.frontends[leader].start();
    cluster.wait_whole();
    cluster.assert_agreement(at);
}

#[test]
fn a_file_that_is_no_module_is_refused_and_the_cluster_goes_on() {
    let cluster = Cluster::start(1);
    let client = cluster.frontends[0].mariadb();
    let dir = tempfile::tempdir().expect("a test may create folders");
    let broken = dir.path().join("broken.wasm");
    let whole = std::fs::read(modules::CATALOG_2).expect("it was built");
    let contents: [&[u8]; 3] = [b"", b"not wasm at all", &whole[..whole.len() / 2]];
    for content in contents {
        std::fs::write(&broken, content).expect("a test may write files");
        let path = broken.to_str().expect("temporary paths are text");
        let (done, text) = module(&cluster, 0, &["install", path]);
        assert!(!done && text.contains("no usable module"), "{text}");
        let error = client.error(&format!("INSTALL MODULE FROM '{path}'"));
        assert!(error.contains("no usable module"), "{error}");
    }
    let error = client.error("INSTALL MODULE FROM '/nowhere/m.wasm'");
    assert!(error.contains("/nowhere/m.wasm"), "{error}");
    assert_eq!(client.ok("SHOW MODULES").rows().len(), 1);
    client.ok("CREATE DATABASE still_here");
}
