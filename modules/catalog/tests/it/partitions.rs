//! Partitions.

use crate::client::Client;

const BY_DAY: &str = "CREATE TABLE t (d DATE, v INT) PARTITION BY RANGE(d) (PARTITION p1 VALUES LESS \
                      THAN ('2024-02-01'), PARTITION p2 VALUES [('2024-03-01'), ('2024-04-01')))";

fn names(client: &mut Client) -> Vec<String> {
    client.column("SHOW PARTITIONS FROM t", 1)
}

#[test]
fn partitions_that_do_not_fit_are_refused() {
    let mut client = Client::new();
    for (code, partition) in [
        (1054, "RANGE(x) ()"),
        (1064, "RANGE(f) ()"),
        (1517, "RANGE(a) (PARTITION p VALUES LESS THAN (1), PARTITION P VALUES LESS THAN (2))"),
        (1493, "RANGE(a) (PARTITION p VALUES LESS THAN (2), PARTITION q VALUES LESS THAN (1))"),
        (1493, "RANGE(a) (PARTITION p VALUES [(1), (1)))"),
        (1493, "RANGE(a) (PARTITION p VALUES [(1), (5)), PARTITION q VALUES [(4), (6)))"),
        (1064, "RANGE(a) (PARTITION p VALUES LESS THAN ('x'))"),
        (1064, "RANGE(a) (PARTITION p VALUES LESS THAN (NULL))"),
        (1064, "RANGE(a) (PARTITION p VALUES LESS THAN (1, 2))"),
        (1064, "RANGE(a) (PARTITION p VALUES IN (1))"),
        (1064, "RANGE(d) (PARTITION p VALUES LESS THAN ('2024-02-30'))"),
        (1064, "LIST(a) (PARTITION p VALUES LESS THAN (1))"),
        (1495, "LIST(a) (PARTITION p VALUES IN (1, 2), PARTITION q VALUES IN (2))"),
        (1064, "LIST(a, b) (PARTITION p VALUES IN (1))"),
        (1064, "RANGE(d) (START ('2024-02-01') END ('2024-01-01') EVERY (INTERVAL 1 DAY))"),
        (1064, "RANGE(d) (START ('2024-01-01') END ('2024-02-01') EVERY (INTERVAL 1 HOUR))"),
        (1064, "RANGE(d) (START ('2024-01-01') END ('2024-02-01') EVERY (1))"),
        (1064, "RANGE(a) (START ('1') END ('99999') EVERY (1))"),
        (1064, "RANGE(a, b) (START ('1') END ('9') EVERY (1))"),
    ] {
        let table = "CREATE TABLE t (a INT, b INT, d DATE, f FLOAT) DUPLICATE KEY (a)";
        let failure = client.fail(&format!("{table} PARTITION BY {partition}"));
        assert_eq!(failure.code, code, "{partition}: {failure}");
    }
    let failure = client.fail("CREATE TABLE t (a INT, b INT) PRIMARY KEY (a) PARTITION BY RANGE(b) ()");
    assert_eq!(failure.code, 1064, "{failure}");
}

#[test]
fn ranges_fill_what_is_left_open() {
    let mut client = Client::new();
    client.run(BY_DAY);
    assert_eq!(
        client.column("SHOW PARTITIONS FROM t", 7),
        [
            "[types: [DATE]; keys: [0000-01-01]; ..types: [DATE]; keys: [2024-02-01]; )",
            "[types: [DATE]; keys: [2024-03-01]; ..types: [DATE]; keys: [2024-04-01]; )",
        ]
    );
    client.run("ALTER TABLE t ADD PARTITION middle VALUES LESS THAN ('2024-02-15')");
    client.run("ALTER TABLE t ADD PARTITION last VALUES LESS THAN (MAXVALUE) DISTRIBUTED BY RANDOM BUCKETS 7");
    assert_eq!(names(&mut client), ["p1", "middle", "p2", "last"]);
    let rows = client.rows("SHOW PARTITIONS FROM t");
    assert_eq!(rows[1][7], "[types: [DATE]; keys: [2024-02-01]; ..types: [DATE]; keys: [2024-02-15]; )");
    assert_eq!(rows[3][9], "7");
    for (code, values) in [
        (1493, "VALUES LESS THAN ('2024-01-01')"),
        (1493, "VALUES [('2024-02-14'), ('2024-02-16'))"),
        (1493, "VALUES [('2024-02-20'), ('2024-12-01'))"),
        (1493, "VALUES LESS THAN (MAXVALUE)"),
    ] {
        assert_eq!(client.code(&format!("ALTER TABLE t ADD PARTITION x {values}")), code, "{values}");
    }
    client.check();
}

#[test]
fn batches_end_where_the_calendar_does() {
    let mut client = Client::new();
    for (every, start, end, expected) in [
        ("1 DAY", "2024-02-28", "2024-03-02", &["p20240228", "p20240229", "p20240301"][..]),
        ("1 MONTH", "2024-01-15", "2024-03-10", &["p202401", "p202402", "p202403"]),
        ("1 YEAR", "2023-05-01", "2025-01-01", &["p2023", "p2024"]),
        ("1 WEEK", "2024-01-03", "2024-01-17", &["p2024_01", "p2024_02", "p2024_03"]),
    ] {
        client.run(&format!(
            "CREATE TABLE t (d DATE) PARTITION BY RANGE(d) (START ('{start}') END ('{end}') EVERY \
             (INTERVAL {every}))"
        ));
        assert_eq!(names(&mut client), expected);
        client.check();
        client.run("DROP TABLE t");
    }
    client.run("CREATE TABLE t (a INT) PARTITION BY RANGE(a) (START ('1') END ('6') EVERY (2))");
    assert_eq!(names(&mut client), ["p1", "p3", "p5"]);
    client.run("ALTER TABLE t ADD PARTITIONS START ('6') END ('8') EVERY (1)");
    assert_eq!(names(&mut client), ["p1", "p3", "p5", "p6", "p7"]);
}

#[test]
fn partitions_come_and_go_by_name_in_any_case() {
    let mut client = Client::new();
    client.run(BY_DAY);
    assert_eq!(client.code("ALTER TABLE t DROP PARTITION x"), 1507);
    client.run("ALTER TABLE t DROP PARTITION IF EXISTS x");
    client.run("ALTER TABLE t ADD PARTITION IF NOT EXISTS P1 VALUES LESS THAN ('2030-01-01')");
    assert_eq!(client.code("ALTER TABLE t ADD PARTITION P1 VALUES LESS THAN ('2030-01-01')"), 1517);
    assert_eq!(client.code("ALTER TABLE t RENAME PARTITION p1 P2"), 1517);
    assert_eq!(client.code("ALTER TABLE t RENAME PARTITION x y"), 1735);
    client.run("ALTER TABLE t RENAME PARTITION P1 First, DROP PARTITION P2 FORCE");
    assert_eq!(names(&mut client), ["First"]);
    client.run("ALTER TABLE t ADD PARTITION p9 VALUES LESS THAN ('2040-01-01'), DROP PARTITION p9");
    assert_eq!(names(&mut client), ["First"]);
    client.check();
}

#[test]
fn temporary_partitions_live_apart() {
    let mut client = Client::new();
    client.run(BY_DAY);
    client.run("ALTER TABLE t ADD TEMPORARY PARTITION p1 VALUES LESS THAN ('2024-01-15')");
    assert_eq!(names(&mut client), ["p1", "p2"]);
    assert_eq!(client.column("SHOW TEMPORARY PARTITIONS FROM t", 1), ["p1"]);
    client.run("ALTER TABLE t DROP TEMPORARY PARTITION p1");
    assert!(client.rows("SHOW TEMPORARY PARTITIONS FROM t").is_empty());
    assert_eq!(names(&mut client), ["p1", "p2"]);
    client.check();
}

#[test]
fn a_table_without_partitions_has_one_of_its_name() {
    let mut client = Client::new();
    client.run("CREATE TABLE t (a INT)");
    assert_eq!(names(&mut client), ["t"]);
    assert_eq!(client.code("ALTER TABLE t ADD PARTITION p VALUES LESS THAN (1)"), 1505);
    assert_eq!(client.code("ALTER TABLE t DROP PARTITION t"), 1505);
    assert_eq!(client.code("ALTER TABLE t RENAME PARTITION t u"), 1505);
}

#[test]
fn truncated_partitions_get_new_ids() {
    let mut client = Client::new();
    client.run(BY_DAY);
    let ids = |client: &mut Client| client.column("SHOW PARTITIONS FROM t", 0);
    let before = ids(&mut client);
    assert_eq!(client.code("TRUNCATE TABLE t PARTITION (x)"), 1735);
    client.run("TRUNCATE TABLE t PARTITION (P2)");
    let middle = ids(&mut client);
    assert_eq!(middle[0], before[0]);
    assert_ne!(middle[1], before[1]);
    client.run("TRUNCATE TABLE t");
    assert!(ids(&mut client).iter().all(|id| !middle.contains(id)));
    client.check();
}

#[test]
fn rows_of_partitions_are_narrowed_sorted_and_cut() {
    let mut client = Client::new();
    client.run(BY_DAY);
    let shown = client.column(
        "SHOW PARTITIONS FROM t WHERE PartitionName LIKE 'p%' ORDER BY PartitionName DESC LIMIT 1",
        1,
    );
    assert_eq!(shown, ["p2"]);
    assert_eq!(client.code("SHOW PARTITIONS FROM t WHERE Nothing = 1"), 1054);
    assert_eq!(client.code("SHOW PARTITIONS FROM t ORDER BY Nothing"), 1054);
}
