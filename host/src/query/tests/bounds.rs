//! Queries that ask for too much.

use std::thread;

use super::*;

/// A cross join of 10^15 rows.
const EXPLOSION: &str = "FROM test.many a, test.many b, test.many c, test.many d, test.many e";

fn within(time: Duration) -> Limits {
    Limits { deadline: Instant::now() + time, ..Limits::default() }
}

fn failing(sql: &str, limits: &Limits) -> (u16, Duration) {
    let start = Instant::now();
    let failure = select(sql, &scope(), fake(), limits, &Cancel::new()).unwrap_err();
    (failure.code, start.elapsed())
}

/// Most memory this process ever had, in bytes.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn an_explosion_ends_at_its_deadline_in_bounded_memory() {
    for sql in [
        format!("SELECT COUNT(*) {EXPLOSION}"),
        format!("SELECT a.filler {EXPLOSION} WHERE a.i + b.i + c.i + d.i + e.i < 0"),
        format!("SELECT a.filler, b.filler {EXPLOSION} ORDER BY b.filler, a.i"),
        format!("SELECT COUNT(DISTINCT CONCAT(a.filler, b.filler, c.i)) {EXPLOSION}"),
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c"
            .to_owned(),
    ] {
        let before = peak_bytes();
        let (code, took) = failing(&sql, &within(Duration::from_millis(500)));
        assert_eq!(code, 3024, "{sql}");
        assert!(took < Duration::from_secs(10), "{sql} took {took:?}");
        let grown = peak_bytes().saturating_sub(before);
        assert!(grown < 256 << 20, "{sql} took {grown} bytes");
    }
}

#[test]
fn a_large_result_ends_at_its_limits() {
    let sql = format!("SELECT a.filler {EXPLOSION}");
    let memory = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(failing(&sql, &memory).0, 1041);
    let rows = Limits { rows_max: 5000, ..Limits::default() };
    assert_eq!(failing(&sql, &rows).0, 1104);
    assert_eq!(
        failing("SELECT GROUP_CONCAT(a.filler) FROM test.many a, test.many b", &memory).0,
        1041
    );
    assert_eq!(
        failing("SELECT * FROM test.many", &Limits { memory_bytes: 1000, ..memory }).0,
        1041
    );
    assert_eq!(code("SELECT REPEAT('x', 1000000000000)"), 1041);
    assert_eq!(code("SELECT LPAD('x', 1000000000000, 'y')"), 1041);
    assert_eq!(code("SELECT REPLACE(REPEAT('x', 1000000), 'x', REPEAT('y', 1000000))"), 1041);
}

#[test]
fn a_query_is_stopped_from_outside() {
    for sql in [format!("SELECT COUNT(*) {EXPLOSION}"), "SELECT SLEEP(3600)".to_owned()] {
        let cancel = Cancel::new();
        let handle = cancel.clone();
        let worker = thread::spawn(move || {
            select(&sql, &scope(), fake(), &Limits::default(), &handle).unwrap_err().code
        });
        cancel.cancel();
        assert_eq!(worker.join().unwrap(), 1317);
    }
}

#[test]
fn sleep_ends_with_the_deadline() {
    let (code, took) = failing("SELECT SLEEP(3600)", &within(Duration::from_millis(50)));
    assert_eq!(code, 3024);
    assert!(took < Duration::from_secs(10), "took {took:?}");
    assert_eq!(failing("SELECT 1", &within(Duration::ZERO)).0, 3024);
}

#[test]
fn oversized_and_deep_statements_are_refused_or_survived() {
    assert_eq!(code(&format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX))), 1064);
    assert_eq!(code(&format!("SELECT {}1", "1+".repeat(OPERATORS_MAX + 1))), 1064);
    assert_eq!(code(&format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000))), 1064);
    assert_eq!(code(&format!("SELECT {}1", "-".repeat(5000))), 1064);
    assert_eq!(code(&format!("SELECT {}1{}", "IF(1,1,".repeat(2000), ")".repeat(2000))), 1064);
    assert_eq!(code(&format!("SELECT 1{}", " UNION SELECT 1".repeat(SELECTS_MAX))), 1064);
    assert_eq!(value(&format!("SELECT {}1", "1+".repeat(400))), "401");
    let list = (0..5_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(value(&format!("SELECT COUNT(*) FROM test.numbers WHERE n IN ({list})")), "5");
    let negative = (0..5_000).map(|i| format!("-{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(value(&format!("SELECT COUNT(*) FROM test.many WHERE i IN ({negative})")), "1");
    let any = (0..300).map(|i| format!("n = {i}")).collect::<Vec<_>>().join(" OR ");
    assert_eq!(value(&format!("SELECT COUNT(*) FROM test.numbers WHERE {any}")), "5");
}

#[test]
fn a_point_query_costs_less_than_a_millisecond() {
    let (fake, scope) = (fake(), scope());
    let once = || {
        let start = Instant::now();
        let sql = "SELECT * FROM information_schema.tables WHERE table_schema = 'd1' AND table_name = 't1'";
        select(sql, &scope, fake.clone(), &Limits::default(), &Cancel::new()).unwrap();
        start.elapsed()
    };
    let best = (0..200).map(|_| once()).min().unwrap();
    assert!(best < Duration::from_millis(1), "best of 200 took {best:?}");
}
