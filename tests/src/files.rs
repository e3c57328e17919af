//! What tests do to files of a data directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate::machine::Standing;
use quorate::storage::{RocksState, RocksStateOptions, StateStore};

/// Files of a folder whose names end like this, the largest first.
///
/// # Panics
/// When the folder cannot be listed.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("list {}: {e}", folder.display()));
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| (path.metadata().map_or(0, |data| data.len()), path))
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// Flips one bit of a file, at `part` of `of` of its length.
///
/// # Panics
/// When the file cannot be changed.
pub fn flip(path: &Path, part: u64, of: u64) {
    let file = File::options().read(true).write(true).open(path);
    let file = file.unwrap_or_else(|e| panic!("open {}: {e}", path.display()));
    let at = file.metadata().expect("its length is known").len() * part / of;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it can be read");
    file.write_all_at(&[byte[0] ^ 4], at).expect("it can be written");
}

/// Copies a folder with all that is in it, to a place that does not exist.
///
/// # Panics
/// When it cannot be copied.
pub fn copy(from: &Path, to: &Path) {
    assert!(!to.exists(), "{} exists", to.display());
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp is installed").success(), "{} is copied", from.display());
}

/// Removes a folder with all that is in it.
///
/// # Panics
/// When it cannot be removed.
pub fn remove(folder: &Path) {
    fs::remove_dir_all(folder).unwrap_or_else(|e| panic!("remove {}: {e}", folder.display()));
}

/// The only state database of a data directory.
///
/// # Panics
/// When there is none.
pub fn state_in(meta: &Path) -> PathBuf {
    let found = files(&meta.join("state"), "");
    found.into_iter().find(|path| path.is_dir()).expect("there is a state")
}

/// Changes what the state of a stopped frontend says of what was applied to it, as a bug in apply
/// would.
///
/// # Panics
/// When it cannot be opened or changed.
pub fn falsify(meta: &Path) {
    /// Where a state keeps its position: the last log id, the digest and the clock.
    const POSITION: &[u8] = &[0, 1];
    let state = RocksState::open(&state_in(meta), RocksStateOptions::default());
    let state = state.expect("a stopped frontend's state opens");
    let view = state.view();
    let digest = Standing::read(view.clone()).expect("it can be read").digest;
    let row = view.get(POSITION).expect("it can be read").expect("it is there");
    let at = row.windows(32).position(|bytes| *bytes == digest.0).expect("the digest is there");
    let mut row = row.to_vec();
    row[at] ^= 1;
    let changed = BTreeMap::from([(POSITION.into(), Some(row.into()))]);
    state.commit(changed).expect("it can be written");
    state.flush().expect("it can be written");
}
