//! A start that cannot succeed: one clear line, exit code 2, nothing left behind.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use quorate_tests::{Frontend, binary};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a test may create folders")
}

/// Starts with settings, and gives the exit code and the last line of standard error.
fn refused(settings: &[String], more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.arg("start").args(more);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
}

fn settings(dir: &Path) -> Vec<String> {
    let frontend = Frontend::new(&dir.join("ports"), None, None);
    let arguments = frontend.command();
    let arguments: Vec<_> =
        arguments.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut settings: Vec<_> = arguments.into_iter().filter(|a| a.contains("_port=")).collect();
    settings.push(format!("meta_dir={}", dir.join("meta").display()));
    settings
}

#[test]
fn a_port_in_use_is_named() {
    let dir = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = taken.local_addr().expect("it is bound").port();
    let mut settings = settings(dir.path());
    settings.push(format!("http_port={port}"));
    let (code, line) = refused(&settings, &[]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("http_port") && line.contains(&port.to_string()), "{line}");
    assert!(!dir.path().join("meta").exists());
}

#[test]
fn a_foreign_data_directory_is_left_alone() {
    let dir = folder();
    let meta = dir.path().join("meta");
    std::fs::create_dir(&meta).expect("a test may create folders");
    std::fs::write(meta.join("letter.txt"), "dear").expect("a test may write files");
    let (code, line) = refused(&settings(dir.path()), &[]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains(&*meta.to_string_lossy()), "{line}");
    assert_eq!(std::fs::read_dir(&meta).expect("it is there").count(), 1);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let dir = folder();
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("a test may write files");
    let mut settings = settings(dir.path());
    settings.push(format!("meta_dir={}", file.join("meta").display()));
    let (code, line) = refused(&settings, &[]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains(&*file.to_string_lossy()), "{line}");
}

#[test]
fn a_data_directory_in_use_is_named() {
    let dir = folder();
    let mut first = Frontend::new(dir.path(), None, None);
    first.start();
    first.wait_ready();
    let mut settings = settings(dir.path());
    settings.push(format!("meta_dir={}", first.meta_dir().display()));
    let (code, line) = refused(&settings, &[]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("in use") || line.contains("another"), "{line}");
    first.mariadb().ok("CREATE DATABASE unharmed");
}

#[test]
fn a_malformed_configuration_is_named_by_file_and_line() {
    let dir = folder();
    let conf = dir.path().join("fe.conf");
    let path = conf.to_str().expect("temporary paths are text");
    for (text, expected) in [
        ("http_port", "fe.conf:1"),
        ("# ports\nhttp_port = many", "fe.conf:2"),
        ("query_port = 9010\nedit_log_port = 9010", "9010"),
    ] {
        std::fs::write(&conf, text).expect("a test may write files");
        let (code, line) = refused(&[], &["--conf", path]);
        assert_eq!(code, Some(2), "{line}");
        assert!(line.contains(expected), "{line}");
    }
    let (code, line) = refused(&["nonsense=1".to_owned()], &[]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("nonsense"), "{line}");
}

#[test]
fn a_helper_that_is_no_address_is_refused() {
    let dir = folder();
    let (code, line) = refused(&settings(dir.path()), &["--helper", "nowhere"]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("host:port"), "{line}");
    let (code, line) = refused(&settings(dir.path()), &["--module", "/nowhere/m.wasm"]);
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("/nowhere/m.wasm"), "{line}");
    assert!(!dir.path().join("meta").exists());
}
