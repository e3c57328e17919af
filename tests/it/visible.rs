//! What operators see and set: the same on every frontend, and what is wrong is told.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use quorate_tests::{Cluster, Frontend, Output, eventually};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);
const FORM_LIMIT: Duration = Duration::from_secs(60);
/// Two addresses that no frontend can be reached under and that are none of this machine.
const ELSEWHERE: [&str; 2] = ["10.255.255.1", "10.255.255.2"];

const STARROCKS: [&str; 16] = [
    "Name",
    "IP",
    "EditLogPort",
    "HttpPort",
    "QueryPort",
    "RpcPort",
    "Role",
    "ClusterId",
    "Join",
    "Alive",
    "ReplayedJournalId",
    "LastHeartbeat",
    "IsHelper",
    "ErrMsg",
    "StartTime",
    "Version",
];

fn shown(frontend: &Frontend) -> Option<Output> {
    frontend.mariadb().run("SHOW PROC '/frontends'").ok()
}

/// The cell of the frontend that listens on a port.
fn cell<'a>(shown: &'a Output, frontend: &Frontend, name: &str) -> &'a str {
    let port = frontend.edit_log_port().to_string();
    let at = shown.column("EditLogPort").iter().position(|shown| *shown == port);
    shown.column(name)[at.expect("it is registered")]
}

fn config(frontend: &Frontend, key: &str) -> String {
    let shown = frontend.mariadb().ok(&format!("ADMIN SHOW FRONTEND CONFIG LIKE '{key}'"));
    shown.column("Value").first().map(|value| (*value).to_owned()).unwrap_or_default()
}

#[test]
fn every_frontend_shows_the_same_frontends_and_when_a_dead_one_was_last_heard() {
    let mut cluster = Cluster::start(3);
    let text = eventually("all frontends show the same", LIMIT, || {
        let shown: Vec<_> = cluster.frontends.iter().filter_map(shown).collect();
        let settled = shown.iter().all(|one| one.column("LagMs").iter().all(|lag| *lag == "0"));
        let same = shown.len() == 3 && shown.iter().all(|one| one.text == shown[0].text);
        (settled && same).then(|| shown[0].clone())
    });
    let names: Vec<_> = text.text.lines().next().unwrap_or_default().split('\t').collect();
    assert_eq!(names[..16], STARROCKS);
    assert_eq!(names.len(), 26);
    for (name, value) in [("Join", "true"), ("Alive", "true"), ("IsHelper", "true"), ("ErrMsg", "")]
    {
        assert_eq!(text.column(name), [value; 3], "{name}");
    }
    assert_eq!(cluster.frontends[0].mariadb().ok("SHOW FRONTENDS").column("Name").len(), 3);

    // One that is registered and never started.
    let mut never = Frontend::new(&cluster.frontends[0].meta_dir().join("../never"), None, None);
    let add = format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", never.address());
    cluster.frontends[1].mariadb().ok(&add);
    let text = shown(&cluster.frontends[2]).expect("there is a quorum");
    for (name, value) in [
        ("Join", "false"),
        ("Alive", "false"),
        ("IsHelper", "false"),
        ("LastHeartbeat", "NULL"),
        ("LagMs", "NULL"),
    ] {
        assert_eq!(cell(&text, &never, name), value, "{name}");
    }
    assert!(cell(&text, &never, "ErrMsg").contains("--helper"), "{}", text.text);
    assert!(!never.runs());

    let dead = cluster.follower();
    cluster.frontends[dead].kill();
    for (at, frontend) in cluster.frontends.iter().enumerate().filter(|(at, _)| *at != dead) {
        eventually("the dead one is shown as heard before the others", LIMIT, || {
            let text = shown(frontend)?;
            let (last, now) = (
                cell(&text, &cluster.frontends[dead], "LastHeartbeat"),
                cell(&text, &cluster.frontends[at], "LastHeartbeat"),
            );
            let gone = cell(&text, &cluster.frontends[dead], "Alive") == "false";
            (gone && last != "NULL" && last < now).then_some(())
        });
    }
}

#[test]
fn settings_hold_on_all_frontends_over_restarts_and_for_those_that_join_later() {
    let mut cluster = Cluster::start(2);
    let client = cluster.frontends[1].mariadb();
    let refused = client.error("ADMIN SET FRONTEND CONFIG (\"no_such_key\" = \"1\")");
    assert!(refused.contains("5102"), "{refused}");
    assert!(refused.contains("Config 'no_such_key' does not exist or is not mutable"), "{refused}");
    let refused = client.error("ADMIN SET FRONTEND CONFIG (\"http_port\" = \"8031\")");
    assert!(refused.contains("Config 'http_port' does not exist or is not mutable"), "{refused}");
    let refused = client.error("ADMIN SET FRONTEND CONFIG (\"qe_max_connection\" = \"x\")");
    assert!(refused.contains("5101") && refused.contains("qe_max_connection"), "{refused}");
    let limits = |frontend: &Frontend| {
        let variable = frontend.mariadb().ok("SHOW VARIABLES LIKE 'max_connections'");
        (config(frontend, "qe_max_connection"), variable.column("Value")[0].to_owned())
    };
    // Nothing of a statement that has one wrong key, or one key twice.
    for (second, why) in [
        ("\"no_such_key\" = \"1\"", "Config 'no_such_key' does not exist"),
        ("\"qe_max_connection\" = \"79\"", "'qe_max_connection' is there twice"),
    ] {
        let set = format!("ADMIN SET FRONTEND CONFIG (\"qe_max_connection\" = \"78\", {second})");
        let refused = client.error(&set);
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(limits(&cluster.frontends[0]), ("4096".to_owned(), "4096".to_owned()));

    client.ok("ADMIN SET FRONTEND CONFIG (\"qe_max_connection\" = \"77\", \
         \"sys_log_level\" = \"debug,openraft=off\")");
    let holds = |frontend: &Frontend| {
        eventually("the setting holds", LIMIT, || {
            (limits(frontend) == ("77".to_owned(), "77".to_owned())).then_some(())
        });
        eventually("the log tells more", LIMIT, || {
            frontend.mariadb().run("SHOW DATABASES").ok()?;
            frontend.log().contains("DEBUG").then_some(())
        });
    };
    cluster.frontends.iter().for_each(holds);
    let columns = client.ok("ADMIN SHOW FRONTEND CONFIG LIKE 'qe_max_connection'");
    assert_eq!(columns.rows()[0][..5], ["qe_max_connection", "[]", "77", "int", "true"]);
    let http = cluster.frontends[1].http_port().to_string();
    assert_eq!(config(&cluster.frontends[1], "http_port"), http);

    for frontend in &mut cluster.frontends {
        assert!(frontend.stop().success());
    }
    for frontend in &mut cluster.frontends {
        frontend.start();
    }
    cluster.wait_whole();
    cluster.add();
    cluster.wait_whole();
    cluster.frontends.iter().for_each(holds);

    // Given back, each has what it was started with.
    cluster.frontends[0].mariadb().ok("ADMIN SET FRONTEND CONFIG (\"qe_max_connection\" = \"\")");
    for frontend in &cluster.frontends {
        eventually("the key is given back", LIMIT, || {
            (config(frontend, "qe_max_connection") == "4096").then_some(())
        });
    }
}

#[test]
fn a_clock_that_is_off_is_pointed_at_by_every_frontend() {
    let dir = TempDir::new().expect("a test may create folders");
    let wide = "ADMIN SET FRONTEND CONFIG (\"max_clock_delta_ms\" = \"3600000\")";
    let mut first = Frontend::new(&dir.path().join("fe1"), None, None);
    first.start();
    first.wait_ready();
    first.mariadb().ok(wide);
    let mut late = Frontend::new(&dir.path().join("fe2"), Some(first.address()), None);
    late.add_argument("--clock-offset-ms=-60000");
    first.mariadb().ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{}\"", late.address()));
    late.start();
    let mut cluster = Cluster::grow(dir.path(), first);
    cluster.frontends.push(late);
    cluster.wait_whole();
    let quiet = shown(&cluster.frontends[0]).expect("there is a quorum");
    assert_eq!(quiet.column("ErrMsg"), ["", ""]);
    cluster.frontends[1]
        .mariadb()
        .ok("ADMIN SET FRONTEND CONFIG (\"max_bdbje_clock_delta_ms\" = \"5000\")");
    let leader = cluster.leader(0);
    let side = if leader == 0 { "behind" } else { "ahead of" };
    for frontend in &cluster.frontends {
        eventually("the clock is pointed at", LIMIT, || {
            let text = shown(frontend)?;
            let message = cell(&text, &cluster.frontends[1 - leader], "ErrMsg");
            assert_eq!(cell(&text, &cluster.frontends[leader], "ErrMsg"), "");
            message.contains(&format!(" s {side} the leader's")).then_some(())
        });
    }
}

#[test]
fn what_an_operator_must_mend_ends_a_start_with_the_helpers_reason() {
    let dir = TempDir::new().expect("a test may create folders");
    let mut first = Frontend::new(&dir.path().join("fe1"), None, None);
    first.configure("bind_address", "127.0.0.1");
    first.configure("frontend_address", ELSEWHERE[0]);
    first.start();
    first.wait_ready();
    let mut next = Frontend::new(&dir.path().join("fe2"), Some(first.address()), None);
    next.configure("bind_address", "127.0.0.1");
    next.configure("frontend_address", ELSEWHERE[1]);
    let address = format!("{}:{}", ELSEWHERE[1], next.edit_log_port());
    first.mariadb().ok(&format!("ALTER SYSTEM ADD FOLLOWER \"{address}\""));
    let refuses = |more: &[&str], reason: &str| {
        let mut child = next.command().args(more).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().expect("the program starts");
        // Held open: its end would stop the program.
        let stdin = child.stdin.take();
        let mut text = String::new();
        let stderr = child.stderr.as_mut().expect("it is piped");
        stderr.read_to_string(&mut text).expect("it writes text");
        let status = child.wait().expect("it can be waited for");
        drop(stdin);
        let last = text.lines().last().unwrap_or_default();
        assert_eq!(status.code(), Some(2), "{text}");
        assert!(last.contains(&address) && last.contains(reason), "{text}");
        assert!(last.contains(&first.address()), "it names the helper: {last}");
        assert!(!next.meta_dir().join("identity").exists(), "it has no identity");
    };
    refuses(&["--clock-offset-ms=60000"], " s ahead of the clock here");
    refuses(&["--machine-id=other"], "http_port is ");
    // The port of the first cannot be bound twice on one address, so the second check is met with
    // the first one's port on another address.
    let same_port = format!("http_port={}", first.http_port());
    let same = ["--set", &same_port, "--set", "bind_address=127.0.0.2"];
    refuses(&same, &format!("its machine already runs frontend {}", ELSEWHERE[0]));

    first.mariadb().ok("ADMIN SET FRONTEND CONFIG (\"allow_colocated\" = \"true\")");
    let settings =
        first.mariadb().ok("SELECT `Value` FROM quorate.settings WHERE `Key` = 'allow_colocated'");
    assert_eq!(settings.rows(), [["true"]]);
    next.start();
    eventually("it is let in", FORM_LIMIT, || next.log().contains(" serves").then_some(()));
}

#[test]
fn proc_and_http_show_what_there_is_and_refuse_what_is_not() {
    let cluster = Cluster::start(1);
    let frontend = &cluster.frontends[0];
    let client = frontend.mariadb();
    client.ok("CREATE DATABASE d; CREATE TABLE d.t (k INT, v INT) DUPLICATE KEY (k) \
         DISTRIBUTED BY HASH (k) BUCKETS 3 PROPERTIES (\"replication_num\" = \"1\")");
    for (path, text) in [
        ("", "Path is null"),
        ("frontends", "Path(frontends) does not start with '/'"),
        ("/frontends/1", "/frontends is not a directory"),
        ("/jobs", "Cannot find path: /jobs"),
        ("/dbs/none", "Cannot find path: /dbs/none"),
        ("/dbs/d/none", "Cannot find path: /dbs/d/none"),
    ] {
        let error = client.error(&format!("SHOW PROC '{path}'"));
        assert!(error.contains("1064") && error.contains(text), "{path}: {error}");
    }
    let root = client.ok("SHOW PROC '/'");
    assert_eq!(root.column("name"), ["backends", "brokers", "compute_nodes", "dbs", "frontends"]);
    assert_eq!(client.ok("SHOW PROC '/backends'").rows().len(), 0);
    let databases = client.ok("SHOW PROC '/dbs'");
    let at = databases.column("DbName").iter().position(|name| *name == "d");
    assert_eq!(databases.column("TableNum")[at.expect("it is there")], "1");
    let tables = client.ok("SHOW PROC '/dbs/d'");
    assert_eq!(tables.column("TableName"), ["t"]);
    let expected = [("PartitionNum", "1"), ("ReplicaCount", "3"), ("Type", "OLAP")];
    for (name, value) in expected {
        assert_eq!(tables.column(name), [value], "{name}");
    }
    let id = tables.column("TableId")[0].to_owned();
    let nodes = client.ok(&format!("SHOW PROC '/dbs/d/{id}'"));
    assert_eq!(nodes.column("Nodes"), ["partitions", "temp_partitions", "index_schema"]);
    let indexes = client.ok(&format!("SHOW PROC '/dbs/d/{id}/index_schema'"));
    assert_eq!(indexes.rows(), [["-1", "t", "", "", "", "", "DUP_KEYS(k)"]], "{}", indexes.text);
    let columns = client.ok("SHOW PROC '/dbs/d/t/index_schema/-1'");
    assert_eq!(columns.text, client.ok("DESC d.t").text);
    let partitions = client.ok("SHOW PROC '/dbs/d/t/partitions'");
    assert_eq!(partitions.column("PartitionName"), ["t"]);

    let answer = frontend.get("/api/show_proc?path=/frontends");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"Role\":\"LEADER\""), "{answer}");
    let answer = frontend.get("/api/show_proc?path=/nothing");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("Cannot find path: /nothing"), "{answer}");

    let shown = client.ok("SHOW FRONTENDS");
    let id = shown.column("ClusterId")[0];
    let told = frontend.get(&format!("/api/bootstrap?cluster_id={id}&token=any"));
    let query_port = format!("\"queryPort\":{}", frontend.query_port());
    assert!(told.contains(&query_port) && told.contains("\"replayedJournalId\""), "{told}");
    let stranger = frontend.get("/api/bootstrap?cluster_id=1");
    assert!(stranger.contains("invalid cluster id: 1"), "{stranger}");
    assert!(!stranger.contains("replayedJournalId"), "{stranger}");

    eventually("the leader has looked", LIMIT, || {
        (frontend.metric("quorate_frontends{state=\"alive\"}")? == 1.0).then_some(())
    });
    let value = |name: &str| frontend.metric(name).unwrap_or_else(|| panic!("no {name}"));
    assert!(value("starrocks_fe_max_journal_id") > 0.0);
    assert!(value("starrocks_fe_edit_log_write") > 0.0);
    assert!(value("starrocks_fe_journal_write_latency_ms_count") > 0.0);
    assert_eq!(value("quorate_is_leader"), 1.0);
    // The six paths above that lead nowhere.
    assert!(value("starrocks_fe_query_err") >= 6.0);
    assert!(value("starrocks_fe_query_latency_ms_count") > value("starrocks_fe_query_err"));
    assert!(value("starrocks_fe_query_latency_ms{quantile=\"0.95\"}") > 0.0);
    assert!(value("starrocks_fe_journal_write_batch_sum") >= 1.0);
    assert_eq!(value("quorate_lag_lsn"), 0.0);
    assert_eq!(value("starrocks_fe_image_write"), 0.0);
    client.ok("ALTER SYSTEM CREATE IMAGE");
    assert_eq!(value("starrocks_fe_image_write"), 1.0);
}
