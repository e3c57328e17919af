//! Statements of the catalog as clients send them. Tables: `table.rs`.

#![allow(clippy::unwrap_used)]

use quorate_sql::{
    AlterAction, AlterJob, CatalogStatement, ColumnPosition, CreateOf, DatabaseName, Describe,
    ErrorKind, ObjectName, PartitionItem, Show, ShowFilter, catalog_statement,
};

fn parse(text: &str) -> CatalogStatement {
    catalog_statement(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn show(text: &str) -> Show {
    match parse(text) {
        CatalogStatement::Show(show) => show,
        other => panic!("{text}: {other:?}"),
    }
}

fn actions(text: &str) -> Vec<AlterAction> {
    match parse(text) {
        CatalogStatement::AlterTable(alter) => alter.actions,
        other => panic!("{text}: {other:?}"),
    }
}

fn object(parts: &[&str]) -> ObjectName {
    let mut parts = parts.iter().rev().map(|part| (*part).to_owned());
    let name = parts.next().unwrap();
    let database = parts.next();
    ObjectName { catalog: parts.next(), database, name }
}

fn database(name: &str) -> DatabaseName {
    DatabaseName { catalog: None, name: name.to_owned() }
}

#[test]
fn what_is_no_catalog_statement_is_refused() {
    assert_eq!(catalog_statement(" -- x").unwrap_err().kind, ErrorKind::Empty);
    assert_eq!(catalog_statement("").unwrap_err().errno(), 1065);
    let error = catalog_statement("DROP TABEL t").unwrap_err();
    assert_eq!(
        error.to_string(),
        "You have an error in your SQL syntax; expected DATABASE, SCHEMA, TABLE, VIEW, found \
         'TABEL' near 'TABEL t' at line 1"
    );
    for text in [
        "SELECT 1",
        "GRANT ALL ON *.* TO u",
        "USE a.b.c",
        "USE select",
        "USE a b",
        "SET a = 1",
        "SHOW",
        "SHOW FULL DATABASES",
        "SHOW TABLES LIKE x",
        "SHOW TABLES WHERE",
        "SHOW TABLES WHERE a",
        "SHOW TABLES WHERE a NOT 1",
        "SHOW CREATE t",
        "SHOW COLUMNS",
        "SHOW ALTER TABLE",
        "DROP TABLE a.b.c.d",
        "DROP TABLE a; DROP TABLE b",
        "TRUNCATE t",
        "CREATE VIEW v AS",
        "CREATE VIEW v AS DROP TABLE t",
        "CREATE VIEW v AS SELECT 1; SELECT 2",
        "ALTER TABLE t",
        "ALTER TABLE t ADD",
        "ALTER TABLE t ADD TEMPORARY COLUMN a INT",
        "ALTER TABLE t DROP COLUMN a,",
        "ALTER DATABASE d",
        "CREATE DATABASE d PROPERTIES (\"a\")",
    ] {
        assert_eq!(catalog_statement(text).unwrap_err().kind, ErrorKind::Syntax, "{text}");
    }
}

#[test]
fn alter_table() {
    let all = actions(
        "ALTER TABLE `d`.t ADD COLUMN a INT NULL AFTER b, ADD COLUMN (c INT, d INT), \
         DROP COLUMN e, MODIFY COLUMN f BIGINT AS g + 1 FIRST, RENAME COLUMN g TO h, \
         COMMENT = 'x', MODIFY COLUMN i COMMENT 'y', ORDER BY (a, b), \
         ADD INDEX x (a) USING BITMAP, DROP INDEX x",
    );
    assert_eq!(all.len(), 10);
    assert!(matches!(&all[0], AlterAction::AddColumn { position, .. }
        if *position == Some(ColumnPosition::After("b".into()))));
    assert!(matches!(&all[3], AlterAction::ModifyColumn { column, position }
        if column.generated.as_deref() == Some("g + 1")
            && *position == Some(ColumnPosition::First)));
    assert_eq!(actions("ALTER TABLE t RENAME u"), [AlterAction::Rename("u".into())]);
    assert_eq!(actions("ALTER TABLE t SWAP WITH u"), [AlterAction::SwapWith("u".into())]);
    assert!(matches!(&actions("ALTER TABLE t SET (\"k\"=\"v\")")[..],
        [AlterAction::SetProperties(properties)] if properties[0].value == "v"));
    assert!(matches!(
        &actions("ALTER TABLE t ADD TEMPORARY PARTITION p VALUES IN (1) DISTRIBUTED BY RANDOM")[..],
        [AlterAction::AddPartition { temporary: true, distribution: Some(_), .. }]
    ));
    assert!(matches!(
        &actions("ALTER TABLE t ADD PARTITIONS START (1) END (9) EVERY (2)")[..],
        [AlterAction::AddPartition { partition: PartitionItem::Batch { .. }, .. }]
    ));
    assert_eq!(
        actions("ALTER TABLE t DROP PARTITION IF EXISTS p FORCE"),
        [AlterAction::DropPartition {
            temporary: false,
            if_exists: true,
            name: "p".into(),
            force: true
        }]
    );
}

#[test]
fn views_keep_their_query_as_written() {
    let CatalogStatement::CreateView(view) = parse(
        "CREATE OR REPLACE VIEW d.v (a COMMENT 'x', b)\n COMMENT 'y' AS \
         SELECT  1, /* z */ ';' ; -- end",
    ) else {
        panic!()
    };
    assert!(view.or_replace && !view.if_not_exists);
    assert_eq!(view.query, "SELECT  1, /* z */ ';'");
    assert_eq!(view.columns[0].comment.as_deref(), Some("x"));
    let CatalogStatement::AlterView(view) = parse("ALTER VIEW v AS WITH a AS (SELECT 1) TABLE a")
    else {
        panic!()
    };
    assert_eq!(view.query, "WITH a AS (SELECT 1) TABLE a");
    let CatalogStatement::CreateView(view) = parse("CREATE VIEW v AS SELECT 1 /*!40101 + 1 */")
    else {
        panic!()
    };
    assert_eq!(view.query, "SELECT 1 + 1");
}

#[test]
fn use_and_set_catalog() {
    assert_eq!(parse("use `d1`"), CatalogStatement::Use(database("d1")));
    assert_eq!(
        parse("USE default_catalog.d1;"),
        CatalogStatement::Use(DatabaseName {
            catalog: Some("default_catalog".into()),
            name: "d1".into()
        })
    );
    assert_eq!(parse("SET CATALOG 'x'"), CatalogStatement::SetCatalog("x".into()));
}

#[test]
fn shows_of_clients() {
    assert_eq!(show("SHOW schemas"), Show::Databases { catalog: None, filter: None });
    assert_eq!(
        show("show databases from c like 'd%'"),
        Show::Databases { catalog: Some("c".into()), filter: Some(ShowFilter::Like("d%".into())) }
    );
    let Show::Tables(tables) = show("SHOW FULL TABLES FROM `d1`") else { panic!() };
    assert_eq!((tables.full, tables.database), (true, Some(database("d1"))));
    let Show::Tables(tables) = show("SHOW TABLES WHERE Tables_in_d1 LIKE 't%'") else { panic!() };
    assert!(matches!(tables.filter, Some(ShowFilter::Where(_))));
    let Show::Columns(columns) = show("SHOW FULL COLUMNS FROM `d1`.`t1`") else { panic!() };
    assert_eq!((columns.full, columns.table), (true, object(&["d1", "t1"])));
    let Show::Columns(columns) = show("SHOW FIELDS FROM t1 FROM c.d1 LIKE 'a'") else { panic!() };
    assert_eq!(columns.table, object(&["c", "d1", "t1"]));
    assert_eq!(
        show("SHOW CREATE TABLE `d1`.`t1`"),
        Show::Create(CreateOf::Table(object(&["d1", "t1"])))
    );
    assert_eq!(show("SHOW CREATE VIEW v"), Show::Create(CreateOf::View(object(&["v"]))));
    assert_eq!(show("SHOW CREATE SCHEMA d"), Show::Create(CreateOf::Database(database("d"))));
    let Show::Index { table, filter } = show("SHOW KEYS FROM t IN d WHERE Key_name = 'PRIMARY'")
    else {
        panic!()
    };
    assert!(filter.is_some());
    assert_eq!(table, object(&["d", "t"]));
    assert_eq!(show("SHOW CATALOGS"), Show::Catalogs(None));
    assert!(matches!(show("SHOW TABLE STATUS FROM d LIKE 't'"), Show::TableStatus { .. }));
    let Show::Alter { job, database: in_database, tail } = show(
        "SHOW ALTER TABLE COLUMN FROM `db` WHERE TableName='t' AND State='RUNNING' \
         ORDER BY CreateTime DESC LIMIT 1",
    ) else {
        panic!()
    };
    assert_eq!((job, in_database), (AlterJob::Column, Some(database("db"))));
    assert!(tail.order_by[0].descending && tail.filter.is_some() && tail.limit.is_some());
    assert!(matches!(show("SHOW TEMPORARY PARTITIONS FROM t"), Show::Partitions { .. }));
}

#[test]
fn describe() {
    for text in ["DESCRIBE `d1`.`t1`", "desc d1.t1", "EXPLAIN d1.t1;"] {
        let describe = Describe { table: object(&["d1", "t1"]), all: false, column: None };
        assert_eq!(parse(text), CatalogStatement::Describe(describe));
    }
    assert!(matches!(parse("DESC t ALL"), CatalogStatement::Describe(Describe { all: true, .. })));
    assert!(matches!(
        parse("DESC t a"),
        CatalogStatement::Describe(Describe { column: Some(_), .. })
    ));
}
