//! The entropy of a simulating process: it comes from the seed.
//!
//! Libraries draw seeds where nobody can hand them one: tokio for the order of `select!`, the
//! standard library for its hash maps, `rand` for its generators. All of them end in `getrandom`,
//! and a program's own symbol goes before the C library's.
#![allow(unsafe_code, reason = "a symbol of the C library is replaced")]

use std::sync::atomic::{AtomicU64, Ordering};

use quorate_tests::sim::mix;

static STATE: AtomicU64 = AtomicU64::new(0);

/// From here on, every draw follows from the seed.
pub fn seed(seed: u64) {
    STATE.store(seed.wrapping_mul(2).wrapping_add(1), Ordering::Relaxed);
}

fn next() -> u64 {
    // An odd step, so that no state comes twice.
    mix(STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
}

/// Stands for the C library's function of that name.
///
/// # Safety
/// As that function's: `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    for offset in 0..length {
        // SAFETY: the caller's promise.
        unsafe { buffer.add(offset).write((next() >> 32) as u8) };
    }
    isize::try_from(length).unwrap_or(isize::MAX)
}
