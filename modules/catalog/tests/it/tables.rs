//! `CREATE TABLE` and its relatives.

use crate::client::Client;

#[test]
fn tables_against_the_rules_are_refused() {
    let mut client = Client::new();
    for (code, table) in [
        (1060, "(a INT, A INT)"),
        (1072, "(a INT) PRIMARY KEY (b)"),
        (1060, "(a INT, b INT) DUPLICATE KEY (a, a)"),
        (1064, "(a INT, b INT) PRIMARY KEY (b)"),
        (1064, "(a INT, b INT) DUPLICATE KEY (b, a)"),
        (1064, "(a FLOAT)"),
        (1064, "(a JSON, b INT) PRIMARY KEY (a)"),
        (1064, "(a INT NULL, b INT) PRIMARY KEY (a)"),
        (1064, "(a INT, b INT SUM) DUPLICATE KEY (a)"),
        (1064, "(a INT, b INT) AGGREGATE KEY (a)"),
        (1064, "(a INT SUM, b INT) AGGREGATE KEY (a)"),
        (1064, "(a INT, b VARCHAR(5) SUM) AGGREGATE KEY (a)"),
        (1064, "(a INT, b INT HLL_UNION) AGGREGATE KEY (a)"),
        (1064, "(a INT, b INT, c INT KEY)"),
        (1067, "(a INT DEFAULT 'x')"),
        (1067, "(a TINYINT DEFAULT '200')"),
        (1067, "(a INT NOT NULL DEFAULT NULL)"),
        (1067, "(a INT, b DATE DEFAULT '2024-02-30')"),
        (1067, "(a INT DEFAULT CURRENT_TIMESTAMP)"),
        (1064, "(a INT AUTO_INCREMENT)"),
        (1064, "(a BIGINT AUTO_INCREMENT, b BIGINT AUTO_INCREMENT)"),
        (1064, "(a INT AS a + 1)"),
        (1054, "(a INT) DISTRIBUTED BY HASH(b)"),
        (1064, "(a INT, b INT) PRIMARY KEY (a) DISTRIBUTED BY HASH(b)"),
        (1064, "(a INT) PRIMARY KEY (a) DISTRIBUTED BY RANDOM"),
        (1064, "(a INT, b INT REPLACE) AGGREGATE KEY (a) DISTRIBUTED BY RANDOM"),
        (1064, "(a INT, b FLOAT) DISTRIBUTED BY HASH(b)"),
        (1054, "(a INT) ORDER BY (b)"),
        (1064, "(a INT, b INT) UNIQUE KEY (a) ORDER BY (b)"),
        (1054, "(a INT, INDEX i (b))"),
        (1061, "(a INT, INDEX i (a), INDEX I (a))"),
        (1064, "(a INT) ROLLUP (r (a), r (a))"),
        (1064, "(a INT) ROLLUP (r (a) FROM q)"),
        (1064, "(a INT) PROPERTIES ('replication_num' = 'x')"),
        (1064, "(a INT) PROPERTIES ('replication_num' = '0')"),
        (1235, "(a INT) ENGINE = mysql"),
    ] {
        let failure = client.fail(&format!("CREATE TABLE t {table}"));
        assert_eq!(failure.code, code, "{table}: {failure}");
    }
    assert_eq!(client.code("CREATE EXTERNAL TABLE t (a INT)"), 1235);
    assert!(client.rows("SHOW TABLES").is_empty());
    assert_eq!(client.harness.lsn, 1, "what is refused is not logged");
}

#[test]
fn the_key_nobody_wrote_is_the_short_key() {
    let mut client = Client::new();
    for (columns, key) in [
        ("a INT, b INT, c INT, d INT", "DUPLICATE KEY(`a`, `b`, `c`)"),
        ("a VARCHAR(5), b INT", "DUPLICATE KEY(`a`)"),
        ("a INT, b FLOAT, c INT", "DUPLICATE KEY(`a`)"),
        ("a LARGEINT, b LARGEINT, c INT", "DUPLICATE KEY(`a`, `b`, `c`)"),
        ("a LARGEINT, b LARGEINT, c BIGINT", "DUPLICATE KEY(`a`, `b`)"),
        ("a INT KEY, b INT", "DUPLICATE KEY(`a`)"),
        ("a INT, b INT, c INT SUM", "AGGREGATE KEY(`a`, `b`)"),
    ] {
        client.run(&format!("CREATE TABLE t ({columns})"));
        let text = client.create_table("t");
        assert!(text.contains(&format!("\n{key}\n")), "{text}");
        client.run("DROP TABLE t");
    }
}

#[test]
fn distribution_follows_the_model() {
    let mut client = Client::new();
    client.run("CREATE TABLE a (k INT, v INT)");
    client.run("CREATE TABLE b (k INT, l INT, v INT) PRIMARY KEY (k, l)");
    assert!(client.create_table("a").contains("\nDISTRIBUTED BY RANDOM\n"));
    assert!(client.create_table("b").contains("\nDISTRIBUTED BY HASH(`k`, `l`)\n"));
}

#[test]
fn the_printed_table_is_starrocks_shape() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t2 ( id INTEGER NOT NULL, v VARCHAR(20) COMMENT 'it''s' ) PRIMARY KEY (id) \
         COMMENT 'c' DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES( \"replication_num\"=\"1\" )",
    );
    assert_eq!(
        client.create_table("t2"),
        "CREATE TABLE `t2` (\n  `id` int(11) NOT NULL COMMENT \"\",\n  `v` varchar(20) NULL COMMENT \
         \"it's\"\n) ENGINE=OLAP \nPRIMARY KEY(`id`)\nCOMMENT \"c\"\nDISTRIBUTED BY HASH(`id`) \
         BUCKETS 1 \nPROPERTIES (\n\"replication_num\" = \"1\"\n);"
    );
}

/// Tables that use everything there is.
pub const RICH: [&str; 5] = [
    "CREATE TABLE t (k1 DATE, k2 INT NOT NULL DEFAULT '7', v1 BIGINT SUM DEFAULT '0', v2 BITMAP \
     BITMAP_UNION, v3 HLL HLL_UNION, v4 DECIMAL(10, 2) MAX, v5 VARCHAR(20) REPLACE COMMENT 'x\"y') \
     ENGINE=olap AGGREGATE KEY (k1, k2) COMMENT 'a ''b''' PARTITION BY RANGE(k1) (PARTITION p1 \
     VALUES LESS THAN ('2024-01-01'), PARTITION p2 VALUES LESS THAN ('20240201') \
     ('storage_medium' = 'SSD'), PARTITION p3 VALUES LESS THAN MAXVALUE) DISTRIBUTED BY HASH(k2) \
     BUCKETS 8 ROLLUP (r1 (k1, v1), r2 (k2, v1) FROM r1) PROPERTIES ('b' = '2', 'a' = '1')",
    "CREATE TABLE t (a INT, b VARCHAR(10), c DATETIME DEFAULT CURRENT_TIMESTAMP, d ARRAY<STRUCT<x INT, y \
     MAP<INT, STRING>>>, e JSON, f INT AS a + 1, g VARCHAR(40) DEFAULT (uuid()), INDEX i (a) USING \
     BITMAP COMMENT 'idx', INDEX j (b) USING GIN ('parser' = 'english')) DUPLICATE KEY (a, b) PARTITION \
     BY LIST (b) (PARTITION x VALUES IN ('a', 'b'), PARTITION y VALUES IN (NULL)) DISTRIBUTED BY \
     RANDOM BUCKETS 3 ORDER BY (b, a)",
    "CREATE TABLE t (id BIGINT NOT NULL AUTO_INCREMENT, dt DATETIME NOT NULL, v DOUBLE DEFAULT \
     '1.5e3') PRIMARY KEY (id, dt) PARTITION BY date_trunc('day', dt) DISTRIBUTED BY HASH(id) ORDER BY \
     (dt)",
    "CREATE TABLE t (a INT, b INT, c VARBINARY) UNIQUE KEY (a, b) PARTITION BY RANGE (a, b) (PARTITION \
     p VALUES [('1', '2'), ('1', '9')), PARTITION q VALUES [('2'), (MAXVALUE, '3')))",
    "CREATE TABLE t (d DATE, c VARCHAR(9), n INT) PARTITION BY RANGE(d) (START ('2024-01-15') END \
     ('2024-04-01') EVERY (INTERVAL 1 MONTH)) DISTRIBUTED BY HASH(c)",
];

#[test]
fn a_printed_table_makes_the_same_table_again() {
    for statement in RICH {
        let mut client = Client::new();
        client.run(statement);
        client.check();
        let printed = client.create_table("t");
        let partitions = client.rows("SHOW PARTITIONS FROM t");
        client.run("DROP TABLE t");
        client.run(&printed);
        assert_eq!(client.create_table("t"), printed);
        let again = client.rows("SHOW PARTITIONS FROM t");
        assert_eq!(without_ids(&again), without_ids(&partitions));
        client.check();
    }
}

#[test]
fn a_table_like_another_prints_like_it() {
    for statement in RICH {
        let mut client = Client::new();
        client.run(statement);
        client.run("CREATE DATABASE e");
        client.run("CREATE TABLE e.u LIKE t");
        assert_eq!(client.create_table("e.u").replace("`u`", "`t`"), client.create_table("t"));
        let ids = |client: &mut Client, table: &str| {
            client.column(&format!("SHOW PARTITIONS FROM {table}"), 0)
        };
        let source = ids(&mut client, "t");
        assert!(ids(&mut client, "e.u").iter().all(|id| !source.contains(id)));
        client.check();
    }
    let mut client = Client::new();
    client.run("CREATE VIEW v AS SELECT 1");
    assert_eq!(client.code("CREATE TABLE u LIKE v"), 1347);
    assert_eq!(client.code("CREATE TABLE u LIKE nothing"), 1146);
}

fn without_ids(rows: &[Vec<String>]) -> Vec<&[String]> {
    rows.iter().map(|row| &row[1..]).collect()
}

#[test]
fn names_are_taken_once_and_by_case() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT)");
    assert_eq!(client.code("CREATE TABLE t (a INT)"), 1050);
    assert_eq!(client.code("CREATE VIEW t AS SELECT 1"), 1050);
    assert_eq!(client.code("CREATE TABLE t LIKE t"), 1050);
    let reply = client.run("CREATE TABLE IF NOT EXISTS t (b INT)");
    assert_eq!(reply.warnings[0].code, 1050);
    client.run("CREATE TABLE T (b INT)");
    assert_eq!(client.column("DESC T", 0), ["b"]);
    assert_eq!(client.column("DESC t", 0), ["a"]);
    assert_eq!(client.column("SHOW TABLES", 0), ["T", "t"]);
}

#[test]
fn a_dropped_table_is_gone() {
    let mut client = Client::new();
    assert_eq!(client.code("DROP TABLE t"), 1051);
    assert_eq!(client.run("DROP TABLE IF EXISTS t").warnings[0].code, 1051);
    client.run(RICH[0]);
    client.run("CREATE VIEW v AS SELECT 1");
    assert_eq!(client.code("DROP TABLE v"), 1347);
    assert_eq!(client.code("DROP VIEW t"), 1347);
    client.run("DROP TABLE t FORCE");
    assert_eq!(client.code("DESC t"), 1146);
    client.run("DROP VIEW v");
    client.check();
    assert_eq!(client.harness.store.pairs().count(), 3, "counter, database and its name");
}

#[test]
fn a_definition_too_long_to_store_is_refused() {
    let mut client = Client::new();
    let comment = "x".repeat(900);
    let columns: Vec<String> =
        (0..1_160).map(|n| format!("c{n} INT COMMENT '{comment}'")).collect();
    let failure = client.fail(&format!("CREATE TABLE t ({})", columns[..1_120].join(",")));
    assert!(failure.message.contains("can be stored"), "{failure}");
    client.run(&format!("CREATE TABLE t ({})", columns[..1_000].join(",")));
}
