//! Runs a module natively, under the rules of the host.
//!
//! [`Harness`] does with a machine what a cluster does: evaluates on a read-only view, logs the
//! command as bytes, applies it at the next log sequence number, drops the writes of a failure,
//! follows every cursor. [`MemoryStore`] enforces the store's limits: where the host would trap,
//! it panics. A command is applied twice and must do the same both times.
//!
//! [`assert_golden`] holds encodings to their bytes. [`assert_same_digest`] replays a log under
//! conditions that must not matter, for property tests: same log, same digest.

mod golden;
mod harness;
mod memory;
mod replay;

#[cfg(test)]
mod tests;

pub use golden::assert_golden;
pub use harness::Harness;
pub use memory::{Event, MemoryStore};
pub use replay::{Log, assert_same_digest};

/// The native stand-in for [`Context::seed`](crate::Context::seed): splitmix64 over position.
pub(crate) fn seed(lsn: u64, index: u32) -> [u8; 32] {
    let mut state = lsn ^ u64::from(index).rotate_left(32);
    let mut seed = [0; 32];
    for word in seed.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    seed
}
