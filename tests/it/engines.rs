//! A frontend that runs modules by another engine than the others: an observer that so checks what
//! the voters come to.

use quorate_tests::{Cluster, Frontend, modules};

/// Statements of each frontend's client.
const STATEMENTS: usize = 40;

/// Commands that end in each of the ways there are, from a client at each frontend.
fn load(cluster: &Cluster) {
    std::thread::scope(|scope| {
        for (at, frontend) in cluster.frontends.iter().enumerate() {
            scope.spawn(move || {
                let client = frontend.mariadb();
                for n in 0..STATEMENTS {
                    client.ok(&format!("PUT {at}.{n} v; FLOATS f{at}; HASH h{at}; EMIT t 2"));
                }
                for ended in ["TRAP", "LOOP", "RECURSE", "OVERSIZE", "FAIL 1050 no"] {
                    client.error(ended);
                }
            });
        }
    });
}

#[test]
fn an_observer_on_the_interpreter_comes_to_the_digests_of_the_voters() {
    let mut cluster = Cluster::start_with(3, Some(modules::FAULTY));
    cluster.add_observer_prepared(|observer| observer.configure("module_engine", "interpreter"));
    cluster.wait_whole();
    let observer = &cluster.frontends[3];
    let shown = observer.mariadb().ok("ADMIN SHOW FRONTEND CONFIG LIKE 'module_engine'");
    assert_eq!(shown.column("Value"), ["interpreter"]);
    assert!(observer.log().contains("module_engine = interpreter"), "{}", observer.log());
    load(&cluster);
    cluster.assert_agreement(0);
    let client = cluster.frontends[cluster.follower()].mariadb();
    client.ok(&format!("INSTALL MODULE FROM '{}'", modules::FAULTY_2));
    client.ok("ACTIVATE MODULE 'faulty@2.0.0'");
    load(&cluster);
    let shown = cluster.assert_agreement(0);
    assert_eq!(shown.rows().len(), 4);
}

#[test]
fn a_follower_is_refused_another_engine_and_goes_on_with_its_own() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut frontend = Frontend::new(&dir.path().join("fe1"), None, Some(modules::KV));
    frontend.configure("module_engine", "interpreter");
    frontend.start();
    assert_eq!(frontend.wait_end(), Some(2));
    assert!(frontend.log().contains("only an observer may run modules so"), "{}", frontend.log());
    assert!(!frontend.meta_dir().exists(), "a start that was refused left something behind");
    frontend.configure("module_engine", "native");
    frontend.start();
    frontend.wait_ready();
    assert!(frontend.stop().success());
    frontend.configure("module_engine", "unoptimised");
    frontend.start();
    assert_eq!(frontend.wait_end(), Some(2));
    frontend.configure("module_engine", "native");
    frontend.start();
    frontend.wait_ready();
}
