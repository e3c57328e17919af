//! Killing frontends under load, again and again, and then looking for what is wrong.
//!
//! Clients write through every frontend and note how each write ended: acknowledged, failed for
//! certain, or uncertain. Afterwards nothing that was acknowledged may be missing or have happened
//! twice, nothing that failed may be there, and all frontends must have the same digest.

pub mod client;
pub mod cycles;
pub mod history;
pub mod image;
pub mod restart;

/// Seeded numbers: the same seed kills the same frontends in the same order.
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        // Not 0, which xorshift never leaves.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next one below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
