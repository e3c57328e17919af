//! The life of modules as an operator sees it: plans, activations that wait, consent to what
//! clients will miss, signatures, a voter that is away, retirement.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate_tests::files::files;
use quorate_tests::{Cluster, Ended, Frontend, Output, binary, eventually, modules};

const LIMIT: Duration = Duration::from_secs(60);

fn module(cluster: &Cluster, at: usize, arguments: &[&str]) -> Ended {
    let mut program = Command::new(binary());
    program.args(["module", "--endpoints", &cluster.frontends[at].rpc()]).args(arguments);
    Ended::of(&mut program)
}

fn install(cluster: &Cluster, at: usize, file: &str) {
    let ended = module(cluster, at, &["install", file]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

/// A cell of `SHOW MODULES` on a frontend; empty if that does not know the module yet.
fn cell(cluster: &Cluster, at: usize, version: &str, column: &str) -> String {
    let shown = cluster.frontends[at].mariadb().ok("SHOW MODULES");
    let found = shown.column("Version").iter().position(|shown| *shown == version);
    found.map_or_else(String::new, |found| shown.column(column)[found].to_owned())
}

/// The value of a property, of which there is one.
fn property(shown: &Output, name: &str) -> String {
    let found = shown.column("Property").iter().position(|shown| *shown == name);
    shown.column("Value")[found.unwrap_or_else(|| panic!("no {name}: {}", shown.text))].to_owned()
}

/// How many files a frontend has of what it compiled of a module.
fn compiled(frontend: &Frontend, digest: &str) -> usize {
    let kept = files(&frontend.meta_dir().join("modules"), ".module");
    kept.iter().filter(|file| file.to_string_lossy().contains(digest)).count()
}

fn last_lsn(cluster: &Cluster, at: usize) -> u64 {
    let shown = cluster.frontends[at].mariadb().ok("PUT lsn x; SELECT @@last_lsn AS lsn");
    shown.text.lines().last().and_then(|line| line.trim().parse().ok()).expect("an LSN")
}

#[test]
fn an_activation_is_planned_waits_for_its_lsn_or_time_and_can_be_called_off() {
    let cluster = Cluster::start_with(3, Some(modules::KV));
    let at = cluster.follower();
    let client = cluster.frontends[at].mariadb();
    let error = client.error("EXPLAIN ACTIVATE MODULE 'kv@9.0.0'");
    assert!(error.contains("is not installed"), "{error}");
    install(&cluster, at, modules::KV_TWIN);
    let plan = client.ok("EXPLAIN ACTIVATE MODULE 'kv@1.0.1'");
    assert_eq!(property(&plan, "From"), "kv@1.0.0, schema 1");
    assert_eq!(property(&plan, "Migration"), "none: the rows have schema 1");
    assert_eq!(property(&plan, "Breaking"), "nothing");
    assert_eq!(property(&plan, "Verdict"), "it would be activated");
    let ended = module(&cluster, 0, &["activate", "kv@1.0.1", "--plan"]);
    assert!(ended.out.contains("it would be activated"), "{}", ended.out);
    assert_eq!(cell(&cluster, at, "1.0.1", "State"), "INSTALLED");

    // From what the plan was made for, and nothing else.
    let error = client.error("ACTIVATE MODULE 'kv@1.0.1' FROM NONE");
    assert!(error.contains("FROM says no module, but 'kv@1.0.0' is active"), "{error}");
    client.ok("ACTIVATE MODULE 'kv@1.0.1' FROM 'kv@1.0.0'");
    for statement in [
        "ACTIVATE MODULE 'kv@1.0.0'",
        "EXPLAIN ACTIVATE MODULE 'kv@1.0.0'",
        "ROLLBACK MODULE",
        "EXPLAIN ROLLBACK MODULE",
    ] {
        let error = client.error(&format!("{statement} FROM 'kv@1.0.0'"));
        assert!(error.contains("FROM says 'kv@1.0.0', but 'kv@1.0.1' is active"), "{error}");
    }
    let error = client.error("ROLLBACK MODULE FROM 'kv@9.0.0'");
    assert!(error.contains("is not installed"), "{error}");
    client.ok("ROLLBACK MODULE FROM 'kv@1.0.1'");

    // At an LSN.
    let error = client.error("ACTIVATE MODULE 'kv@1.0.1' AT LSN 1");
    assert!(error.contains("LSN 1 has passed"), "{error}");
    let due = last_lsn(&cluster, at) + 10;
    client.ok(&format!("ACTIVATE MODULE 'kv@1.0.1' AT LSN {due}"));
    assert_eq!(cell(&cluster, at, "1.0.1", "State"), "SCHEDULED");
    assert_eq!(cell(&cluster, at, "1.0.1", "Scheduled"), format!("at LSN {due}"));
    let error = client.error("ACTIVATE MODULE 'kv@1.0.1' AFTER 1 HOUR");
    assert!(error.contains("is scheduled already"), "{error}");
    while last_lsn(&cluster, at) < due {}
    for at in 0..3 {
        eventually("the module is active", LIMIT, || {
            (cell(&cluster, at, "1.0.1", "State") == "ACTIVE").then_some(())
        });
        assert_eq!(cell(&cluster, at, "1.0.1", "ActiveSinceLsn"), due.to_string());
    }

    // At a time, in a cluster that does nothing else.
    let ended = module(&cluster, at, &["activate", "kv@1.0.0", "--after", "1s"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    eventually("the module is active", LIMIT, || {
        (cell(&cluster, 0, "1.0.0", "State") == "ACTIVE").then_some(())
    });

    // Called off.
    let error = client.error("CANCEL MODULE ACTIVATION");
    assert!(error.contains("no activation is scheduled"), "{error}");
    client.ok("ACTIVATE MODULE 'kv@1.0.1' AFTER 1 HOUR");
    assert_eq!(cell(&cluster, at, "1.0.1", "State"), "SCHEDULED");
    let ended = module(&cluster, 0, &["cancel"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(cell(&cluster, 0, "1.0.1", "State"), "INSTALLED");
    cluster.assert_agreement(at);
}

#[test]
fn what_clients_will_miss_needs_its_token_and_a_retired_module_can_come_back() {
    let cluster = Cluster::start_with(3, Some(modules::KV));
    let at = cluster.follower();
    let client = cluster.frontends[at].mariadb();
    install(&cluster, 0, modules::FAULTY);
    let error = client.error("ACTIVATE MODULE 'faulty@1.0.0'");
    assert!(error.contains("clients will notice: it is another module"), "{error}");
    let plan = client.ok("EXPLAIN ACTIVATE MODULE 'faulty@1.0.0'");
    assert!(property(&plan, "Verdict").starts_with("it would be refused"), "{}", plan.text);
    let token = property(&plan, "Token");
    for (wrong, told) in [("xyz", "is no token"), ("0123456789abcdef", "not that of this step")] {
        let error = client.error(&format!("ACTIVATE MODULE 'faulty@1.0.0' BREAKING '{wrong}'"));
        assert!(error.contains(told), "{error}");
    }
    let ended = module(&cluster, 0, &["activate", "faulty@1.0.0", "--breaking", &token]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let plan = client.ok("EXPLAIN ROLLBACK MODULE");
    assert_eq!(property(&plan, "Verdict"), "it would be activated");
    client.ok("ROLLBACK MODULE");
    assert_eq!(client.ok("PUT a 1; GET a").column("value"), ["1"]);
    let shown = client.ok("SHOW MODULE 'faulty@1.0.0'");
    let compiled = |digest: &str| {
        cluster.frontends.iter().map(|frontend| compiled(frontend, digest)).sum::<usize>()
    };
    // For applying and for reading.
    let digest = property(&shown, "Digest");
    assert_eq!(compiled(&digest), 2 * cluster.frontends.len());

    let error = client.error("RETIRE MODULE 'kv@1.0.0'");
    assert!(error.contains("is active"), "{error}");
    let ended = module(&cluster, at, &["retire", "faulty@1.0.0"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let shown = client.ok("SHOW MODULE 'faulty@1.0.0'");
    assert_eq!(property(&shown, "State"), "RETIRED");
    eventually("what was compiled of it is gone", LIMIT, || (compiled(&digest) == 0).then_some(()));
    let error = client.error("ACTIVATE MODULE 'faulty@1.0.0'");
    assert!(error.contains("was retired at LSN"), "{error}");
    install(&cluster, at, modules::FAULTY);
    let shown = client.ok("SHOW MODULE 'faulty@1.0.0'");
    assert_eq!(property(&shown, "State"), "INSTALLED");
    assert!(shown.text.contains("can run it"), "{}", shown.text);
    cluster.assert_agreement(at);
}

#[test]
fn a_majority_can_go_ahead_without_a_voter_that_is_away_and_it_follows() {
    let mut cluster = Cluster::start_with(3, Some(modules::KV));
    let (away, at) = (cluster.follower(), cluster.leader(0));
    cluster.frontends[away].kill();
    let ended = module(&cluster, at, &["install", modules::KV_TWIN]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let client = cluster.frontends[at].mariadb();
    let error = client.error("ACTIVATE MODULE 'kv@1.0.1'");
    assert!(error.contains("is not acknowledged by frontends"), "{error}");
    let ended = module(&cluster, at, &["activate", "kv@1.0.1", "--quorum"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    client.ok("PUT a 1");
    cluster.frontends[away].start();
    cluster.wait_whole();
    eventually("the module is active there", LIMIT, || {
        (cell(&cluster, away, "1.0.1", "State") == "ACTIVE").then_some(())
    });
    cluster.assert_agreement(away);
}

#[test]
fn a_module_is_installed_only_with_a_signature_that_the_cluster_trusts() {
    let cluster = Cluster::start_with(1, Some(modules::KV));
    let client = cluster.frontends[0].mariadb();
    let dir = tempfile::tempdir().expect("a test may create folders");
    let file = dir.path().join("kv.wasm");
    std::fs::copy(modules::KV_TWIN, &file).expect("a test may write files");
    let path = file.to_str().expect("temporary paths are text");
    let (key, stranger) = (Key::new(dir.path(), "ours"), Key::new(dir.path(), "theirs"));
    let error = client.error("ADMIN SET FRONTEND CONFIG (\"module_trusted_keys\" = \"nonsense\")");
    assert!(error.contains("cannot have this value"), "{error}");
    let set = |key: &str, value: &str| {
        client.ok(&format!("ADMIN SET FRONTEND CONFIG (\"{key}\" = \"{value}\")"));
    };
    set("module_trusted_keys", &format!("{};{}", stranger.public, key.public));
    set("module_trusted_keys", &key.public);
    let signed_by = |module: &str| {
        let shown = client.ok(&format!("SHOW MODULE '{module}'"));
        property(&shown, "SignedBy")
    };
    assert_eq!(signed_by("kv@1.0.0"), "nobody");
    set("require_module_signatures", "true");
    assert_eq!(signed_by("kv@1.0.0"), "nobody, and require_module_signatures is on");
    let refused = |told: &str| {
        let ended = module(&cluster, 0, &["install", path]);
        assert!(ended.code != Some(0) && ended.err.contains(told), "{}", ended.err);
        let error = client.error(&format!("INSTALL MODULE FROM '{path}'"));
        assert!(error.contains(told), "{error}");
    };
    refused("the module is not signed");
    stranger.sign(&file);
    refused("by a key that the cluster trusts");
    let signature = dir.path().join("kv.wasm.minisig");
    std::fs::write(&signature, "nonsense").expect("it can be written");
    refused("not one of minisign");
    let other = dir.path().join("other");
    std::fs::write(&other, "another file").expect("it can be written");
    key.sign(&other);
    std::fs::rename(dir.path().join("other.minisig"), &signature).expect("it can be moved");
    refused("not one of this file");
    key.sign(&file);
    client.ok(&format!("INSTALL MODULE FROM '{path}'"));
    assert_eq!(signed_by("kv@1.0.1"), key.public);
    set("module_trusted_keys", &stranger.public);
    assert_eq!(signed_by("kv@1.0.1"), format!("{}, which is not trusted any more", key.public));
    let error = client.error("ACTIVATE MODULE 'kv@1.0.1'");
    assert!(error.contains("is not trusted any more"), "{error}");
    set("module_trusted_keys", &key.public);
    client.ok("ACTIVATE MODULE 'kv@1.0.1'");
    // What is active stays so; what has no signature does not become it.
    let error = client.error("ROLLBACK MODULE");
    assert!(error.contains("the module is not signed"), "{error}");
    let error = client.error("ALTER SYSTEM SET ENGINE EPOCH 2");
    assert!(error.contains("cannot run engine epoch 2"), "{error}");
}

#[test]
fn after_a_start_modules_are_compiled_before_they_are_activated_and_applying_waits_for_none() {
    let mut cluster = Cluster::start_with(3, Some(modules::KV));
    install(&cluster, 0, modules::KV_TWIN);
    let mut seen = Vec::new();
    for frontend in &mut cluster.frontends {
        assert!(frontend.stop().success());
        // As after an upgrade of the engine.
        let compiled = files(&frontend.meta_dir().join("modules"), "");
        assert!(!compiled.is_empty());
        compiled.iter().for_each(|file| std::fs::remove_file(file).expect("it is there"));
        seen.push(frontend.log().len());
    }
    cluster.frontends.iter_mut().for_each(Frontend::start);
    cluster.wait_whole();
    let log = |at: usize| cluster.frontends[at].log()[seen[at]..].to_owned();
    for at in 0..3 {
        eventually("it has tried the module", LIMIT, || {
            log(at).contains("module kv@1.0.1 is ready").then_some(())
        });
    }
    let client = cluster.frontends[0].mariadb();
    client.ok("ACTIVATE MODULE 'kv@1.0.1'; PUT a 1; ROLLBACK MODULE; PUT a 2");
    cluster.assert_agreement(0);
    for at in 0..3 {
        assert!(!log(at).contains("applying is stalled"), "{}", log(at));
    }
}

/// A key of minisign, without a password.
struct Key {
    secret: PathBuf,
    public: String,
}

impl Key {
    fn new(dir: &Path, name: &str) -> Self {
        let (secret, public) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.pub")));
        minisign(
            Command::new("minisign").args(["-G", "-W", "-s"]).arg(&secret).arg("-p").arg(&public),
        );
        let text = std::fs::read_to_string(public).expect("it was written");
        let public = text.lines().last().expect("a comment and a key").to_owned();
        Self { secret, public }
    }

    /// Leaves the signature beside the file.
    fn sign(&self, file: &Path) {
        minisign(
            Command::new("minisign").arg("-S").arg("-s").arg(&self.secret).arg("-m").arg(file),
        );
    }
}

fn minisign(command: &mut Command) {
    let output = command.output().expect("minisign is installed: `make setup` does it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
