//! Where tests build crates as an author does.
//!
//! What those crates depend on is compiled once and kept in cargo's target folder; and they lie in
//! the same place at every run, or each would leave its own artefacts there.

use std::path::PathBuf;

/// An empty folder, the same for each test of that name. Nobody else may use it meanwhile.
///
/// # Panics
/// When it cannot be emptied or made.
pub fn folder(name: &str) -> PathBuf {
    let folder = xtask::author_target_dir().join("folders").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("what a test left can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a test may create folders");
    folder
}
