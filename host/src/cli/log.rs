//! The log of a frontend: standard error, or files that are kept small.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::Config;
use crate::server::SetLogLevel;

/// Where the log is without `sys_log_dir`, when there is no standard error to write to.
pub const FOLDER: &str = "log";
/// A file that has become this large is put aside for a new one.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Files put aside, `fe.log.1` being the newest; older ones are removed.
const FILES_KEPT: u32 = 8;

/// Starts the log as it is configured, and gives what changes its level later.
pub fn start(config: &Config) -> anyhow::Result<SetLogLevel> {
    let filter = EnvFilter::try_new(&config.sys_log_level)
        .with_context(|| format!("sys_log_level is '{}'", config.sys_log_level))?;
    let (writer, colours) = if config.sys_log_dir.as_os_str().is_empty() {
        let colours = io::IsTerminal::is_terminal(&io::stderr());
        (BoxMakeWriter::new(io::stderr), colours)
    } else {
        let file = Rolling::open(&config.sys_log_dir, FILE_BYTES_MAX)?;
        (BoxMakeWriter::new(Mutex::new(file)), false)
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colours)
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.try_init().map_err(|error| anyhow!("start the log: {error}"))?;
    Ok(Arc::new(move |level| {
        let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}

/// Opens a file of the log folder to append to; makes the folder if it is absent.
pub fn append(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .with_context(|| format!("write {}; sys_log_dir names another folder", path.display()))
}

/// `fe.log` and what was put aside of it.
struct Rolling {
    folder: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Rolling {
    fn open(folder: &Path, bytes_max: u64) -> anyhow::Result<Self> {
        let file = append(folder, "fe.log")?;
        let bytes = file.metadata().map_or(0, |found| found.len());
        Ok(Self { folder: folder.to_owned(), file, bytes, bytes_max })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let path = |number: u32| self.folder.join(format!("fe.log.{number}"));
        for number in (1..FILES_KEPT).rev() {
            match std::fs::rename(path(number), path(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let current = self.folder.join("fe.log");
        std::fs::rename(&current, path(1))?;
        self.file = OpenOptions::new().create(true).append(true).open(&current)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for Rolling {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A log that cannot be put aside grows on: better than none.
        if self.bytes >= self.bytes_max && self.put_aside().is_err() {
            self.bytes = 0;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_log_is_put_aside_when_it_is_large_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("log");
        let mut log = Rolling::open(&folder, 10).unwrap();
        for number in 0..=FILES_KEPT + 2 {
            log.write_all(format!("line {number:05}").as_bytes()).unwrap();
        }
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(text("fe.log"), format!("line {:05}", FILES_KEPT + 2));
        assert_eq!(text("fe.log.1"), format!("line {:05}", FILES_KEPT + 1));
        assert_eq!(text(&format!("fe.log.{FILES_KEPT}")), "line 00002");
        assert!(!folder.join(format!("fe.log.{}", FILES_KEPT + 1)).exists());
        let mut log = Rolling::open(&folder, 10).unwrap();
        log.write_all(b"after a restart").unwrap();
        assert_eq!(text("fe.log"), "after a restart", "what was there counts");
    }
}
