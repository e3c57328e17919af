//! The bytes of an archive.

use bytes::Bytes;
use crc32fast::Hasher;
use quorate_wire::{DecodeError, Reader, Writer};

use crate::storage::Damage;
use crate::storage::snapshots::Manifest;
use crate::types::{
    Entry, LogId, StateDigest, decode_entry, decode_log_id, encode_entry, encode_log_id,
};

/// What an archive begins with; then comes the version.
pub const MAGIC: &[u8] = b"QUORATE-BACKUP\n";
/// The version that is written and read.
pub const VERSION: u8 = 1;
/// Kind, number and length.
pub const PREFIX_BYTES: usize = 9;
/// The checksum.
pub const SUFFIX_BYTES: usize = 4;
/// Most bytes in a block; a length beyond it is damage.
pub const BLOCK_BYTES_MAX: usize = 8 << 20;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Manifest,
    Chunk,
    Entries,
    Trailer,
}

impl Kind {
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Manifest, Self::Chunk, Self::Entries, Self::Trailer]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    fn byte(self) -> u8 {
        match self {
            Self::Manifest => 1,
            Self::Chunk => 2,
            Self::Entries => 3,
            Self::Trailer => 4,
        }
    }
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveManifest {
    /// The snapshot in it.
    pub snapshot: Manifest,
    /// The last entry in it.
    pub last: LogId,
    /// The digest of the state with that entry.
    pub digest: StateDigest,
    /// `name@version` and digest of the module that was active with that entry.
    pub module: String,
    /// The frontend that it was made on.
    pub frontend: String,
    /// Version of the program that made it.
    pub version: String,
}

impl ArchiveManifest {
    pub(super) fn pack(&self) -> Bytes {
        let mut out = Writer::new();
        out.bytes(&self.snapshot.pack());
        encode_log_id(&self.last, &mut out);
        out.raw(&self.digest.0);
        out.text(&self.module);
        out.text(&self.frontend);
        out.text(&self.version);
        out.finish().into()
    }

    pub(super) fn unpack(payload: &Bytes) -> Result<Self, Damage> {
        let mut input = Reader::new(payload);
        let manifest = Self {
            snapshot: Manifest::unpack(&payload.slice_ref(input.bytes()?))?,
            last: decode_log_id(&mut input)?,
            digest: StateDigest(input.array()?),
            module: input.text()?,
            frontend: input.text()?,
            version: input.text()?,
        };
        input.finish()?;
        Ok(manifest)
    }
}

/// Bytes of a file of the snapshot.
pub struct Chunk {
    pub file: u64,
    pub offset: u64,
    pub bytes: Bytes,
}

impl Chunk {
    pub fn pack(&self) -> Bytes {
        let mut out = Writer::with_capacity(self.bytes.len() + 32);
        out.unsigned(self.file);
        out.unsigned(self.offset);
        out.raw(&self.bytes);
        out.finish().into()
    }

    pub fn unpack(payload: &Bytes) -> Result<Self, DecodeError> {
        let mut input = Reader::new(payload);
        let (file, offset) = (input.unsigned()?, input.unsigned()?);
        Ok(Self { file, offset, bytes: payload.slice_ref(input.rest()) })
    }
}

pub fn pack_entries(entries: &[Entry]) -> Bytes {
    let mut out = Writer::new();
    out.count(entries.len());
    for entry in entries {
        out.bytes(&encode_entry(entry));
    }
    out.finish().into()
}

pub fn unpack_entries(payload: &Bytes) -> Result<Vec<Entry>, DecodeError> {
    let mut input = Reader::new(payload);
    let mut entries = Vec::new();
    for _ in 0..input.count()? {
        entries.push(decode_entry(&payload.slice_ref(input.bytes()?))?);
    }
    input.finish()?;
    Ok(entries)
}

/// The end of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Trailer {
    pub blocks: u64,
    pub bytes: u64,
    pub hash: [u8; 32],
}

impl Trailer {
    pub fn pack(&self) -> Bytes {
        let mut out = Writer::new();
        out.unsigned(self.blocks);
        out.unsigned(self.bytes);
        out.raw(&self.hash);
        out.finish().into()
    }

    pub fn unpack(payload: &Bytes) -> Result<Self, DecodeError> {
        let mut input = Reader::new(payload);
        let (blocks, bytes) = (input.unsigned()?, input.unsigned()?);
        let trailer = Self { blocks, bytes, hash: input.array()? };
        input.finish()?;
        Ok(trailer)
    }
}

/// A whole block.
pub fn block(kind: Kind, number: u32, payload: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(PREFIX_BYTES + payload.len() + SUFFIX_BYTES);
    out.push(kind.byte());
    out.extend_from_slice(&number.to_le_bytes());
    let length = u32::try_from(payload.len()).expect("a block is far below 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(payload);
    let checksum = checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.into()
}

/// The checksum of a block's bytes before it.
pub fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// The header.
pub fn header() -> Bytes {
    [MAGIC, &[VERSION]].concat().into()
}
