//! Finds a compiler for guests.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::TARGET;

/// Where `xtask/setup.sh` puts the target's standard library when rustup cannot provide it.
const DEBIAN_TARGET: &str = "/usr/lib/rustlib/wasm32-unknown-unknown/lib";
const DEBIAN_LINKER: &str = "wasm-ld-22";

/// What an outer cargo, or clippy, leaves in the environment for its own compiler.
const OUTER: [&str; 9] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
];

/// A compiler that has the guest target.
pub(crate) enum Toolchain {
    /// The one in PATH: rustup's, or any other with the target.
    Default,
    /// Debian's, under /usr, beside one in PATH that lacks the target.
    Debian,
}

impl Toolchain {
    /// The first that has the target.
    ///
    /// # Errors
    /// When none has; the message names the remedy.
    pub(crate) fn find(workspace: &Path) -> Result<Self> {
        let mut rustc = clean("rustc", workspace);
        rustc.args(["--print", "target-libdir", "--target", TARGET]);
        let libdir = rustc.output().ok().filter(|output| output.status.success());
        let libdir = libdir.and_then(|output| String::from_utf8(output.stdout).ok());
        if libdir.is_some_and(|libdir| has_std(Path::new(libdir.trim()))) {
            return Ok(Self::Default);
        }
        if Path::new("/usr/bin/rustc").exists() && has_std(Path::new(DEBIAN_TARGET)) {
            return Ok(Self::Debian);
        }
        bail!(
            "no compiler here has the target {TARGET}: run `xtask/setup.sh guest`, \
             or `rustup target add {TARGET}`"
        )
    }

    /// Its cargo, in an environment that no outer cargo left its marks on.
    pub(crate) fn cargo(&self, workspace: &Path) -> Command {
        let program = match self {
            Self::Default => "cargo",
            Self::Debian => "/usr/bin/cargo",
        };
        self.command(program, workspace)
    }

    /// A program for which this toolchain is the one in PATH.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = clean(program, folder);
        if let Self::Debian = self {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("/usr/bin:{path}"));
            command.env("RUSTC", "/usr/bin/rustc");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
        }
        command
    }
}

fn clean(program: &str, workspace: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace);
    for name in OUTER {
        command.env_remove(name);
    }
    command
}

fn has_std(libdir: &Path) -> bool {
    let files = std::fs::read_dir(libdir).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
}
