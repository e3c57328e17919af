//! What a start looks at before it opens anything, so that one that cannot succeed leaves nothing
//! behind.

use std::path::Path;

use super::StartError;
use crate::config::Config;
use crate::storage::{DataDirectory, PidFile};

/// A data directory that is given up again unless it is kept: a first start can still fail.
pub(super) struct Entered(Option<DataDirectory>);

impl Entered {
    pub fn new(directory: DataDirectory) -> Self {
        Self(Some(directory))
    }

    pub fn directory(&self) -> &DataDirectory {
        self.0.as_ref().expect("it is there until it is kept")
    }

    pub fn keep(mut self) -> DataDirectory {
        self.0.take().expect("it is there until it is kept")
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(directory) = self.0.take() {
            directory.abandon();
        }
    }
}

/// The process of the frontend that runs on the configured data directory, if one does.
///
/// # Errors
/// When that cannot be found out.
pub fn running(config: &Config) -> Result<Option<u32>, StartError> {
    user(&config.meta_dir)
}

/// The process of the frontend that runs on a data directory, if one does.
///
/// # Errors
/// When that cannot be found out.
pub fn user(meta_dir: &Path) -> Result<Option<u32>, StartError> {
    Ok(DataDirectory::user(meta_dir)?)
}

/// # Errors
/// When a frontend runs on the data directory. Opening it would tell as well, but only after the
/// ports, which that frontend has too.
pub(super) fn refuse_second(config: &Config) -> Result<(), StartError> {
    match running(config)? {
        None => Ok(()),
        Some(process) => Err(StartError::Running { path: config.meta_dir.clone(), process }),
    }
}

/// The file that tells this process's id, if one is wanted.
pub(super) fn pid_file(config: &Config) -> Result<Option<PidFile>, StartError> {
    if config.pid_dir.as_os_str().is_empty() {
        return Ok(None);
    }
    Ok(Some(PidFile::write(&config.pid_dir)?))
}

/// Says what others on the network can do. There are no users and no TLS yet.
pub(super) fn warn_of_exposure(config: &Config) {
    if !config.bind_address.is_loopback() {
        tracing::warn!(
            "ports are bound to {}, without TLS; edit_log_port {} is for the other frontends only: \
             keep everybody else from it",
            config.bind_address,
            config.edit_log_port
        );
    }
    for network in config.trusted.networks() {
        tracing::warn!("clients from {network} come in as root without a password");
    }
}
