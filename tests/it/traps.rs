//! A trap in a module: the log tells where in the module it happened, and for which statement.

use quorate_tests::{Cluster, modules};

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
