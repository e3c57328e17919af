//! What `cargo component build` makes is the module that `make run` starts with.

use quorate_tests::{Cluster, modules};

const STATEMENTS: [&str; 8] = [
    "CREATE DATABASE d",
    "CREATE TABLE d.t (a INT, b VARCHAR(9) NOT NULL) DUPLICATE KEY(a) DISTRIBUTED BY HASH(a)",
    "ALTER TABLE d.t ADD COLUMN c DATE",
    "CREATE DATABASE d",
    "SHOW CREATE TABLE d.t",
    "DESC d.t",
    "SELECT table_name, column_name, column_type FROM information_schema.columns \
     WHERE table_schema = 'd' ORDER BY ordinal_position",
    "DROP DATABASE nowhere",
];

const REQUESTS: [&str; 6] =
    ["PUT a 1", "CAS a 1 2", "CAS a 1 3", "GET a", "RANGE a z LIMIT 9", "NONSENSE"];

/// What a cluster of its own answers to each statement.
fn answers(component: &str, statements: &[&str]) -> Vec<Result<String, String>> {
    let cluster = Cluster::start_with(1, Some(component));
    let client = cluster.frontends[0].mariadb();
    statements.iter().map(|sql| client.run(sql).map(|output| output.text)).collect()
}

#[test]
fn cargo_component_builds_modules_that_behave_as_the_embedded_ones() {
    let built = xtask::build_with_cargo_component(&["catalog", "kv"]).expect("they build");
    let [catalog, kv] = &built[..] else { panic!("two components") };
    for (component, embedded, statements) in
        [(catalog, modules::CATALOG_1, &STATEMENTS[..]), (kv, modules::KV, &REQUESTS[..])]
    {
        let component = component.to_str().expect("the path is text");
        let answers = [answers(component, statements), answers(embedded, statements)];
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0].iter().any(Result::is_ok) && answers[0].iter().any(Result::is_err));
    }
}
