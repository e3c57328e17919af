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

#[test]
fn columns_of_a_view_are_read_off_its_query() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT, b VARCHAR(9))");
    client.run("CREATE TABLE u (a DATE, c JSON)");
    client.run("CREATE DATABASE e");
    client.run("CREATE TABLE e.t (z BIGINT)");
    client.run("CREATE VIEW w AS SELECT c, a FROM u");
    for (query, expected) in [
        ("SELECT a, t.b AS x FROM t", "a int(11), x varchar(9)"),
        ("SELECT DISTINCT `a` `y z`, b n FROM d.t WHERE a > 1", "y z int(11), n varchar(9)"),
        ("SELECT * FROM t", "a int(11), b varchar(9)"),
        (
            "SELECT y.*, x.a FROM t AS x LEFT JOIN u y ON x.a = f(y.c, 1), e.t",
            "a date, c json, a int(11)",
        ),
        (
            "SELECT z, count(*), a + 1 k, 'x, y' FROM t JOIN e.t q USING (a)",
            "z bigint(20), count(*) unknown, k unknown, 'x, y' unknown",
        ),
        ("SELECT * FROM w", "c json, a date"),
        ("SELECT a FROM t UNION SELECT a FROM u", "a unknown"),
        ("SELECT a FROM (SELECT 1 AS a) s", "a unknown"),
        (
            "SELECT NOT a, a IS NULL, CASE a WHEN 1 THEN b END, a + INTERVAL 1 DAY FROM t",
            "NOT a unknown, a IS NULL unknown, CASE a WHEN 1 THEN b END unknown, a + INTERVAL 1 DAY unknown",
        ),
        ("SELECT /* a, b */ a -- c\n, b FROM t", "a int(11), b varchar(9)"),
        ("SELECT * FROM (SELECT 1) s", ""),
        ("SELECT * FROM nothing", ""),
        ("WITH x AS (SELECT 1) SELECT * FROM x", ""),
        ("SELECT * FROM v", ""),
    ] {
        client.run(&format!("CREATE OR REPLACE VIEW v AS {query}"));
        let lines = client.rows("DESC v");
        let lines: Vec<String> = lines.iter().map(|line| line[..2].join(" ")).collect();
        assert_eq!(lines.join(", "), expected, "{query}");
        let columns = client.select("columns", &[(1, "d"), (2, "v")]);
        let columns: Vec<String> =
            columns.iter().map(|row| format!("{} {}", row[3], row[15])).collect();
        assert_eq!(columns.join(", "), expected, "{query}");
    }
    client.run("CREATE OR REPLACE VIEW v AS SELECT * FROM v, v, v, w, w, w, w");
    assert!(client.rows("DESC v").is_empty(), "a view of itself ends");
    client.run("CREATE OR REPLACE VIEW v (m COMMENT 'x', n) AS SELECT b, 1 FROM t");
    let full = client.rows("SHOW FULL COLUMNS FROM v");
    assert_eq!(full[0], ["m", "varchar(9)", "", "YES", "NO", "NULL", "", "", "x"]);
    assert_eq!(full[1][..2], ["n", "unknown"]);
}
