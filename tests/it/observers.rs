//! Observers: they take the committed log from others, serve reads and pass writes on.

use std::time::Duration;

use quorate_tests::{Cluster, Frontend, Output, eventually};

const LIMIT: Duration = Duration::from_secs(30);

/// A cell of a frontend's row in `SHOW FRONTENDS`, as another frontend shows it.
fn cell(shown: &Output, frontend: &Frontend, column: &str) -> String {
    let port = frontend.edit_log_port().to_string();
    let at = shown.column("EditLogPort").iter().position(|cell| **cell == port);
    let at = at.unwrap_or_else(|| panic!("no frontend with port {port} in {}", shown.text));
    shown.column(column)[at].to_owned()
}

fn wait_subscribed(cluster: &Cluster, at: usize) -> String {
    eventually("the observer has an upstream", LIMIT, || {
        let shown = cluster.frontends[0].mariadb().run("SHOW FRONTENDS").ok()?;
        let upstream = cell(&shown, &cluster.frontends[at], "Upstream");
        (!upstream.is_empty()).then_some(upstream)
    })
}

/// Waits until all frontends show one digest at one LSN.
fn wait_equal(cluster: &Cluster) {
    eventually("all frontends agree", LIMIT, || {
        let shown = cluster.frontends[0].mariadb().run("SHOW FRONTENDS").ok()?;
        let same = |name| {
            let cells = shown.column(name);
            cells.len() == cluster.frontends.len() && cells.iter().all(|cell| *cell == cells[0])
        };
        (same("AppliedLsn") && same("StateDigest")).then_some(())
    });
}

#[test]
fn an_observer_serves_reads_passes_writes_on_and_never_votes() {
    let mut cluster = Cluster::start(3);
    cluster.add_observer();
    cluster.frontends[3].wait_ready();
    wait_subscribed(&cluster, 3);
    let (follower, observer) = (cluster.frontends[1].mariadb(), cluster.frontends[3].mariadb());
    follower.ok("CREATE DATABASE seen");
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'seen'";
    assert_eq!(observer.ok(read).rows().len(), 1);
    observer.ok("CREATE DATABASE passed_on");
    assert_eq!(follower.ok(read.replace("seen", "passed_on").as_str()).rows().len(), 1);
    let shown = follower.ok("SHOW FRONTENDS");
    assert_eq!(cell(&shown, &cluster.frontends[3], "Role"), "OBSERVER");
    let at_leader = cluster.frontends[cluster.leader(0)].address();
    eventually("it leaves the leader to its work", LIMIT, || {
        (wait_subscribed(&cluster, 3) != at_leader).then_some(())
    });
    wait_equal(&cluster);
}

#[test]
fn an_observer_whose_upstream_is_killed_goes_on_at_another_and_restarts_without_a_helper() {
    let mut cluster = Cluster::start(3);
    cluster.add_observer();
    cluster.frontends[3].wait_ready();
    let upstream = wait_subscribed(&cluster, 3);
    let dying = (0..3).find(|at| cluster.frontends[*at].address() == upstream);
    let dying = dying.expect("the upstream is one of the followers");
    cluster.frontends[dying].kill();
    let survivor = cluster.frontends[(dying + 1) % 3].mariadb();
    eventually("a write goes through", LIMIT, || survivor.run("CREATE DATABASE after").ok());
    let observer = cluster.frontends[3].mariadb();
    eventually("the observer has it", LIMIT, || {
        let read = "SET read_consistency = 'any'; SHOW DATABASES LIKE 'after'";
        (observer.run(read).ok()?.rows().len() == 1).then_some(())
    });
    cluster.frontends[dying].start();
    cluster.frontends[3].kill();
    survivor.ok("CREATE DATABASE meanwhile");
    cluster.frontends[3].start();
    cluster.frontends[3].wait_ready();
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'meanwhile'";
    eventually("the observer is back", LIMIT, || {
        (observer.run(read).ok()?.rows().len() == 1).then_some(())
    });
    cluster.frontends[dying].wait_ready();
    wait_equal(&cluster);
}
