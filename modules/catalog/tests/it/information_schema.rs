//! The relations of information_schema.

use catalog::Catalog;
use quorate_guest::{Constraint, Machine, Operator, Value};

use crate::client::Client;
use crate::tables::RICH;

/// A catalog with databases and tables whose names differ in case only, among others.
fn catalog() -> Client {
    let mut client = Client::new();
    client.run("CREATE DATABASE D");
    client.run("CREATE DATABASE dd");
    client.run("CREATE DATABASE z");
    for (database, name) in [("d", "t"), ("d", "T"), ("D", "t"), ("dd", "tables"), ("z", "tt")] {
        for (at, statement) in RICH.iter().enumerate() {
            let named = format!("CREATE TABLE {database}.{name}{at} (");
            client.run(&statement.replacen("CREATE TABLE t (", &named, 1));
        }
        client.run(&format!("CREATE TABLE {database}.{name} (a INT)"));
        client.run(&format!("CREATE VIEW {database}.{name}_view (x, y) AS SELECT 1, 2"));
    }
    client
}

#[test]
fn an_unknown_relation_and_a_broken_cursor_are_refused() {
    let client = catalog();
    let failure = client.harness.rows("nothing", &[]).unwrap_err();
    assert_eq!(failure.message, "Unknown table 'information_schema.nothing'");
    let context = quorate_guest::Context {
        lsn: 0,
        index: 0,
        time_us: 0,
        schema: 1,
        caller: String::new(),
    };
    let page = Catalog::scan(&context, &client.harness.store, "tables", &[], Some(&[9]));
    assert_eq!(page.unwrap_err().code, 1105);
}

#[test]
fn pushed_down_names_give_what_a_full_scan_and_a_filter_give() {
    let client = catalog();
    for relation in Catalog::describe().relations {
        let all = client.harness.rows(&relation.name, &[]).unwrap();
        let narrow: Vec<usize> = (0..relation.columns.len())
            .filter(|at| relation.columns[*at].constrainable)
            .collect();
        let values = ["d", "D", "DD", "z", "t", "T1", "t_view", "tables", "information_schema", "x"];
        let mut sets = vec![Vec::new()];
        for column in &narrow {
            for mut set in sets.clone() {
                for value in values {
                    set.push((*column, value));
                    sets.push(set.clone());
                    set.pop();
                }
            }
        }
        for set in sets {
            let constraints: Vec<Constraint> = set
                .iter()
                .map(|(column, value)| Constraint {
                    column: *column as u32,
                    operator: Operator::Eq,
                    value: (*value).into(),
                })
                .collect();
            let passes = |row: &&Vec<Value>| {
                set.iter().all(|(column, value)| match &row[*column] {
                    Value::Text(text) => text.eq_ignore_ascii_case(value),
                    _ => false,
                })
            };
            let wanted: Vec<_> = all.iter().filter(passes).cloned().collect();
            let given = client.harness.rows(&relation.name, &constraints).unwrap();
            assert_eq!(given, wanted, "{} {set:?}", relation.name);
        }
    }
}

#[test]
fn pages_are_bounded_and_lose_nothing() {
    let mut client = Client::new();
    let columns = |count: usize| {
        (0..count).map(|n| format!("c{n} INT COMMENT 'x'")).collect::<Vec<_>>().join(", ")
    };
    client.run(&format!("CREATE TABLE a ({})", columns(2_500)));
    client.run(&format!("CREATE VIEW b AS SELECT '{}'", "x".repeat(300_000)));
    client.run(&format!("CREATE VIEW c AS SELECT '{}'", "y".repeat(300_000)));
    client.run(&format!("CREATE TABLE e ({})", columns(10)));
    let context = quorate_guest::Context {
        lsn: 0,
        index: 0,
        time_us: 0,
        schema: 1,
        caller: String::new(),
    };
    for (relation, count) in [("columns", 2_510), ("views", 2)] {
        let constraints = [Constraint { column: 1, operator: Operator::Eq, value: "d".into() }];
        let (mut cursor, mut rows, mut pages) = (None, 0, 0);
        loop {
            let page = Catalog::scan(
                &context,
                &client.harness.store,
                relation,
                &constraints,
                cursor.as_deref(),
            )
            .unwrap();
            assert!(page.rows.len() <= 1024);
            pages += 1;
            rows += page.rows.len();
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(rows, count, "{relation}");
        assert!(pages > 1, "{relation}");
    }
}

#[test]
fn what_sqlalchemy_reflects_is_there() {
    let mut client = Client::new();
    client.run(
        "CREATE TABLE t (id BIGINT NOT NULL, v DECIMAL(10, 2) DEFAULT '1.5' COMMENT 'c') PRIMARY \
         KEY (id) COMMENT 'x' DISTRIBUTED BY HASH(id) BUCKETS 4 PROPERTIES ('a' = '\"')",
    );
    let of_t = |client: &Client, relation: &str, schema: usize| {
        client.select(relation, &[(schema, "d"), (schema + 1, "t")])
    };
    let columns = of_t(&client, "columns", 1);
    assert_eq!(columns[0][..8], ["def", "d", "t", "id", "1", "NULL", "NO", "bigint"]);
    assert_eq!(columns[0][15..18], ["bigint(20)", "PRI", ""]);
    assert_eq!(columns[1][5], "1.5");
    assert_eq!(columns[1][10..12], ["10", "2"]);
    assert_eq!(columns[1][19..22], ["c", "10", "2"]);
    let tables = of_t(&client, "tables", 1);
    assert_eq!(tables[0][3..5], ["BASE TABLE", "StarRocks"]);
    assert_eq!(tables[0][20], "x");
    assert_eq!(
        of_t(&client, "tables_config", 0)[0][..11],
        [
            "d", "t", "OLAP", "PRI_KEYS", "`id`", "", "`id`", "HASH", "4", "",
            "{\"a\":\"\\\"\",\"replication_num\":\"3\"}"
        ]
    );
    assert_eq!(of_t(&client, "key_column_usage", 4)[0][2], "PRIMARY");
    assert_eq!(of_t(&client, "table_constraints", 3)[0][5], "PRIMARY KEY");
    assert_eq!(of_t(&client, "statistics", 1)[0][5..8], ["PRIMARY", "1", "id"]);
    assert_eq!(of_t(&client, "partitions_meta", 0)[0][2], "t");
    assert!(of_t(&client, "views", 1).is_empty());
    assert!(of_t(&client, "materialized_views", 1).is_empty());
}

#[test]
fn system_views_are_listed_too() {
    let client = Client::new();
    let schemata: Vec<String> =
        client.select("schemata", &[]).into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(schemata, ["information_schema", "d"]);
    let tables = client.select("tables", &[(2, "SCHEMATA")]);
    assert_eq!(tables[0][1..4], ["information_schema", "schemata", "SYSTEM VIEW"]);
    let columns = client.select("columns", &[(1, "information_schema"), (2, "schemata")]);
    assert_eq!(columns.len(), 5);
}

#[test]
fn relations_are_sorted_and_their_columns_distinct() {
    let relations = Catalog::describe().relations;
    assert!(relations.is_sorted_by(|a, b| a.name < b.name));
    for relation in relations {
        let mut names: Vec<_> = relation.columns.iter().map(|column| &column.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{}", relation.name);
    }
}
