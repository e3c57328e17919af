//! `quorate verify` and `quorate replay` on the data directories of real frontends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use quorate::storage::{Generations, RocksStateOptions, StateStore};
use quorate::types::{Range, StateDigest};
use quorate_tests::files::{copy, files, flip, remove};
use quorate_tests::{Cluster, Frontend, binary, eventually, modules};
use serde_json::Value;

/// How a run of the program ended: exit code, standard output, standard error.
struct Ended {
    code: Option<i32>,
    out: String,
    error: String,
}

fn quorate(verb: &str, meta_dir: &Path, more: &[&str]) -> Ended {
    let mut command = Command::new(binary());
    command.arg(verb).arg("--meta-dir").arg(meta_dir).args(more);
    let ended = command.output().expect("the program runs");
    Ended {
        code: ended.status.code(),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        error: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

fn verify(meta_dir: &Path, more: &[&str], code: i32, said: &[&str]) -> String {
    let Ended { code: ended, out, error } = quorate("verify", meta_dir, more);
    let all = format!("{out}{error}");
    assert_eq!(ended, Some(code), "{all}");
    for part in said {
        assert!(all.contains(part), "'{part}' in: {all}");
    }
    all
}

/// All of a folder: paths, lengths, times of change and contents.
fn contents(dir: &Path) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            let changed = path.metadata().and_then(|data| data.modified()).expect("it is known");
            if path.is_dir() {
                open.push(path.clone());
                all.push((path, changed, Vec::new()));
            } else {
                let bytes = fs::read(&path).expect("it can be read");
                all.push((path, changed, bytes));
            }
        }
    }
    all.sort();
    all
}

/// A frontend with the module that misbehaves, which has run a little of everything and has a
/// snapshot in the middle of it.
struct Prepared {
    frontend: Frontend,
    dir: tempfile::TempDir,
    /// The LSN of a snapshot, of the statement `PUT traced 1; GET traced; EMIT t 1`, and the last.
    snapshot: u64,
    traced: u64,
    last: u64,
}

impl Prepared {
    fn new(settings: &[(&str, u64)]) -> Self {
        let dir = tempfile::tempdir().expect("a test may create folders");
        let mut frontend = Frontend::new(&dir.path().join("fe"), None, Some(modules::FAULTY));
        settings.iter().for_each(|(key, value)| frontend.configure(key, value));
        frontend.start();
        frontend.wait_ready();
        let client = frontend.mariadb();
        for number in 0..20 {
            client.ok(&format!("PUT k{number} {number}; EMIT t 2"));
        }
        client.ok("ALTER SYSTEM CREATE IMAGE");
        let snapshot = applied(&frontend);
        for statement in ["TRAP", "RECURSE", "ALLOCATE", "OVERSIZE", "FAIL 1234 no", "FILL 65"] {
            client.error(statement);
        }
        client.ok("FLOATS f");
        client.ok("HASH h");
        // One statement, which MySQL clients would take apart.
        let mut whole = Command::new(binary());
        whole.args(["sql", "--endpoints", &frontend.rpc(), "PUT traced 1; GET traced; EMIT t 1"]);
        assert!(whole.status().expect("the program runs").success());
        let traced = applied(&frontend);
        client.ok("DELETE k3");
        let last = applied(&frontend);
        Self { frontend, dir, snapshot, traced, last }
    }

    fn stopped(settings: &[(&str, u64)]) -> Self {
        let mut prepared = Self::new(settings);
        assert!(prepared.frontend.stop().success());
        prepared
    }

    fn meta_dir(&self) -> PathBuf {
        self.frontend.meta_dir()
    }

    /// A copy of the data directory to be spoiled.
    fn spoilt(&self, name: &str) -> PathBuf {
        let target = self.dir.path().join(name);
        copy(&self.meta_dir(), &target);
        target
    }
}

fn applied(frontend: &Frontend) -> u64 {
    let shown = frontend.mariadb().ok("SHOW FRONTENDS");
    shown.column("AppliedLsn")[0].parse().expect("it is a number")
}

/// Changes a row of a state, as no frontend would.
fn change(meta_dir: &Path, key: &[u8], spoil: impl FnOnce(Option<Bytes>) -> Option<Bytes>) {
    let options = RocksStateOptions { block_cache_bytes: 1 << 20 };
    let state = Generations::open(&meta_dir.join("state"), options).expect("it opens");
    let value = state.view().get(key).expect("it can be read");
    let row = (Bytes::copy_from_slice(key), spoil(value));
    state.commit([row].into()).expect("it can be written");
    state.flush().expect("it can be written");
}

/// The key of the digest of an LSN.
fn digest_key(lsn: u64) -> Vec<u8> {
    let slot = u32::try_from(lsn % 4096).expect("it is small");
    [&[6][..], &slot.to_be_bytes()].concat()
}

fn flip_last(value: Option<Bytes>) -> Option<Bytes> {
    let mut value = value.expect("there is such a row").to_vec();
    *value.last_mut().expect("it is not empty") ^= 1;
    Some(value.into())
}

#[test]
fn a_running_frontend_and_what_is_no_data_directory_are_refused() {
    let prepared = Prepared::new(&[]);
    verify(&prepared.meta_dir(), &[], 2, &["is in use: Frontend running as process"]);
    assert!(quorate("replay", &prepared.meta_dir(), &["--lsn", "3"]).error.contains("in use"));
    verify(prepared.dir.path(), &[], 2, &["is not a data directory"]);
    verify(&prepared.dir.path().join("absent"), &[], 2, &["is not a data directory"]);
    // It was not disturbed.
    prepared.frontend.mariadb().ok("PUT still here");
}

#[test]
fn all_digests_of_a_stopped_frontend_are_equal_on_every_engine_and_nothing_is_changed() {
    let prepared = Prepared::stopped(&[]);
    let (meta_dir, before) = (prepared.meta_dir(), contents(&prepared.meta_dir()));
    let (snapshot, last) = (prepared.snapshot, prepared.last);
    let base = format!("base: the snapshot at LSN {snapshot}, digest ");
    let replayed = format!("replayed LSN {} to {last}", snapshot + 1);
    let equal = format!("equal up to LSN {last}, digest ");
    let all = verify(&meta_dir, &[], 0, &[&base, &replayed, "rows of the state", &equal]);
    let digest = all.split("equal up to").nth(1).expect("it is there").to_owned();
    // From the first entry on, with a module that is installed on the way.
    for engine in ["native", "unoptimised", "interpreter"] {
        let more = ["--from", "1", "--engine", engine];
        let said = ["base: the empty state", "replayed LSN 0 to", "rows of the state", &equal];
        let all = verify(&meta_dir, &more, 0, &said);
        assert!(all.ends_with(&digest), "{all}");
    }
    let to = prepared.traced.to_string();
    let part = format!("equal up to LSN {to}");
    let all = verify(&meta_dir, &["--to", &to], 0, &[&part]);
    assert!(!all.contains("rows of the state"), "{all}");
    verify(&meta_dir, &["--to", "999999"], 2, &["LSN 999999 is not there", "applied ends with"]);
    assert!(contents(&meta_dir) == before, "the directory was changed");
    // The copies beside it are gone.
    let left = fs::read_dir(meta_dir.parent().expect("it has one")).expect("it can be listed");
    let left: Vec<_> = left.map(|entry| entry.expect("it can be listed").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".quorate")), "{left:?}");
}

#[test]
fn the_first_digest_that_differs_is_named_with_both_outcomes() {
    let prepared = Prepared::stopped(&[]);
    let lsn = prepared.traced;
    let meta_dir = prepared.spoilt("digest");
    change(&meta_dir, &digest_key(lsn), flip_last);
    change(&meta_dir, &digest_key(lsn + 1), flip_last);
    let said = [
        format!("LSN {lsn} differs, the first that does"),
        "digest stored".to_owned(),
        "outcome replayed  applied".to_owned(),
        "outcome stored".to_owned(),
    ];
    verify(&meta_dir, &[], 65, &said.each_ref().map(String::as_str));

    // Without the digest, what the entry is remembered to have changed still tells.
    let meta_dir = prepared.spoilt("changes");
    change(&meta_dir, &digest_key(lsn), |_| None);
    let row = [&[0x0c, 1][..], &lsn.to_be_bytes(), &[0; 4]].concat();
    change(&meta_dir, &row, |row| {
        let row = row.expect("changes are recorded").to_vec();
        let at = row.windows(6).position(|bytes| bytes == b"traced").expect("it is in there");
        let mut row = row;
        row[at] = b'T';
        Some(row.into())
    });
    let said = [
        format!("LSN {lsn} differs, the first that does"),
        "digest stored    not kept".to_owned(),
        "only stored: command 0: faulty put Traced = 1".to_owned(),
        "only replayed: command 0: faulty put traced = 1".to_owned(),
    ];
    verify(&meta_dir, &[], 65, &said.each_ref().map(String::as_str));

    // A row that no entry wrote.
    let meta_dir = prepared.spoilt("row");
    change(&meta_dir, b"\x10\x06faultyk7", |_| Some(Bytes::from_static(b"8")));
    let said = ["row faulty: k7 differs: stored \"8\", replayed \"7\"", "1 rows differ"];
    verify(&meta_dir, &[], 65, &said);
}

#[test]
fn what_is_damaged_is_told_and_the_next_base_is_used() {
    let mut prepared = Prepared::stopped(&[]);
    let meta_dir = prepared.spoilt("snapshot");
    let snapshot = files(&meta_dir.join("snapshots"), "")[0].clone();
    flip(&files(&snapshot, ".sst")[0], 1, 2);
    let said = ["damaged: the snapshot in", "base: the empty state", "equal up to LSN"];
    let all = verify(&meta_dir, &[], 65, &said);
    assert!(!all.contains(".quorate-replay"), "the copy is not what people know: {all}");

    let meta_dir = prepared.spoilt("log");
    let wal = files(&meta_dir.join("log/db"), ".log")[0].clone();
    flip(&wal, 1, 2);
    let place = meta_dir.join("log/db").display().to_string();
    verify(&meta_dir, &[], 65, &[&place, "has lost what was durable"]);

    // In a table file, where nothing but its own checksum tells.
    prepared.frontend.start();
    prepared.frontend.wait_ready();
    prepared.frontend.kill();
    prepared.frontend.start();
    prepared.frontend.wait_ready();
    assert!(prepared.frontend.stop().success());
    let meta_dir = prepared.spoilt("entry");
    flip(&files(&meta_dir.join("log/db"), ".sst")[0], 3, 4);
    verify(&meta_dir, &["--from", "1"], 65, &["damaged"]);

    let meta_dir = prepared.spoilt("state");
    flip(&files(&files(&meta_dir.join("state"), "gen-1")[0], "CURRENT")[0], 1, 2);
    verify(&meta_dir, &[], 65, &["is damaged"]);
}

#[test]
fn a_log_that_does_not_reach_back_is_a_clear_error() {
    let mut prepared = Prepared::new(&[("log_retention_entries", 1)]);
    eventually("the log is purged", Duration::from_secs(30), || {
        prepared.frontend.log().contains("purging the log").then_some(())
    });
    assert!(prepared.frontend.stop().success());
    let meta_dir = prepared.meta_dir();
    let next = (prepared.snapshot + 1).to_string();
    let first = format!("the first LSN that can be replayed is {next}");
    verify(&meta_dir, &["--from", "5"], 2, &["LSN 5 cannot be replayed", "begins at", &first]);
    verify(&meta_dir, &["--from", &next], 0, &["equal up to"]);
    // A state that is its own snapshot, and nothing after it.
    prepared.frontend.start();
    prepared.frontend.wait_ready();
    prepared.frontend.mariadb().ok("ALTER SYSTEM CREATE IMAGE");
    assert!(prepared.frontend.stop().success());
    verify(&meta_dir, &[], 0, &["base: the snapshot at LSN", "rows of the state", "equal up to"]);
    let without = prepared.spoilt("without");
    remove(&without.join("snapshots"));
    verify(&without, &[], 2, &["no snapshot before it can be used"]);
}

#[test]
fn an_entry_is_shown_with_every_call_in_order() {
    let prepared = Prepared::stopped(&[]);
    let meta_dir = prepared.meta_dir();
    let lsn = prepared.traced.to_string();
    let Ended { code, out, error } = quorate("replay", &meta_dir, &["--lsn", &lsn, "--trace"]);
    assert_eq!(code, Some(0), "{error}");
    let lines = [
        format!("LSN {lsn}, term "),
        "command 0: module, request ".to_owned(),
        "  apply: fuel ".to_owned(),
        "put(key \"traced\", value \"1\")".to_owned(),
        "get(key \"traced\") -> value \"1\"".to_owned(),
        "emit(topic \"t\", key \"0\", body \"body\")".to_owned(),
        "  outcome applied".to_owned(),
        "  event t \"0\" \"body\"".to_owned(),
        "put faulty: traced = \"1\"".to_owned(),
        "the digests are equal".to_owned(),
    ];
    let mut rest = &*out;
    for line in &lines {
        let at = rest.find(&**line).unwrap_or_else(|| panic!("'{line}' in order in: {out}"));
        rest = &rest[at..];
    }
    let brief = quorate("replay", &meta_dir, &["--lsn", &lsn]);
    assert!(brief.out.contains("4 calls of the host") && !brief.out.contains("put(key"));

    let json = quorate("replay", &meta_dir, &["--lsn", &lsn, "--trace", "--json"]);
    let told: Value = serde_json::from_str(&json.out).expect("it is JSON");
    assert_eq!((&told["lsn"], &told["equal"]), (&prepared.traced.into(), &true.into()));
    let command = &told["commands"][0];
    assert_eq!(command["outcome"]["code"], "applied");
    let imports = command["calls"][0]["imports"].as_array().expect("it is a list");
    let names: Vec<_> = imports.iter().map(|import| &import["name"]).collect();
    assert_eq!(names, ["current", "put", "get", "emit"]);
    assert_eq!(imports[1]["asked"][0]["key"]["text"], "traced");
    let fuel = |value: &Value| value["fuel_at"].as_u64().expect("it is a number");
    assert!(fuel(&imports[0]) < fuel(&imports[1]) && fuel(&imports[1]) < fuel(&imports[2]));
    assert_eq!(told["digest"], told["digest_stored"]);
    assert!(told["digest"].as_str().is_some_and(|text| text.len() == 64));

    let missing = quorate("replay", &meta_dir, &["--lsn", "999999"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.error.contains("LSN 999999 is not there: the log ends with"));
}

#[test]
fn a_trap_is_explained_with_the_names_of_the_modules_functions() {
    let prepared = Prepared::stopped(&[]);
    let log = prepared.frontend.log();
    let line = log.lines().find(|line| line.contains("a command was ended")).unwrap_or_default();
    for part in ["faulty@1.0.0", "apply", "unreachable", "script::run"] {
        assert!(line.contains(part), "'{part}' in: {line}");
    }
    let first = prepared.snapshot + 1;
    let lsn = first.to_string();
    let shown = quorate("replay", &prepared.meta_dir(), &["--lsn", &lsn, "--trace"]);
    for part in ["rejected: aborted", "ended: wasm trap", "script::run", "digests are equal"] {
        assert!(shown.out.contains(part), "'{part}' in: {}", shown.out);
    }
    // Only this frontend's log and a replay have it: nothing that is stored does.
    let options = RocksStateOptions { block_cache_bytes: 1 << 20 };
    let copy = prepared.spoilt("read");
    let state = Generations::open(&copy.join("state"), options).expect("it opens");
    let range = Range { low: &[0], high: &[2], reverse: false };
    let outcomes = Range { low: &[5], high: &[0xff], reverse: false };
    for range in [range, outcomes] {
        let scan = state.view().scan(range, usize::MAX, usize::MAX).expect("it can be read");
        let has = |value: &Bytes| value.windows(12).any(|bytes| bytes == b"script::run");
        assert!(scan.pairs.iter().all(|(_, value)| !has(value)));
    }
}

#[test]
fn hostile_statements_leave_three_frontends_alive_equal_and_verified() {
    let mut cluster = Cluster::start_with(3, Some(modules::FAULTY));
    let hostile = [
        ("TRAP", "aborted"),
        ("LOOP", "fuel"),
        ("ALLOCATE", "aborted"),
        ("RECURSE", "aborted"),
        ("OVERSIZE", "limit"),
        ("REPLY 1100000", "limit"),
        ("FILL 65", "limit"),
        ("EMIT t 1025", "limit"),
        ("EVALUATE TRAP", "aborted"),
        ("EVALUATE RECURSE", "aborted"),
        ("EVALUATE ALLOCATE", "aborted"),
        ("EVALUATE PUT a 1", "read-only"),
    ];
    for (number, (statement, said)) in hostile.iter().enumerate() {
        let client = cluster.frontends[number % 3].mariadb();
        let error = client.error(statement);
        assert!(error.contains(said), "{statement}: {error}");
        client.ok(&format!("PUT after{number} 1; FLOATS f; HASH h"));
    }
    cluster.frontends[2].kill();
    cluster.frontends[0].mariadb().ok("PUT while down");
    cluster.frontends[2].start();
    cluster.frontends[2].wait_ready();
    let shown = cluster.assert_agreement(0);
    let digest = shown.column("StateDigest")[0].to_owned();
    let lsn = shown.column("AppliedLsn")[0].to_owned();
    for frontend in &mut cluster.frontends {
        assert!(frontend.stop().success());
    }
    for (number, frontend) in cluster.frontends.iter().enumerate() {
        let engine = ["native", "unoptimised", "interpreter"][number];
        let more = ["--from", "1", "--to", &lsn, "--engine", engine];
        let all = verify(&frontend.meta_dir(), &more, 0, &["equal up to LSN"]);
        let said = all.lines().last().unwrap_or_default();
        let whole = said.rsplit(' ').next().unwrap_or_default();
        assert!(whole.starts_with(&digest), "{digest} in: {all}");
        assert_eq!(whole.len(), StateDigest::default().to_string().len());
    }
}
