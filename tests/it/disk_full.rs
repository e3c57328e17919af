//! A disk fills up: a real, small one. Needs the right to mount one, as root has it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate_tests::{Cluster, Frontend, Mariadb, eventually};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;
/// The log allocates 70 MiB ahead.
const DISK_BYTES: u64 = 320 * MIB;
/// Settings for it: critical is a quarter of the low mark.
const LOW_BYTES: u64 = 24 * MIB;
const BALLAST_BYTES: u64 = 8 * MIB;
/// Exit code of a frontend whose disk is full.
const FULL: Option<i32> = Some(75);

/// A mounted disk; unmounted when dropped.
struct Disk {
    path: PathBuf,
    _image: TempDir,
}

impl Disk {
    /// Mounts one at `path`, which is made.
    fn mount(path: &Path) -> Self {
        let image = tempfile::tempdir().expect("a test may create folders");
        let file = image.path().join("disk.img");
        let made = File::create(&file).and_then(|file| file.set_len(DISK_BYTES));
        made.expect("a test may write files");
        fs::create_dir_all(path).expect("a test may create folders");
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&file));
        run(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(path));
        Self { path: path.to_owned(), _image: image }
    }

    fn free(&self) -> u64 {
        let found = statvfs(&self.path).expect("it is mounted");
        found.f_bavail * found.f_frsize
    }

    /// Takes up room until so many bytes are free.
    fn leave(&self, bytes: u64) {
        let more = self.free().checked_sub(bytes).expect("so much is free");
        let file = File::options().create(true).append(true).open(self.path.join("lost+found/x"));
        let file = file.expect("it can be written");
        let length = file.metadata().expect("its length is known").len();
        fallocate(&file, FallocateFlags::empty(), length, more).expect("there is room");
    }

    /// Gives all of it back.
    fn clear(&self) {
        fs::remove_file(self.path.join("lost+found/x")).expect("it was written");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a frontend may be about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "this test needs root, to mount a disk that it can fill: {command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn prepare(frontend: &mut Frontend) {
    frontend.configure("min_free_disk_bytes", LOW_BYTES);
    frontend.configure("ballast_bytes", BALLAST_BYTES);
}

/// The first refusal of a write.
fn refusal(client: &Mariadb) -> String {
    let mut number = 0;
    eventually("writes are refused", LIMIT, || {
        number += 1;
        client.run(&format!("CREATE DATABASE early{number}")).err()
    })
}

#[test]
fn a_start_without_room_is_refused_and_leaves_everything_as_it_was() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut frontend = Frontend::new(dir.path(), None, None);
    prepare(&mut frontend);
    let disk = Disk::mount(&frontend.meta_dir());
    disk.leave(MIB);
    let refused = |frontend: &mut Frontend| {
        frontend.start();
        assert_eq!(frontend.wait_end(), FULL, "{}", frontend.log());
        let log = frontend.log();
        let last = log.lines().last().unwrap_or_default().to_owned();
        for part in [&*frontend.meta_dir().to_string_lossy(), "bytes free", "make room"] {
            assert!(last.contains(part), "'{part}' in: {last}");
        }
    };
    refused(&mut frontend);
    assert_eq!(fs::read_dir(frontend.meta_dir()).expect("it is mounted").count(), 1);

    disk.clear();
    frontend.start();
    frontend.wait_ready();
    frontend.mariadb().ok("CREATE DATABASE kept");
    assert!(frontend.stop().success());
    fs::remove_file(frontend.meta_dir().join("ballast")).expect("it was put in place");
    disk.leave(MIB);
    refused(&mut frontend);
    disk.clear();
    frontend.start();
    frontend.wait_ready();
    let shown = frontend.mariadb().ok("SHOW DATABASES LIKE 'kept'");
    assert_eq!(shown.rows().len(), 1);
}

#[test]
fn a_single_frontend_refuses_writes_until_there_is_room_and_goes_on_reading() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let mut frontend = Frontend::new(dir.path(), None, None);
    prepare(&mut frontend);
    let disk = Disk::mount(&frontend.meta_dir());
    frontend.start();
    frontend.wait_ready();
    let client = frontend.mariadb();
    client.ok("CREATE DATABASE before");
    let ballast = frontend.meta_dir().join("ballast");
    eventually("the ballast is in place", LIMIT, || ballast.exists().then_some(()));

    disk.leave(LOW_BYTES / 2);
    let error = refusal(&client);
    assert!(error.contains("ERROR 1021") && error.contains("nothing was changed"), "{error}");
    assert!(ballast.exists());
    disk.leave(MIB);
    eventually("the ballast is given up", LIMIT, || (!ballast.exists()).then_some(()));
    assert!(disk.free() >= BALLAST_BYTES);
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'before'";
    assert_eq!(client.ok(read).rows().len(), 1);
    // The host's own commands go on.
    client.ok("ALTER SYSTEM ADD FOLLOWER '127.0.0.1:1'");

    let process = frontend.process();
    disk.clear();
    eventually("writes are taken again", LIMIT, || client.run("CREATE DATABASE after").ok());
    eventually("the ballast is back", LIMIT, || ballast.exists().then_some(()));
    assert_eq!(process, frontend.process());
}

#[test]
fn a_leader_without_room_hands_over_and_then_still_votes_and_replicates() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let disk = Disk::mount(&dir.path().join("fe1/meta"));
    let mut cluster = Cluster::start_prepared(dir.path(), 3, None, |at, frontend| {
        if at == 0 {
            prepare(frontend);
        }
    });
    let small = cluster.frontends[0].mariadb();
    small.ok("CREATE DATABASE before");
    disk.leave(LOW_BYTES / 2);
    let error = refusal(&small);
    assert!(error.contains("ERROR 1021"), "{error}");
    let leader = eventually("another one leads", LIMIT, || {
        let leader = cluster.leader(1);
        (leader != 0).then_some(leader)
    });
    let survivor = 3 - leader;
    for number in 0..20 {
        cluster.frontends[survivor].mariadb().ok(&format!("CREATE DATABASE d{number}"));
    }
    cluster.assert_agreement(0);
    assert_eq!(small.ok("SHOW DATABASES LIKE 'd%'").rows().len(), 20);

    // Now a majority needs the vote and the log of the one without room.
    disk.leave(MIB);
    cluster.frontends[leader].kill();
    let client = cluster.frontends[survivor].mariadb();
    eventually("the vote of the one without room elects", LIMIT, || {
        client.run("CREATE DATABASE IF NOT EXISTS elected").ok()
    });
    // Either may have won; the one without room hands over.
    eventually("the one with room leads", LIMIT, || {
        (cluster.leader(survivor) == survivor).then_some(())
    });
    // It may have found room for a moment, by purging its log.
    eventually("its clients' writes are refused", LIMIT, || {
        let error = small.run("CREATE DATABASE IF NOT EXISTS refused").err()?;
        error.contains("ERROR 1021").then_some(())
    });
    let read = "SET read_consistency = 'linearizable'; SHOW DATABASES LIKE 'elected'";
    assert_eq!(small.ok(read).rows().len(), 1);

    disk.clear();
    eventually("its clients' writes are taken again", LIMIT, || {
        small.run("CREATE DATABASE after").ok()
    });
    assert!(cluster.frontends[0].runs());
    cluster.frontends[leader].start();
    cluster.wait_whole();
    cluster.assert_agreement(0);
}
