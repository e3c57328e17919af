//! A trap in a module: the log tells where in the module it happened, and for which statement.

use std::time::Duration;

use quorate_tests::{Cluster, eventually, modules};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn the_log_names_the_functions_of_a_trap_and_its_statement() {
    let cluster = Cluster::start_with(1, Some(modules::FAULTY));
    let frontend = &cluster.frontends[0];
    // In `apply`, then in `evaluate`.
    for statement in ["TRAP", "EVALUATE TRAP"] {
        let before = frontend.log().len();
        let error = frontend.mariadb().error(statement);
        assert!(error.contains("1105"), "{statement}: {error}");
        let log = frontend.log().split_off(before);
        let told = format!("statement=\"{statement}\"");
        assert!(log.contains(&told), "{told} is not in\n{log}");
        assert!(log.contains("faulty::script::run"), "no function of the module in\n{log}");
    }
}

#[test]
fn commands_that_are_rejected_are_counted_by_reason_and_told_in_one_line() {
    let cluster = Cluster::start_with(1, Some(modules::FAULTY));
    let (frontend, client) = (&cluster.frontends[0], cluster.frontends[0].mariadb());
    let counted = || {
        ["aborted", "out-of-fuel", "limit", "malformed"].map(|reason| {
            let name = format!("quorate_module_rejected_total{{reason=\"{reason}\"}}");
            frontend.metric(&name).unwrap_or_else(|| panic!("no {name}"))
        })
    };
    assert_eq!(counted(), [0.0, 0.0, 0.0, 0.0]);
    for statement in ["TRAP", "TRAP", "ALLOCATE", "LOOP", "OVERSIZE"] {
        client.error(statement);
    }
    // Refused by the module, or nothing that was applied.
    client.error("FAIL 1050 it exists");
    client.error("EVALUATE TRAP");
    client.ok("PUT a 1");
    assert_eq!(counted(), [3.0, 1.0, 1.0, 0.0]);
    let line = eventually("the log tells", LIMIT, || {
        let log = frontend.log();
        let told = |line: &&str| line.contains("commands were rejected since the last such line");
        log.lines().find(told).map(str::to_owned)
    });
    assert!(line.contains("faulty@1.0.0") && line.contains(" aborted"), "{line}");
}
