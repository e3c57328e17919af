//! Reading an archive from front to back, and checking all of it on the way.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use crc32fast::Hasher;

use super::super::error::RescueError;
use super::layout::{
    ArchiveManifest, BLOCK_BYTES_MAX, Chunk, Kind, MAGIC, PREFIX_BYTES, SUFFIX_BYTES, Trailer,
    VERSION, checksum, unpack_entries,
};
use crate::types::Entry;

/// What is read from the disk at once.
const BUFFER_BYTES: usize = 1 << 20;

/// An archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is something else.
    #[error("{0} is not a backup archive of Quorate")]
    Foreign(PathBuf),
    /// It was written by another version.
    #[error("{path} is an archive of version {found}, this program reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// Bytes are not what was written.
    #[error("{path} is damaged at byte {offset}, in {what}: {reason}; use another archive")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the part begins that is damaged.
        offset: u64,
        /// Which part it is.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read.
    #[error("read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A checked part of an archive.
pub enum Part<'a> {
    /// What it says of itself; the first part.
    Manifest(&'a ArchiveManifest),
    /// Bytes of a file of the snapshot, in order. The checksum of the file is known to be right
    /// only once the walk is over.
    Chunk { file: usize, bytes: &'a [u8] },
    /// Entries of the log, in order.
    Entries(Vec<Entry>),
}

/// Reads all of an archive and checks it.
///
/// # Errors
/// What is wrong with it, and where.
pub fn read_archive(path: &Path) -> Result<ArchiveManifest, RescueError> {
    walk(path, |_| Ok(()))
}

/// Reads all of an archive, checks it, and hands on its parts.
pub fn walk(
    path: &Path,
    mut each: impl FnMut(Part<'_>) -> Result<(), RescueError>,
) -> Result<ArchiveManifest, RescueError> {
    let mut blocks = Blocks::open(path)?;
    let (kind, payload) = blocks.next()?;
    if kind != Kind::Manifest {
        return Err(blocks.damaged("it does not begin with a manifest").into());
    }
    let manifest = ArchiveManifest::unpack(&payload);
    let manifest = manifest.map_err(|damage| blocks.damaged(damage.to_string()))?;
    each(Part::Manifest(&manifest))?;
    let mut files = Files { manifest: &manifest, file: 0, offset: 0, hasher: Hasher::new() };
    let mut next = manifest.snapshot.last.index + 1;
    files.skip_empty().map_err(|reason| blocks.damaged(reason))?;
    loop {
        // Before the block is taken, so that the trailer does not count itself.
        let total = blocks.total();
        let (kind, payload) = blocks.next()?;
        match kind {
            Kind::Manifest => return Err(blocks.damaged("a second manifest").into()),
            Kind::Chunk => {
                let chunk = Chunk::unpack(&payload);
                let chunk = chunk.map_err(|error| blocks.damaged(error.to_string()))?;
                let file = files.add(&chunk).map_err(|reason| blocks.damaged(reason))?;
                each(Part::Chunk { file, bytes: &chunk.bytes })?;
            }
            Kind::Entries => {
                files.complete().map_err(|reason| blocks.damaged(reason))?;
                let entries = unpack_entries(&payload);
                let entries = entries.map_err(|error| blocks.damaged(error.to_string()))?;
                for entry in &entries {
                    if entry.log_id.index != next {
                        let reason = format!("entry {} where {next} is next", entry.log_id.index);
                        return Err(blocks.damaged(reason).into());
                    }
                    next += 1;
                }
                let end = entries.last().map(|entry| entry.log_id);
                if end.is_some_and(|end| end.index >= manifest.last.index && end != manifest.last) {
                    return Err(blocks.damaged("it goes on after the last entry").into());
                }
                each(Part::Entries(entries))?;
            }
            Kind::Trailer => {
                files.complete().map_err(|reason| blocks.damaged(reason))?;
                if next != manifest.last.index + 1 {
                    let reason = format!("the log ends before LSN {}", manifest.last.index);
                    return Err(blocks.damaged(reason).into());
                }
                let trailer = Trailer::unpack(&payload);
                let trailer = trailer.map_err(|error| blocks.damaged(error.to_string()))?;
                if trailer != total {
                    return Err(blocks.damaged("the total checksum does not match").into());
                }
                blocks.end()?;
                return Ok(manifest);
            }
        }
    }
}

/// The blocks of an archive, checked one by one.
struct Blocks {
    path: PathBuf,
    file: BufReader<File>,
    hasher: blake3::Hasher,
    blocks: u32,
    bytes: u64,
    /// Where the newest block begins, and what it is.
    start: u64,
    what: &'static str,
}

impl Blocks {
    fn open(path: &Path) -> Result<Self, ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { path: path.to_owned(), source };
        let mut file =
            BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(unreadable)?);
        let mut head = [0; MAGIC.len() + 1];
        match file.read_exact(&mut head) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(unreadable(error));
            }
            Ok(()) if head.starts_with(MAGIC) => {}
            _ => return Err(ArchiveError::Foreign(path.to_owned())),
        }
        let found = head[MAGIC.len()];
        if found != VERSION {
            return Err(ArchiveError::Version { path: path.to_owned(), found });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&head);
        let bytes = head.len() as u64;
        let path = path.to_owned();
        Ok(Self { path, file, hasher, blocks: 0, bytes, start: 0, what: "the header" })
    }

    fn next(&mut self) -> Result<(Kind, Bytes), ArchiveError> {
        self.start = self.bytes;
        self.what = "the head of a block";
        let mut bytes = vec![0; PREFIX_BYTES];
        self.fill(&mut bytes, 0)?;
        let number = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        let length = u32::from_le_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
        let Some(kind) = Kind::of(bytes[0]) else {
            return Err(self.damaged(format!("there is no kind {} of blocks", bytes[0])));
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > BLOCK_BYTES_MAX {
            return Err(self.damaged("it is longer than a block can be"));
        }
        self.what = match kind {
            Kind::Manifest => "the manifest",
            Kind::Chunk => "a file of the snapshot",
            Kind::Entries => "entries of the log",
            Kind::Trailer => "the trailer",
        };
        bytes.resize(PREFIX_BYTES + length + SUFFIX_BYTES, 0);
        self.fill(&mut bytes, PREFIX_BYTES)?;
        let (body, stored) = bytes.split_at(PREFIX_BYTES + length);
        if checksum(body).to_le_bytes() != stored {
            return Err(self.damaged("its checksum does not match"));
        }
        if number != self.blocks {
            return Err(self.damaged(format!("block {number} where {} is next", self.blocks)));
        }
        self.hasher.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.blocks += 1;
        let payload = Bytes::from(bytes).slice(PREFIX_BYTES..PREFIX_BYTES + length);
        Ok((kind, payload))
    }

    fn fill(&mut self, bytes: &mut [u8], from: usize) -> Result<(), ArchiveError> {
        match self.file.read_exact(&mut bytes[from..]) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.damaged("the file is cut off here"))
            }
            Err(source) => Err(ArchiveError::Unreadable { path: self.path.clone(), source }),
        }
    }

    /// What the trailer must say if it comes next.
    fn total(&self) -> Trailer {
        Trailer {
            blocks: u64::from(self.blocks),
            bytes: self.bytes,
            hash: *self.hasher.finalize().as_bytes(),
        }
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        self.start = self.bytes;
        self.what = "what follows the trailer";
        match self.file.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.damaged("nothing may follow")),
            Err(source) => Err(ArchiveError::Unreadable { path: self.path.clone(), source }),
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged {
            path: self.path.clone(),
            offset: self.start,
            what: self.what.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The snapshot's files as they come in.
struct Files<'a> {
    manifest: &'a ArchiveManifest,
    file: usize,
    offset: u64,
    hasher: Hasher,
}

impl Files<'_> {
    /// Takes the next bytes, and tells of which file they are.
    fn add(&mut self, chunk: &Chunk) -> Result<usize, String> {
        let file = self.file;
        let Some(known) = self.manifest.snapshot.files.get(file) else {
            return Err("it belongs to no file".to_owned());
        };
        let end = self.offset.saturating_add(chunk.bytes.len() as u64);
        if (chunk.file, chunk.offset) != (file as u64, self.offset) || end > known.size {
            return Err(format!("it does not follow in file {}", known.name));
        }
        self.hasher.update(&chunk.bytes);
        self.offset = end;
        self.skip_empty()?;
        Ok(file)
    }

    /// Goes on to the next file that has bytes to come.
    fn skip_empty(&mut self) -> Result<(), String> {
        while let Some(known) = self.manifest.snapshot.files.get(self.file)
            && self.offset == known.size
        {
            if std::mem::take(&mut self.hasher).finalize() != known.checksum {
                return Err(format!("the checksum of file {} does not match", known.name));
            }
            (self.file, self.offset) = (self.file + 1, 0);
        }
        Ok(())
    }

    fn complete(&self) -> Result<(), String> {
        match self.manifest.snapshot.files.get(self.file) {
            None => Ok(()),
            Some(known) => Err(format!("file {} is not complete", known.name)),
        }
    }
}
