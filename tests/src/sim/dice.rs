//! The one source of chance in a simulation: everything follows from the seed.

use std::ops::RangeInclusive;

use parking_lot::Mutex;

/// Between two states of the generator.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that belongs to a state of the generator.
pub fn mix(state: u64) -> u64 {
    let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Draws numbers. The algorithm (SplitMix64) is fixed here, so that a seed means the same whatever
/// versions of libraries are around.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    /// Dice that always fall the same way.
    pub fn new(seed: u64) -> Self {
        let dice = Self(Mutex::new(seed ^ 0x5157_4f52_4154_4531));
        dice.next();
        dice
    }

    /// Any number.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(STEP);
        mix(*state)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of the range.
    pub fn within(&self, range: &RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True so many times in a million.
    pub fn chance(&self, per_million: u64) -> bool {
        self.below(1_000_000) < per_million
    }

    /// One of several.
    pub fn pick<'a, T>(&self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len() as u64);
        &all[usize::try_from(at).expect("an index")]
    }

    /// An index below `length`.
    pub fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index")
    }

    /// Changes an order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}
