//! `ALTER TABLE` on columns, names and the rest.

use crate::client::Client;
use crate::tables::RICH;

fn columns(client: &mut Client) -> Vec<String> {
    client.column("DESC t", 0)
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t (k INT, l DATE, a INT, b VARCHAR(9), s INT) PRIMARY KEY (k, l) PARTITION BY \
         RANGE(l) () DISTRIBUTED BY HASH(k) ORDER BY (s)",
    );
    let before = client.create_table("t");
    for (code, action) in [
        (1060, "ADD COLUMN A INT"),
        (1064, "ADD COLUMN x INT KEY"),
        (1064, "ADD COLUMN x INT FIRST"),
        (1064, "ADD COLUMN x INT AFTER k"),
        (1054, "ADD COLUMN x INT AFTER y"),
        (1067, "ADD COLUMN x INT DEFAULT 'y'"),
        (1091, "DROP COLUMN x"),
        (1064, "DROP COLUMN k"),
        (1064, "DROP COLUMN l"),
        (1064, "DROP COLUMN s"),
        (1054, "MODIFY COLUMN x INT"),
        (1064, "MODIFY COLUMN a TINYINT"),
        (1064, "MODIFY COLUMN a INT NOT NULL"),
        (1064, "MODIFY COLUMN a INT KEY"),
        (1064, "MODIFY COLUMN a INT SUM"),
        (1064, "MODIFY COLUMN k BIGINT"),
        (1064, "MODIFY COLUMN b VARCHAR(8)"),
        (1064, "MODIFY COLUMN a INT AFTER a"),
        (1054, "MODIFY COLUMN x COMMENT 'y'"),
        (1054, "RENAME COLUMN x TO y"),
        (1060, "RENAME COLUMN a TO B"),
        (1054, "ORDER BY (x)"),
        (1064, "DISTRIBUTED BY RANDOM"),
        (1054, "ADD INDEX i (x)"),
        (1091, "DROP INDEX i"),
        (1091, "DROP ROLLUP r"),
        (1064, "SET ('replication_num' = 'many')"),
        (1060, "ADD COLUMN x INT, ADD COLUMN y INT, ADD COLUMN X INT"),
    ] {
        let failure = client.fail(&format!("ALTER TABLE t {action}"));
        assert_eq!(failure.code, code, "{action}: {failure}");
    }
    assert_eq!(client.create_table("t"), before, "all actions or none");
    assert_eq!(client.code("ALTER TABLE u ADD COLUMN a INT"), 1146);
    client.run("CREATE VIEW v AS SELECT 1");
    assert_eq!(client.code("ALTER TABLE v ADD COLUMN a INT"), 1347);
}

#[test]
fn keys_of_merged_rows_stay() {
    let mut client = Client::new();
    client.run("CREATE TABLE u (a INT, b INT, c INT) UNIQUE KEY (a, b) DISTRIBUTED BY HASH(a)");
    assert_eq!(client.code("ALTER TABLE u DROP COLUMN b"), 1064);
    client.run("CREATE TABLE s (a INT, b INT, c INT SUM) AGGREGATE KEY (a, b) DISTRIBUTED BY HASH(a)");
    client.run("ALTER TABLE s DROP COLUMN b");
    client.run("CREATE TABLE r (a INT, b INT, c INT REPLACE) AGGREGATE KEY (a, b) DISTRIBUTED BY HASH(a)");
    assert_eq!(client.code("ALTER TABLE r DROP COLUMN b"), 1064);
    client.run("CREATE TABLE o (a INT, b INT) DUPLICATE KEY (a)");
    assert_eq!(client.code("ALTER TABLE o DROP COLUMN a"), 1064);
    client.run("ALTER TABLE o DROP COLUMN b");
    assert_eq!(client.code("ALTER TABLE o DROP COLUMN a"), 1090);
    client.check();
}

#[test]
fn columns_come_where_they_are_put() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (k INT, a INT, b INT) DUPLICATE KEY (k)");
    client.run("ALTER TABLE t ADD COLUMN c INT DEFAULT '1' AFTER a");
    client.run("ALTER TABLE t ADD COLUMN l INT KEY, ADD COLUMN j INT KEY FIRST");
    client.run("ALTER TABLE t ADD COLUMN (x INT, y INT)");
    assert_eq!(columns(&mut client), ["j", "k", "l", "a", "c", "b", "x", "y"]);
    client.run("ALTER TABLE t MODIFY COLUMN y BIGINT AFTER a, DROP COLUMN x");
    client.run("ALTER TABLE t RENAME COLUMN y TO Z, MODIFY COLUMN Z COMMENT 'last'");
    assert_eq!(columns(&mut client), ["j", "k", "l", "a", "Z", "c", "b"]);
    client.run("ALTER TABLE t ORDER BY (k, j, l, b, c, Z, a)");
    assert_eq!(columns(&mut client), ["k", "j", "l", "b", "c", "Z", "a"]);
    let full = client.rows("SHOW FULL COLUMNS FROM t LIKE 'z'");
    assert_eq!(full, [["Z", "bigint(20)", "", "YES", "NO", "NULL", "", "", "last"]]);
    client.check();
}

#[test]
fn added_columns_of_an_aggregate_table_are_keys_unless_aggregated() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (k INT, v INT SUM) AGGREGATE KEY (k)");
    client.run("ALTER TABLE t ADD COLUMN l INT, ADD COLUMN w INT MAX");
    assert_eq!(columns(&mut client), ["k", "l", "v", "w"]);
    client.run("ALTER TABLE t MODIFY COLUMN v BIGINT");
    assert_eq!(client.rows("DESC t")[2], ["v", "bigint(20)", "YES", "false", "NULL", "SUM"]);
}

#[test]
fn a_renamed_column_is_renamed_wherever_it_is_used() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t (k DATE, v INT, INDEX i (K)) DUPLICATE KEY (K) PARTITION BY date_trunc('day', \
         K) DISTRIBUTED BY HASH(K) ORDER BY (K) ROLLUP (r (K, v))",
    );
    let before = client.create_table("t");
    client.run("ALTER TABLE t RENAME COLUMN K TO day_of_year");
    let after = client.create_table("t");
    assert_eq!(after, before.replace("`k`", "`day_of_year`").replace(", k)", ", day_of_year)"));
    client.check();
}

#[test]
fn dropped_columns_leave_indexes_and_rollups() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t (k INT, a INT, b INT, INDEX i (a, b), INDEX j (b)) DUPLICATE KEY (k) ROLLUP (r \
         (k, b), s (b))",
    );
    client.run("ALTER TABLE t DROP COLUMN b");
    let text = client.create_table("t");
    assert!(text.contains("INDEX `i` (`a`)") && text.contains("ROLLUP (`r` (`k`))"), "{text}");
    assert!(!text.contains("`j`") && !text.contains("`s`"), "{text}");
}

#[test]
fn tables_are_renamed_and_swapped() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT)");
    client.run("CREATE TABLE u (b INT)");
    client.run("CREATE VIEW v AS SELECT 1");
    assert_eq!(client.code("ALTER TABLE t RENAME u"), 1050);
    assert_eq!(client.code("ALTER TABLE t RENAME v"), 1050);
    assert_eq!(client.code("ALTER TABLE t SWAP WITH v"), 1347);
    assert_eq!(client.code("ALTER TABLE t SWAP WITH nothing"), 1146);
    assert_eq!(client.code("ALTER TABLE t SWAP WITH t"), 1050);
    client.run("ALTER TABLE t SWAP WITH u");
    assert_eq!(columns(&mut client), ["b"]);
    assert_eq!(client.column("SHOW PARTITIONS FROM t", 1), ["t"]);
    client.run("ALTER TABLE t RENAME T");
    assert_eq!(client.column("SHOW TABLES", 0), ["T", "u", "v"]);
    assert_eq!(client.column("SHOW PARTITIONS FROM T", 1), ["T"]);
    client.check();
}

#[test]
fn the_rest_of_a_table_can_be_changed() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT, b INT) DUPLICATE KEY (a) DISTRIBUTED BY HASH(a)");
    client.run(
        "ALTER TABLE t COMMENT = 'c', SET ('x' = 'y'), ADD INDEX i (B) USING bitmap, ADD ROLLUP r \
         (A), DISTRIBUTED BY HASH(b) BUCKETS 5, ORDER BY (B)",
    );
    assert_eq!(
        client.create_table("t"),
        "CREATE TABLE `t` (\n  `a` int(11) NULL COMMENT \"\",\n  `b` int(11) NULL COMMENT \"\",\n  \
         INDEX `i` (`b`) USING BITMAP\n) ENGINE=OLAP \nDUPLICATE KEY(`a`)\nCOMMENT \"c\"\n\
         DISTRIBUTED BY HASH(`b`) BUCKETS 5 \nORDER BY(`b`)\nROLLUP (`r` (`a`))\nPROPERTIES (\n\
         \"replication_num\" = \"3\",\n\"x\" = \"y\"\n);"
    );
    assert_eq!(client.code("ALTER TABLE t ADD INDEX I (a)"), 1061);
    client.run("ALTER TABLE t DROP INDEX i, DROP ROLLUP r");
    assert!(!client.create_table("t").contains("INDEX"));
    client.check();
}

#[test]
fn altering_anything_keeps_the_state_sound() {
    for statement in RICH {
        let mut client = Client::new();
        client.run(statement);
        client.run("ALTER TABLE t COMMENT = 'x', RENAME u");
        client.run("TRUNCATE TABLE u");
        client.check();
    }
}
