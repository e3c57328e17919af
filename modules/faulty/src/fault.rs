//! The ways to misbehave.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_guest::store::VALUE_BYTES_MAX;
use quorate_guest::{Page, ReadStore, WriteStore};

/// Calls of [`count`] in this instance. What a module must not have: memory that outlives a call.
static COUNTED: AtomicU64 = AtomicU64::new(0);

const CHUNK_BYTES: usize = 64 << 10;

pub(crate) fn count() -> u64 {
    COUNTED.fetch_add(1, Ordering::Relaxed) + 1
}

pub(crate) fn run_forever() -> ! {
    let mut turns = 0u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub(crate) fn allocate_forever() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1u8; CHUNK_BYTES]);
        black_box(&hoard);
    }
}

#[allow(unconditional_recursion)] // the fault itself
pub(crate) fn recurse_forever(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    recurse_forever(depth + 1) + black_box(frame)[0]
}

pub(crate) fn write_oversize(store: &mut dyn WriteStore) {
    store.put(b"oversize", &vec![0; VALUE_BYTES_MAX + 1]);
}

/// A store that writes where only reading is allowed. In the host that reaches the import, which
/// traps; natively, where nothing is behind the read-only view, it panics.
pub(crate) struct Forced<'s>(pub(crate) &'s dyn ReadStore);

impl ReadStore for Forced<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        self.0.get_many(keys)
    }

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page {
        self.0.scan(low, high, reverse, max_rows)
    }
}

impl WriteStore for Forced<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        imports().put(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        imports().delete(key);
    }

    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        imports().delete_range(low, high)
    }

    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        imports().emit(topic, key, body);
    }
}

#[cfg(target_family = "wasm")]
fn imports() -> impl WriteStore {
    quorate_guest::glue::HostStore
}

#[cfg(not(target_family = "wasm"))]
fn imports() -> Box<dyn WriteStore> {
    panic!("a read-only call wrote to the store")
}
