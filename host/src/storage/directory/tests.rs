#![allow(clippy::unwrap_used)]

use super::*;

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn identity() -> Identity {
    Identity {
        cluster: ClusterId(77),
        generation: Generation(2),
        node: NodeId(5),
        kind: FrontendKind::Observer,
    }
}

#[test]
fn a_directory_in_use_is_refused_with_the_users_process_id() {
    let dir = tempfile::tempdir().unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    let error = DataDirectory::open(dir.path()).unwrap_err();
    assert!(matches!(&error, DirectoryError::InUse { .. }));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(open);
    DataDirectory::open(dir.path()).unwrap();
}

#[test]
fn the_user_of_a_directory_is_known_while_it_is_open_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(DataDirectory::user(&dir.path().join("absent")).unwrap(), None);
    let open = DataDirectory::open(dir.path()).unwrap();
    assert_eq!(DataDirectory::user(dir.path()).unwrap(), Some(std::process::id()));
    drop(open);
    assert_eq!(DataDirectory::user(dir.path()).unwrap(), None, "this process lives, the lock not");
    fs::write(dir.path().join("lock"), "garbage").unwrap();
    assert_eq!(DataDirectory::user(dir.path()).unwrap(), None);
}

#[test]
fn a_directory_that_became_nobodys_is_given_up_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    DataDirectory::open(&path).unwrap().abandon();
    assert_eq!(names(dir.path()), [""; 0]);

    let mine = DataDirectory::open(&path).unwrap();
    mine.set_identity(&identity()).unwrap();
    mine.abandon();
    assert_eq!(DataDirectory::open(&path).unwrap().identity().unwrap(), Some(identity()));

    let mounted = dir.path().join("mounted");
    fs::create_dir(&mounted).unwrap();
    fs::create_dir(mounted.join("lost+found")).unwrap();
    DataDirectory::open(&mounted).unwrap().abandon();
    assert_eq!(names(&mounted), ["lost+found"]);
}

#[test]
fn a_pid_file_names_its_process_and_refuses_another() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("run");
    let file = PidFile::write(&folder).unwrap();
    let text = fs::read_to_string(folder.join("fe.pid")).unwrap();
    assert_eq!(text, format!("{}\n", std::process::id()));
    let error = PidFile::write(&folder).unwrap_err().to_string();
    let expected = format!("Frontend running as process {}. Stop it first.", std::process::id());
    assert!(error.contains(&expected), "{error}");
    drop(file);
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn a_foreign_directory_is_refused_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "years of work").unwrap();
    let error = DataDirectory::open(dir.path()).unwrap_err();
    assert!(matches!(&error, DirectoryError::Foreign { found, .. } if found == "thesis.tex"));
    assert_eq!(names(dir.path()), ["thesis.tex"]);
    // A directory named as one of ours, with something in it, is foreign too.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    fs::write(dir.path().join("log/messages"), "").unwrap();
    assert!(matches!(DataDirectory::open(dir.path()), Err(DirectoryError::Foreign { .. })));
}

#[test]
fn what_a_crash_in_open_leaves_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDirectory::open(dir.path()).unwrap());
    fs::rename(dir.path().join("format"), dir.path().join("format.new")).unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    DataDirectory::open(dir.path()).unwrap();
    assert_eq!(
        names(dir.path()),
        ["format", "lock", "log", "lost+found", "modules", "snapshots", "state"]
    );
}

#[test]
fn other_formats_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDirectory::open(dir.path()).unwrap());
    let rewrite = |format: u64| {
        let lines = Lines::new([("format", format.to_string())]);
        fs::write(dir.path().join("format"), lines.to_string()).unwrap();
        DataDirectory::open(dir.path()).unwrap_err()
    };
    let newer = rewrite(FORMAT + 1);
    assert!(matches!(newer, DirectoryError::Newer { found, .. } if found == FORMAT + 1));
    assert!(newer.to_string().contains("start a newer version"), "{newer}");
    assert!(matches!(rewrite(upgrade::FROM - 1), DirectoryError::Older { .. }));
    fs::write(dir.path().join("format"), "format=1\n").unwrap();
    assert!(matches!(DataDirectory::open(dir.path()), Err(DirectoryError::Damaged { .. })));
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = DataDirectory::open(&dir.path().join("file/data")).unwrap_err();
    assert!(matches!(&error, DirectoryError::Unwritable { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
    assert_eq!(names(dir.path()), ["file"]);
    let error = DataDirectory::open(Path::new("/proc/quorate/data")).unwrap_err();
    assert!(matches!(error, DirectoryError::Unwritable { .. }));
}

#[test]
fn absent_directories_are_created_with_their_parents() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    let open = DataDirectory::open(&path).unwrap();
    assert_eq!(names(&path), ["format", "lock", "log", "modules", "snapshots", "state"]);
    assert_eq!((open.log(), open.state()), (path.join("log"), path.join("state")));
}

#[test]
fn an_identity_is_kept_and_readable() {
    let dir = tempfile::tempdir().unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    assert_eq!(open.identity().unwrap(), None);
    open.set_identity(&Identity { generation: Generation(1), ..identity() }).unwrap();
    open.set_identity(&identity()).unwrap();
    drop(open);
    let open = DataDirectory::open(dir.path()).unwrap();
    assert_eq!(open.identity().unwrap(), Some(identity()));
    let text = fs::read_to_string(dir.path().join("identity")).unwrap();
    for line in ["cluster=77\n", "generation=2\n", "node=5\n", "kind=OBSERVER\n", "checksum="] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn an_edited_or_cut_identity_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    open.set_identity(&identity()).unwrap();
    let path = dir.path().join("identity");
    let text = fs::read_to_string(&path).unwrap();
    for length in 0..text.trim_end().len() {
        fs::write(&path, &text[..length]).unwrap();
        assert!(open.identity().is_err(), "cut to {length} bytes");
    }
    fs::write(&path, text.replace("node=5", "node=6")).unwrap();
    let error = open.identity().unwrap_err().to_string();
    assert!(error.contains("identity") && error.contains("checksum"), "{error}");
    // Right checksum, but no sense.
    fs::write(&path, Lines::new([("node", "5".into())]).to_string()).unwrap();
    assert!(matches!(open.identity(), Err(DirectoryError::Damaged { .. })));
}

#[test]
fn a_directory_asks_with_the_number_that_it_drew_first() {
    let dir = tempfile::tempdir().unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    assert_eq!(open.entrant(u64::MAX).unwrap(), u64::MAX);
    assert_eq!(open.entrant(7).unwrap(), u64::MAX);
    drop(open);
    // A process that was killed before it knew who it is left it like that, and more.
    fs::write(dir.path().join("entrant.new"), "cut").unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    assert_eq!(open.identity().unwrap(), None);
    assert_eq!(open.entrant(8).unwrap(), u64::MAX);
    open.abandon();
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_damaged_number_is_refused_and_not_drawn_anew() {
    let dir = tempfile::tempdir().unwrap();
    let open = DataDirectory::open(dir.path()).unwrap();
    open.entrant(1234).unwrap();
    let path = dir.path().join("entrant");
    let text = fs::read_to_string(&path).unwrap();
    for length in 0..text.trim_end().len() {
        fs::write(&path, &text[..length]).unwrap();
        let error = open.entrant(5).unwrap_err();
        assert!(matches!(error, DirectoryError::Damaged { .. }), "cut to {length} bytes");
    }
    for (key, value) in [("entrant", "garbage"), ("entrant", "-1"), ("other", "1")] {
        fs::write(&path, Lines::new([(key, value.to_owned())]).to_string()).unwrap();
        let error = open.entrant(5).unwrap_err().to_string();
        assert!(error.contains("entrant") && error.contains("number"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(open.entrant(5), Err(DirectoryError::Unreadable { .. })));
}

/// A data directory of format 1, whose state is in `state/` itself.
fn of_format_1(path: &Path) {
    drop(DataDirectory::open(path).unwrap());
    fs::write(path.join("state/CURRENT"), "MANIFEST-000005").unwrap();
    fs::write(path.join("state/000007.sst"), "pairs").unwrap();
    fs::remove_dir(path.join("snapshots")).unwrap();
    write_lines(path, "format", &Lines::new([("format", "1".to_owned())])).unwrap();
}

fn check_upgraded(path: &Path, moment: &str) {
    let open = DataDirectory::open(path).unwrap();
    assert_eq!(names(&open.state()), ["current", "gen-1"], "{moment}");
    assert_eq!(names(&open.state().join("gen-1")), ["000007.sst", "CURRENT"], "{moment}");
    assert!(read_lines(path, "format").unwrap().unwrap().get("format") == Some("2"), "{moment}");
    assert!(!path.join("state.new").exists(), "{moment}");
}

#[test]
fn format_1_is_upgraded_also_after_a_crash_at_any_step() {
    for steps in 0..=4 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        of_format_1(path);
        let (state, new) = (path.join("state"), path.join("state.new"));
        // What a crash after so many steps leaves.
        if steps >= 1 {
            fs::create_dir(&new).unwrap();
        }
        if steps >= 2 {
            fs::rename(&state, new.join("gen-1")).unwrap();
        }
        if steps >= 3 {
            let lines = Lines::new([("number", "1".to_owned())]);
            write_lines(&new, "current", &lines).unwrap();
        }
        if steps >= 4 {
            fs::rename(&new, &state).unwrap();
        }
        check_upgraded(path, &format!("after {steps} steps"));
        check_upgraded(path, "opened again");
    }
}

#[test]
fn an_upgrade_begins_again_when_the_old_version_ran_in_between() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    of_format_1(path);
    // It found no state after the second step, and made a new one from the log, which then was
    // never purged.
    fs::create_dir_all(path.join("state.new/gen-1")).unwrap();
    fs::write(path.join("state.new/gen-1/CURRENT"), "MANIFEST-000001").unwrap();
    check_upgraded(path, "after the old version");
}
