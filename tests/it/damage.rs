//! What a disk, a bug or an operator did to the files of a frontend is noticed and never served.

use std::fs;
use std::path::Path;

use quorate::storage::{RocksState, RocksStateOptions, StateStore};
use quorate_tests::files::{copy, files, flip, remove, state_in};
use quorate_tests::{Cluster, Frontend, modules};

/// Exit code of a frontend whose files are damaged.
const DAMAGE: Option<i32> = Some(65);

/// A frontend that is stopped, with some databases, and a copy of its data directory.
struct Prepared {
    frontend: Frontend,
    dir: tempfile::TempDir,
}

impl Prepared {
    /// The state is in table files, if that is asked for, else in a WAL, as the log is.
    fn new(in_tables: bool) -> Self {
        let dir = tempfile::tempdir().expect("a test may create folders");
        let mut frontend = Frontend::new(dir.path(), None, None);
        frontend.start();
        frontend.wait_ready();
        for number in 0..9 {
            frontend.mariadb().ok(&format!("CREATE DATABASE d{number}"));
        }
        assert!(frontend.stop().success());
        if in_tables {
            let path = state_in(&frontend.meta_dir());
            let state = RocksState::open(&path, RocksStateOptions::default()).expect("it opens");
            state.flush().expect("it can be written");
        }
        copy(&frontend.meta_dir(), &dir.path().join("good"));
        Self { frontend, dir }
    }

    /// Stops it and keeps the data directory as what to put back.
    fn keep(&mut self) {
        assert!(self.frontend.stop().success());
        remove(&self.dir.path().join("good"));
        copy(&self.frontend.meta_dir(), &self.dir.path().join("good"));
    }

    /// Puts the data directory back as it was.
    fn restore(&self) {
        remove(&self.frontend.meta_dir());
        copy(&self.dir.path().join("good"), &self.frontend.meta_dir());
    }

    /// Damages the data directory and checks that a start says so, twice, and serves nothing.
    fn refused(&mut self, damage: impl FnOnce(&Path), said: &[&str]) {
        self.restore();
        damage(&self.frontend.meta_dir());
        for _ in 0..2 {
            let before = self.frontend.log().len();
            self.frontend.start();
            let code = self.frontend.wait_end();
            let log = self.frontend.log()[before..].to_owned();
            assert_eq!(code, DAMAGE, "{log}");
            let last = log.lines().last().unwrap_or_default();
            for part in said {
                assert!(last.contains(part), "'{part}' in: {last}");
            }
        }
    }

    /// Checks that it starts with all that it had.
    fn whole(&mut self) {
        self.frontend.start();
        self.frontend.wait_ready();
        let shown = self.frontend.mariadb().ok("SHOW DATABASES LIKE 'd_'");
        assert_eq!(shown.rows().len(), 9, "{}", shown.text);
        self.frontend.mariadb().ok("CREATE DATABASE later; DROP DATABASE later");
    }
}

#[test]
fn a_damaged_identity_or_format_is_refused_by_name() {
    let mut prepared = Prepared::new(false);
    for name in ["identity", "format"] {
        let path = prepared.frontend.meta_dir().join(name).display().to_string();
        prepared.refused(|meta| flip(&meta.join(name), 1, 3), &[&path, "is damaged", "backup"]);
    }
    prepared.restore();
    prepared.whole();
}

#[test]
fn a_log_that_lost_what_was_durable_is_refused() {
    let mut prepared = Prepared::new(false);
    let meta = prepared.frontend.meta_dir();
    let log = meta.join("log/db").display().to_string();
    let said = [log.as_str(), "has lost what was durable", "DROP FOLLOWER"];
    let newest_wal = |meta: &Path| files(&meta.join("log/db"), ".log")[0].clone();
    prepared.refused(|meta| flip(&newest_wal(meta), 1, 2), &said);
    prepared.refused(|meta| flip(&newest_wal(meta), 99, 100), &said);
    prepared.refused(|meta| fs::remove_file(newest_wal(meta)).expect("it is there"), &said);
    prepared.refused(|meta| remove(&meta.join("log/db")), &said);

    // The whole directory as it was earlier, with the fence that was in there once.
    prepared.restore();
    let earlier = prepared.dir.path().join("earlier");
    copy(&meta.join("log"), &earlier);
    prepared.whole();
    prepared.keep();
    prepared.refused(
        |meta| {
            remove(&meta.join("log"));
            copy(&earlier, &meta.join("log"));
            fs::copy(meta.join("fence"), meta.join("log/fence")).expect("it can be copied");
        },
        &said,
    );
    prepared.restore();
    prepared.whole();
}

#[test]
fn a_damaged_fence_is_refused_and_a_torn_one_is_not() {
    let mut prepared = Prepared::new(false);
    let path = prepared.frontend.meta_dir().join("fence").display().to_string();
    let both = |meta: &Path| {
        let file = meta.join("fence");
        let mut bytes = fs::read(&file).expect("it can be read");
        assert!(bytes.len() > 4096, "both slots were written");
        bytes[8] ^= 1;
        bytes[4096 + 8] ^= 1;
        fs::write(file, bytes).expect("it can be written");
    };
    prepared.refused(both, &[&path, "is damaged", "remove"]);
    for slot in 0..2 {
        prepared.restore();
        let file = prepared.frontend.meta_dir().join("fence");
        let mut bytes = fs::read(&file).expect("it can be read");
        bytes[4096 * slot + 8] ^= 1;
        fs::write(file, bytes).expect("it can be written");
        prepared.whole();
        assert!(prepared.frontend.stop().success());
    }
}

#[test]
fn a_damaged_state_is_refused_and_made_anew_from_the_log() {
    let mut prepared = Prepared::new(true);
    let meta = prepared.frontend.meta_dir();
    let state = state_in(&meta).display().to_string();
    let table = |meta: &Path| files(&state_in(meta), ".sst")[0].clone();
    let said = [state.as_str(), "is damaged", "remove that directory and start again"];
    // Where the module's file is, which every start reads.
    prepared.refused(|meta| flip(&table(meta), 1, 2), &said);
    prepared.refused(|meta| flip(&state_in(meta).join("CURRENT"), 1, 2), &said);
    let manifest = |meta: &Path| {
        let current = fs::read_to_string(state_in(meta).join("CURRENT")).expect("it is there");
        state_in(meta).join(current.trim())
    };
    prepared.refused(|meta| flip(&manifest(meta), 1, 3), &said);
    // As the message says.
    remove(&state_in(&meta));
    let [made_anew, kept] = [false, true].map(|restores| {
        if restores {
            prepared.restore();
        }
        prepared.frontend.start();
        prepared.frontend.wait_ready();
        let position = position(&prepared.frontend);
        prepared.frontend.kill();
        position
    });
    assert_eq!(made_anew, kept);
    prepared.whole();
}

/// LSN and digest.
fn position(frontend: &Frontend) -> (String, String) {
    let shown = frontend.mariadb().ok("SHOW FRONTENDS");
    (shown.column("AppliedLsn")[0].to_owned(), shown.column("StateDigest")[0].to_owned())
}

#[test]
fn a_torn_wal_of_the_state_is_replayed_from_the_log() {
    let mut prepared = Prepared::new(false);
    let wal = files(&state_in(&prepared.frontend.meta_dir()), ".log")[0].clone();
    flip(&wal, 1, 2);
    prepared.whole();
}

#[test]
fn a_damaged_entry_ends_the_frontend_that_has_to_send_it() {
    let mut cluster = Cluster::start_with(1, Some(modules::KV));
    let client = cluster.frontends[0].mariadb();
    let value = "v".repeat(2000);
    for number in 0..200 {
        client.ok(&format!("PUT k{number} {value}"));
    }
    // Recovery of a WAL ends with a flush to a table file, and nothing is left in memory.
    cluster.frontends[0].kill();
    cluster.frontends[0].start();
    cluster.frontends[0].wait_ready();
    let log = cluster.frontends[0].meta_dir().join("log/db");
    flip(&files(&log, ".sst")[0], 3, 4);

    cluster.add();
    let code = cluster.frontends[0].wait_end();
    let said = cluster.frontends[0].log();
    assert_eq!(code, DAMAGE, "{said}");
    let last = said.lines().last().unwrap_or_default();
    for part in [&*log.to_string_lossy(), "damaged", "DROP FOLLOWER"] {
        assert!(last.contains(part), "'{part}' in: {last}");
    }
}
