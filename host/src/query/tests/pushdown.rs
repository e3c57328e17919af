//! What relations are asked for.

use super::*;

fn asked(sql: &str) -> Vec<Scan> {
    let fake = fake();
    run_on(&fake, sql);
    fake.scans.lock().clone()
}

fn constraint(column: u32, operator: Operator, value: impl Into<Value>) -> Constraint {
    Constraint { column, operator, value: value.into() }
}

#[test]
fn comparisons_with_constants_are_handed_down() {
    use Operator::{Eq, Ge, Gt, Le, Lt};
    for (condition, expected) in [
        ("n = 1", vec![constraint(0, Eq, 1_i64)]),
        ("1 = n", vec![constraint(0, Eq, 1_i64)]),
        ("n >= -1 AND n < 3", vec![constraint(0, Ge, -1_i64), constraint(0, Lt, 3_i64)]),
        ("n BETWEEN 1 AND 2", vec![constraint(0, Ge, 1_i64), constraint(0, Le, 2_i64)]),
        ("u > '5'", vec![constraint(1, Gt, 5_u64)]),
        ("n = '7'", vec![constraint(0, Eq, 7_i64)]),
        ("day >= '2024-01-05'", vec![constraint(3, Ge, "2024-01-05")]),
        ("day = DATE('2024-01-05 10:00:00')", vec![constraint(3, Eq, "2024-01-05")]),
        ("n = 1.5", vec![]),
        ("n + 0 = 1", vec![]),
        ("ratio = 1", vec![]),
        ("n <> 1", vec![]),
        ("n = 1 OR ratio = 2", vec![]),
    ] {
        let scans = asked(&format!("SELECT * FROM test.numbers WHERE {condition}"));
        let (_, mut constraints) = scans[0].clone();
        constraints.sort_by_key(|c| (c.column, c.operator as u8));
        let mut expected = expected;
        expected.sort_by_key(|c| (c.column, c.operator as u8));
        assert_eq!(constraints, expected, "{condition}");
    }
}

#[test]
fn text_goes_down_for_equality_only() {
    let text = asked(
        "SELECT * FROM information_schema.tables WHERE table_schema = 'D1' AND table_name > 'a'",
    );
    assert_eq!(text[0].1, [constraint(0, Operator::Eq, "D1")]);
    let number = asked("SELECT * FROM information_schema.tables WHERE table_schema = 5");
    assert_eq!(number[0].1, [constraint(0, Operator::Eq, "5")]);
}

#[test]
fn bytes_go_down_as_bytes() {
    let scans = asked("SELECT * FROM kv.pairs WHERE key >= 'a' AND key < x'ff'");
    let mut constraints = scans[0].1.clone();
    constraints.sort_by_key(|c| c.operator as u8);
    let expected = [
        constraint(0, Operator::Lt, Value::Bytes(vec![0xff])),
        constraint(0, Operator::Ge, Value::Bytes(b"a".to_vec())),
    ];
    assert_eq!(constraints, expected);
}

#[test]
fn each_value_of_a_list_is_a_scan_of_its_own() {
    let scans = asked("SELECT * FROM information_schema.tables WHERE table_schema IN ('d1', 'd2')");
    let values: Vec<&Value> = scans.iter().map(|(_, constraints)| &constraints[0].value).collect();
    assert_eq!(values, [&Value::from("d1"), &Value::from("d2")]);
}

#[test]
fn null_matches_nothing_and_is_not_asked_for() {
    assert!(asked("SELECT * FROM test.numbers WHERE n = NULL").is_empty());
}

#[test]
fn a_join_narrows_the_inner_relation() {
    let scans = asked(
        "SELECT * FROM information_schema.views v JOIN information_schema.columns c \
         ON c.table_schema = v.table_schema AND c.table_name = v.table_name",
    );
    assert!(scans[0].1.is_empty(), "{scans:?}");
    let keyed = |(_, constraints): &Scan| {
        constraints.len() == 2 && constraints.iter().all(|c| c.operator == Operator::Eq)
    };
    assert!(scans.len() > 1 && scans[1..].iter().all(keyed), "{scans:?}");
}

#[test]
fn a_limit_reads_no_page_too_many() {
    let fake = fake();
    assert_eq!(run_on(&fake, "SELECT * FROM test.many LIMIT 2").rows.len(), 2);
    assert_eq!(*fake.pages.lock(), 1);
}

#[test]
fn the_inner_side_of_a_join_is_fetched_once() {
    let fake = fake();
    let rows =
        run_on(&fake, "SELECT a.n FROM test.numbers a, test.numbers b WHERE a.ratio = b.ratio");
    assert_eq!(rows.rows.len(), 10);
    // Two tables of the same relation, four pages each.
    assert_eq!(*fake.pages.lock(), 8);
}

#[test]
fn branches_of_an_or_give_no_row_twice() {
    let sql = "SELECT n FROM test.numbers WHERE n = 1 OR day = '2024-01-07' OR n > 3 ORDER BY n";
    assert_eq!(answer(sql), ["1", "4"]);
}
