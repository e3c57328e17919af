//! Format 1 to format 2: the state database moves into `state/gen-1`, beside a pointer to it.
//!
//! Steps, each durable before the next: an empty `state.new`; the database moved into it as
//! `gen-1`; the pointer; `state.new` renamed to `state`; then the new format is written. A crash
//! anywhere leaves one of five pictures, from which the rest is done.

use std::fs;
use std::io;
use std::path::Path;

use crate::storage::folder::remove;
use crate::storage::sync_directory;

use super::{DirectoryError, Lines, write_lines};

/// The oldest format that is read.
pub(super) const FROM: u64 = 1;

/// What RocksDB keeps in the directory of a database, and nobody else.
const DATABASE: &str = "CURRENT";
/// What is in the new directory.
const POINTER: &str = "current";
const FIRST: &str = "gen-1";

/// Moves the state database of a data directory of format 1, or what is left of that.
pub(super) fn generations(path: &Path) -> Result<(), DirectoryError> {
    let (state, new) = (path.join("state"), path.join("state.new"));
    let unwritable = |error: io::Error| DirectoryError::unwritable(&new, error);
    if state.join(POINTER).exists() {
        return Ok(());
    }
    if state.join(DATABASE).exists() {
        // Nothing was moved yet; or the old version ran meanwhile and made the state again.
        remove(&new)
            .and_then(|()| fs::create_dir(&new))
            .and_then(|()| fs::rename(&state, new.join(FIRST)))
            .and_then(|()| sync_directory(&new))
            .and_then(|()| sync_directory(path))
            .map_err(unwritable)?;
    } else if !new.join(FIRST).exists() {
        // It had no state yet.
        return remove(&new).map_err(unwritable);
    }
    write_lines(&new, POINTER, &Lines::new([("number", "1".to_owned())]))?;
    // The old version makes an empty directory when it finds none.
    match fs::remove_dir(&state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    fs::rename(&new, &state).and_then(|()| sync_directory(path)).map_err(unwritable)
}
