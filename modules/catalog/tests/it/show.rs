//! What `SHOW` and `DESC` show, and under which names.

use crate::client::Client;

#[test]
fn columns_are_named_as_starrocks_names_them() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT, INDEX i (a))");
    for (statement, columns) in [
        ("SHOW CATALOGS", "Catalog Type Comment"),
        ("SHOW DATABASES", "Database"),
        ("SHOW TABLES", "Tables_in_d"),
        ("SHOW FULL TABLES FROM d", "Tables_in_d Table_type"),
        ("DESC t", "Field Type Null Key Default Extra"),
        ("DESC t ALL", "IndexName IndexKeysType Field Type Null Key Default Extra"),
        ("SHOW COLUMNS FROM t", "Field Type Null Key Default Extra"),
        (
            "SHOW FULL COLUMNS FROM t",
            "Field Type Collation Null Key Default Extra Privileges Comment",
        ),
        (
            "SHOW TABLE STATUS",
            "Name Engine Version Row_format Rows Avg_row_length Data_length Max_data_length \
             Index_length Data_free Auto_increment Create_time Update_time Check_time Collation \
             Checksum Create_options Comment",
        ),
        (
            "SHOW INDEX FROM t",
            "Table Non_unique Key_name Seq_in_index Column_name Collation Cardinality Sub_part \
             Packed Null Index_type Comment",
        ),
        (
            "SHOW ALTER TABLE COLUMN",
            "JobId TableName CreateTime FinishTime IndexName IndexId OriginIndexId SchemaVersion \
             TransactionId State Msg Progress Timeout Warehouse",
        ),
        (
            "SHOW ALTER TABLE OPTIMIZE FROM d",
            "JobId TableName CreateTime FinishTime Operation TransactionId State Msg Progress \
             Timeout Warehouse",
        ),
    ] {
        let expected: Vec<&str> = columns.split_whitespace().collect();
        assert_eq!(client.columns(statement), expected, "{statement}");
    }
}

#[test]
fn conditions_on_unknown_columns_are_refused() {
    let mut client = Client::new();
    let failure = client.fail("SHOW TABLES WHERE nothing = 1");
    assert_eq!(failure.code, 1054);
    assert_eq!(failure.message, "Unknown column 'nothing' in 'where clause'");
}

#[test]
fn conditions_narrow_what_is_shown() {
    let mut client = Client::new();
    client.run("CREATE TABLE orders (a INT)");
    client.run("CREATE TABLE users (a INT)");
    client.run("CREATE VIEW order_view AS SELECT 1");
    assert_eq!(client.column("SHOW TABLES LIKE 'order%'", 0), ["order_view", "orders"]);
    let views = client.column("SHOW FULL TABLES WHERE Table_type = 'VIEW'", 0);
    assert_eq!(views, ["order_view"]);
    assert_eq!(client.column("SHOW DATABASES LIKE 'D'", 0), ["d"]);
    assert!(client.rows("SHOW CATALOGS LIKE 'hive'").is_empty());
    let jobs = "SHOW ALTER TABLE COLUMN FROM `d` WHERE TableName='t' AND State='RUNNING'";
    assert!(client.rows(jobs).is_empty());
    assert_eq!(client.code("SHOW ALTER TABLE COLUMN FROM nothing"), 1049);
}

#[test]
fn a_table_is_described() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t (k BIGINT NOT NULL DEFAULT '5', d DATETIME DEFAULT CURRENT_TIMESTAMP, s \
         VARCHAR(9) DEFAULT '' COMMENT 'c', g INT AS k + 1) DUPLICATE KEY (k) ROLLUP (r (k))",
    );
    let lines = [
        ["k", "bigint(20)", "NO", "true", "5", ""],
        ["d", "datetime", "YES", "false", "CURRENT_TIMESTAMP", ""],
        ["s", "varchar(9)", "YES", "false", "", ""],
        ["g", "int(11)", "YES", "false", "NULL", "AS k + 1"],
    ];
    assert_eq!(client.rows("DESC t"), lines);
    assert_eq!(client.rows("DESCRIBE d.t S"), lines[2..3]);
    let all = client.rows("DESC t ALL");
    assert_eq!(all[0][..3], ["t", "DUP_KEYS", "k"]);
    assert_eq!(all[4][..3], ["r", "DUP_KEYS", "k"]);
    assert_eq!(client.code("DESC nothing"), 1146);
    assert_eq!(client.fail("DESC d.nothing").message, "Table 'd.nothing' doesn't exist");
}

#[test]
fn indexes_and_status_are_shown() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT, b INT, INDEX i (a, b) COMMENT 'x') COMMENT 'y'");
    let rows = client.rows("SHOW INDEX FROM t FROM d");
    assert_eq!(rows[1][..5], ["t", "1", "i", "2", "b"]);
    assert_eq!(rows[1][10..], ["BITMAP", "x"]);
    assert!(client.rows("SHOW KEYS FROM t WHERE Key_name = 'PRIMARY'").is_empty());
    client.harness.time_us += 60_000_000;
    client.run("ALTER TABLE t COMMENT = 'z'");
    let status = client.rows("SHOW TABLE STATUS LIKE 't'");
    assert_eq!(status[0][0..2], ["t", "StarRocks"]);
    assert_eq!(status[0][11..13], ["2026-01-01 12:00:00", "2026-01-01 12:01:00"]);
    assert_eq!(status[0][17], "z");
}

#[test]
fn relations_are_described_like_tables() {
    let mut client = Client::new();
    let lines = client.rows("DESC information_schema.TABLES");
    assert_eq!(lines[0][..2], ["TABLE_CATALOG", "varchar(65533)"]);
    assert_eq!(lines.len(), 21);
    assert!(client.create_table("information_schema.views").contains("`VIEW_DEFINITION`"));
    assert!(!client.rows("SHOW FULL COLUMNS FROM information_schema.columns").is_empty());
    assert!(client.rows("SHOW TABLE STATUS FROM information_schema").is_empty());
    assert_eq!(client.code("DESC information_schema.nothing"), 1146);
}
