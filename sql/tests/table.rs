//! `CREATE TABLE` and its types, columns, partitions and printed shape.

#![allow(clippy::unwrap_used)]

use quorate_sql::{
    CatalogStatement, CreateTable, DataType, DefaultValue, DistributionMethod, ErrorKind, KeyKind,
    Literal, ObjectName, PartitionBy, PartitionItem, PartitionValues, catalog_statement,
};

fn parse(text: &str) -> CatalogStatement {
    catalog_statement(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn table(text: &str) -> CreateTable {
    match parse(text) {
        CatalogStatement::CreateTable(table) => *table,
        other => panic!("{text}: {other:?}"),
    }
}

fn data_type(text: &str) -> DataType {
    table(&format!("CREATE TABLE t (a {text})")).columns.remove(0).data_type
}

fn object(parts: &[&str]) -> ObjectName {
    let mut parts = parts.iter().rev().map(|part| (*part).to_owned());
    let name = parts.next().unwrap();
    let database = parts.next();
    ObjectName { catalog: parts.next(), database, name }
}

fn refused(text: &str) -> String {
    match catalog_statement(text) {
        Err(error) => error.reason,
        Ok(statement) => panic!("{text}: {statement:?}"),
    }
}

#[test]
fn malformed_tables_are_refused_with_a_hint() {
    assert_eq!(
        refused("CREATE TABLE t (a INT PRIMARY KEY)"),
        "expected the key behind the list of columns, as in PRIMARY KEY (id), found 'PRIMARY'"
    );
    assert_eq!(
        refused("CREATE TABLE t (a INT, PRIMARY KEY (a))"),
        "expected a column; the key goes behind the list of columns, found 'PRIMARY'"
    );
    assert_eq!(
        refused("CREATE TABLE t (a INT) PROPERTIES ('a'='b') COMMENT 'x'"),
        "expected ENGINE, the key, COMMENT, PARTITION BY, DISTRIBUTED BY, ORDER BY, ROLLUP, \
         PROPERTIES, in this order, found 'COMMENT'"
    );
    assert_eq!(refused("CREATE TABLE t (a INT NULL NOT NULL)"), "NULL is given twice");
    assert_eq!(refused("CREATE TABLE t (INDEX i (a))"), "a table must have at least 1 column");
    assert_eq!(refused("CREATE TABLE t (a FOO)"), "expected a column type, found 'FOO'");
    assert_eq!(
        refused("CREATE TABLE t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 0"),
        "a table has at least 1 bucket"
    );
    for text in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t (a INT) AS SELECT 1",
        "CREATE TABLE t (a INT UNSIGNED)",
        "EXPLAIN SELECT 1",
    ] {
        assert_eq!(catalog_statement(text).unwrap_err().kind, ErrorKind::Unsupported, "{text}");
    }
}

#[test]
fn type_arguments_out_of_bounds_are_refused() {
    for (data_type, reason) in [
        ("DECIMAL(0)", "DECIMAL precision must be 1 to 38, not 0"),
        ("DECIMAL(39, 2)", "DECIMAL precision must be 1 to 38, not 39"),
        ("DECIMAL(300)", "DECIMAL precision must be 1 to 38, not 300"),
        ("DECIMAL(5, 6)", "DECIMAL scale must be 0 to 5, not 6"),
        ("DECIMAL32(10)", "DECIMAL precision must be 1 to 9, not 10"),
        ("DECIMAL64(19)", "DECIMAL precision must be 1 to 18, not 19"),
        ("VARCHAR(0)", "VARCHAR length must be 1 to 1048576, not 0"),
        ("VARCHAR(1048577)", "VARCHAR length must be 1 to 1048576, not 1048577"),
        ("CHAR(256)", "CHAR length must be 1 to 255, not 256"),
        ("DATETIME(7)", "DATETIME digits must be 0 to 6, not 7"),
        ("MAP<JSON, INT>", "json cannot be the key of a MAP"),
    ] {
        let error = catalog_statement(&format!("CREATE TABLE t (a {data_type})")).unwrap_err();
        assert_eq!((error.kind, error.reason.as_str()), (ErrorKind::Invalid, reason));
    }
    for data_type in ["VARCHAR(-1)", "VARCHAR()", "CHAR(*)", "ARRAY", "ARRAY<>", "STRUCT<INT>"] {
        assert!(catalog_statement(&format!("CREATE TABLE t (a {data_type})")).is_err());
    }
}

#[test]
fn types_print_as_starrocks_prints_them() {
    for (written, printed) in [
        ("BOOLEAN", "boolean"),
        ("tinyint", "tinyint(4)"),
        ("SMALLINT(3)", "smallint(6)"),
        ("INTEGER", "int(11)"),
        ("BIGINT", "bigint(20)"),
        ("LARGEINT", "largeint(40)"),
        ("FLOAT(7, 2)", "float"),
        ("DOUBLE PRECISION", "double"),
        ("DECIMAL", "decimal(10, 0)"),
        ("NUMERIC(12)", "decimal(12, 0)"),
        ("DECIMAL32", "decimal(9, 0)"),
        ("DECIMALV2(27, 9)", "decimal(27, 9)"),
        ("DATE", "date"),
        ("TIMESTAMP", "datetime"),
        ("DATETIME(6)", "datetime"),
        ("CHAR", "char(1)"),
        ("VARCHAR(20)", "varchar(20)"),
        ("VARCHAR(*)", "varchar(1048576)"),
        ("STRING", "varchar(65533)"),
        ("TEXT", "varchar(65533)"),
        ("BINARY", "varbinary"),
        ("VARBINARY(16)", "varbinary(16)"),
        ("JSON", "json"),
        ("HLL", "hll"),
        ("BITMAP", "bitmap"),
        ("PERCENTILE", "percentile"),
        ("ARRAY<INT>", "array<int(11)>"),
        ("MAP<INT,ARRAY<STRING>>", "map<int(11),array<varchar(65533)>>"),
        ("STRUCT<a: INT, `b c` DATE>", "struct<a int(11), `b c` date>"),
    ] {
        assert_eq!(data_type(written).to_string(), printed);
    }
}

#[test]
fn types_tell_information_schema_about_themselves() {
    let decimal = data_type("DECIMAL(10, 2)");
    assert_eq!(decimal.data_type(), "decimal");
    assert_eq!((decimal.numeric_precision(), decimal.numeric_scale()), (Some(10), Some(2)));
    assert_eq!(data_type("BIGINT").numeric_precision(), Some(19));
    assert_eq!(data_type("DOUBLE").numeric_scale(), None);
    assert_eq!(data_type("VARCHAR(20)").character_length(), Some(20));
    assert_eq!(data_type("DATE").character_length(), None);
    assert_eq!(data_type("DATETIME").datetime_precision(), Some(0));
}

#[test]
fn table_of_sqlalchemy() {
    let table = table(
        "\nCREATE TABLE t2 (\n\tid INTEGER NOT NULL, \n\tv VARCHAR(20)\n)\nPRIMARY KEY (id)\n\
         DISTRIBUTED BY HASH(id) BUCKETS 1\nPROPERTIES(\n\t\"replication_num\"=\"1\"\n)\n\n",
    );
    assert_eq!(table.name, object(&["t2"]));
    assert_eq!(table.engine, None);
    assert_eq!(table.key.as_ref().unwrap().kind, KeyKind::Primary);
    assert_eq!(table.columns[0].nullable, Some(false));
    assert_eq!(table.columns[1].nullable, None);
    assert_eq!(table.properties[0].key, "replication_num");
}

#[test]
fn table_prints_in_the_shape_that_clients_cut_into_lines() {
    let mut table = table(
        "create table d.orders (id bigint not null, amount decimal(10,2) sum default '0',
         dt datetime default current_timestamp comment 'it''s \"when\"')
         engine=olap aggregate key(id) comment 'all orders' partition by date_trunc('day', dt)
         distributed by hash(id) buckets 4 order by (id) properties('replication_num'='1')",
    );
    table.name.database = None;
    table.engine = Some("OLAP".into());
    assert_eq!(
        format!("{table};"),
        "CREATE TABLE `orders` (\n  `id` bigint(20) NOT NULL,\n  `amount` decimal(10, 2) SUM \
         DEFAULT \"0\",\n  `dt` datetime DEFAULT CURRENT_TIMESTAMP COMMENT \"it's \\\"when\\\"\"\n\
         ) ENGINE=OLAP \nAGGREGATE KEY(`id`)\nCOMMENT \"all orders\"\n\
         PARTITION BY date_trunc('day', dt)\nDISTRIBUTED BY HASH(`id`) BUCKETS 4 \n\
         ORDER BY(`id`)\nPROPERTIES (\n\"replication_num\" = \"1\"\n);"
    );
}

#[test]
fn partitions_of_every_kind() {
    let partition = |text: &str| {
        table(&format!("CREATE TABLE t (a INT, b INT) PARTITION BY {text}")).partition.unwrap()
    };
    assert_eq!(partition("RANGE(a)()").partitions(), []);
    let range = partition(
        "RANGE(a, `b`) (PARTITION p1 VALUES LESS THAN ('1', MAXVALUE),
         PARTITION p2 VALUES LESS THAN MAXVALUE, PARTITION p3 VALUES [('1', 2), (3, -4)))",
    );
    assert_eq!(range.columns(), ["a", "b"]);
    assert_eq!(range.partitions().len(), 3);
    let list = partition("LIST(a) (PARTITION p VALUES IN (1, 2), PARTITION q VALUES IN ((1)))");
    let PartitionItem::One(first) = &list.partitions()[0] else { panic!() };
    let number = |text: &str| vec![Literal::Number(text.into())];
    assert_eq!(first.values, PartitionValues::In(vec![number("1"), number("2")]));
    let dynamic =
        partition("date_trunc('month', a) (START ('1') END ('2') EVERY (INTERVAL 1 DAY))");
    assert!(
        matches!(&dynamic, PartitionBy::Expression { partitions, .. } if partitions.len() == 1)
    );
    assert_eq!(dynamic.columns(), ["a"]);
    assert_eq!(partition("a, time_slice(b, INTERVAL 7 DAY)").columns(), ["a", "b"]);
    assert_eq!(partition("(a, b)").columns(), ["a", "b"]);
    for wrong in ["1", "RANGE()", "RANGE(a) (PARTITION p)", "RANGE(a) (PARTITION p VALUES (1))"] {
        refused(&format!("CREATE TABLE t (a INT) PARTITION BY {wrong}"));
    }
}

#[test]
fn columns_with_every_attribute() {
    let columns = table(
        "CREATE TABLE t (a INT KEY REPLACE_IF_NOT_NULL NULL DEFAULT -1 COMMENT 'x',
         b BIGINT NOT NULL AUTO_INCREMENT, c VARCHAR(36) CHARACTER SET utf8 DEFAULT uuid(),
         d INT AS a + (1, 2) COMMENT 'sum', e DATETIME DEFAULT NOW(), f INT DEFAULT NULL)",
    )
    .columns;
    assert_eq!(columns[0].default, Some(DefaultValue::Literal(Literal::Number("-1".into()))));
    assert!(columns[0].key && columns[1].auto_increment);
    assert_eq!(columns[2].default, Some(DefaultValue::Expression("uuid()".into())));
    assert_eq!(columns[3].generated.as_deref(), Some("a + (1, 2)"));
    assert_eq!(columns[3].comment.as_deref(), Some("sum"));
    assert_eq!(columns[4].default, Some(DefaultValue::CurrentTimestamp(None)));
    assert_eq!(columns[5].default, Some(DefaultValue::Literal(Literal::Null)));
    let words = table("CREATE TABLE t (comment INT, date DATE, `key` INT, text TEXT, first INT)");
    assert_eq!(words.columns.len(), 5);
    assert_eq!(words.columns[0].name, "comment");
}

#[test]
fn tables_without_columns_of_their_own() {
    let CatalogStatement::CreateTableLike(like) = parse("CREATE TABLE IF NOT EXISTS a LIKE d.b")
    else {
        panic!()
    };
    assert_eq!((like.if_not_exists, like.source), (true, object(&["d", "b"])));
    assert!(table("CREATE EXTERNAL TABLE t (a INT) ENGINE=mysql").external);
    let random = table("CREATE TABLE t (a INT) DISTRIBUTED BY RANDOM").distribution.unwrap();
    assert_eq!((random.method, random.buckets), (DistributionMethod::Random, None));
}
