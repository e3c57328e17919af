//! Snapshots in memory, with a crash that a test decides on.
//!
//! A snapshot is one file with the image of a [`MemoryState`]. Crash model: what was built or
//! installed stays, as each happens in one step; what was being received is gone.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::storage::state::{MemoryState, StateStore};

use super::incoming::{Turn, check_place};
use super::manifest::{Manifest, SnapshotFile};
use super::{CHUNK_BYTES_MAX, Incoming, ReadMark, SnapshotError, Snapshots, StoredSnapshot};

/// The one file of a snapshot.
const FILE: &str = "pairs";
/// Where a snapshot is, for people.
const PATH: &str = "memory";

/// Snapshots without a disk and without threads; deterministic.
pub struct MemorySnapshots {
    state: Arc<MemoryState>,
    mark: ReadMark,
    newest: Mutex<Option<Arc<Image>>>,
    /// What arrived of a snapshot: kept while its transfer is interrupted.
    partial: Arc<Mutex<Option<Partial>>>,
    receiving: Arc<Mutex<bool>>,
}

#[derive(Debug)]
struct Image {
    manifest: Manifest,
    bytes: Bytes,
    /// Of one that was received: nothing else is received as long as it is held.
    _turn: Option<Turn>,
}

#[derive(Debug)]
struct Partial {
    manifest: Manifest,
    bytes: Vec<u8>,
}

impl MemorySnapshots {
    /// No snapshots yet, of and for this state.
    pub fn new(state: Arc<MemoryState>, mark: ReadMark) -> Self {
        Self {
            state,
            mark,
            newest: Mutex::default(),
            partial: Arc::default(),
            receiving: Arc::default(),
        }
    }

    /// The machine loses power, after what used this was dropped. The state has a crash of its own.
    pub fn crash(&self) {
        *self.partial.lock() = None;
        *self.receiving.lock() = false;
    }
}

impl StoredSnapshot for Image {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read(&self, file: usize, offset: u64) -> Result<Bytes, SnapshotError> {
        if file > 0 {
            return Err(SnapshotError::Refused(format!("it has no file number {file}")));
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let to = from.saturating_add(CHUNK_BYTES_MAX).min(self.bytes.len());
        Ok(self.bytes.slice(from..to))
    }

    fn folder(&self) -> Option<&Path> {
        None
    }

    fn verify(&self) -> Result<(), SnapshotError> {
        let file = describe(&self.bytes);
        if self.manifest.files == [file] { Ok(()) } else { Err(damaged()) }
    }
}

fn describe(bytes: &[u8]) -> SnapshotFile {
    let (size, checksum) = (bytes.len() as u64, crc32fast::hash(bytes));
    SnapshotFile { name: FILE.to_owned(), size, checksum }
}

fn damaged() -> SnapshotError {
    let reason = "its checksum does not match".to_owned();
    SnapshotError::Damaged { path: PATH.to_owned(), reason }
}

impl Snapshots for MemorySnapshots {
    fn blocks(&self) -> bool {
        false
    }

    fn build(&self, created_us: u64) -> Result<Arc<dyn StoredSnapshot>, SnapshotError> {
        let mark = (self.mark)(&*self.state.view())?;
        let mut newest = self.newest.lock();
        if let Some(newest) =
            newest.as_ref().filter(|newest| Some(newest.manifest.last) == mark.last)
        {
            return Ok(Arc::clone(newest) as _);
        }
        let bytes = self.state.image();
        let manifest = Manifest::new(mark, created_us, vec![describe(&bytes)])?;
        self.state.flush()?;
        let image = Arc::new(Image { manifest, bytes, _turn: None });
        *newest = Some(Arc::clone(&image));
        Ok(image)
    }

    fn newest(&self) -> Option<Arc<dyn StoredSnapshot>> {
        self.newest.lock().clone().map(|image| image as _)
    }

    fn receive(&self, manifest: Manifest) -> Result<Box<dyn Incoming>, SnapshotError> {
        let turn = Turn::take(&self.receiving).ok_or(SnapshotError::Busy("being received"))?;
        if manifest.files.len() != 1 {
            return Err(SnapshotError::Refused("it does not have one file".to_owned()));
        }
        let mut partial = self.partial.lock();
        let bytes = match partial.take() {
            Some(known) if known.manifest.files == manifest.files => known.bytes,
            _ => Vec::new(),
        };
        let held = [bytes.len() as u64];
        *partial = Some(Partial { manifest: manifest.clone(), bytes });
        drop(partial);
        let partial = Arc::clone(&self.partial);
        Ok(Box::new(IncomingImage { manifest, held, partial, turn }))
    }

    fn install(&self, received: &dyn StoredSnapshot) -> Result<(), SnapshotError> {
        let manifest = received.manifest().clone();
        let mut bytes = Vec::new();
        loop {
            let chunk = received.read(0, bytes.len() as u64)?;
            if chunk.is_empty() {
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        let bytes = Bytes::from(bytes);
        let state = MemoryState::open_image(&bytes)?;
        if !manifest.is_of(&(self.mark)(&*state.view())?) {
            return Err(damaged());
        }
        self.state.replace(&state);
        *self.newest.lock() = Some(Arc::new(Image { manifest, bytes, _turn: None }));
        Ok(())
    }
}

#[derive(Debug)]
struct IncomingImage {
    manifest: Manifest,
    held: [u64; 1],
    partial: Arc<Mutex<Option<Partial>>>,
    turn: Turn,
}

impl Incoming for IncomingImage {
    fn held(&self) -> &[u64] {
        &self.held
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        check_place(&self.manifest, &self.held, file, offset, bytes.len())?;
        let mut partial = self.partial.lock();
        let partial = partial
            .get_or_insert_with(|| Partial { manifest: self.manifest.clone(), bytes: Vec::new() });
        partial.bytes.extend_from_slice(bytes);
        self.held[0] = partial.bytes.len() as u64;
        if self.held[0] == self.manifest.files[0].size
            && self.manifest.files[0] != describe(&partial.bytes)
        {
            partial.bytes.clear();
            self.held[0] = 0;
            return Err(damaged());
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Arc<dyn StoredSnapshot>, SnapshotError> {
        let size = self.manifest.files[0].size;
        if self.held[0] != size {
            let reason = format!("{FILE} has {} of {size} bytes only", self.held[0]);
            return Err(SnapshotError::Refused(reason));
        }
        let bytes = self.partial.lock().take().map(|partial| partial.bytes).unwrap_or_default();
        let Self { manifest, turn, .. } = *self;
        Ok(Arc::new(Image { manifest, bytes: bytes.into(), _turn: Some(turn) }))
    }
}
