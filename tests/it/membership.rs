//! Frontends come, go, move and change their role, on real processes.

use std::time::Duration;

use quorate_tests::{Cluster, Frontend, Output, eventually, free_ports};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(60);
/// `quorate start` was told that it does not belong any more.
const EXPELLED: Option<i32> = Some(66);

/// A cell of the row of a frontend; none if it has none.
fn cell(shown: &Output, frontend: &Frontend, name: &str) -> Option<String> {
    let port = frontend.edit_log_port().to_string();
    let at = shown.column("EditLogPort").iter().position(|shown| *shown == port)?;
    Some(shown.column(name)[at].to_owned())
}

/// Waits until `asked` shows a frontend so.
fn wait_shown(asked: &Frontend, frontend: &Frontend, name: &str, value: &str) {
    let what = format!("{} shows {} as {name} {value}", asked.address(), frontend.address());
    eventually(&what, LIMIT, || {
        let shown = asked.mariadb().run("SHOW FRONTENDS").ok()?;
        (cell(&shown, frontend, name)? == value).then_some(())
    });
}

/// Waits until a frontend takes the log from another one, as observers do.
fn wait_fed(asked: &Frontend, frontend: &Frontend) {
    let what = format!("{} is fed", frontend.address());
    eventually(&what, LIMIT, || {
        let shown = asked.mariadb().run("SHOW FRONTENDS").ok()?;
        (!cell(&shown, frontend, "Upstream")?.is_empty()).then_some(())
    });
}

/// Waits until a frontend votes, of which the proof is that it can be made the leader.
fn wait_leads(asked: &Frontend, frontend: &Frontend) {
    let transfer = format!("ALTER SYSTEM TRANSFER LEADER TO \"{}\"", frontend.address());
    let what = format!("{} can lead", frontend.address());
    eventually(&what, LIMIT, || asked.mariadb().run(&transfer).ok());
    wait_shown(asked, frontend, "Role", "LEADER");
}

fn drop_follower(frontend: &Frontend) -> String {
    format!("ALTER SYSTEM DROP FOLLOWER \"{}\"", frontend.address())
}

#[test]
fn a_dropped_frontend_ends_and_its_data_directory_never_comes_back() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (gone, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let drop_it = drop_follower(&cluster.frontends[gone]);
    cluster.frontends[other].mariadb().ok(&drop_it);
    assert_eq!(cluster.frontends[gone].wait_end(), EXPELLED);
    assert!(cluster.frontends[gone].log().contains("was dropped from the cluster"));
    let left = &cluster.frontends[leader];
    eventually("two are left", LIMIT, || {
        let shown = left.mariadb().ok("SHOW FRONTENDS");
        (shown.column("Join") == ["true", "true"]).then_some(())
    });
    let error = cluster.frontends[other].mariadb().error(&drop_it);
    let address = cluster.frontends[gone].address();
    assert!(error.contains(&format!("frontend does not exist[{address}]")), "{error}");

    // Its state tells it now, and would also if its address were registered again.
    let add = format!("ALTER SYSTEM ADD FOLLOWER \"{address}\"");
    cluster.frontends[other].mariadb().ok(&add);
    cluster.frontends[gone].start();
    assert_eq!(cluster.frontends[gone].wait_end(), EXPELLED);
    let meta = cluster.frontends[gone].meta_dir();
    std::fs::remove_dir_all(meta).expect("a test may remove folders");
    let helper = cluster.frontends[other].address();
    cluster.frontends[gone].set_helper(Some(helper));
    cluster.frontends[gone].start();
    cluster.wait_whole();
    cluster.assert_agreement(other);
}

#[test]
fn a_dead_follower_is_replaced_and_ends_if_it_is_ever_started_again() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (dead, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.frontends[dead].kill();
    let drop_dead = drop_follower(&cluster.frontends[dead]);
    // The other one that lives is needed.
    let refused = drop_follower(&cluster.frontends[other]);
    for asked in [leader, other] {
        let client = cluster.frontends[asked].mariadb();
        let error = client.error(&refused);
        assert!(
            error.contains(
                "Unable to drop this alive follower, because the quorum requirements are not met \
                 after this command execution. Current num alive followers 2, num followers 3, \
                 majority after execution 2"
            ),
            "{error}"
        );
    }
    cluster.frontends[other].mariadb().ok(&drop_dead);
    let client = cluster.frontends[other].mariadb();
    eventually("its vote is taken", LIMIT, || client.run("CREATE DATABASE alone").ok());
    let helper = cluster.frontends[other].address();
    let gone = &mut cluster.frontends[dead];
    gone.start();
    assert_eq!(gone.wait_end(), EXPELLED);
    assert!(gone.log().contains("was dropped from the cluster"), "{}", gone.log());
    // Another one takes its place.
    std::fs::remove_dir_all(gone.meta_dir()).expect("a test may remove folders");
    gone.relocate();
    gone.set_helper(Some(helper));
    client.ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", gone.address()));
    gone.start();
    cluster.wait_whole();
    cluster.assert_agreement(other);
}

#[test]
fn what_may_not_be_altered_is_refused_on_any_frontend_as_starrocks_does() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let address = cluster.frontends[leader].address();
    let follower = cluster.frontends[cluster.follower()].address();
    // Nobody starts them.
    let client = cluster.frontends[leader].mariadb();
    client.ok("ALTER SYSTEM ADD FOLLOWER '127.0.0.1:2'; ALTER SYSTEM ADD OBSERVER '127.0.0.1:3'");
    for frontend in &cluster.frontends {
        for (statement, text) in [
            (format!("DROP FOLLOWER '{address}'"), "can not drop current master node."),
            (format!("MODIFY FRONTEND '{address}' TO OBSERVER"), "can not modify current master"),
            (
                format!("MODIFY FRONTEND HOST '{address}' TO '127.0.0.2'"),
                "can not modify current master node.",
            ),
            ("DROP FOLLOWER '127.0.0.1:1'".to_owned(), "frontend does not exist[127.0.0.1:1]"),
            (format!("DROP OBSERVER '{follower}'"), "OBSERVER does not exist[127.0.0.1:"),
            ("DROP FOLLOWER 'h'".to_owned(), "frontend host or port is wrong!"),
            ("MODIFY FRONTEND HOST 'h' TO 'g'".to_owned(), "frontend [h] not found"),
            ("MODIFY FRONTEND HOST '127.0.0.1' TO 'g'".to_owned(), "several frontends"),
            (
                format!("MODIFY FRONTEND HOST '{follower}' TO '{address}'"),
                "frontend with host [127.0.0.1] already exists",
            ),
            (format!("MODIFY FRONTEND HOST '{follower}' TO 'h.invalid'"), "unknown host h.invalid"),
            ("ADD OBSERVER 'h.invalid:1'".to_owned(), "unknown fqdn host: h.invalid"),
            (format!("ADD FOLLOWER '{follower}'"), "FE with the same host: 127.0.0.1 already"),
            (format!("ADD OBSERVER '127.0.0.1:1', '{follower}'"), "FE with the same host"),
            ("TRANSFER LEADER TO '127.0.0.1:1'".to_owned(), "frontend does not exist"),
            (
                "TRANSFER LEADER TO '127.0.0.1:2' FORCE".to_owned(),
                "frontend 127.0.0.1:2 does not vote yet",
            ),
            ("TRANSFER LEADER TO '127.0.0.1:3'".to_owned(), "FOLLOWER does not exist[127.0.0.1:3]"),
        ] {
            let error = frontend.mariadb().error(&format!("ALTER SYSTEM {statement}"));
            assert!(error.contains(text), "{statement}: {error}");
        }
    }
    let shown = cluster.frontends[0].mariadb().ok("SHOW FRONTENDS");
    assert_eq!(shown.rows().len(), 5);
}

#[test]
fn leadership_does_not_go_to_a_frontend_that_does_not_answer() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (stopped, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let address = cluster.frontends[stopped].address();
    cluster.frontends[stopped].signal(Signal::STOP);
    for asked in [leader, other] {
        let transfer = format!("ALTER SYSTEM TRANSFER LEADER TO '{address}'");
        let error = cluster.frontends[asked].mariadb().error(&transfer);
        assert!(error.contains(&format!("frontend {address} cannot lead: ")), "{error}");
    }
    cluster.frontends[leader].mariadb().ok("CREATE DATABASE still_led");
    cluster.frontends[stopped].signal(Signal::CONT);
}

#[test]
fn two_alterations_at_once_do_not_take_the_majority_away() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let results = std::thread::scope(|scope| {
        let running = others.map(|at| {
            let (victim, client) = (&cluster.frontends[at], cluster.frontends[leader].mariadb());
            scope.spawn(move || client.run(&drop_follower(victim)))
        });
        running.map(|running| running.join().expect("the client does not panic"))
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let client = cluster.frontends[leader].mariadb();
    eventually("two decide", LIMIT, || client.run("CREATE DATABASE IF NOT EXISTS x").ok());
    assert_eq!(client.ok("SHOW FRONTENDS").rows().len(), 2);
    // Neither can be added twice.
    let results = std::thread::scope(|scope| {
        let running = [(); 2].map(|()| {
            let client = client.clone();
            scope.spawn(move || client.run("ALTER SYSTEM ADD OBSERVER '127.0.0.1:1'"))
        });
        running.map(|running| running.join().expect("the client does not panic"))
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
}

#[test]
fn leadership_moves_from_any_frontend_and_a_leader_goes_by_force() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (next, asked) = ((leader + 1) % 3, (leader + 2) % 3);
    let transfer =
        format!("ALTER SYSTEM TRANSFER LEADER TO \"{}\"", cluster.frontends[next].address());
    cluster.frontends[asked].mariadb().ok(&transfer);
    wait_shown(&cluster.frontends[asked], &cluster.frontends[next], "Role", "LEADER");
    cluster.frontends[asked].mariadb().ok(&transfer);
    // Each asks for itself, by news that may be old.
    for frontend in cluster.frontends.iter().cycle().skip(next + 1).take(9) {
        let transfer = format!("ALTER SYSTEM TRANSFER LEADER TO \"{}\"", frontend.address());
        frontend.mariadb().ok(&transfer);
    }

    let drop_it = drop_follower(&cluster.frontends[next]);
    cluster.frontends[asked].mariadb().ok(&format!("{drop_it} FORCE"));
    assert_eq!(cluster.frontends[next].wait_end(), EXPELLED);
    let client = cluster.frontends[asked].mariadb();
    eventually("another leads", LIMIT, || client.run("CREATE DATABASE IF NOT EXISTS x").ok());
    assert_eq!(client.ok("SHOW FRONTENDS").rows().len(), 2);
}

#[test]
fn a_follower_stops_voting_and_votes_again_with_its_data() {
    let cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (turned, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let client = cluster.frontends[other].mariadb();
    client.ok("CREATE DATABASE before");
    let turn = |kind: &str| {
        let address = cluster.frontends[turned].address();
        format!("ALTER SYSTEM MODIFY FRONTEND \"{address}\" TO {kind}")
    };
    let (leave, back) = (turn("OBSERVER"), turn("FOLLOWER"));
    client.ok(&leave);
    let node_id = {
        let shown = client.ok("SHOW FRONTENDS");
        let frontend = &cluster.frontends[turned];
        assert_eq!(cell(&shown, frontend, "Role").as_deref(), Some("OBSERVER"));
        cell(&shown, frontend, "NodeId")
    };
    let error = client.error(&drop_follower(&cluster.frontends[turned]));
    assert!(error.contains("FOLLOWER does not exist"), "{error}");
    wait_fed(&cluster.frontends[leader], &cluster.frontends[turned]);
    client.ok("CREATE DATABASE meanwhile");
    let shown = cluster.frontends[turned]
        .mariadb()
        .ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'meanwhile'");
    assert_eq!(shown.rows().len(), 1);

    client.ok(&back);
    let turned = &cluster.frontends[turned];
    wait_leads(&cluster.frontends[other], turned);
    let shown = cluster.assert_agreement(other);
    assert_eq!(cell(&shown, turned, "NodeId"), node_id);
}

#[test]
fn an_observer_becomes_a_follower_that_can_lead_and_a_dropped_one_ends() {
    let mut cluster = Cluster::start(1);
    cluster.add_observer();
    cluster.add_observer();
    for at in [1, 2] {
        cluster.frontends[at].wait_ready();
        wait_fed(&cluster.frontends[0], &cluster.frontends[at]);
    }
    let client = cluster.frontends[0].mariadb();
    let dropped = cluster.frontends[1].address();
    client.ok(&format!("ALTER SYSTEM DROP OBSERVER \"{dropped}\""));
    assert_eq!(cluster.frontends[1].wait_end(), EXPELLED);
    let turned = &cluster.frontends[2];
    client.ok(&format!("ALTER SYSTEM MODIFY FRONTEND \"{}\" TO FOLLOWER", turned.address()));
    wait_leads(&cluster.frontends[0], turned);
    turned.mariadb().ok("CREATE DATABASE led");
}

#[test]
fn a_frontend_that_starts_elsewhere_is_found_and_so_is_a_majority() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let moved = (leader + 1) % 3;
    cluster.frontends[moved].stop();
    cluster.frontends[moved].relocate();
    cluster.frontends[moved].set_helper(None);
    cluster.frontends[moved].start();
    cluster.wait_whole();
    cluster.assert_agreement(leader);

    // Two of three: whoever they knew is enough, and that is the one that stayed.
    cluster.frontends[0].mariadb().ok("CREATE DATABASE kept");
    let stayed = cluster.frontends[0].address();
    for frontend in &mut cluster.frontends[1..] {
        frontend.kill();
        frontend.relocate();
        frontend.set_helper(Some(stayed.clone()));
    }
    for frontend in &mut cluster.frontends[1..] {
        frontend.start();
    }
    cluster.wait_whole();
    let shown = cluster.assert_agreement(0);
    for frontend in &cluster.frontends {
        assert_eq!(cell(&shown, frontend, "Alive").as_deref(), Some("true"));
        frontend.mariadb().ok("USE kept");
    }
}

/// Has an administrator register a frontend that runs where it cannot stay, and gives where it is
/// to run.
fn move_by_hand(
    cluster: &mut Cluster,
    moved: usize,
    asked: usize,
    prepare: impl Fn(&mut Frontend),
) {
    let old = cluster.frontends[moved].address();
    prepare(&mut cluster.frontends[moved]);
    cluster.frontends[moved].relocate();
    let new = cluster.frontends[moved].address();
    let client = cluster.frontends[asked].mariadb();
    client.ok(&format!("ALTER SYSTEM MODIFY FRONTEND HOST \"{old}\" TO \"{new}\""));
    let shown = client.ok("SHOW FRONTENDS");
    assert!(cell(&shown, &cluster.frontends[moved], "Role").is_some(), "{}", shown.text);
}

#[test]
fn an_administrator_moves_a_frontend_by_hand_and_the_only_one_moves_by_itself() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let moved = (leader + 1) % 3;
    move_by_hand(&mut cluster, moved, leader, |frontend| {
        frontend.stop();
    });
    cluster.frontends[moved].start();
    cluster.wait_whole();

    let mut alone = Cluster::start(1);
    alone.frontends[0].stop();
    alone.frontends[0].relocate();
    alone.frontends[0].start();
    alone.frontends[0].wait_ready();
    wait_shown(&alone.frontends[0], &alone.frontends[0], "Role", "LEADER");
}

#[test]
fn a_frontend_that_is_moved_by_hand_while_it_runs_says_so_and_stays_registered_where_it_is_to_be() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    // The one that came last: the address that it joined with has been recorded a moment ago.
    let moved = if leader == 2 { 1 } else { 2 };
    let other = 3 - leader - moved;
    let home = cluster.frontends[moved].mariadb();
    move_by_hand(&mut cluster, moved, leader, |_| {});
    let log = |at: usize| cluster.frontends[at].log();
    eventually("it says that it is elsewhere", LIMIT, || {
        log(moved).contains("was moved to 127.0.0.1:").then_some(())
    });
    eventually("its own SHOW FRONTENDS says it too", LIMIT, || {
        let shown = home.run("SHOW FRONTENDS").ok()?;
        shown.text.contains("and does not run there").then_some(())
    });
    // It does not come back by itself, whatever else is recorded.
    let client = cluster.frontends[other].mariadb();
    client.ok("CREATE DATABASE meanwhile");
    wait_shown(&cluster.frontends[other], &cluster.frontends[moved], "Alive", "false");
    cluster.frontends[moved].stop();
    cluster.frontends[moved].start();
    cluster.wait_whole();
    let shown = cluster.assert_agreement(other);
    assert_eq!(cell(&shown, &cluster.frontends[moved], "ErrMsg").as_deref(), Some(""));
}

/// The move is in the state that it receives, the address that it joined with is not any more.
#[test]
fn a_frontend_that_was_moved_by_hand_before_it_had_a_state_does_not_move_back() {
    let cluster = Cluster::start(1);
    let (first, client) = (&cluster.frontends[0], cluster.frontends[0].mariadb());
    let folder = first.meta_dir().join("../observer");
    let mut observer = Frontend::new(&folder, Some(first.address()), None);
    let old = observer.address();
    client.ok(&format!("ALTER SYSTEM ADD OBSERVER \"{old}\""));
    observer.start_to_crash("state-before-commit");
    assert_eq!(observer.wait_end(), None, "{}", observer.log());
    let new = format!("127.0.0.1:{}", free_ports()[0]);
    client.ok(&format!("ALTER SYSTEM MODIFY FRONTEND HOST \"{old}\" TO \"{new}\""));
    observer.set_helper(None);
    observer.start();
    let told = format!("was moved to {new}");
    eventually("it says that it is elsewhere", LIMIT, || {
        observer.log().contains(&told).then_some(())
    });
    let shown = client.ok("SHOW FRONTENDS");
    assert!(shown.column("EditLogPort").iter().any(|port| new.ends_with(*port)), "{}", shown.text);
    assert!(!observer.log().contains("this frontend was reached at"), "{}", observer.log());
}

#[test]
fn a_follower_that_became_an_observer_while_it_was_down_is_fed_when_it_comes_back_and_the_other_way()
 {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let (turned, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let client = cluster.frontends[other].mariadb();
    let turn = |cluster: &Cluster, kind: &str| {
        let address = cluster.frontends[turned].address();
        client.ok(&format!("ALTER SYSTEM MODIFY FRONTEND \"{address}\" TO {kind}"));
    };
    let read = |cluster: &Cluster, database: &str| {
        let sql = format!("SET read_consistency = 'any'; SHOW DATABASES LIKE '{database}'");
        let reader = cluster.frontends[turned].mariadb();
        eventually("what was written meanwhile is there", LIMIT, || {
            (reader.run(&sql).ok()?.rows().len() == 1).then_some(())
        });
    };
    // A whole cluster asks no helper: what it does not know it has to find out.
    cluster.frontends[turned].set_helper(None);
    cluster.frontends[turned].kill();
    turn(&cluster, "OBSERVER");
    client.ok("CREATE DATABASE observed");
    cluster.frontends[turned].start();
    wait_fed(&cluster.frontends[other], &cluster.frontends[turned]);
    read(&cluster, "observed");
    let shown = cluster.assert_agreement(other);
    assert_eq!(cell(&shown, &cluster.frontends[turned], "Role").as_deref(), Some("OBSERVER"));

    cluster.frontends[turned].kill();
    turn(&cluster, "FOLLOWER");
    client.ok("CREATE DATABASE followed");
    cluster.frontends[turned].start();
    wait_leads(&cluster.frontends[other], &cluster.frontends[turned]);
    read(&cluster, "followed");
    let shown = cluster.assert_agreement(other);
    assert_eq!(cell(&shown, &cluster.frontends[turned], "Upstream").as_deref(), Some(""));
}
