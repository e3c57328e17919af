//! `quorate module new` and `inspect`, as a stranger uses them.

use std::path::Path;
use std::process::Command;

use quorate_tests::{Ended, author, binary, modules};

fn module(arguments: &[&str], folder: &Path) -> Ended {
    Ended::of(Command::new(binary()).arg("module").args(arguments).current_dir(folder))
}

fn json(file: &str) -> (Option<i32>, serde_json::Value) {
    let ended = module(&["inspect", "--json", file], Path::new("/"));
    (ended.code, serde_json::from_str(&ended.out).expect("it prints one JSON object"))
}

#[test]
fn a_name_or_a_folder_that_cannot_be_used_is_refused_with_nothing_written() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    for name in ["Tasks", "../tasks", "fn", "std"] {
        let ended = module(&["new", name], dir.path());
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("cannot name a module"), "{}", ended.err);
    }
    std::fs::create_dir(dir.path().join("tasks")).expect("a test may create folders");
    std::fs::write(dir.path().join("tasks/mine"), "mine").expect("a test may write files");
    let ended = module(&["new", "tasks"], dir.path());
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("exists already"), "{}", ended.err);
    let left = std::fs::read_dir(dir.path().join("tasks")).expect("it can be listed").count();
    assert_eq!(left, 1);
}

/// What the template pins is what this workspace was built with: so it builds offline here, and a
/// release is tested with what it hands out.
#[test]
fn the_lock_file_of_a_new_module_has_the_versions_of_this_workspace() {
    let packages = |lock: &str| {
        let packages = lock.split("[[package]]\n").skip(1);
        let keys = packages.map(|package| {
            let line = |key: &str| {
                let line = package.lines().find(|line| line.starts_with(key));
                line.unwrap_or_default().to_owned()
            };
            [line("name = "), line("version = "), line("checksum = ")]
        });
        keys.collect::<Vec<_>>()
    };
    let ours = packages(include_str!("../../Cargo.lock"));
    let template = packages(include_str!("../../guest-sdk/template/Cargo.lock"));
    assert!(template.len() > 3);
    for package in template.iter().filter(|package| !package[0].contains("\"my-module\"")) {
        assert!(
            ours.contains(package),
            "{package:?} is not in Cargo.lock: make the template's anew, in a new module's folder, \
             by `cp` of the workspace's lock file and `cargo metadata --offline`"
        );
    }
}

#[test]
fn a_new_module_builds_as_its_lock_file_says_and_with_cargo_component() {
    let folder = author::folder("new").join("here");
    let ended = module(
        &["new", "zebra-7", "--path", folder.to_str().expect("the path is text")],
        Path::new("/"),
    );
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let mut bash = xtask::author_shell(&folder).expect("a compiler for guests is here");
    bash.env("CARGO_TARGET_DIR", xtask::author_target_dir()).env("CARGO_NET_OFFLINE", "true");
    let build = "cargo component build --locked --release --target wasm32-unknown-unknown";
    let ended = Ended::of(bash.args(["-c", build]));
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let built = xtask::author_target_dir().join("wasm32-unknown-unknown/release/zebra_7.wasm");
    let (code, report) = json(built.to_str().expect("the path is text"));
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["name"], "zebra-7");
    assert_eq!(report["relations"][0]["name"], "zebra_7.entries");
}

#[test]
fn a_file_that_an_installation_would_refuse_is_told_apart_and_ends_with_1() {
    let dir = tempfile::tempdir().expect("a test may create folders");
    let file = dir.path().join("m.wasm");
    let path = file.to_str().expect("temporary paths are text");
    let whole = std::fs::read(modules::KV).expect("it was built");
    let clock = wat::parse_str(
        "(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance
           (export \"now\" (func (result u64))))))",
    )
    .expect("it is a component");
    let cases: [(&[u8], &str); 4] = [
        (b"text", "not begin like WebAssembly"),
        (&whole[..whole.len() / 2], "invalid component"),
        (b"\0asm\x01\0\0\0", "quorate module pack"),
        (&clock, "forbidden import: wasi:clocks/wall-clock@0.2.0"),
    ];
    for (content, expected) in cases {
        std::fs::write(&file, content).expect("a test may write files");
        let (code, report) = json(path);
        let problems = report["problems"].to_string();
        assert!(code == Some(1) && problems.contains(expected), "{problems}");
        let ended = module(&["inspect", path], dir.path());
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.err.contains("would be refused") && ended.out.contains("Digest"),
            "{ended:?}"
        );
    }
    let imports = json(path).1["imports"].clone();
    assert_eq!(imports[0]["name"], "wasi:clocks/wall-clock@0.2.0");
    assert_eq!(imports[0]["allowed"], false);
    assert_eq!(module(&["inspect", "/nowhere/m.wasm"], dir.path()).code, Some(2));
}

#[test]
fn an_inspection_tells_what_a_module_is() {
    let (code, report) = json(modules::KV);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["name"], "kv");
    assert_eq!(report["version"], "1.0.0");
    assert_eq!(report["interface"], "0.1.0");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["limits"]["memory_bytes"], 64 << 20);
    assert_eq!(report["relations"][0]["name"], "kv.pairs");
    assert_eq!(report["relations"][0]["columns"][0]["constrainable"], true);
    assert_eq!(report["statements"][0]["syntax"], "PUT key value");
    let size = std::fs::metadata(modules::KV).expect("it was built").len();
    assert_eq!(report["size_bytes"], size);
    let digest = xtask::sha256(Path::new(modules::KV)).expect("it can be read");
    assert_eq!(report["digest"].as_str(), Some(digest.as_str()));
    let imports = report["imports"].as_array().expect("it imports");
    assert!(imports.iter().any(|import| import["name"] == "quorate:machine/store@0.1.0#get"));
    assert!(imports.iter().all(|import| import["allowed"] == true));
    let shown = module(&["inspect", modules::KV], Path::new("/")).out;
    assert!(shown.contains("| CAS key old new") && shown.contains("kv.pairs"), "{shown}");
}
