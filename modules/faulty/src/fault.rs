//! The ways to misbehave.

use std::hash::{BuildHasher, RandomState};
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

/// Goes so deep and comes back.
pub(crate) fn recurse(levels: u64) -> u64 {
    let frame = black_box([levels; 8]);
    if levels == 0 { 0 } else { recurse(levels - 1) + black_box(frame)[0].min(1) }
}

/// The bits of results that processors may choose: of NaNs above all.
#[allow(clippy::eq_op, reason = "what comes of a number and itself is what is asked")]
pub(crate) fn floats() -> Vec<u8> {
    let wide = black_box([0.0f64, -1.0, f64::INFINITY, f64::from_bits(0xfff4_dead_beef_0001), 0.1]);
    let [zero, minus, infinite, odd, tenth] = wide;
    let narrow = black_box([0.0f32, -1.0, f32::INFINITY, f32::from_bits(0xffa1_beef), 0.1]);
    let results = [
        zero / zero,
        infinite - infinite,
        infinite * zero,
        minus.sqrt(),
        odd + 1.0,
        odd * odd,
        1.0 - odd,
        odd.min(1.0),
        odd.max(zero),
        odd.floor(),
        odd.trunc(),
        odd.round_ties_even(),
        tenth + tenth + tenth,
        tenth.mul_add(3.0, minus),
        f64::from(narrow[0] / narrow[0]),
        f64::from(narrow[3] + narrow[4]),
        f64::from(narrow[1].sqrt()),
        f64::from(narrow[2] - narrow[2]),
        f64::from(odd as f32),
        f64::from(narrow[3]),
        odd as i64 as f64,
        infinite as u32 as f64,
    ];
    results.iter().flat_map(|result| result.to_bits().to_le_bytes()).collect()
}

/// What decides the order of a hash map in this instance, of the second one that is made.
pub(crate) fn hash() -> u64 {
    let first = RandomState::new().hash_one(7u8);
    first ^ RandomState::new().hash_one(black_box(9u8)).rotate_left(1)
}

/// Writes so many values of the longest length.
pub(crate) fn fill(store: &mut dyn WriteStore, values: u32) {
    let value = vec![0; VALUE_BYTES_MAX];
    for number in 0..values {
        store.put(format!("fill{number}").as_bytes(), &value);
    }
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
