//! `docs/deploy-ha.md`, command by command: what it tells to type is typed, and what it shows is
//! compared. Its machines are loopback addresses of this one, so that ports stay as written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate_tests::daemon::{Reaper, process_of};
use quorate_tests::guide::like;
use quorate_tests::{Ended, Mariadb, binary, eventually};
use tempfile::TempDir;

const GUIDE: &str = include_str!("../../docs/deploy-ha.md");
const LIMIT: Duration = Duration::from_secs(60);
/// The network of the guide's machines.
const NETWORK: &str = "10.1.3.";
const MACHINES: [&str; 4] = ["10.1.3.11", "10.1.3.12", "10.1.3.13", "10.1.3.14"];
/// Begins a step that needs more than the first part of the guide.
const SECOND_PART: &str = "Add observers";

/// One block of the guide.
#[derive(Debug)]
struct Block {
    section: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let (mut section, mut inside) = (String::new(), false);
    for line in GUIDE.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = !inside;
            if inside {
                let (section, kind) = (section.clone(), kind.to_owned());
                found.push(Block { section, kind, text: String::new() });
            }
        } else if inside {
            let block = found.last_mut().expect("a block was begun");
            block.text.push_str(line);
            block.text.push('\n');
        } else if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
    }
    assert!(!inside, "a block is not closed");
    found
}

/// The guide's machines, on this one.
struct Site {
    /// Before the folder goes.
    _reaper: Reaper,
    dir: TempDir,
    /// In the place of [`NETWORK`].
    network: String,
}

impl Site {
    fn new(number: u32) -> Self {
        let dir = tempfile::tempdir().expect("a test may create folders");
        std::fs::create_dir(dir.path().join("bin")).expect("a test may create folders");
        // Tests at one time differ in their process or in their number.
        let process = std::process::id();
        let network = format!("127.{}.{}.", 1 + process % 250, 10 * number + process / 250 % 10);
        let meta_dirs = MACHINES.map(|machine| dir.path().join(machine).join("meta"));
        Self { _reaper: Reaper::new(&meta_dirs), dir, network }
    }

    fn folder(&self, machine: &str) -> PathBuf {
        self.dir.path().join(machine)
    }

    fn address(&self, machine: &str) -> String {
        machine.replace(NETWORK, &self.network)
    }

    /// A text of the guide as it is here, on one of the machines.
    fn here(&self, text: &str, machine: &str) -> String {
        let own = format!("{}/32", self.address(machine));
        let table = [
            (format!("{NETWORK}0/24"), own),
            (NETWORK.to_owned(), self.network.clone()),
            ("/opt/quorate".to_owned(), self.folder(machine).display().to_string()),
            ("/usr/local/bin".to_owned(), self.dir.path().join("bin").display().to_string()),
            ("target/debug/quorate".to_owned(), binary().display().to_string()),
        ];
        table.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    fn shell(&self, text: &str, machine: &str) -> String {
        let path = std::env::var("PATH").expect("there is a PATH");
        let path = format!("{}:{path}", self.dir.path().join("bin").display());
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &self.here(text, machine)]);
        bash.current_dir(root).env("PATH", path).env_remove("CARGO_TARGET_DIR");
        let ended = Ended::of(&mut bash);
        assert_eq!(ended.code, Some(0), "on {machine}: {text}{}", ended.err);
        ended.out
    }

    fn mariadb(&self, machine: &str) -> Mariadb {
        Mariadb::at(&self.address(machine), 9030)
    }

    /// Runs the blocks of a part of the guide, and compares what they show.
    fn run(&self, blocks: &[Block]) {
        for (at, block) in blocks.iter().enumerate() {
            let shown = blocks.get(at + 1).filter(|next| next.kind == "text");
            let expected = shown.map(|shown| shown.text.as_str());
            match block.kind.as_str() {
                "sh" => {
                    for machine in machines(&block.text) {
                        let out = self.shell(&block.text, machine);
                        if let Some(expected) = expected {
                            compare(&self.here(expected, machine), &out)
                                .expect("as the guide says");
                        }
                    }
                }
                "ini" => {
                    for machine in machines(&block.text) {
                        let conf = self.folder(machine).join("conf/fe.conf");
                        let mut text = std::fs::read_to_string(&conf).expect("it was installed");
                        text.push_str(&self.here(&block.text, machine));
                        // Tests run beside others, and a machine of the guide has its own processor.
                        text.push_str("election_profile = wan\n");
                        std::fs::write(&conf, text).expect("a test may write files");
                    }
                }
                "sql" => self.statements(&block.text, expected),
                "text" => {}
                other => panic!("a block of kind {other} in '{}'", block.section),
            }
        }
    }

    /// A statement that only shows is repeated until it shows what the guide says: a new frontend
    /// takes moments to be alive.
    fn statements(&self, text: &str, expected: Option<&str>) {
        let [machine] = machines(text)[..] else { panic!("one machine for statements: {text}") };
        let client = self.mariadb(machine);
        let statements = self.here(text, machine);
        let Some(expected) = expected else {
            client.ok(&statements);
            return;
        };
        let expected = self.here(expected, machine);
        let mut last = String::new();
        let what = format!("as the guide says: {text}");
        eventually(&what, LIMIT, || {
            let shown = client.run(&statements).map(|output| output.text);
            let found = shown.and_then(|shown| compare(&expected, &shown));
            if let Err(difference) = &found
                && *difference != last
            {
                eprintln!("{difference}");
                last.clone_from(difference);
            }
            found.ok()
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for machine in MACHINES {
            let log = self.folder(machine).join("log/fe.log");
            let log = std::fs::read_to_string(log).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            eprintln!("--- {machine}");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// The machines that a block is for, from the comment at its top.
fn machines(text: &str) -> Vec<&'static str> {
    let first = text.lines().next().unwrap_or_default();
    let place = first.trim_start_matches(['#', '-', ' ']).strip_prefix("on ");
    match place.unwrap_or_else(|| panic!("no place in the first line: {text}")) {
        "every machine" => MACHINES.to_vec(),
        place => {
            let known = MACHINES.iter().find(|machine| **machine == place);
            vec![*known.unwrap_or_else(|| panic!("no machine {place}"))]
        }
    }
}

/// Compares what was shown with what the guide says. `…` stands for anything in a line, a line of
/// dots for any lines. Rows are compared by their address, whatever their order.
fn compare(expected: &str, shown: &str) -> Result<(), String> {
    let rows = |text: &str| -> Vec<Vec<String>> {
        let mut rows = vec![Vec::new()];
        for line in text.lines().map(str::trim) {
            if line.starts_with("***") && line.ends_with("row ***************************") {
                rows.push(Vec::new());
            } else if !line.is_empty() && line != "......" {
                rows.last_mut().expect("there is one").push(line.to_owned());
            }
        }
        rows.retain(|row| !row.is_empty());
        rows
    };
    let mut shown_rows = rows(shown);
    for row in rows(expected) {
        let address = row.iter().find(|line| line.starts_with("IP: "));
        let is_it = |shown: &Vec<String>| match address {
            Some(address) => shown.contains(address),
            None => fits(&row, shown),
        };
        let Some(at) = shown_rows.iter().position(is_it) else {
            return Err(format!("no row {row:?} in\n{shown}"));
        };
        let found = shown_rows.swap_remove(at);
        if !fits(&row, &found) {
            return Err(format!("not all of {row:?} is in {found:?}"));
        }
    }
    Ok(())
}

/// Whether each of the wanted lines is among those that are shown.
fn fits(wanted: &[String], shown: &[String]) -> bool {
    wanted.iter().all(|wanted| shown.iter().any(|shown| like(wanted, shown)))
}

/// The blocks before the section that begins the second part, and those from there on.
fn parts() -> (Vec<Block>, Vec<Block>) {
    let mut first = blocks();
    let at = first.iter().position(|block| block.section == SECOND_PART);
    let second = first.split_off(at.expect("the guide has a second part"));
    (first, second)
}

#[test]
fn three_followers_are_deployed_checked_stopped_and_started_as_the_guide_says() {
    let site = Site::new(1);
    let (first, _) = parts();
    assert!(first.len() > 15, "the guide has more blocks than these: {first:?}");
    site.run(&first);
}

#[test]
fn observers_are_added_and_frontends_dropped_as_the_guide_says() {
    let site = Site::new(2);
    let (first, second) = parts();
    site.run(&first);
    let at = second.iter().position(|block| block.text.contains("DROP")).expect("it drops");
    site.run(&second[..at]);
    let dropped = ["10.1.3.13", "10.1.3.14"].map(|machine| site.folder(machine).join("meta"));
    assert!(dropped.iter().all(|meta| process_of(meta).is_some()), "they run");
    // What is said of the dropped ones is looked at before the guide goes on with them.
    let again = second.iter().position(|block| block.text.contains("rm -r meta")).expect("it does");
    site.run(&second[at..again]);
    eventually("dropped frontends end", LIMIT, || {
        dropped.iter().all(|meta| process_of(meta).is_none()).then_some(())
    });
    site.run(&second[again..]);
}

#[test]
fn every_error_in_the_guides_table_is_one_that_the_program_can_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace");
    let mut sources = String::new();
    let mut folders = vec![root.join("host/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("sources can be listed") {
            let path = entry.expect("sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(path).expect("sources can be read");
                // Texts go over several lines there.
                let lines: Vec<_> = text.lines().map(str::trim).collect();
                sources.push_str(&lines.join("\n").replace("\\\n", "").replace("\\\"", "\""));
            }
        }
    }
    let (_, table) = GUIDE.split_once("| it says | then |").expect("there is a table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let texts: BTreeSet<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert!(texts.len() > 10, "{texts:?}");
    for text in texts {
        let parts = text.split(['…', '[', ']']).map(str::trim).filter(|part| part.len() > 3);
        for part in parts {
            assert!(sources.contains(part), "'{part}' of '{text}' is no text of the program");
        }
    }
}
