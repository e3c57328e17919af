//! Views.

use crate::client::Client;

#[test]
fn views_that_clash_are_refused() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT)");
    client.run("CREATE VIEW v AS SELECT 1");
    assert_eq!(client.code("CREATE VIEW v AS SELECT 2"), 1050);
    assert_eq!(client.code("CREATE OR REPLACE VIEW t AS SELECT 2"), 1050);
    assert_eq!(client.code("CREATE VIEW IF NOT EXISTS t AS SELECT 2"), 1050);
    assert_eq!(client.code("CREATE VIEW w (a, A) AS SELECT 1, 2"), 1060);
    assert_eq!(client.code("ALTER VIEW t AS SELECT 2"), 1347);
    assert_eq!(client.code("ALTER VIEW nothing AS SELECT 2"), 1146);
    assert_eq!(client.code("DROP VIEW nothing"), 1051);
    assert_eq!(client.code("SHOW CREATE VIEW t"), 1347);
}

#[test]
fn views_are_made_replaced_altered_and_dropped() {
    let mut client = Client::new();
    client.run("CREATE VIEW v (a COMMENT 'x', b) COMMENT 'c' AS SELECT 1,   2 FROM t");
    let shown = client.rows("SHOW CREATE VIEW v");
    assert_eq!(shown[0][0], "v");
    assert_eq!(
        shown[0][1],
        "CREATE VIEW `v` (`a` COMMENT \"x\", `b`)\nCOMMENT \"c\"\nAS SELECT 1,   2 FROM t;"
    );
    assert_eq!(client.columns("SHOW CREATE TABLE v")[0], "View");
    assert_eq!(client.column("DESC v", 0), ["a", "b"]);
    client.run("CREATE VIEW IF NOT EXISTS v AS SELECT 9");
    client.run("CREATE OR REPLACE VIEW v AS SELECT 3");
    client.run("ALTER VIEW v (z) AS SELECT 4");
    assert_eq!(client.rows("SHOW CREATE VIEW v")[0][1], "CREATE VIEW `v` (`z`)\nAS SELECT 4;");
    assert_eq!(client.rows("SHOW FULL TABLES"), [["v", "VIEW"]]);
    client.check();
    client.run("DROP VIEW v");
    assert_eq!(client.run("DROP VIEW IF EXISTS v").warnings[0].code, 1051);
    client.check();
}

#[test]
fn a_printed_view_makes_the_same_view_again() {
    let mut client = Client::new();
    client.run("CREATE VIEW v (a) AS WITH x AS (SELECT ';' AS a) SELECT a FROM x");
    let printed = client.rows("SHOW CREATE VIEW v");
    client.run("DROP VIEW v");
    client.run(&printed[0][1]);
    assert_eq!(client.rows("SHOW CREATE VIEW v"), printed);
}
