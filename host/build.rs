//! Turns the protocol files into Rust, without `protoc`, and builds the catalog that the program
//! carries.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Result;

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
