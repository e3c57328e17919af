//! Making an archive of a running frontend, block by block.
//!
//! It begins with the frontend's newest snapshot; then everything that the frontend has applied by
//! then follows from the log, and each LSN in between can be restored. The snapshot cannot go away
//! meanwhile; the log can be purged, and then the save fails and is to be repeated.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::error::RescueError;
use super::layout::{ArchiveManifest, Chunk, Kind, Trailer, block, header, pack_entries};
use crate::machine::Machine;
use crate::storage::Log;
use crate::storage::log::READ_BYTES_MAX;
use crate::storage::snapshots::{Snapshots, StoredSnapshot};

/// Archives that one frontend makes at a time; another is refused.
pub const SAVES_MAX: usize = 2;

/// What archives of one frontend are made of. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    snapshots: Arc<dyn Snapshots>,
    machine: Machine,
    log: Log,
    frontend: String,
    version: String,
    turns: Arc<Semaphore>,
}

impl Backups {
    /// The parts of a frontend; its name and the program's version are noted in archives.
    pub fn new(
        snapshots: Arc<dyn Snapshots>,
        machine: Machine,
        log: Log,
        frontend: String,
        version: String,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(SAVES_MAX));
        Self { snapshots, machine, log, frontend, version, turns }
    }

    /// Whether there is a snapshot to begin with.
    pub fn can_begin(&self) -> bool {
        self.snapshots.newest().is_some()
    }

    /// Begins an archive of what is applied now, with the newest snapshot.
    ///
    /// # Errors
    /// When too many are being made, or there is no snapshot.
    pub fn begin(&self) -> Result<Saving, RescueError> {
        let turn = Arc::clone(&self.turns).try_acquire_owned();
        let turn = turn.map_err(|_| RescueError::Busy(SAVES_MAX))?;
        let snapshot = self.snapshots.newest().ok_or(RescueError::Nothing)?;
        // One view, so that the module is that of the last entry.
        let view = self.machine.view();
        let module = view.active().map_or_else(String::new, |active| {
            let description = active.module.description();
            format!("{}@{} {}", description.name, description.version, active.digest)
        });
        let end = view.log_id().ok_or(RescueError::Nothing)?;
        let manifest = ArchiveManifest {
            snapshot: snapshot.manifest().clone(),
            last: end,
            digest: view.digest(),
            module,
            frontend: self.frontend.clone(),
            version: self.version.clone(),
        };
        let next = manifest.snapshot.last.index + 1;
        Ok(Saving {
            snapshot,
            manifest,
            log: self.log.clone(),
            step: Step::Header,
            next,
            blocks: 0,
            bytes: 0,
            hasher: blake3::Hasher::new(),
            _turn: turn,
        })
    }
}

/// An archive in the making.
pub struct Saving {
    snapshot: Arc<dyn StoredSnapshot>,
    manifest: ArchiveManifest,
    log: Log,
    step: Step,
    /// Index of the entry to come.
    next: u64,
    blocks: u32,
    bytes: u64,
    hasher: blake3::Hasher,
    _turn: OwnedSemaphorePermit,
}

/// What comes next.
enum Step {
    Header,
    Manifest,
    /// A file's number and an offset in it.
    File(usize, u64),
    Entries,
    End,
}

impl Saving {
    /// About how many bytes it will have.
    pub fn size_estimate(&self) -> u64 {
        self.manifest.snapshot.size()
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &ArchiveManifest {
        &self.manifest
    }

    /// The archive's next bytes; none when it is complete. Blocks.
    ///
    /// # Errors
    /// When the snapshot or the log cannot be read, or the log was purged meanwhile. The archive is
    /// then useless.
    pub fn next_part(&mut self) -> Result<Option<Bytes>, RescueError> {
        loop {
            match self.step {
                Step::Header => {
                    self.step = Step::Manifest;
                    return Ok(Some(self.count(header())));
                }
                Step::Manifest => {
                    self.step = Step::File(0, 0);
                    let payload = self.manifest.pack();
                    return Ok(Some(self.block(Kind::Manifest, &payload)));
                }
                Step::File(file, offset) => match self.manifest.snapshot.files.get(file) {
                    None => self.step = Step::Entries,
                    Some(known) if offset >= known.size => self.step = Step::File(file + 1, 0),
                    Some(_) => {
                        let bytes = self.snapshot.read(file, offset)?;
                        self.step = Step::File(file, offset + bytes.len() as u64);
                        let payload = Chunk { file: file as u64, offset, bytes }.pack();
                        return Ok(Some(self.block(Kind::Chunk, &payload)));
                    }
                },
                Step::Entries if self.next > self.manifest.last.index => {
                    self.step = Step::End;
                    let trailer = Trailer {
                        blocks: u64::from(self.blocks),
                        bytes: self.bytes,
                        hash: *self.hasher.finalize().as_bytes(),
                    };
                    return Ok(Some(block(Kind::Trailer, self.blocks, &trailer.pack())));
                }
                Step::Entries => {
                    let end = self.manifest.last.index + 1;
                    let entries = self.log.read(self.next..end, READ_BYTES_MAX)?;
                    let first = entries.first().map(|entry| entry.log_id.index);
                    let Some(last) = entries.last().filter(|_| first == Some(self.next)) else {
                        return Err(RescueError::Purged(self.next));
                    };
                    self.next = last.log_id.index + 1;
                    return Ok(Some(self.block(Kind::Entries, &pack_entries(&entries))));
                }
                Step::End => return Ok(None),
            }
        }
    }

    fn block(&mut self, kind: Kind, payload: &[u8]) -> Bytes {
        let block = block(kind, self.blocks, payload);
        self.blocks += 1;
        self.count(block)
    }

    fn count(&mut self, bytes: Bytes) -> Bytes {
        self.bytes += bytes.len() as u64;
        self.hasher.update(&bytes);
        bytes
    }
}
