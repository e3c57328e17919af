//! Turns the protocol files into Rust, without `protoc`.

use std::path::PathBuf;
use std::{env, error, fs};

/// The protocol files: one line each.
#[rustfmt::skip]
const PROTOS: &[&str] = &[
    "peer.proto",
];

const FOLDER: &str = "proto";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.include_source_info(true).include_imports(true).open_files(PROTOS)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Ordered maps encode the same everywhere; `bytes` fields share the memory of the message.
    tonic_prost_build::configure()
        .btree_map(".")
        .bytes(".")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
