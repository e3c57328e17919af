//! `quorate module new`: a crate to begin a module with.
//!
//! The SDK is written beside it, from what this program was built from: the crate needs neither
//! Quorate's sources nor a registry that has them, and it fits the clusters of this release.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::super::{Exit, exit, table};

/// Path and content of every file. In both, the words of [`Words`] stand for the module's name.
const TEMPLATE: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/module_template.rs"));
/// Files below it are the SDK's: they are written as they are.
const SDK: &str = "sdk/";
/// Longest name of a module.
const NAME_BYTES_MAX: usize = 64;

/// Names of crates that cargo or the compiler keeps for itself, or that the template uses.
#[rustfmt::skip]
const RESERVED: &[&str] = &[
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "build", "const",
    "continue", "core", "crate", "deps", "do", "dyn", "else", "enum", "examples", "extern", "false",
    "final", "fn", "for", "gen", "if", "impl", "in", "incremental", "let", "loop", "macro", "match",
    "mod", "move", "mut", "override", "priv", "proc-macro", "pub", "quorate-guest", "quorate-wire",
    "ref", "return", "self", "static", "std", "struct", "super", "test", "trait", "true", "try",
    "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "wit-bindgen",
    "yield",
];

#[derive(Args)]
pub(super) struct Arguments {
    /// Name of the module and the crate: lower-case letters, digits, '-' and '_'
    name: String,
    /// The folder to write; without it, one of the module's name here
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let name = &arguments.name;
    let folder = arguments.path.clone().unwrap_or_else(|| PathBuf::from(name));
    write(name, &folder).map_err(|error| Exit::new(exit::USAGE, error))?;
    table::print(&format!("wrote module '{name}' to {}", folder.display()))?;
    table::complain(&format!("to go on: cd {} && cargo test", folder.display()));
    Ok(())
}

/// Writes the crate, or nothing.
fn write(name: &str, folder: &Path) -> anyhow::Result<()> {
    let words = Words::new(name)?;
    let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.symlink_metadata().is_ok() && !is_empty {
        bail!("{} exists already; nothing was written", folder.display());
    }
    let written = TEMPLATE.iter().try_for_each(|(path, content)| {
        let content = match *path {
            path if path.starts_with(SDK) => (*content).to_owned(),
            "Cargo.lock" => sorted(&words.put_into(content)),
            _ => words.put_into(content),
        };
        let path = folder.join(path);
        let parent = path.parent().expect("it is in the folder");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("write {}", path.display()))
    });
    if written.is_err() {
        // It was not there, or empty: all in it is from here.
        let _ = fs::remove_dir_all(folder);
    }
    written
}

/// A name in the forms that the template has it in.
struct Words {
    /// `my-module`: the crate, and the module in a cluster.
    crate_name: String,
    /// `my_module`: what the compiler makes of it.
    identifier: String,
}

impl Words {
    fn new(name: &str) -> anyhow::Result<Self> {
        let letters = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
        };
        let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if !begins_well || name.len() > NAME_BYTES_MAX || !name.bytes().all(letters) {
            bail!(
                "'{name}' cannot name a module: 1 to {NAME_BYTES_MAX} lower-case letters, digits, \
                 '-' and '_', beginning with a letter"
            );
        }
        if RESERVED.contains(&name.replace('_', "-").as_str()) {
            bail!("'{name}' cannot name a module: the compiler or the SDK uses that name");
        }
        Ok(Self { crate_name: name.to_owned(), identifier: name.replace('-', "_") })
    }

    fn put_into(&self, content: &str) -> String {
        content.replace("my-module", &self.crate_name).replace("my_module", &self.identifier)
    }
}

/// Cargo's lock file with its packages in the order in which cargo writes them.
fn sorted(lock: &str) -> String {
    const PACKAGE: &str = "[[package]]\n";
    let mut parts = lock.split(PACKAGE);
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<String> =
        parts.map(|package| format!("{}\n", package.trim_end())).collect();
    packages.sort();
    let packages: Vec<String> =
        packages.into_iter().map(|package| format!("{PACKAGE}{package}")).collect();
    format!("{head}{}", packages.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_that_cargo_or_a_cluster_would_refuse_is_refused() {
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for bad in
            ["", "9lives", "Greeter", "a b", "../x", "-a", "_", "fn", "std", "quorate_guest", &long]
        {
            assert!(Words::new(bad).is_err(), "{bad}");
        }
        for good in ["a", "greeter", "my-module_2"] {
            Words::new(good).unwrap();
        }
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("greeter");
        write("greeter", &folder).unwrap();
        fs::write(folder.join("src/lib.rs"), "mine").unwrap();
        let error = write("greeter", &folder).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(fs::read_to_string(folder.join("src/lib.rs")).unwrap(), "mine");
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(write("greeter", &file).is_err());
        assert!(write("greeter", &file.join("below")).is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    fn the_name_is_everywhere_and_the_sdk_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        write("the-greeter", dir.path()).unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
        assert!(read("Cargo.toml").contains("name = \"the-greeter\""));
        assert!(read("src/lib.rs").contains("the_greeter.entries"));
        for path in ["README.md", "Cargo.toml", "Cargo.lock", "src/lib.rs", "src/tests.rs"] {
            let text = read(path);
            assert!(!text.contains("my-module") && !text.contains("my_module"), "{path}");
        }
        let sdk = include_str!("../../../../guest-sdk/src/lib.rs");
        assert_eq!(read("sdk/guest-sdk/src/lib.rs"), sdk);
        assert_eq!(read("sdk/wit/world.wit"), include_str!("../../../../wit/world.wit"));
    }

    #[test]
    fn packages_of_the_lock_file_are_in_order() {
        let lock = "# head\n\n[[package]]\nname = \"b\"\n\n[[package]]\nname = \"a\"\nx = 1\n";
        let expected = "# head\n\n[[package]]\nname = \"a\"\nx = 1\n\n[[package]]\nname = \"b\"\n";
        assert_eq!(sorted(lock), expected);
    }
}
