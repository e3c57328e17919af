//! What clients send, word for word.

use super::*;

#[test]
fn the_mysql_shell_gets_its_greeting() {
    let rows = run("select @@version_comment limit 1").unwrap();
    assert_eq!(rows.columns, [Column::text("@@version_comment")]);
    assert_eq!(shown(&rows), ["StarRocks"]);
    assert_eq!(answer("select DATABASE(), USER() limit 1"), ["d1|'root'@'127.0.0.1'"]);
    let sets = "select @@character_set_client, @@character_set_connection, @@character_set_server, @@character_set_database limit 1";
    assert_eq!(answer(sets), ["NULL|NULL|NULL|NULL"]);
    assert_eq!(labels(sets)[3], "@@character_set_database");
}

#[test]
fn sqlalchemy_connects() {
    for (sql, expected) in [
        ("SELECT CURRENT_VERSION()", "3.3.0 quorate"),
        ("SELECT DATABASE()", "d1"),
        ("SELECT @@tx_isolation", "REPEATABLE-READ"),
        ("SELECT @@transaction_isolation", "NULL"),
        ("SELECT VERSION()", "8.0.33"),
        ("SELECT 1", "1"),
        ("SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1", "test plain returns"),
        ("SELECT 'x' AS some_label", "x"),
    ] {
        assert_eq!(value(sql), expected, "{sql}");
    }
}

#[test]
fn sqlalchemy_reflects_a_table() {
    let tables =
        "SELECT * FROM information_schema.tables WHERE table_schema = 'd1' AND table_name = 't1'";
    assert_eq!(answer(tables), ["d1|t1|BASE TABLE"]);
    assert_eq!(labels(tables), ["TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE"]);
    assert_eq!(
        answer("SELECT * FROM information_schema.views WHERE table_schema = 'd1'"),
        ["d1|v1"]
    );
    let missing = run("SELECT * FROM information_schema.tables_config WHERE table_schema = 'd1'")
        .unwrap_err();
    assert_eq!(missing.code, 5502);
    assert!(missing.message.contains("Unknown table 'information_schema.tables_config'"));
}

#[test]
fn jdbc_reads_its_session_in_one_long_select() {
    let sql = "/* mysql-connector-java-8.0.33 (Revision: 7d6b0800528b6b25c68b52dc10d6c1c8429c100c) */\
        SELECT  @@session.auto_increment_increment AS auto_increment_increment, \
        @@character_set_client AS character_set_client, @@collation_server AS collation_server, \
        @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, \
        @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, \
        @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, \
        @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, \
        @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout";
    let rows = run(sql).unwrap();
    assert_eq!(rows.columns.len(), 15);
    assert_eq!(rows.columns[7], Column::new("max_allowed_packet", ColumnType::Int));
    assert_eq!(rows.rows[0][7], Value::Int(33_554_432));
}

#[test]
fn tools_browse_with_joins_and_functions() {
    let dbeaver = "/* ApplicationName=DBeaver 23.1 - Metadata */ SELECT DATABASE()";
    assert_eq!(value(dbeaver), "d1");
    let dbt = "select table_name as `name`, table_schema as `schema`, \
        case when table_type = 'BASE TABLE' then 'table' when table_type = 'VIEW' then 'view' else table_type end as table_type \
        from information_schema.tables where table_schema = 'd1' order by 1";
    assert_eq!(answer(dbt), ["t1|d1|table", "v1|d1|view"]);
    let connector = "SELECT TABLE_SCHEMA AS TABLE_CAT, NULL AS TABLE_SCHEM, TABLE_NAME, \
        CASE WHEN TABLE_TYPE='BASE TABLE' THEN CASE WHEN TABLE_SCHEMA = 'mysql' OR TABLE_SCHEMA = 'performance_schema' \
        THEN 'SYSTEM TABLE' ELSE 'TABLE' END WHEN TABLE_TYPE='TEMPORARY' THEN 'LOCAL_TEMPORARY' ELSE TABLE_TYPE END AS TABLE_TYPE \
        FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE '%' HAVING TABLE_TYPE IN ('TABLE','VIEW',null,null,null) \
        ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME";
    assert_eq!(answer(connector), ["d1|NULL|t1|TABLE", "d2|NULL|T2|TABLE", "d1|NULL|v1|VIEW"]);
    let joined = "SELECT c.column_name, t.table_type FROM information_schema.`columns` c \
        LEFT JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
        WHERE c.ordinal_position > 1 ORDER BY c.ordinal_position DESC";
    assert_eq!(answer(joined), ["price|BASE TABLE", "name|BASE TABLE"]);
}

#[test]
fn names_of_every_form_are_found() {
    for sql in [
        "SELECT count(*) FROM information_schema.tables",
        "SELECT COUNT(*) FROM `INFORMATION_SCHEMA`.`Tables`",
        "SELECT count(*) FROM default_catalog.information_schema.tables x WHERE x.TABLE_NAME <> ''",
        "SELECT count(tables.table_name) FROM information_schema.tables",
        "SELECT count(information_schema.tables.table_name) FROM information_schema.tables",
        "WITH tables AS (SELECT * FROM information_schema.tables) SELECT COUNT(*) FROM tables",
        "SELECT COUNT(*) FROM (SELECT * FROM information_schema.tables) AS t",
    ] {
        assert_eq!(value(sql), "4", "{sql}");
    }
    let in_sys = Scope { database: Some("SYS".into()), ..scope() };
    let none = Scope { database: None, ..scope() };
    let of =
        |scope: &Scope, sql: &str| select(sql, scope, fake(), &Limits::default(), &Cancel::new());
    assert_eq!(shown(&of(&in_sys, "SELECT * FROM tables").unwrap()), ["root"]);
    assert_eq!(
        shown(&of(&in_sys, "SELECT * FROM tables, information_schema.views").unwrap()),
        ["root|d1|v1"]
    );
    assert_eq!(of(&none, "SELECT * FROM tables").unwrap_err().code, 1046);
    assert_eq!(code("SELECT * FROM tables"), 5502);
    assert_eq!(code("SELECT * FROM hive.information_schema.tables"), 1064);
}

#[test]
fn labels_are_the_text_as_written() {
    let sql = "SELECT COUNT( * ), table_name, t.TABLE_TYPE,'it''s', 1+1 , @@autocommit, NOW() AS `when`, (SELECT 2) \
        FROM information_schema.tables t";
    assert_eq!(
        labels(sql),
        [
            "COUNT( * )",
            "table_name",
            "TABLE_TYPE",
            "it's",
            "1+1",
            "@@autocommit",
            "when",
            "(SELECT 2)"
        ]
    );
    assert_eq!(
        labels("WITH x AS (SELECT 1 a) SELECT DISTINCT Max(a)\n, \"\u{e9}\" FROM x"),
        ["Max(a)", "\u{e9}"]
    );
    assert_eq!(labels("(SELECT Length('x')) UNION SELECT 2"), ["Length('x')"]);
    assert_eq!(labels("SELECT `we``ird\\`, 1 FROM (SELECT 1 AS `we``ird\\`) q"), ["we`ird\\", "1"]);
}

#[test]
fn types_come_from_the_tree_even_without_rows() {
    let sql = "SELECT n, u, ratio, day, COUNT(*), MAX(u), AVG(n), n / 2, n + 1, n > 1, CONCAT(n), NOW(), CURDATE(), \
        IF(n, day, NULL), CAST(n AS DECIMAL(10,2)), x'00', @u, NULL FROM test.numbers WHERE n > 100 GROUP BY 1, 2, 3, 4";
    let types: Vec<ColumnType> = run(sql).unwrap().columns.iter().map(|c| c.column_type).collect();
    use ColumnType::{Bytes, Date, DateTime, Decimal, Double, Int, Text, UInt};
    let expected = [
        Int, UInt, Double, Date, Int, UInt, Double, Double, Int, Int, Text, DateTime, Date, Date,
        Decimal, Bytes, Text, Text,
    ];
    assert_eq!(types, expected);
    let described = describe(
        "SELECT key, COUNT(*) c FROM kv.pairs WHERE key = ? GROUP BY key",
        &scope(),
        fake(),
    );
    assert_eq!(described.unwrap(), [Column::new("key", Bytes), Column::new("c", Int)]);
}
