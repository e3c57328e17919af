//! A leader dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quorate_tests::{Cluster, eventually};

const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(0);
    let survivor = (leader + 1) % 3;
    let client = cluster.frontends[survivor].mariadb();

    let stop = AtomicBool::new(false);
    let (acknowledged, outage) = std::thread::scope(|scope| {
        let (writer, stop) = (client.clone(), &stop);
        let writing = scope.spawn(move || {
            let (mut acknowledged, mut outage) = (Vec::new(), Duration::ZERO);
            let mut last = Instant::now();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("w{number}");
                if writer.run(&format!("CREATE DATABASE {name}")).is_ok() {
                    outage = outage.max(last.elapsed());
                    last = Instant::now();
                    acknowledged.push(name);
                }
            }
            (acknowledged, outage)
        });
        eventually("writes go on before the kill", LIMIT, || {
            (client.ok("SHOW DATABASES LIKE 'w%'").rows().len() >= 20).then_some(())
        });
        cluster.frontends[leader].kill();
        let before = client.ok("SHOW DATABASES LIKE 'w%'").rows().len();
        eventually("writes go on after the kill", LIMIT, || {
            (client.ok("SHOW DATABASES LIKE 'w%'").rows().len() >= before + 20).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
        writing.join().expect("the writer does not panic")
    });
    println!("{} writes acknowledged, longest pause {outage:?}", acknowledged.len());

    cluster.frontends[leader].start();
    cluster.frontends[leader].wait_ready();
    let again = cluster.frontends[leader].mariadb();
    let shown = again.ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'w%'");
    let present: Vec<_> = shown.rows().iter().map(|row| row[0].to_owned()).collect();
    for name in &acknowledged {
        assert!(present.contains(name), "{name} was acknowledged and is gone");
    }
    cluster.assert_agreement(survivor);
}

#[test]
fn without_a_quorum_a_write_fails_in_time_and_the_frontend_lives() {
    let mut cluster = Cluster::start(3);
    cluster.frontends[0].mariadb().ok("CREATE DATABASE before");
    cluster.frontends[1].kill();
    cluster.frontends[2].kill();
    let client = cluster.frontends[0].mariadb();
    let started = Instant::now();
    let error = client.error("SET query_timeout = 2; CREATE DATABASE after");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert!(error.contains("ERROR"), "{error}");
    let error = client
        .error("SET query_timeout = 2; SET read_consistency = 'linearizable'; SHOW DATABASES");
    assert!(error.contains("ERROR"), "{error}");
    let shown = client.ok("SHOW DATABASES LIKE 'before'; SHOW FRONTENDS");
    assert!(shown.text.contains("before"), "{}", shown.text);

    cluster.frontends[1].start();
    eventually("writes go on with a quorum", LIMIT, || {
        client.run("CREATE DATABASE IF NOT EXISTS x").ok()
    });
}

#[test]
fn a_whole_cluster_that_was_killed_comes_back_with_its_data() {
    let mut cluster = Cluster::start(3);
    cluster.frontends[1].mariadb().ok("CREATE DATABASE kept");
    for frontend in &mut cluster.frontends {
        frontend.kill();
    }
    for frontend in &mut cluster.frontends {
        frontend.start();
    }
    cluster.wait_whole();
    for frontend in &cluster.frontends {
        let shown = frontend
            .mariadb()
            .ok("SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'kept'");
        assert_eq!(shown.rows().len(), 1);
    }
    cluster.assert_agreement(2);
}
