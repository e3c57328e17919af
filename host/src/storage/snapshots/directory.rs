//! Snapshots on disk.
//!
//! ```text
//! snapshots/
//!   snap-<lsn>-<term>-<node>/       a snapshot: complete, durable, not newer than the state
//!   tmp-<..>                        one that is being built; removed at open
//!   incoming-<lsn>-<term>-<node>/   one that is being received, or was and is not installed yet
//! ```
//!
//! A snapshot that was received becomes `snap-` only after it was installed: one that is newer than
//! the state would make a restart install it past a log that still holds other entries.
//!
//! A snapshot that cannot be used at open is removed with a message. That loses nothing: it was
//! made from the state, and another one can be.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::storage::crash::crash_point;
use crate::storage::folder::{names, remove};
use crate::storage::space::{Space, Watermarks};
use crate::storage::state::{Generations, RocksState, RocksStateOptions, StateStore};
use crate::storage::sync_directory;
use crate::types::LogId;

use super::files::{Files, describe_all, read_manifest, write_manifest};
use super::incoming::{IncomingFiles, Turn};
use super::manifest::Manifest;
use super::{Incoming, ReadMark, SnapshotError, Snapshots, StoredSnapshot};

const SNAPSHOT: &str = "snap-";
const TEMPORARY: &str = "tmp-";
const INCOMING: &str = "incoming-";
/// Files that never change once they are written, so they can be shared.
const SHARED: &str = ".sst";
/// What stays free when a snapshot is received.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// A checkpoint is opened to read a few rows.
const LOOK: RocksStateOptions = RocksStateOptions { block_cache_bytes: 1 << 20 };

/// The snapshots in a folder, of and for a state on the same disk.
pub struct DirectorySnapshots {
    path: PathBuf,
    state: Arc<Generations>,
    mark: ReadMark,
    newest: Mutex<Option<Arc<Files>>>,
    building: Arc<Mutex<bool>>,
    receiving: Arc<Mutex<bool>>,
}

impl DirectorySnapshots {
    /// Opens the folder and removes what cannot be used in it. Nothing may be built or received
    /// there by another.
    ///
    /// # Errors
    /// When the folder or the state cannot be read.
    pub fn open(
        path: &Path,
        state: Arc<Generations>,
        mark: ReadMark,
    ) -> Result<Self, SnapshotError> {
        let failed = |error: io::Error| SnapshotError::from_io(path, &error);
        fs::create_dir_all(path).map_err(failed)?;
        if mark(&*state.view())?.last.is_none() {
            remake(path, &state, mark)?;
        }
        let applied = mark(&*state.view())?.last;
        let mut snapshots: Vec<Arc<Files>> = Vec::new();
        for name in names(path).map_err(failed)? {
            let inner = path.join(&name);
            let keep = if name.starts_with(SNAPSHOT) {
                match usable(&inner, applied.as_ref()) {
                    Ok(files) => {
                        snapshots.push(files);
                        true
                    }
                    Err(error) => {
                        tracing::error!("{error}; it is removed");
                        false
                    }
                }
            } else if name.starts_with(INCOMING) {
                // Of no use any more once the state is as far.
                read_manifest(&inner).is_ok_and(|manifest| Some(manifest.last) > applied)
            } else {
                !name.starts_with(TEMPORARY)
            };
            if !keep {
                remove(&inner).map_err(failed)?;
            }
        }
        snapshots.sort_by_key(|files| files.manifest.last);
        let newest = snapshots.pop();
        snapshots.iter().for_each(|older| older.folder.retire());
        Ok(Self {
            path: path.to_owned(),
            state,
            mark,
            newest: Mutex::new(newest),
            building: Arc::default(),
            receiving: Arc::default(),
        })
    }

    fn failed(&self, error: &io::Error) -> SnapshotError {
        SnapshotError::from_io(&self.path, error)
    }

    /// Makes a snapshot the newest one, unless there is a newer one by now.
    fn replace(&self, files: Arc<Files>) -> Arc<Files> {
        let mut newest = self.newest.lock();
        match &*newest {
            Some(known) if known.manifest.last >= files.manifest.last => {
                files.folder.retire();
                Arc::clone(known)
            }
            _ => {
                if let Some(older) = newest.replace(Arc::clone(&files)) {
                    older.folder.retire();
                }
                files
            }
        }
    }

    /// A checkpoint in `folder`, with its manifest. What it holds, the state cannot lose any more.
    fn checkpoint(&self, folder: &Path, created_us: u64) -> Result<Manifest, SnapshotError> {
        self.state.with_current(|state| {
            // The heavy part, before the files are cut.
            state.flush()?;
            crash_point("snapshot-flushed");
            state.checkpoint(folder)?;
            state.sync()
        })?;
        crash_point("snapshot-checkpointed");
        let mark = {
            let copy = RocksState::open_read_only(folder, LOOK)?;
            (self.mark)(&*copy.view())?
        };
        let files = describe_all(folder).map_err(|error| self.failed(&error))?;
        let manifest = Manifest::new(mark, created_us, files)?;
        write_manifest(folder, &manifest).map_err(|error| self.failed(&error))?;
        crash_point("snapshot-described");
        Ok(manifest)
    }
}

/// Makes a state that holds nothing anew from the newest snapshot, if there is one: removing a
/// damaged state is how it is healed, and the log may begin after the snapshot.
fn remake(path: &Path, state: &Generations, mark: ReadMark) -> Result<(), SnapshotError> {
    let failed = |error: io::Error| SnapshotError::from_io(path, &error);
    let folders =
        names(path).map_err(failed)?.into_iter().map(|name| (name.clone(), path.join(name)));
    let snapshots = folders.filter(|(name, _)| name.starts_with(SNAPSHOT));
    let readable = snapshots.filter_map(|(_, folder)| Some((read_manifest(&folder).ok()?, folder)));
    let Some((manifest, folder)) = readable.max_by_key(|(manifest, _)| manifest.last) else {
        return Ok(());
    };
    tracing::warn!("the state is empty and is made anew from {}", folder.display());
    Files::new(folder.clone(), manifest.clone()).verify()?;
    let staged = state.stage()?;
    copy(&manifest, &folder, staged.path())?;
    let remade = state.open_staged(&staged)?;
    if !manifest.is_of(&mark(&*remade.view())?) {
        let reason = "it does not hold the state that its manifest says";
        return Err(SnapshotError::damaged(&folder, reason));
    }
    remade.flush()?;
    Ok(state.adopt(staged, remade)?)
}

/// Copies a snapshot's files into the place of a state, durably.
fn copy(manifest: &Manifest, from: &Path, to: &Path) -> Result<(), SnapshotError> {
    for file in &manifest.files {
        let (source, target) = (from.join(&file.name), to.join(&file.name));
        let copied = if file.name.ends_with(SHARED) {
            fs::hard_link(&source, &target)
        } else {
            fs::copy(&source, &target)
                .and_then(|_| fs::File::open(&target))
                .and_then(|copy| copy.sync_all())
        };
        copied.map_err(|error| SnapshotError::from_io(&target, &error))?;
    }
    sync_directory(to).map_err(|error| SnapshotError::from_io(to, &error))
}

/// Snapshots, the newest first.
pub type Stored = Vec<Arc<dyn StoredSnapshot>>;

/// The snapshots in a folder that no [`DirectorySnapshots`] has open, the newest first, and why
/// others of them cannot be used by a state that has applied `applied`. Changes nothing.
///
/// # Errors
/// When the folder cannot be read.
pub fn stored(
    path: &Path,
    applied: Option<&LogId>,
) -> Result<(Stored, Vec<SnapshotError>), SnapshotError> {
    let names = names(path).map_err(|error| SnapshotError::from_io(path, &error))?;
    let (mut found, mut unusable) = (Stored::new(), Vec::new());
    for name in names.iter().filter(|name| name.starts_with(SNAPSHOT)) {
        match usable(&path.join(name), applied) {
            Ok(files) => found.push(files),
            Err(error) => unusable.push(error),
        }
    }
    found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.manifest().last));
    Ok((found, unusable))
}

/// Makes a state of a snapshot, in a folder that does not exist.
///
/// # Errors
/// When the disk fails.
pub fn unfold(snapshot: &dyn StoredSnapshot, to: &Path) -> Result<(), SnapshotError> {
    let from = snapshot.folder().ok_or(SnapshotError::Empty)?;
    fs::create_dir_all(to).map_err(|error| SnapshotError::from_io(to, &error))?;
    copy(snapshot.manifest(), from, to)
}

/// A snapshot's folder, if it can be used.
fn usable(path: &Path, applied: Option<&LogId>) -> Result<Arc<Files>, SnapshotError> {
    let manifest = read_manifest(path)?;
    if Some(&manifest.last) > applied {
        return Err(SnapshotError::damaged(path, "it is newer than the state"));
    }
    for file in &manifest.files {
        let path = path.join(&file.name);
        let size = fs::metadata(&path).map(|found| found.len());
        if !size.is_ok_and(|size| size == file.size) {
            return Err(SnapshotError::damaged(&path, "it is missing or has another size"));
        }
    }
    Ok(Files::new(path.to_owned(), manifest))
}

impl Snapshots for DirectorySnapshots {
    fn blocks(&self) -> bool {
        true
    }

    fn build(&self, created_us: u64) -> Result<Arc<dyn StoredSnapshot>, SnapshotError> {
        let _turn = Turn::take(&self.building).ok_or(SnapshotError::Busy("being made"))?;
        let applied = (self.mark)(&*self.state.view())?.last.ok_or(SnapshotError::Empty)?;
        if let Some(newest) = &*self.newest.lock()
            && newest.manifest.last == applied
        {
            return Ok(Arc::clone(newest) as _);
        }
        for name in names(&self.path).map_err(|error| self.failed(&error))? {
            if name.starts_with(TEMPORARY) {
                remove(&self.path.join(name)).map_err(|error| self.failed(&error))?;
            }
        }
        let temporary = self.path.join(format!("{TEMPORARY}build"));
        let built = self.checkpoint(&temporary, created_us).and_then(|manifest| {
            let path = self.path.join(format!("{SNAPSHOT}{}", manifest.name()));
            remove(&path)
                .and_then(|()| fs::rename(&temporary, &path))
                .and_then(|()| sync_directory(&self.path))
                .map_err(|error| self.failed(&error))?;
            Ok(Files::new(path, manifest))
        });
        if built.is_err() {
            // Best effort; the next attempt does it again.
            let _ = remove(&temporary);
        }
        let built = built?;
        crash_point("snapshot-renamed");
        let newest = self.replace(built);
        crash_point("snapshot-replaced");
        Ok(newest)
    }

    fn newest(&self) -> Option<Arc<dyn StoredSnapshot>> {
        self.newest.lock().clone().map(|files| files as _)
    }

    fn receive(&self, manifest: Manifest) -> Result<Box<dyn Incoming>, SnapshotError> {
        let turn = Turn::take(&self.receiving).ok_or(SnapshotError::Busy("being received"))?;
        let path = self.path.join(format!("{INCOMING}{}", manifest.name()));
        for name in names(&self.path).map_err(|error| self.failed(&error))? {
            let other = self.path.join(&name);
            if name.starts_with(INCOMING) && other != path {
                remove(&other).map_err(|error| self.failed(&error))?;
            }
        }
        let incoming = IncomingFiles::begin(path, manifest, turn)?;
        let missing = incoming.missing();
        let space = Space::new(&self.path, Watermarks::default());
        let free = space.check().map_err(|error| self.failed(&io::Error::other(error)))?.free_bytes;
        let needed = missing.saturating_add(FREE_BYTES_MIN);
        if free < needed {
            let path = self.path.display().to_string();
            return Err(SnapshotError::NoRoom { path, needed, free });
        }
        Ok(Box::new(incoming))
    }

    fn install(&self, received: &dyn StoredSnapshot) -> Result<(), SnapshotError> {
        let manifest = received.manifest();
        let incoming = self.path.join(format!("{INCOMING}{}", manifest.name()));
        if received.folder() != Some(&incoming) {
            return Err(SnapshotError::Refused("it was not received here".to_owned()));
        }
        crash_point("install-begun");
        let staged = self.state.stage()?;
        copy(manifest, &incoming, staged.path())?;
        crash_point("install-linked");
        let state = self.state.open_staged(&staged)?;
        let mark = (self.mark)(&*state.view())?;
        if !manifest.is_of(&mark) {
            // Never tried again: the sender makes another one. Best effort, it is of no use.
            let _ = remove(&incoming);
            state.retire();
            let reason = "it does not hold the state that its manifest says";
            return Err(SnapshotError::damaged(&incoming, reason));
        }
        state.flush()?;
        crash_point("install-opened");
        self.state.adopt(staged, state)?;
        crash_point("install-swapped");
        let path = self.path.join(format!("{SNAPSHOT}{}", manifest.name()));
        remove(&path)
            .and_then(|()| fs::rename(&incoming, &path))
            .and_then(|()| sync_directory(&self.path))
            .map_err(|error| self.failed(&error))?;
        crash_point("install-renamed");
        self.replace(Files::new(path, manifest.clone()));
        Ok(())
    }
}
