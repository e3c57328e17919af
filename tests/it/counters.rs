//! A module in C, on a cluster: the same interface, without a line of Rust in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_tests::{Cluster, Ended, binary};

/// Both versions, built by clang.
fn build(dir: &Path) -> [PathBuf; 2] {
    let source = xtask::workspace().join("modules/counters");
    [("1.0.0", &["COUNTERS_SCHEMA=1"][..]), ("2.0.0", &[])].map(|(version, defines)| {
        let component = dir.join(format!("counters-{version}.wasm"));
        let built = xtask::clang::build(&source, defines, &component);
        built.unwrap_or_else(|error| panic!("the module in C cannot be built: {error:#}"));
        component
    })
}

fn module(cluster: &Cluster, arguments: &[&str]) -> Ended {
    let mut program = Command::new(binary());
    program.args(["module", "--endpoints", &cluster.frontends[0].rpc()]).args(arguments);
    Ended::of(&mut program)
}

#[test]
fn a_module_in_c_counts_refuses_migrates_and_agrees_on_every_frontend() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let [first, second] = build(dir.path());
    let path = |file: &PathBuf| file.to_str().expect("temporary paths are text").to_owned();
    let cluster = Cluster::start_with(3, Some(&path(&first)));
    let client = cluster.frontends[cluster.follower()].mariadb();

    for (statement, expected) in [
        ("COUNT a", "1064"),
        ("INCREMENT", "1103"),
        ("INCREMENT A", "1103"),
        ("INCREMENT a BY x", "1064"),
        ("INCREMENT a BY 9223372036854775808", "1064"),
        ("GET a b", "1064"),
    ] {
        let error = client.error(statement);
        assert!(error.contains(expected), "{statement}: {error}");
    }
    assert_eq!(client.ok("INCREMENT hits").column("value"), ["1"]);
    assert_eq!(client.ok("increment hits by 41;").column("value"), ["42"]);
    assert_eq!(client.ok("INCREMENT low BY -9223372036854775808").column("value").len(), 1);
    let error = client.error("INCREMENT low BY -1");
    assert!(error.contains("1690") && error.contains("22003"), "{error}");
    // More than one page of everything.
    let many = (0..300).map(|number| format!("INCREMENT n{number:03} BY {number}"));
    client.ok(&many.collect::<Vec<_>>().join("; "));
    assert_eq!(client.ok("GET hits").column("value"), ["42"]);
    assert_eq!(client.ok("GET nothing").rows().len(), 0);
    assert_eq!(client.ok("LIST").rows().len(), 302);
    let sum = "SELECT sum(value) AS s, count(*) AS c FROM counters.counters WHERE name LIKE 'n%'";
    let shown = client.ok(sum);
    assert_eq!((shown.column("s"), shown.column("c")), (vec!["44850"], vec!["300"]));
    cluster.assert_agreement(0);

    let ended = module(&cluster, &["install", &path(&second)]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let ended = module(&cluster, &["activate", "counters@2.0.0"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let changed = "SELECT count(*) AS c FROM counters.counters WHERE changed_lsn > 0";
    client.ok("INCREMENT hits");
    assert_eq!(client.ok(changed).column("c"), ["302"]);
    assert_eq!(client.ok(sum).column("s"), ["44850"]);
    let ended = module(&cluster, &["check", "counters@2.0.0"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    client.ok("DROP hits");
    assert_eq!(client.ok("GET hits").rows().len(), 0);
    cluster.assert_agreement(0);
}
