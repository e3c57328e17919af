//! CHECK MODULE: a module is tried on copies of the state, beside everything else.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use quorate_tests::files::falsify;
use quorate_tests::{Cluster, Frontend, Output, binary, eventually, modules};

const LIMIT: Duration = Duration::from_secs(60);

fn install(frontend: &Frontend, file: &str) {
    frontend.mariadb().ok(&format!("INSTALL MODULE FROM '{file}'"));
}

fn check(frontend: &Frontend, module: &str) -> Output {
    frontend.mariadb().ok(&format!("CHECK MODULE '{module}'"))
}

/// The findings about a subject, with their severities.
fn about<'a>(shown: &'a Output, subject: &str) -> Vec<(&'a str, &'a str)> {
    let subjects = shown.column("Subject");
    let rows = shown.column("Severity").into_iter().zip(shown.column("Finding"));
    let rows = rows.zip(subjects).filter(|(_, found)| *found == subject);
    rows.map(|(row, _)| row).collect()
}

fn one<'a>(shown: &'a Output, subject: &str) -> (&'a str, &'a str) {
    let found = about(shown, subject);
    assert_eq!(found.len(), 1, "about {subject}:\n{}", shown.text);
    found[0]
}

fn errors(shown: &Output) -> usize {
    shown.column("Severity").iter().filter(|severity| **severity == "ERROR").count()
}

/// Runs the program's own check.
fn program(frontend: &Frontend, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary())
        .args(["module", "--endpoints", &frontend.rpc(), "check"])
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_same_behaviour_shows_no_difference_and_the_frontend_goes_on_applying_meanwhile() {
    let cluster = Cluster::start_with(1, Some(modules::KV));
    let frontend = &cluster.frontends[0];
    let client = frontend.mariadb();
    install(frontend, modules::KV_TWIN);
    let error = client.error("CHECK MODULE 'kv@9.0.0'");
    assert!(error.contains("not installed"), "{error}");
    let puts: String =
        (0..200).map(|n| format!("PUT k{n} v; CAS k{n} x y; DELETE k{n};")).collect();
    client.ok(&puts);

    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                client.ok(&format!("PUT w{} 1", written.fetch_add(1, Ordering::Relaxed)));
            }
        });
        let before = written.load(Ordering::Relaxed);
        let shown = check(frontend, "kv@1.0.1");
        let during = written.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        assert!(during > 0, "no statement was answered meanwhile");
        assert_eq!(errors(&shown), 0, "{}", shown.text);
        let (severity, finding) = one(&shown, "outcomes");
        assert_eq!(severity, "INFO");
        assert!(finding.starts_with("0 of 6"), "{finding}");
        assert_eq!(one(&shown, "replies").0, "INFO");
        assert_eq!(one(&shown, "migration"), ("INFO", "none: the state has schema 1"));
        let (severity, digests) = one(&shown, "digests");
        let agree: u64 = digests.split(' ').next().expect("a word").parse().expect("a number");
        assert!(severity == "INFO" && agree > 300, "{digests}");
        // Fuel of a real command, the same with both.
        let words: Vec<&str> = one(&shown, "fuel").1.split([' ', ',', ';']).collect();
        let figures: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
        assert!(figures.len() == 4 && figures[0] > 100, "{}", shown.text);
        assert_eq!(figures[..2], figures[2..], "{}", shown.text);
        for subject in ["fuel", "time", "check before", "check after"] {
            assert_eq!(one(&shown, subject).0, "INFO", "{}", shown.text);
        }
    });

    // Only the newest, and as the program shows it.
    let shown = client.ok("CHECK MODULE 'kv@1.0.1' LIMIT 7");
    assert!(one(&shown, "replay").1.contains(": 7 entries, "), "{}", shown.text);
    let (code, found, _) = program(frontend, &["kv@1.0.1", "--limit", "9"]);
    assert_eq!(code, Some(0), "{found}");
    assert!(found.contains("INFO   outcomes: 0 of 9 commands"), "{found}");
    assert!(!frontend.meta_dir().join("shadow").exists(), "copies were left behind");
}

#[test]
fn a_migration_is_counted_on_any_frontend_and_replayed_from_its_snapshot() {
    const KEYS: usize = 600;
    let mut cluster = Cluster::start_with(1, Some(modules::KV));
    cluster.add_observer();
    cluster.wait_whole();
    let client = cluster.frontends[0].mariadb();
    let puts = |from: usize| (from..from + KEYS / 2).map(|n| format!("PUT k{n} v;"));
    client.ok(&puts(0).collect::<String>());
    let observer = &cluster.frontends[1];
    observer.mariadb().ok("SET read_consistency = 'linearizable'; GET k0");
    observer.mariadb().ok("ALTER SYSTEM CREATE IMAGE");
    client.ok(&puts(KEYS / 2).collect::<String>());
    install(&cluster.frontends[0], modules::KV_2);
    let linearizable = "SET read_consistency = 'linearizable';";
    let shown = observer.mariadb().ok(&format!("{linearizable} CHECK MODULE 'kv@2.0.0'"));
    assert_eq!(errors(&shown), 0, "{}", shown.text);
    let replay = one(&shown, "replay").1;
    assert!(replay.contains("from the snapshot of LSN "), "{replay}");
    assert!(replay.ends_with(&format!(" with {} commands", KEYS / 2)), "{replay}");
    // What the snapshot has is migrated: 300 keys in steps of 256.
    let (severity, migration) = one(&shown, "migration");
    let told = format!("{} keys", KEYS / 2);
    assert_eq!(severity, "INFO");
    let whole = migration.starts_with("step by step from schema 1 to 2: 2 steps in ");
    assert!(whole && migration.contains(&told), "{migration}");
    assert_eq!(one(&shown, "idempotency"), ("INFO", "a second migration writes nothing"));
    assert_eq!(one(&shown, "outcomes"), ("INFO", "0 of 300 commands end differently"));
    // Nothing of it took place.
    let modules = client.ok("SHOW MODULES");
    assert_eq!(modules.column("State"), ["ACTIVE", "INSTALLED"]);
    cluster.assert_agreement(0);
}

#[test]
fn a_trap_is_shown_with_its_functions_and_command_and_ends_the_program_with_an_error() {
    let cluster = Cluster::start_with(1, Some(modules::FAULTY));
    let frontend = &cluster.frontends[0];
    let client = frontend.mariadb();
    client.ok("PUT a 1; PUT b 2");
    client.ok("ALTER SYSTEM CREATE IMAGE");
    client.error("TRAP");
    client.ok("GET a");
    client.ok("PUT c 3; TRAP 2");
    install(frontend, modules::FAULTY_2);
    let shown = check(frontend, "faulty@2.0.0");
    assert_eq!(one(&shown, "outcomes"), ("ERROR", "1 of 4 commands end differently"));
    let at = shown.column("Subject").iter().position(|subject| subject.starts_with("LSN "));
    let findings = shown.column("Finding");
    let told: Vec<&&str> =
        findings.iter().filter(|finding| finding.starts_with("was applied")).collect();
    assert!(at.is_some() && told.len() == 1, "{}", shown.text);
    assert!(told[0].contains("now rejected: aborted (") && told[0].contains("faulty::script::run"));
    assert!(told[0].contains("; its payload: '") && told[0].contains("TRAP 2"), "{}", told[0]);
    // A value ends in '+' in the other schema.
    assert_eq!(one(&shown, "replies"), ("NOTICE", "1 of 4 replies differ"), "{}", shown.text);
    assert_eq!(one(&shown, "idempotency"), ("NOTICE", "a second migration changes 2 keys"));

    // A migration that traps, and a contradiction that `check` finds.
    client.ok("PUT migrate@b TRAP");
    client.ok("PUT wrong entirely");
    client.ok("ALTER SYSTEM CREATE IMAGE");
    let (code, found, error) = program(frontend, &["faulty@2.0.0"]);
    assert_eq!(code, Some(1), "{found}");
    let refused = found.lines().find(|line| line.starts_with("ERROR  migration: "));
    let refused = refused.unwrap_or_else(|| panic!("{found}"));
    assert!(refused.contains("faulty::script::run"), "{refused}");
    assert!(found.contains("ERROR  check before: key 'wrong': entirely"), "{found}");
    assert!(error.contains("2 findings speak against activating faulty@2.0.0"), "{error}");
}

#[test]
fn a_state_that_is_not_what_the_log_says_is_a_digest_mismatch() {
    let mut cluster = Cluster::start_with(1, Some(modules::KV));
    let client = cluster.frontends[0].mariadb();
    install(&cluster.frontends[0], modules::KV_TWIN);
    client.ok("PUT a 1; PUT b 2");
    assert!(cluster.frontends[0].stop().success());
    falsify(&cluster.frontends[0].meta_dir());
    // What a crash of an earlier check left.
    let left = cluster.frontends[0].meta_dir().join("shadow/active");
    std::fs::create_dir_all(&left).expect("a test may create folders");
    cluster.frontends[0].start();
    cluster.frontends[0].wait_ready();
    assert!(!left.exists(), "a copy of an earlier process was left");
    client.ok("PUT c 3");
    let shown = check(&cluster.frontends[0], "kv@1.0.1");
    let (severity, finding) = one(&shown, "digests");
    assert_eq!(severity, "ERROR", "{}", shown.text);
    assert!(finding.starts_with("digest mismatch: at LSN "), "{finding}");
    assert_eq!(one(&shown, "outcomes").0, "INFO", "{}", shown.text);
}

#[test]
fn one_check_runs_at_a_time_and_ends_with_its_statement() {
    let cluster = Cluster::start_with(1, Some(modules::FAULTY));
    let frontend = &cluster.frontends[0];
    let client = frontend.mariadb();
    // A check that takes its time, page by page.
    client.ok("PUT check LOG 50000");
    client.ok("PUT check-endless 1");
    install(frontend, modules::FAULTY_2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let error = client.error("CHECK MODULE 'faulty@1.0.0'");
            assert!(error.contains("interrupted"), "{error}");
        });
        let running = || {
            let shown = client.run("SHOW FULL PROCESSLIST").ok()?;
            let at =
                shown.column("Info").iter().position(|text| text.starts_with("CHECK MODULE"))?;
            let copies = frontend.meta_dir().join("shadow").exists();
            copies.then(|| shown.column("Id")[at].to_owned())
        };
        let id = eventually("the check runs", LIMIT, running);
        let error = client.error("CHECK MODULE 'faulty@2.0.0'");
        assert!(error.contains("one at a time"), "{error}");
        client.ok(&format!("KILL QUERY {id}"));
    });
    eventually("its copies are gone", LIMIT, || {
        (!frontend.meta_dir().join("shadow").exists()).then_some(())
    });
    let error = client.error("SET query_timeout = 2; CHECK MODULE 'faulty@1.0.0'");
    assert!(error.contains("3024") && error.contains("query_timeout"), "{error}");
}
