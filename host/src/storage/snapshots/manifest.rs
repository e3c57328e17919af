//! What a snapshot is: the state that it holds, and its files.
//!
//! ```text
//! sealed under "snapshot": layout version, payload, checksum (see storage/record.rs)
//!   cluster, generation, log id, membership, digest, time, then of each file name, size, CRC-32
//! ```

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use crate::storage::record::{Damage, seal, unseal};
use crate::types::{
    ClusterId, Generation, LogId, StateDigest, StoredMembership, decode_log_id, decode_membership,
    encode_log_id, encode_membership,
};

use super::SnapshotError;

/// Most files of a snapshot, so that a manifest fits into one message.
pub const FILES_MAX: usize = 65_536;
/// Longest name of a file.
const NAME_BYTES_MAX: usize = 64;
/// What the manifest is sealed under.
const KEY: &[u8] = b"snapshot";

/// What a state says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMark {
    /// The cluster and its generation; `None` before it is founded.
    pub cluster: Option<(ClusterId, Generation)>,
    /// The last entry applied.
    pub last: Option<LogId>,
    /// The membership in force.
    pub membership: StoredMembership,
    /// The chain of digests up to that entry.
    pub digest: StateDigest,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name, without a path.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// CRC-32 of them.
    pub checksum: u32,
}

/// What a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The cluster and its generation.
    pub cluster: Option<(ClusterId, Generation)>,
    /// The last entry that it holds.
    pub last: LogId,
    /// The membership in force.
    pub membership: StoredMembership,
    /// The chain of digests up to that entry.
    pub digest: StateDigest,
    /// When it was made, in microseconds since 1970, by the clock of the frontend that made it.
    pub created_us: u64,
    /// Its files.
    pub files: Vec<SnapshotFile>,
}

impl Manifest {
    pub(super) fn new(
        mark: StateMark,
        created_us: u64,
        files: Vec<SnapshotFile>,
    ) -> Result<Self, SnapshotError> {
        let StateMark { cluster, last, membership, digest } = mark;
        let last = last.ok_or(SnapshotError::Empty)?;
        Ok(Self { cluster, last, membership, digest, created_us, files })
    }

    /// Names the snapshot, and the state that it holds, within a cluster.
    pub fn name(&self) -> String {
        let LogId { leader_id, index } = &self.last;
        format!("{index}-{}-{}", leader_id.term, leader_id.node_id)
    }

    /// Bytes of all its files.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether a state is the one that this is about.
    pub(super) fn is_of(&self, mark: &StateMark) -> bool {
        *mark
            == StateMark {
                cluster: self.cluster,
                last: Some(self.last),
                membership: self.membership.clone(),
                digest: self.digest,
            }
    }

    /// Packs it, with a version and a checksum.
    pub fn pack(&self) -> Bytes {
        let mut out = Writer::new();
        out.flag(self.cluster.is_some());
        if let Some((cluster, generation)) = self.cluster {
            cluster.encode(&mut out);
            generation.encode(&mut out);
        }
        encode_log_id(&self.last, &mut out);
        out.flag(self.membership.log_id().is_some());
        if let Some(id) = self.membership.log_id() {
            encode_log_id(id, &mut out);
        }
        encode_membership(self.membership.membership(), &mut out);
        out.raw(&self.digest.0);
        out.unsigned(self.created_us);
        out.count(self.files.len());
        for file in &self.files {
            out.text(&file.name);
            out.unsigned(file.size);
            out.unsigned(u64::from(file.checksum));
        }
        seal(KEY, &out.finish()).into()
    }

    /// Reads what [`pack`](Self::pack) wrote.
    ///
    /// # Errors
    /// What is wrong with the bytes. Names that could lead out of a folder, or come twice, are
    /// refused too.
    pub fn unpack(packed: &Bytes) -> Result<Self, Damage> {
        let payload = unseal(KEY, packed)?;
        let mut input = Reader::new(&payload);
        let manifest = Self::decode(&mut input)?;
        input.finish()?;
        if manifest.files.len() > FILES_MAX {
            return Err(Damage::Content(format!("it has more than {FILES_MAX} files")));
        }
        let mut names = BTreeSet::new();
        for file in &manifest.files {
            if !is_plain(&file.name) || !names.insert(&file.name) {
                return Err(Damage::Content(format!("'{}' is no name of a file", file.name)));
            }
        }
        Ok(manifest)
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cluster = match input.flag()? {
            true => Some((ClusterId::decode(input)?, Generation::decode(input)?)),
            false => None,
        };
        let last = decode_log_id(input)?;
        let set_by = if input.flag()? { Some(decode_log_id(input)?) } else { None };
        let membership = StoredMembership::new(set_by, decode_membership(input)?);
        let (digest, created_us) = (StateDigest(input.array()?), input.unsigned()?);
        let mut files = Vec::new();
        for _ in 0..input.count()? {
            let (name, size) = (input.text()?, input.unsigned()?);
            files.push(SnapshotFile { name, size, checksum: input.unsigned32()? });
        }
        Ok(Self { cluster, last, membership, digest, created_us, files })
    }
}

/// Whether a name is one that a file of a snapshot can have.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('.')
        && name != super::files::MANIFEST
        && name.chars().all(is_plain)
}
