//! The files of a snapshot on disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;

use crate::storage::folder::{Folder, names};
use crate::storage::sync_directory;

use super::incoming::Turn;
use super::manifest::{Manifest, SnapshotFile};
use super::{CHUNK_BYTES_MAX, SnapshotError, StoredSnapshot};

/// The manifest's file.
pub(super) const MANIFEST: &str = "MANIFEST.quorate";
/// RocksDB's messages, which are no part of a database.
const MESSAGES: &str = "LOG";
/// What is read at once for a checksum.
const BUFFER_BYTES: usize = 1 << 20;

/// A snapshot in a folder of its own. When it is retired, the folder goes with its last holder.
#[derive(Debug)]
pub(super) struct Files {
    pub folder: Folder,
    pub manifest: Manifest,
    /// Of one that was received: keeps others from being received into its folder.
    _turn: Option<Turn>,
}

impl Files {
    pub fn new(path: PathBuf, manifest: Manifest) -> Arc<Self> {
        Arc::new(Self { folder: Folder::new(path), manifest, _turn: None })
    }

    /// One that was received, and may be installed.
    pub fn received(path: PathBuf, manifest: Manifest, turn: Turn) -> Arc<Self> {
        Arc::new(Self { folder: Folder::new(path), manifest, _turn: Some(turn) })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl StoredSnapshot for Files {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read(&self, file: usize, offset: u64) -> Result<Bytes, SnapshotError> {
        let Some(file) = self.manifest.files.get(file) else {
            return Err(SnapshotError::Refused(format!("it has no file number {file}")));
        };
        let path = self.path().join(&file.name);
        let left = file.size.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES_MAX);
        let mut bytes = vec![0; length];
        let read = File::open(&path).and_then(|open| open.read_exact_at(&mut bytes, offset));
        match read {
            Ok(()) => Ok(bytes.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(SnapshotError::damaged(&path, "it is shorter than it was"))
            }
            Err(error) => Err(SnapshotError::from_io(&path, &error)),
        }
    }

    fn folder(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn verify(&self) -> Result<(), SnapshotError> {
        if read_manifest(self.path())? != self.manifest {
            let path = self.path().join(MANIFEST);
            return Err(SnapshotError::damaged(&path, "it is another one than it was"));
        }
        for file in &self.manifest.files {
            let path = self.path().join(&file.name);
            let found = match describe(self.path(), &file.name) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(SnapshotError::damaged(&path, "it is missing"));
                }
                Err(error) => return Err(SnapshotError::from_io(&path, &error)),
            };
            if found.size != file.size {
                let reason = format!("it has {} bytes, not {}", found.size, file.size);
                return Err(SnapshotError::damaged(&path, reason));
            }
            if found.checksum != file.checksum {
                return Err(SnapshotError::damaged(&path, "its checksum does not match"));
            }
        }
        Ok(())
    }
}

/// The manifest of a folder.
pub(super) fn read_manifest(folder: &Path) -> Result<Manifest, SnapshotError> {
    let path = folder.join(MANIFEST);
    let packed = match fs::read(&path) {
        Ok(packed) => Bytes::from(packed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SnapshotError::damaged(&path, "it is missing"));
        }
        Err(error) => return Err(SnapshotError::from_io(&path, &error)),
    };
    Manifest::unpack(&packed).map_err(|damage| SnapshotError::damaged(&path, damage.to_string()))
}

/// Writes the manifest of a folder, as a whole, durably.
pub(super) fn write_manifest(folder: &Path, manifest: &Manifest) -> io::Result<()> {
    let (path, new) = (folder.join(MANIFEST), folder.join("MANIFEST.new"));
    fs::write(&new, manifest.pack())?;
    File::open(&new)?.sync_all()?;
    fs::rename(&new, &path)?;
    sync_directory(folder)
}

/// Describes the files of a folder, and makes them durable.
pub(super) fn describe_all(folder: &Path) -> io::Result<Vec<SnapshotFile>> {
    let mut files = Vec::new();
    for name in names(folder)?.iter().filter(|name| *name != MANIFEST && *name != MESSAGES) {
        files.push(describe(folder, name)?);
        File::open(folder.join(name))?.sync_all()?;
    }
    Ok(files)
}

/// Size and checksum of a file.
fn describe(folder: &Path, name: &str) -> io::Result<SnapshotFile> {
    let (size, hasher) = hash(&folder.join(name))?;
    Ok(SnapshotFile { name: name.to_owned(), size, checksum: hasher.finalize() })
}

/// How long a file is, and the hash of it so far.
pub(super) fn hash(path: &Path) -> io::Result<(u64, Hasher)> {
    let mut file = File::open(path)?;
    let (mut size, mut hasher) = (0, Hasher::new());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, hasher)),
            Ok(read) => {
                size += read as u64;
                hasher.update(&buffer[..read]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
