//! Databases, the current one, and catalogs.

use quorate_guest::SessionChange;

use crate::client::Client;

#[test]
fn unknown_databases_and_catalogs_are_refused() {
    let mut client = Client::empty();
    assert_eq!(client.code("USE nothing"), 1049);
    assert_eq!(client.code("SHOW TABLES"), 1046);
    assert_eq!(client.code("CREATE TABLE t (a INT)"), 1046);
    assert_eq!(client.code("CREATE TABLE nothing.t (a INT)"), 1049);
    assert_eq!(client.code("SHOW TABLES FROM nothing"), 1049);
    assert_eq!(client.code("SHOW CREATE DATABASE nothing"), 1049);
    assert_eq!(client.code("DROP DATABASE nothing"), 1008);
    assert_eq!(client.code("ALTER DATABASE nothing RENAME x"), 1049);
    assert_eq!(client.code("SET CATALOG hive"), 1049);
    assert_eq!(client.code("SHOW DATABASES FROM hive"), 1049);
    assert_eq!(client.code("USE hive.d"), 1049);
}

#[test]
fn a_mistake_is_worded_as_mysql_words_it() {
    let failure = Client::empty().fail("CREATE\nTABEL t");
    assert_eq!((failure.code, failure.sqlstate.as_str()), (1064, "42000"));
    assert!(failure.message.starts_with("You have an error in your SQL syntax;"), "{failure}");
    assert!(failure.message.ends_with("near 'TABEL t' at line 2"), "{failure}");
    assert_eq!(Client::empty().code("CREATE TABLE t AS SELECT 1"), 1235);
    assert_eq!(Client::empty().code(""), 1065);
}

#[test]
fn a_database_is_created_once() {
    let mut client = Client::empty();
    client.run("CREATE DATABASE d");
    let failure = client.fail("CREATE DATABASE d");
    assert_eq!(failure.code, 1007);
    assert_eq!(failure.message, "Can't create database 'd'; database exists");
    let lsn = client.harness.lsn;
    let reply = client.run("CREATE DATABASE IF NOT EXISTS d");
    assert_eq!(reply.warnings[0].code, 1007);
    assert_eq!(client.harness.lsn, lsn, "what changes nothing is not logged");
    client.run("CREATE DATABASE D");
    assert_eq!(client.column("SHOW DATABASES", 0), ["D", "d", "information_schema"]);
    client.check();
}

#[test]
fn system_databases_cannot_be_changed() {
    let mut client = Client::empty();
    for name in ["information_schema", "INFORMATION_SCHEMA", "sys", "_statistics_"] {
        assert_eq!(client.code(&format!("CREATE DATABASE {name}")), 1007);
        assert_eq!(client.code(&format!("DROP DATABASE {name}")), 1044);
        assert_eq!(client.code(&format!("CREATE TABLE {name}.t (a INT)")), 1044);
    }
    assert_eq!(client.code("DROP TABLE information_schema.tables"), 1044);
}

#[test]
fn a_dropped_database_takes_everything_with_it() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT) PARTITION BY RANGE(a) (PARTITION p VALUES LESS THAN (1))");
    client.run("CREATE VIEW v AS SELECT 1");
    client.run("CREATE DATABASE e");
    client.run("CREATE TABLE e.t (a INT)");
    client.run("DROP DATABASE d FORCE");
    client.check();
    assert_eq!(client.code("DESC d.t"), 1049);
    assert_eq!(client.column("SHOW TABLES FROM e", 0), ["t"]);
    let reply = client.run("DROP DATABASE IF EXISTS d");
    assert_eq!(reply.warnings[0].code, 1008);
    client.run("CREATE DATABASE d");
    assert!(client.rows("SHOW TABLES FROM d").is_empty());
}

#[test]
fn a_renamed_database_keeps_its_tables() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT)");
    client.run("CREATE DATABASE e PROPERTIES ('b' = '1')");
    assert_eq!(client.code("ALTER DATABASE d RENAME e"), 1007);
    client.run("ALTER DATABASE d RENAME f");
    assert_eq!(client.column("SHOW DATABASES", 0), ["e", "f", "information_schema"]);
    assert_eq!(client.column("SHOW TABLES FROM f", 0), ["t"]);
    client.run("ALTER DATABASE e SET ('a' = '2', 'b' = '3')");
    assert_eq!(
        client.rows("SHOW CREATE DATABASE e"),
        [["e", "CREATE DATABASE `e`\nPROPERTIES (\n\"a\" = \"2\",\n\"b\" = \"3\"\n)"]]
    );
    client.check();
}

#[test]
fn use_changes_the_session() {
    let mut client = Client::new();
    let reply = client.run("USE default_catalog.d");
    assert_eq!(reply.session, [SessionChange::Database("d".into())]);
    client.run("USE INFORMATION_SCHEMA");
    assert_eq!(client.harness.session.database.as_deref(), Some("information_schema"));
    assert!(client.column("SHOW TABLES", 0).contains(&"columns".to_owned()));
    client.run("SET CATALOG default_catalog");
    client.harness.session.database = Some("default_catalog.d".into());
    assert!(client.rows("SHOW TABLES").is_empty());
    assert_eq!(client.rows("SHOW CATALOGS")[0][..2], ["default_catalog", "Internal"]);
}
