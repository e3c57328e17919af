//! Commands that were evaluated on a state that is no more when they are applied.

use catalog::{Catalog, Command};
use quorate_guest::testing::Harness;
use quorate_guest::{Evaluation, Request};

use crate::client::Client;

fn evaluate(harness: &Harness<Catalog>, statement: &str) -> Command {
    match harness.evaluate(Request::Text(statement)).unwrap() {
        Evaluation::Command(command) => command,
        Evaluation::Reply(reply) => panic!("{statement}: {reply:?}"),
    }
}

/// The code that `late` gets when `first` was done between its evaluation and its application.
fn overtaken(late: &str, first: &[&str]) -> u16 {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT, b INT) DUPLICATE KEY (a) PARTITION BY RANGE(b) ()");
    client.run("CREATE TABLE u (a INT)");
    client.run("CREATE VIEW v AS SELECT 1");
    let command = evaluate(&client.harness, late);
    first.iter().for_each(|statement| drop(client.run(statement)));
    let state: Vec<_> =
        client.harness.store.pairs().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
    let code = client.harness.apply(&command).map_or_else(|failure| failure.code, |_| 0);
    if code != 0 {
        let after: Vec<_> =
            client.harness.store.pairs().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        assert_eq!(after, state, "what is refused leaves nothing behind");
    }
    client.check();
    code
}

#[test]
fn a_command_whose_ground_has_shifted_is_refused() {
    let again = ["DROP TABLE t", "CREATE TABLE t (a INT)"];
    let renewed = ["DROP DATABASE d", "CREATE DATABASE d", "CREATE TABLE d.t (a INT)"];
    for (code, late, first) in [
        (1007, "CREATE DATABASE e", &["CREATE DATABASE e"][..]),
        (1050, "CREATE TABLE x (a INT)", &["CREATE TABLE x (a INT)"]),
        (1050, "CREATE TABLE x (a INT)", &["CREATE VIEW x AS SELECT 1"]),
        (1049, "CREATE TABLE x (a INT)", &["DROP DATABASE d"]),
        (1412, "CREATE TABLE x (a INT)", &["DROP DATABASE d", "CREATE DATABASE d"]),
        (1050, "CREATE TABLE x LIKE t", &["CREATE TABLE x (a INT)"]),
        (1146, "CREATE TABLE x LIKE t", &["DROP TABLE t"]),
        (1146, "ALTER TABLE t ADD COLUMN c INT", &["DROP TABLE t"]),
        (1412, "ALTER TABLE t ADD COLUMN c INT", &again),
        (1412, "ALTER TABLE t ADD COLUMN c INT", &renewed),
        (1146, "ALTER TABLE t ADD COLUMN c INT", &["ALTER TABLE t RENAME x"]),
        (1412, "ALTER TABLE t ADD COLUMN c INT", &["ALTER TABLE t SWAP WITH u"]),
        (1060, "ALTER TABLE t ADD COLUMN c INT", &["ALTER TABLE t ADD COLUMN C INT"]),
        (1054, "ALTER TABLE t ADD INDEX i (a)", &["ALTER TABLE t RENAME COLUMN a TO c"]),
        (1050, "ALTER TABLE t RENAME x", &["ALTER TABLE u RENAME x"]),
        (
            1493,
            "ALTER TABLE t ADD PARTITION p VALUES LESS THAN (5)",
            &["ALTER TABLE t ADD PARTITION q VALUES LESS THAN (7)"],
        ),
        (1051, "DROP TABLE t", &["DROP TABLE t"]),
        (1412, "DROP TABLE t", &again),
        (1049, "DROP TABLE t", &["DROP DATABASE d"]),
        (1412, "DROP VIEW v", &["DROP VIEW v", "CREATE TABLE v (a INT)"]),
        (1146, "ALTER VIEW v AS SELECT 2", &["DROP VIEW v"]),
        (1050, "CREATE OR REPLACE VIEW x AS SELECT 1", &["CREATE TABLE x (a INT)"]),
        (1049, "DROP DATABASE d", &["ALTER DATABASE d RENAME e"]),
        (1412, "DROP DATABASE d", &["DROP DATABASE d", "CREATE DATABASE d"]),
        (1007, "ALTER DATABASE d RENAME e", &["CREATE DATABASE e"]),
        (1412, "TRUNCATE TABLE t", &again),
    ] {
        assert_eq!(overtaken(late, first), code, "{late} after {first:?}");
    }
}

#[test]
fn if_exists_still_holds_when_the_command_is_applied() {
    for (late, first) in [
        ("CREATE DATABASE IF NOT EXISTS e", "CREATE DATABASE e"),
        ("CREATE TABLE IF NOT EXISTS x (a INT)", "CREATE TABLE x (b INT)"),
        ("CREATE VIEW IF NOT EXISTS x AS SELECT 1", "CREATE VIEW x AS SELECT 2"),
        ("DROP TABLE IF EXISTS t", "DROP TABLE t"),
        ("DROP VIEW IF EXISTS v", "DROP VIEW v"),
        ("DROP DATABASE IF EXISTS d", "DROP DATABASE d"),
    ] {
        assert_eq!(overtaken(late, &[first]), 0, "{late} after {first}");
    }
}
