//! `docs/module-authoring.md`, block by block: its commands are typed, its code is compiled, what
//! it shows is compared.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorate_tests::guide::like;
use quorate_tests::{Ended, author, binary, eventually};

const GUIDE: &str = include_str!("../../docs/module-authoring.md");
/// First line of a command that goes on until the guide is read.
const SECOND_TERMINAL: &str = "# in a second terminal";
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// One block of the guide: its kind, and what is in it.
struct Block {
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in GUIDE.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = !inside;
            if inside {
                found.push(Block { kind: kind.to_owned(), text: String::new() });
            }
        } else if inside {
            let block = found.last_mut().expect("a block was begun");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!inside, "a block is not closed");
    found
}

/// The reader's machine.
struct Reader {
    dir: PathBuf,
    /// Where the last command left off.
    folder: PathBuf,
    /// First port of the cluster in the second terminal.
    base_port: u16,
    cluster: Option<Child>,
}

impl Reader {
    fn new() -> Self {
        let dir = author::folder("guide");
        let bin = dir.join("bin");
        std::fs::create_dir(&bin).expect("a test may create folders");
        std::os::unix::fs::symlink(binary(), bin.join("quorate")).expect("a test may link files");
        Self { folder: dir.clone(), dir, base_port: base_port(), cluster: None }
    }

    /// A shell where the reader is, with what the guide says is needed.
    fn shell(&self, script: &str) -> Command {
        let mut bash = xtask::author_shell(&self.folder).expect("a compiler for guests is here");
        let path = bash.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
        let path = path.map_or_else(|| std::env::var_os("PATH"), |path| Some(path.to_owned()));
        let mut all = self.dir.join("bin").into_os_string();
        all.push(":");
        all.push(path.expect("there is a PATH"));
        // The crates that this build has used are all that a new module needs.
        bash.env("PATH", all).env("CARGO_NET_OFFLINE", "true");
        bash.env("QUORATE_ENDPOINTS", format!("127.0.0.1:{}", self.base_port + 1));
        bash.args(["-c", script]);
        bash
    }

    /// Runs a command, and goes where it ends. Gives what it prints.
    fn run(&mut self, script: &str) -> String {
        let place = self.dir.join("place");
        let traced = format!("{script}\npwd > '{}'", place.display());
        let ended = Ended::of(&mut self.shell(&traced));
        assert_eq!(ended.code, Some(0), "{script}{}{}", ended.out, ended.err);
        let place = std::fs::read_to_string(place).expect("it was written");
        self.folder = PathBuf::from(place.trim());
        self.share_target();
        ended.out
    }

    /// What the crates of the SDK are made of is compiled once, not at every run of this test.
    fn share_target(&self) {
        let target = self.folder.join("target");
        if self.folder.join("Cargo.toml").exists() && !target.exists() {
            let shared = xtask::author_target_dir();
            std::fs::create_dir_all(&shared).expect("a test may create folders");
            std::os::unix::fs::symlink(shared, target).expect("a test may link files");
        }
    }

    /// Starts a cluster, and waits until it says how to reach it.
    fn start(&mut self, script: &str) {
        let script = format!("exec {} --base-port {}", script.trim(), self.base_port);
        let mut child =
            self.shell(&script).stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        self.cluster = Some(child);
        let lines = stdout.lines().map(|line| line.expect("it prints text"));
        assert!(lines.into_iter().any(|line| line.contains("Ctrl-C")), "the cluster did not start");
    }

    fn patch(&self, diff: &str) {
        let file = self.dir.join("patch.diff");
        std::fs::write(&file, diff).expect("a test may write files");
        let ended = Ended::of(&mut self.shell(&format!("patch -p1 < '{}'", file.display())));
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        assert!(!ended.out.contains("fuzz") && !ended.out.contains("offset"), "{}", ended.out);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(mut cluster) = self.cluster.take() else { return };
        let process = rustix::process::Pid::from_child(&cluster);
        let _ = rustix::process::kill_process(process, rustix::process::Signal::INT);
        if std::thread::panicking() {
            let _ = cluster.wait();
        } else {
            eventually("the cluster stops", STOP_LIMIT, || {
                cluster.try_wait().expect("it can be waited for")
            });
        }
    }
}

/// A port with eleven free ones after it.
fn base_port() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let start = 24_000 + u16::try_from(std::process::id() % 400).expect("it is small") * 12;
    let mut candidates = (start..start + 2400).step_by(12);
    candidates.find(|base| (0..12).all(|offset| free(base + offset))).expect("there are free ports")
}

/// Whether every line of `expected` is shown, in that order; `…` stands for anything in a line, and
/// how wide a column is does not matter.
fn assert_shown(expected: &str, shown: &str) {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = shown.lines().map(squeeze);
    for wanted in expected.lines().map(squeeze) {
        assert!(lines.any(|line| like(&wanted, &line)), "'{wanted}' is not in\n{shown}");
    }
}

fn write(folder: &Path, content: &str) {
    let first = content.lines().next().unwrap_or_default();
    let name = first.strip_prefix("// ").expect("a block of code begins with its file");
    std::fs::write(folder.join(name), content).expect("a test may write files");
}

#[test]
fn a_module_is_written_tried_migrated_and_activated_as_the_guide_says() {
    let mut reader = Reader::new();
    let (mut shown, mut commands) = (String::new(), 0);
    for Block { kind, text } in blocks() {
        match kind.as_str() {
            "sh" if text.starts_with(SECOND_TERMINAL) => {
                reader.start(text[SECOND_TERMINAL.len()..].trim());
            }
            "sh" => {
                shown = text.lines().map(|line| reader.run(line)).collect();
                commands += 1;
            }
            "text" => assert_shown(&text, &shown),
            "rust" => write(&reader.folder, &text),
            "diff" => reader.patch(&text),
            other => panic!("a block of kind {other}"),
        }
    }
    assert!(commands > 6 && reader.cluster.is_some(), "the guide has more than these: {commands}");
}
