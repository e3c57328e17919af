//! Builds the modules that tests install, so that they are never older than their sources, and the
//! client of the system that the benchmark compares with.

use std::path::Path;

use xtask::{MODULES, SOURCES};

fn main() -> anyhow::Result<()> {
    let root = xtask::workspace();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let out = std::env::var("OUT_DIR")?;
    for module in MODULES {
        let path = xtask::build_module(&module, Path::new(&out))?;
        let name = format!("{}_{}", module.name, module.version.replace('.', "_"));
        println!("cargo:rustc-env=MODULE_{}={}", name.to_uppercase(), path.display());
    }
    println!("cargo:rerun-if-changed=proto");
    let etcd = protox::compile(["etcd.proto"], ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(etcd)?;
    Ok(())
}
