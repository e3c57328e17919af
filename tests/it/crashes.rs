//! `kill -9` at every step of writing, of a snapshot's life and of purging.

use std::time::Duration;

use quorate_tests::{Cluster, Frontend, eventually};

const LIMIT: Duration = Duration::from_secs(60);
/// Snapshots come when they are asked for, and little of the log is kept behind them.
const SETTINGS: [(&str, &str); 3] = [
    ("log_retention_entries", "5"),
    ("snapshot_interval_seconds", "3600"),
    ("snapshot_max_bytes_per_second", "1000000000"),
];

/// Reached by a frontend alone: under writes, snapshots and purging. A number says which time.
const ALONE: [&str; 16] = [
    "log-queued:9",
    "log-written:9",
    "log-synced:9",
    "vote-synced",
    "state-before-commit:9",
    "state-after-commit:9",
    "snapshot-flushed",
    "snapshot-checkpointed",
    "snapshot-described",
    "snapshot-renamed",
    "snapshot-replaced",
    "purge-asked",
    "purge-written",
    "purge-synced",
    "purge-done",
    "snapshot-described:3",
];

/// Reached by a follower that is sent a snapshot.
const BEHIND: [&str; 10] = [
    "receive-begun",
    "receive-chunk:2",
    "receive-file",
    "receive-finished",
    "install-begun",
    "install-linked",
    "install-opened",
    "install-committed",
    "install-swapped",
    "install-renamed",
];

fn configure(frontend: &mut Frontend) {
    for (key, value) in SETTINGS {
        frontend.configure(key, value);
    }
}

/// Creates databases and notes which were acknowledged.
#[derive(Default)]
struct Writer {
    next: usize,
    acknowledged: Vec<String>,
}

impl Writer {
    fn write(&mut self, frontend: &Frontend) {
        let name = format!("w{:05}", self.next);
        self.next += 1;
        if frontend.mariadb().run(&format!("CREATE DATABASE {name}")).is_ok() {
            self.acknowledged.push(name);
        }
    }

    fn check(&self, frontend: &Frontend, point: &str) {
        let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'w%'";
        let shown = frontend.mariadb().ok(read);
        let present: Vec<_> = shown.rows().iter().map(|row| row[0].to_owned()).collect();
        for name in &self.acknowledged {
            assert!(present.contains(name), "{name} is gone after a crash at {point}");
        }
    }
}

#[test]
fn a_frontend_alone_keeps_what_it_acknowledged_wherever_it_is_killed() {
    let mut cluster = Cluster::start(1);
    let mut writer = Writer::default();
    cluster.frontends[0].stop();
    configure(&mut cluster.frontends[0]);
    for point in ALONE {
        let frontend = &mut cluster.frontends[0];
        frontend.start_to_crash(point);
        eventually(&format!("the frontend dies at {point}"), LIMIT, || {
            if !frontend.runs() {
                return Some(());
            }
            writer.write(frontend);
            if writer.next.is_multiple_of(8) {
                let _ = frontend.mariadb().run("ALTER SYSTEM CREATE IMAGE");
            }
            None
        });
        assert_eq!(frontend.wait_end(), None, "it ended by itself at {point}");
        frontend.start();
        frontend.wait_ready();
        writer.check(frontend, point);
        frontend.mariadb().ok("ALTER SYSTEM CREATE IMAGE");
        frontend.kill();
    }
    assert!(writer.acknowledged.len() > 50, "{} writes", writer.acknowledged.len());
    let image = std::fs::read_dir(cluster.frontends[0].meta_dir().join("snapshots"));
    let image = image.expect("snapshots have a folder");
    assert_eq!(image.count(), 1, "only the newest snapshot is kept");
}

#[test]
fn a_follower_that_gets_a_snapshot_recovers_wherever_it_is_killed() {
    let mut cluster = Cluster::start(3);
    let mut writer = Writer::default();
    for frontend in &mut cluster.frontends {
        frontend.stop();
        configure(frontend);
    }
    cluster.frontends.iter_mut().for_each(Frontend::start);
    cluster.frontends.iter_mut().for_each(Frontend::wait_ready);
    let away = cluster.follower();
    let others: Vec<_> = (0..3).filter(|other| *other != away).collect();
    for point in BEHIND {
        if cluster.frontends[away].runs() {
            cluster.frontends[away].kill();
        }
        let shown = cluster.frontends[others[0]].mariadb().ok("SHOW FRONTENDS");
        let applied = shown.column("AppliedLsn").into_iter().filter_map(|lsn| lsn.parse().ok());
        let had: u64 = applied.max().expect("the one that is asked shows its own");
        let before = writer.acknowledged.len();
        eventually("writes go on", LIMIT, || {
            writer.write(&cluster.frontends[others[0]]);
            (writer.acknowledged.len() >= before + 20).then_some(())
        });
        for other in &others {
            let frontend = &cluster.frontends[*other];
            frontend.mariadb().ok("ALTER SYSTEM CREATE IMAGE");
            eventually("what the one that is away lacks is purged", LIMIT, || {
                (frontend.metric("quorate_purged_lsn")? > had as f64).then_some(())
            });
        }
        let frontend = &mut cluster.frontends[away];
        frontend.start_to_crash(point);
        assert_eq!(frontend.wait_end(), None, "it ended by itself at {point}");
        frontend.start();
        frontend.wait_ready();
        writer.check(&cluster.frontends[away], point);
        cluster.assert_agreement(others[0]);
    }
    assert!(cluster.frontends[away].log().contains("installed a snapshot"));
}
