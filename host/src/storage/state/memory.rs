//! The state in memory, with a crash that a test decides on.
//!
//! Crash model: what was flushed stays; of the commits since, any number of the latest are lost.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use quorate_wire::{DecodeError, Reader, Writer};

use crate::storage::record::{Damage, seal, unseal};
use crate::storage::sync_directory;
use crate::types::{Range, Scan, View, ViewError};

use super::{StateError, StateStore, Writes, is_void, portion};

/// The one file of a checkpoint.
const FILE: &str = "pairs";

type Map = BTreeMap<Bytes, Bytes>;

/// A state without a disk; deterministic. A commit copies the whole map if a view is held.
#[derive(Debug, Default)]
pub struct MemoryState {
    versions: Mutex<Versions>,
}

#[derive(Debug, Default)]
struct Versions {
    seen: Arc<Map>,
    flushed: Arc<Map>,
    unflushed: Vec<Writes>,
}

impl MemoryState {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens what [`checkpoint`](StateStore::checkpoint) wrote.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn open_checkpoint(dir: &Path) -> Result<Self, StateError> {
        let record = fs::read(dir.join(FILE)).map_err(|e| StateError::from_io(dir, &e))?;
        Self::of(&record.into(), &dir.display().to_string())
    }

    /// A state with the content of an [`image`](Self::image).
    ///
    /// # Errors
    /// When it is damaged.
    pub fn open_image(image: &Bytes) -> Result<Self, StateError> {
        Self::of(image, "memory")
    }

    fn of(image: &Bytes, path: &str) -> Result<Self, StateError> {
        let map = unseal(FILE.as_bytes(), image)
            .and_then(|payload| decode(&payload).map_err(Damage::from))
            .map_err(|damage| StateError::Damaged {
                path: path.to_owned(),
                reason: damage.to_string(),
            })?;
        let map = Arc::new(map);
        let versions = Versions { seen: Arc::clone(&map), flushed: map, unflushed: Vec::new() };
        Ok(Self { versions: Mutex::new(versions) })
    }

    /// The state as of now in one piece of bytes: what a checkpoint has in its file.
    pub fn image(&self) -> Bytes {
        let seen = Arc::clone(&self.versions.lock().seen);
        seal(FILE.as_bytes(), &encode(&seen)).into()
    }

    /// Puts the content of another state, durably, in the place of this one's. Views of the old
    /// one stay as they are.
    pub fn replace(&self, other: &Self) {
        let map = Arc::clone(&other.versions.lock().seen);
        let versions = Versions { seen: Arc::clone(&map), flushed: map, unflushed: Vec::new() };
        *self.versions.lock() = versions;
    }

    /// The machine loses power: of the commits since the last flush the first `kept` survive.
    pub fn crash(&self, kept: usize) {
        let mut versions = self.versions.lock();
        let unflushed = std::mem::take(&mut versions.unflushed);
        for writes in unflushed.into_iter().take(kept) {
            change(Arc::make_mut(&mut versions.flushed), writes);
        }
        versions.seen = Arc::clone(&versions.flushed);
    }

    /// How many commits a crash may lose.
    pub fn unflushed(&self) -> usize {
        self.versions.lock().unflushed.len()
    }
}

fn change(map: &mut Map, writes: Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

fn encode(map: &Map) -> Vec<u8> {
    let mut out = Writer::new();
    out.count(map.len());
    for (key, value) in map {
        out.bytes(key);
        out.bytes(value);
    }
    out.finish()
}

fn decode(payload: &Bytes) -> Result<Map, DecodeError> {
    let mut input = Reader::new(payload);
    let mut map = Map::new();
    for _ in 0..input.count()? {
        let key = payload.slice_ref(input.bytes()?);
        map.insert(key, payload.slice_ref(input.bytes()?));
    }
    input.finish()?;
    Ok(map)
}

impl StateStore for MemoryState {
    fn view(&self) -> Arc<dyn View> {
        Arc::new(MemoryView(Arc::clone(&self.versions.lock().seen)))
    }

    fn commit(&self, writes: Writes) -> Result<(), StateError> {
        let mut versions = self.versions.lock();
        change(Arc::make_mut(&mut versions.seen), writes.clone());
        versions.unflushed.push(writes);
        Ok(())
    }

    fn flush(&self) -> Result<(), StateError> {
        let mut versions = self.versions.lock();
        versions.flushed = Arc::clone(&versions.seen);
        versions.unflushed.clear();
        Ok(())
    }

    fn checkpoint(&self, dir: &Path) -> Result<(), StateError> {
        let seen = Arc::clone(&self.versions.lock().seen);
        let file = dir.join(FILE);
        fs::create_dir(dir)
            .and_then(|()| fs::write(&file, seal(FILE.as_bytes(), &encode(&seen))))
            .and_then(|()| fs::File::open(&file)?.sync_all())
            .and_then(|()| sync_directory(dir))
            .map_err(|e| StateError::from_io(dir, &e))
    }
}

struct MemoryView(Arc<Map>);

impl View for MemoryView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, range: Range<'_>, rows_max: usize, bytes_max: usize) -> Result<Scan, ViewError> {
        if is_void(&range) {
            return Ok(Scan { pairs: Vec::new(), done: true });
        }
        let bounds = (Bound::Included(range.low), Bound::Excluded(range.high));
        let pairs = self.0.range::<[u8], _>(bounds);
        let own = |(key, value): (&Bytes, &Bytes)| Ok((key.clone(), value.clone()));
        if range.reverse {
            portion(pairs.rev().map(own), rows_max, bytes_max)
        } else {
            portion(pairs.map(own), rows_max, bytes_max)
        }
    }
}
