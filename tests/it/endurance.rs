//! A few cycles of what `make endurance` does for minutes.

use quorate_tests::endurance::cycles::{Options, run};

#[test]
fn frontends_killed_under_load_lose_nothing_repeat_nothing_and_agree() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let options = Options { cycles: 6, seed: 7, clients: 6 };
    let report = run(dir.path(), &options, &|line| println!("{line}"));
    let report = report.expect("what is left can be read");
    println!("{} kills in {:?}\n{}", report.kills, report.elapsed, report.verdict);
    assert!(report.verdict.is_clean(), "{}", report.verdict);
    assert!(report.verdict.ok > 100, "{}", report.verdict);
}
