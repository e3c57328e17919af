//! The bytes of every command and of every action of `ALTER TABLE`. They never change: old logs
//! are applied by new versions.

use quorate_guest::Codec;
use quorate_sql::{CatalogStatement, catalog_statement};

use super::*;

fn database() -> Ref {
    Ref { id: 5, name: "d".into() }
}

fn target() -> Target {
    Target { database: database(), object: Ref { id: 6, name: "t".into() } }
}

/// Checks the bytes of a command, and that no part of them is taken for the whole.
fn golden(command: &Command, bytes: &[u8]) {
    assert_eq!(command.to_bytes(), bytes, "{command:?}");
    assert_eq!(Command::from_bytes(bytes).as_ref(), Ok(command));
    for length in 0..bytes.len() {
        assert!(Command::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn commands_are_logged_in_these_bytes() {
    let property = Property { key: "a".into(), value: "b".into() };
    let create = Command::CreateDatabase {
        name: "d".into(),
        if_not_exists: true,
        properties: vec![property.clone()],
    };
    golden(&create, b"\x01\x00\x01d\x01\x01\x01a\x01b");
    golden(
        &Command::DropDatabase { database: database(), if_exists: false },
        b"\x01\x01\x05\x01d\x00",
    );
    golden(
        &Command::RenameDatabase { database: database(), to: "e".into() },
        b"\x01\x02\x05\x01d\x01e",
    );
    golden(
        &Command::SetDatabaseProperties { database: database(), properties: vec![property] },
        b"\x01\x03\x05\x01d\x01\x01a\x01b",
    );
    let like = Command::CreateTableLike {
        database: database(),
        name: "u".into(),
        if_not_exists: false,
        source: target(),
    };
    golden(&like, b"\x01\x05\x05\x01d\x01u\x00\x05\x01d\x06\x01t");
    golden(
        &Command::TruncateTable { target: target(), partitions: vec!["p".into()] },
        b"\x01\x07\x05\x01d\x06\x01t\x01\x01p",
    );
    golden(
        &Command::DropTable { target: target(), if_exists: true },
        b"\x01\x08\x05\x01d\x06\x01t\x01",
    );
    golden(
        &Command::AlterView { target: target(), columns: Vec::new(), query: "q".into() },
        b"\x01\x0a\x05\x01d\x06\x01t\x00\x01q",
    );
    golden(
        &Command::DropView { target: target(), if_exists: false },
        b"\x01\x0b\x05\x01d\x06\x01t\x00",
    );
}

#[test]
fn a_new_table_is_logged_in_these_bytes() {
    let statement = "CREATE TABLE IF NOT EXISTS t (a INT NOT NULL, INDEX i (a)) ENGINE = olap PRIMARY \
                     KEY (a) COMMENT 'c' PARTITION BY RANGE(a) (PARTITION p VALUES LESS THAN (1)) \
                     DISTRIBUTED BY RANDOM ORDER BY (a) ROLLUP (r (a)) PROPERTIES ('k' = 'v')";
    let Ok(CatalogStatement::CreateTable(table)) = catalog_statement(statement) else {
        panic!("{statement}")
    };
    let bytes = [
        &b"\x01\x04\x05\x01d\x00\x00\x01t\x00\x01"[..],
        b"\x01\x01a\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00",
        b"\x01\x01i\x01\x01a\x00\x00\x00",
        b"\x01\x04olap\x00\x00",
        b"\x01\x00\x01\x01a\x01\x01c",
        b"\x01\x00\x01\x00\x01a\x01\x00\x01p\x00\x00\x01\x00\x01\x011\x00",
        b"\x01\x01\x00\x01\x01a",
        b"\x01\x01r\x01\x01a\x00\x00\x00",
        b"\x01\x01k\x01v",
    ];
    golden(&Command::CreateTable { database: database(), table }, &bytes.concat());
}

#[test]
fn a_new_view_is_logged_in_these_bytes() {
    let statement = "CREATE OR REPLACE VIEW v (a) COMMENT 'c' AS SELECT 1";
    let Ok(CatalogStatement::CreateView(view)) = catalog_statement(statement) else {
        panic!("{statement}")
    };
    golden(
        &Command::CreateView { database: database(), view },
        b"\x01\x09\x05\x01d\x00\x00\x01v\x01\x00\x01\x01a\x00\x01\x01c\x08SELECT 1",
    );
}

#[test]
fn actions_are_logged_in_these_bytes() {
    let column = b"\x01c\x03\x00\x00\x00\x00\x00\x00\x00\x00";
    let with_column = |tag: u8, tail: &[u8]| [&[tag], &column[..], tail].concat();
    for (action, bytes) in [
        ("ADD COLUMN c INT FIRST", with_column(0, b"\x01\x00")),
        ("ADD COLUMN (c INT)", [&b"\x01\x01"[..], column].concat()),
        ("DROP COLUMN c", b"\x02\x01c".to_vec()),
        ("MODIFY COLUMN c INT AFTER b", with_column(3, b"\x01\x01\x01b")),
        ("MODIFY COLUMN c COMMENT 'x'", b"\x04\x01c\x01x".to_vec()),
        ("RENAME COLUMN c TO b", b"\x05\x01c\x01b".to_vec()),
        ("ORDER BY (c)", b"\x06\x01\x01c".to_vec()),
        ("RENAME u", b"\x07\x01u".to_vec()),
        ("SWAP WITH u", b"\x08\x01u".to_vec()),
        ("SET ('a' = 'b')", b"\x09\x01\x01a\x01b".to_vec()),
        ("COMMENT = 'x'", b"\x0a\x01x".to_vec()),
        ("DISTRIBUTED BY RANDOM BUCKETS 2", b"\x0b\x01\x01\x02".to_vec()),
        (
            "ADD TEMPORARY PARTITION p VALUES [(1), (MAXVALUE)) DISTRIBUTED BY RANDOM ('a' = 'b')",
            b"\x0c\x01\x00\x01p\x00\x01\x01\x00\x01\x011\x01\x01\x00\x01\x01\x00\x01\x01a\x01b".to_vec(),
        ),
        (
            "ADD PARTITIONS START ('1') END ('3') EVERY (1)",
            b"\x0c\x00\x01\x00\x011\x00\x013\x01\x00\x00\x00".to_vec(),
        ),
        ("DROP PARTITION IF EXISTS p FORCE", b"\x0d\x00\x01\x01p\x01".to_vec()),
        ("RENAME PARTITION p q", b"\x0e\x01p\x01q".to_vec()),
        ("ADD INDEX i (c)", b"\x0f\x01i\x01\x01c\x00\x00\x00".to_vec()),
        ("DROP INDEX i", b"\x10\x01i".to_vec()),
        ("ADD ROLLUP r (c)", b"\x11\x01r\x01\x01c\x00\x00\x00".to_vec()),
        ("DROP ROLLUP r", b"\x12\x01r".to_vec()),
        (
            "ADD PARTITION p VALUES IN ('x', NULL)",
            b"\x0c\x00\x00\x01p\x00\x02\x02\x01\x00\x01x\x01\x03\x00\x00\x00".to_vec(),
        ),
    ] {
        let statement = format!("ALTER TABLE t {action}");
        let Ok(CatalogStatement::AlterTable(alter)) = catalog_statement(&statement) else {
            panic!("{statement}")
        };
        let command = Command::AlterTable { target: target(), actions: alter.actions };
        golden(&command, &[&b"\x01\x06\x05\x01d\x06\x01t\x01"[..], &bytes].concat());
    }
}
