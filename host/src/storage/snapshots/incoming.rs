//! A snapshot on its way in: a folder with its manifest, and files that grow chunk by chunk.
//!
//! The manifest is written before anything else, so a folder without one is nothing. A file's bytes
//! are hashed as they come; at its last byte the hash must be the manifest's. What a crash leaves
//! is hashed when the transfer goes on, so bytes that were lost or torn cost only their file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crc32fast::Hasher;
use parking_lot::Mutex;

use crate::storage::crash::crash_point;
use crate::storage::folder::{names, remove};
use crate::storage::sync_directory;

use super::files::{Files, MANIFEST, hash, read_manifest, write_manifest};
use super::manifest::Manifest;
use super::{Incoming, SnapshotError, StoredSnapshot};

/// Set while a snapshot is being received; cleared when this is dropped.
#[derive(Debug)]
pub(super) struct Turn(Arc<Mutex<bool>>);

impl Turn {
    /// Takes the turn, if nobody has it.
    pub fn take(taken: &Arc<Mutex<bool>>) -> Option<Self> {
        let was_taken = std::mem::replace(&mut *taken.lock(), true);
        (!was_taken).then(|| Self(Arc::clone(taken)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.lock() = false;
    }
}

/// Receives into a folder.
#[derive(Debug)]
pub(super) struct IncomingFiles {
    path: PathBuf,
    manifest: Manifest,
    held: Vec<u64>,
    /// The file that grows: its number, handle and hash so far.
    open: Option<(usize, File, Hasher)>,
    turn: Turn,
}

impl IncomingFiles {
    /// Begins in `path`, or goes on with what is in there.
    pub fn begin(path: PathBuf, manifest: Manifest, turn: Turn) -> Result<Self, SnapshotError> {
        let failed = |error: io::Error| SnapshotError::from_io(&path, &error);
        fs::create_dir_all(&path).map_err(failed)?;
        let known = read_manifest(&path).map(|known| known.files).unwrap_or_default();
        for name in names(&path).map_err(failed)? {
            let same = known
                .iter()
                .find(|file| file.name == name)
                .is_some_and(|file| manifest.files.contains(file));
            if !same && name != MANIFEST {
                remove(&path.join(name)).map_err(failed)?;
            }
        }
        write_manifest(&path, &manifest)
            .and_then(|()| path.parent().map_or(Ok(()), sync_directory))
            .map_err(failed)?;
        crash_point("receive-begun");
        let held = vec![0; manifest.files.len()];
        let mut incoming = Self { path, manifest, held, open: None, turn };
        for number in 0..incoming.held.len() {
            incoming.look_at(number)?;
        }
        Ok(incoming)
    }

    /// Takes in what is there of a file.
    fn look_at(&mut self, number: usize) -> Result<(), SnapshotError> {
        let file = &self.manifest.files[number];
        let path = self.path.join(&file.name);
        let failed = |error: io::Error| SnapshotError::from_io(&path, &error);
        let (size, hasher) = match hash(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.size == 0 => {
                File::create(&path).map_err(failed)?;
                (0, Hasher::new())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(failed)?,
        };
        if size > file.size || (size == file.size && hasher.finalize() != file.checksum) {
            return remove(&path).map_err(failed);
        }
        self.held[number] = size;
        Ok(())
    }

    /// Bytes that are still to come.
    pub fn missing(&self) -> u64 {
        self.manifest.size() - self.held.iter().sum::<u64>()
    }

    fn file(&self, number: usize) -> PathBuf {
        self.path.join(&self.manifest.files[number].name)
    }

    /// The handle and hash of a file, opened at its end.
    fn grow(&mut self, number: usize) -> io::Result<(File, Hasher)> {
        match self.open.take() {
            Some((open, file, hasher)) if open == number => return Ok((file, hasher)),
            _ => {}
        }
        let path = self.file(number);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let hasher = if self.held[number] == 0 { Hasher::new() } else { hash(&path)?.1 };
        Ok((file, hasher))
    }
}

/// Whether so many more bytes of a file of the manifest may be written at an offset.
pub(super) fn check_place(
    manifest: &Manifest,
    held: &[u64],
    file: usize,
    offset: u64,
    length: usize,
) -> Result<(), SnapshotError> {
    let refused = |reason: String| Err(SnapshotError::Refused(reason));
    let (Some(expected), Some(held)) = (manifest.files.get(file), held.get(file)) else {
        return refused(format!("it has no file number {file}"));
    };
    let name = &expected.name;
    if offset != *held {
        return refused(format!("bytes of {name} came for {offset}, not for {held}"));
    }
    if held.saturating_add(length as u64) > expected.size {
        return refused(format!("more bytes of {name} came than the {} it has", expected.size));
    }
    Ok(())
}

impl Incoming for IncomingFiles {
    fn held(&self) -> &[u64] {
        &self.held
    }

    fn write(&mut self, number: usize, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        check_place(&self.manifest, &self.held, number, offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        let path = self.file(number);
        let failed = |error: io::Error| SnapshotError::from_io(&path, &error);
        let (mut file, mut hasher) = self.grow(number).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        hasher.update(bytes);
        self.held[number] += bytes.len() as u64;
        crash_point("receive-chunk");
        if self.held[number] < self.manifest.files[number].size {
            self.open = Some((number, file, hasher));
            return Ok(());
        }
        if hasher.finalize() != self.manifest.files[number].checksum {
            self.held[number] = 0;
            remove(&path).map_err(failed)?;
            return Err(SnapshotError::damaged(&path, "it came with another checksum"));
        }
        file.sync_all().map_err(failed)?;
        crash_point("receive-file");
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Arc<dyn StoredSnapshot>, SnapshotError> {
        let files = self.manifest.files.iter().zip(&self.held);
        if let Some((file, held)) = files.into_iter().find(|(file, held)| file.size != **held) {
            let reason = format!("{} has {held} of {} bytes only", file.name, file.size);
            return Err(SnapshotError::Refused(reason));
        }
        let failed = |path: &Path, error: io::Error| SnapshotError::from_io(path, &error);
        for file in &self.manifest.files {
            // Those that were there before this attempt may not be durable yet.
            let path = self.path.join(&file.name);
            File::open(&path).and_then(|f| f.sync_all()).map_err(|error| failed(&path, error))?;
        }
        sync_directory(&self.path).map_err(|error| failed(&self.path, error))?;
        crash_point("receive-finished");
        let Self { path, manifest, turn, .. } = *self;
        Ok(Files::received(path, manifest, turn))
    }
}
