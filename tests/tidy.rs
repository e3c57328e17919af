//! The house rules that a machine can check. Reports all findings at once.

use std::fs;
use std::path::{Path, PathBuf};

/// Layers of the host, lowest first. A file may import from its own layer and those before it.
const LAYERS: [&[&str]; 14] = [
    &["types"],
    &["config"],
    &["proto"],
    &["storage"],
    &["runtime"],
    &["machine"],
    &["rescue"],
    &["raft"],
    &["cluster"],
    &["query"],
    &["session"],
    &["mysql", "grpc", "http"],
    &["server"],
    &["cli"],
];

/// Imports that the order of layers allows and the design does not.
const BANS: [(&str, &[&str]); 2] =
    [("runtime", &["storage"]), ("cli", &["storage", "machine", "raft"])];

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 500;
/// Longest line, in characters.
const LINE_CHARS_MAX: usize = 100;
/// What runs in simulated time, too.
const SIMULATED: [&str; 3] = ["host/src/machine", "host/src/raft", "host/src/cluster"];
/// Where nothing may depend on a hash order.
const ORDERED: [&str; 4] = ["host/src/machine", "host/src/runtime", "modules/", "guest-sdk/"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace").to_owned()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("sources can be listed") {
        let path = entry.expect("sources can be listed").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// Path relative to the workspace and text of every source file.
fn files() -> Vec<(String, String)> {
    let (root, mut found) = (root(), Vec::new());
    for folder in ["host", "sql", "guest-sdk", "modules", "tests", "xtask"] {
        sources(&root.join(folder), &mut found);
    }
    found.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("sources can be read");
        let name = path.strip_prefix(&root).expect("it lies in the workspace");
        (name.to_string_lossy().into_owned(), text)
    };
    found.into_iter().map(read).collect()
}

fn report(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn layer_of(name: &str) -> Option<&str> {
    let inner = name.strip_prefix("host/src/")?;
    let first = inner.split('/').next()?;
    let layer = first.strip_suffix(".rs").unwrap_or(first);
    LAYERS.iter().flat_map(|level| level.iter()).find(|known| **known == layer).copied()
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|level| level.contains(&layer))
}

/// The layers that a line names after `crate::`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").filter_map(|(at, word)| {
        let rest = &line[at + word.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        Some(&rest[..end]).filter(|layer| rank(layer).is_some())
    })
}

#[test]
fn imports_point_down_the_layers_only() {
    let mut findings = Vec::new();
    for (name, text) in files() {
        let Some(own) = layer_of(&name) else { continue };
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in imports(line).filter(|used| *used != own) {
                let banned = BANS.iter().any(|(layer, bans)| *layer == own && bans.contains(&used));
                if banned || rank(used) >= rank(own) {
                    findings.push(format!("{name}:{}: {own} imports {used}", number + 1));
                }
            }
        }
    }
    report(&findings);
}

#[test]
fn every_folder_of_the_host_is_a_layer() {
    let known = |name: &str| layer_of(name).is_some();
    let findings: Vec<_> = files()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("host/src/") && !known(name))
        .filter(|name| !["host/src/lib.rs", "host/src/main.rs"].contains(&name.as_str()))
        .collect();
    report(&findings);
}

#[test]
fn files_are_short_and_lines_fit() {
    let mut findings = Vec::new();
    for (name, text) in files() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!("{name}: {lines} lines, at most {FILE_LINES_MAX}"));
        }
        for (number, line) in text.lines().enumerate() {
            if !stands_in_one_piece(&name, line) && line.chars().count() > LINE_CHARS_MAX {
                findings.push(format!("{name}:{}: over {LINE_CHARS_MAX} characters", number + 1));
            }
        }
    }
    report(&findings);
}

/// Text that clients see or send, the rows of a table, and what tests spell out.
fn stands_in_one_piece(name: &str, line: &str) -> bool {
    line.contains('"') || line.trim_start().starts_with("//! |") || name.contains("tests/")
}

#[test]
fn nothing_below_the_log_depends_on_a_hash_order() {
    let hashed = [concat!("Hash", "Map"), concat!("Hash", "Set")];
    let mut findings = Vec::new();
    for (name, text) in files() {
        if !ORDERED.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if hashed.iter().any(|word| code.contains(word)) {
                findings.push(format!("{name}:{}: a hash order", number + 1));
            }
        }
    }
    report(&findings);
}

#[test]
fn what_is_simulated_asks_for_the_time_that_can_be_simulated() {
    let real = concat!("std::time::", "Instant::now");
    let mut findings = Vec::new();
    for (name, text) in files() {
        let is_test = name.contains("/tests");
        if is_test || !SIMULATED.iter().any(|layer| name.starts_with(layer)) {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut imports = code.lines().filter(|line| line.starts_with("use std::time::"));
        let imported = imports.any(|line| line.contains("Instant"));
        if code.contains(real) || imported && code.contains(concat!("Instant", "::now()")) {
            findings.push(format!("{name}: the system's clock"));
        }
    }
    report(&findings);
}

#[test]
fn nothing_is_left_unfinished_or_unreachable() {
    let words = [concat!("todo", "!("), concat!("dbg", "!("), concat!("unimplemented", "!(")];
    let all = files();
    let mut findings = Vec::new();
    for (name, text) in &all {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word))
                || line.contains(concat!("#[ig", "nore"))
            {
                findings.push(format!("{name}:{}: unfinished", number + 1));
            }
        }
        let is_root = ["lib.rs", "main.rs", "build.rs"].iter().any(|root| name.ends_with(root));
        let path = Path::new(name);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let declared = [format!("mod {stem};"), format!("mod {stem} {{")];
        let parent = path.parent().unwrap_or(Path::new(""));
        let stem_of_parent = if stem == "mod" { parent.file_name() } else { path.file_stem() };
        let module = stem_of_parent.unwrap_or_default().to_string_lossy();
        let used = all.iter().any(|(_, text)| {
            declared.iter().any(|d| text.contains(d)) || text.contains(&format!("mod {module};"))
        });
        let is_test_root = parent.ends_with("tests") || parent.ends_with("benches");
        if !is_root && !used && !is_test_root {
            findings.push(format!("{name}: no `mod` line reaches it"));
        }
    }
    report(&findings);
}
