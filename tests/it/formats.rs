//! What earlier versions left on disk can be opened, and what later ones left is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use quorate::machine::Machine;
use quorate::runtime::{Runtime, RuntimeOptions};
use quorate::storage::{Log, LogOptions, RocksLogDevice, RocksState, RocksStateOptions};
use quorate_tests::Frontend;
use tempfile::TempDir;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/format-1.tar.xz");
/// `format` files with right checksums.
const FORMAT_0: &str = "format=0\nchecksum=5c094309\n";
const FORMAT_3: &str = "format=3\nchecksum=772410ca\n";

/// Unpacks the fixture; gives the folder with `stopped` and `killed`.
fn unpacked() -> TempDir {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let unpacked = Command::new("tar").arg("xJf").arg(FIXTURE).arg("-C").arg(dir.path()).status();
    assert!(unpacked.expect("tar is installed").success(), "{FIXTURE} can be unpacked");
    dir
}

/// LSN and the beginning of the digest, as the program that made the fixture showed them.
fn expected(fixture: &Path, name: &str) -> (u64, String) {
    let text = fs::read_to_string(fixture.join(format!("{name}.expected"))).expect("it is there");
    let (lsn, digest) = text.trim().split_once('\t').expect("LSN and digest");
    (lsn.parse().expect("a number"), digest.to_owned())
}

fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions { read_slots: 1 }).expect("the engine starts")
}

fn assert_at(machine: &Machine, (lsn, digest): &(u64, String), what: &str) {
    let applied = machine.applied();
    assert_eq!(applied.lsn.0, *lsn, "{what}");
    assert!(applied.digest.to_string().starts_with(digest), "{what}: {}", applied.digest);
}

/// A frontend whose data directory is this one.
fn frontend(dir: &Path, meta: &Path) -> Frontend {
    let frontend = Frontend::new(dir, None, None);
    fs::rename(meta, frontend.meta_dir()).expect("both are on one disk");
    frontend
}

#[test]
fn another_format_is_refused_with_the_reason() {
    let fixture = unpacked();
    for (number, text, remedy) in
        [(0, FORMAT_0, "start the version that wrote it"), (3, FORMAT_3, "start a newer version")]
    {
        let meta = fixture.path().join("stopped");
        fs::write(meta.join("format"), text).expect("a test may write files");
        let mut frontend = frontend(fixture.path(), &meta);
        frontend.start();
        assert_eq!(frontend.wait_end(), Some(2), "{}", frontend.log());
        let reason = format!(
            "data directory {} has format {number}, this version reads 2; {remedy}",
            frontend.meta_dir().display()
        );
        assert!(frontend.log().contains(&reason), "{}", frontend.log());
        fs::rename(frontend.meta_dir(), meta).expect("both are on one disk");
    }
}

#[test]
fn the_state_and_the_log_of_format_1_give_the_digest_that_their_writer_had() {
    let fixture = unpacked();
    for name in ["stopped", "killed"] {
        let meta = fixture.path().join(name);
        let expected = expected(fixture.path(), name);
        let open_state = |path: &PathBuf| {
            fs::create_dir_all(path).expect("a test may create folders");
            RocksState::open(path, RocksStateOptions::default()).expect("it opens")
        };
        let state = Arc::new(open_state(&meta.join("state")));
        let (machine, _) = Machine::open(state, runtime()).expect("the state is readable");
        assert_at(&machine, &expected, "the state as it was kept");

        let device = RocksLogDevice::open(&meta.join("log"), &meta.join("fence"));
        let log = Log::open(device.expect("it opens"), LogOptions::default()).expect("it is whole");
        let entries = log.read(0..u64::MAX, usize::MAX).expect("every entry is readable");
        let again = Arc::new(open_state(&fixture.path().join(format!("{name}-again"))));
        let (machine, mut applier) = Machine::open(again, runtime()).expect("it is new");
        applier.apply(&entries, &|_| Ok(())).expect("every entry applies");
        assert_at(&machine, &expected, "the log applied anew");
        log.close().expect("it closes");
    }
}

#[test]
fn a_directory_of_format_1_starts_with_all_its_rows_and_modules() {
    let fixture = unpacked();
    for name in ["stopped", "killed"] {
        let mut frontend =
            frontend(&fixture.path().join(format!("fe-{name}")), &fixture.path().join(name));
        frontend.start();
        frontend.wait_ready();
        let client = frontend.mariadb();
        let databases = client.ok("SHOW DATABASES");
        let databases: Vec<_> = databases.rows().iter().map(|row| row[0].to_owned()).collect();
        for number in 1..=9 {
            assert!(databases.contains(&format!("db{number}")), "{databases:?}");
        }
        assert!(!databases.contains(&"gone".to_owned()), "{databases:?}");
        let columns = client.ok("DESC shop.orders");
        assert_eq!(columns.column("Field"), ["id", "day", "total", "note"]);
        assert_eq!(client.ok("DESC shop.events").column("Field"), ["id", "at"]);
        let created = client.ok("SHOW CREATE TABLE shop.orders").text;
        assert!(created.contains("with tax") && created.contains("BUCKETS 4"), "{created}");
        let modules = client.ok("SHOW MODULES");
        let text = modules.text.as_str();
        assert!(text.contains("1.0.0") && text.contains("2.0.0"), "{text}");
        client.ok("SELECT count(*) FROM information_schema.table_summary");
        let frontends = client.ok("SHOW FRONTENDS");
        assert!(frontends.column("EditLogPort").contains(&"29620"), "{}", frontends.text);

        client.ok("CREATE DATABASE after_all; ROLLBACK MODULE");
        let shown = client.ok("SHOW DATABASES LIKE 'after_all'");
        assert_eq!(shown.rows().len(), 1);
        assert!(frontend.stop().success());
    }
}
