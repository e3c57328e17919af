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
    let told = ["outcome is unknown", "nothing was changed"];
    assert!(told.iter().any(|told| error.contains(told)), "{error}");
    let error = client
        .error("SET query_timeout = 2; SET read_consistency = 'linearizable'; SHOW DATABASES");
    assert!(error.contains("no leader could confirm a linearizable read"), "{error}");
    let shown = client.ok("SHOW DATABASES LIKE 'before'; SHOW FRONTENDS; SHOW WARNINGS");
    assert!(shown.text.contains("before"), "{}", shown.text);
    let warning = "no majority of the followers answers; this is what this frontend knows at LSN ";
    assert!(shown.text.contains(warning), "{}", shown.text);
    for path in ["/api/show_proc?path=/frontends", "/api/v1/frontends"] {
        let answer = cluster.frontends[0].get(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&format!("\r\nwarning: 199 quorate \"{warning}")), "{answer}");
        assert!(answer.contains("\"EditLogPort\":"), "{answer}");
    }

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
