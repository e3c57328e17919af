//! Turns the protocol files into Rust, without `protoc`, builds the catalog that the program
//! carries, and lists the files that `quorate module new` writes.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};

/// The protocol files: one line each.
#[rustfmt::skip]
const PROTOS: &[&str] = &[
    "client.proto",
    "cluster.proto",
    "peer.proto",
];

const FOLDER: &str = "proto";

fn main() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    protocols(&out)?;
    template(&out)?;
    catalog(&out)
}

fn protocols(out: &Path) -> Result<()> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.include_source_info(true).include_imports(true).open_files(PROTOS)?;
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Ordered maps encode the same everywhere; `bytes` fields share the memory of the message.
    tonic_prost_build::configure()
        .btree_map(".")
        .bytes(".")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// The module that a new cluster starts with; one file deploys.
fn catalog(out: &Path) -> Result<()> {
    for source in xtask::SOURCES {
        println!("cargo:rerun-if-changed={}", xtask::workspace().join(source).display());
    }
    let component = xtask::build_module(&xtask::Module::find("catalog", "1.0.0")?, out)?;
    println!("cargo:rustc-env=QUORATE_CATALOG={}", component.display());
    Ok(())
}

/// What a new module's folder is made of: folders of the workspace, and where they go in it.
const TEMPLATE: [(&str, &str); 4] = [
    ("guest-sdk/template", ""),
    ("guest-sdk/src", "sdk/guest-sdk/src/"),
    ("guest-sdk/wire/src", "sdk/guest-sdk/wire/src/"),
    ("wit", "sdk/wit/"),
];

/// A table of path and content of each file. That they changed is watched for the catalog's sake.
fn template(out: &Path) -> Result<()> {
    let mut table = String::from("&[\n");
    for (folder, place) in TEMPLATE {
        let folder = xtask::workspace().join(folder);
        let mut files = Vec::new();
        list(&folder, &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(&folder).expect("it was found there");
            let path = format!("{place}{}", name.to_str().context("file names are text")?);
            writeln!(table, "    ({path:?}, include_str!({file:?})),")?;
        }
    }
    table.push_str("]\n");
    Ok(fs::write(out.join("module_template.rs"), table)?)
}

/// The files in a folder and those below it, without what cargo has built there.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            files.push(path);
        } else if path.file_name().is_some_and(|name| name != "target") {
            list(&path, files)?;
        }
    }
    Ok(())
}
