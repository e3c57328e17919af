//! Engine epochs: what running a module comes to, as a number.

use std::fmt;
use std::ops::RangeInclusive;

use quorate_wire::{DecodeError, Reader, Writer};

/// A set of rules by which modules run: the engine's release and settings, what a step costs, which
/// modules are valid. The same module with the same input comes to the same within one epoch, and
/// may not in another, so the epoch in force is replicated, and changes at one LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The one of clusters in which none was ever set.
    pub const FIRST: Self = Self(1);

    /// Packs the number.
    pub fn encode(self, out: &mut Writer) {
        out.unsigned(u64::from(self.0));
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.unsigned32().map(Self)
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The epochs that a program can run, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epochs {
    /// The oldest.
    pub oldest: Epoch,
    /// The newest.
    pub newest: Epoch,
}

impl Epochs {
    /// Those of a frontend that has not said anything else.
    pub const FIRST: Self = Self { oldest: Epoch::FIRST, newest: Epoch::FIRST };

    /// Whether it is one of them.
    pub fn contain(self, epoch: Epoch) -> bool {
        (self.oldest..=self.newest).contains(&epoch)
    }

    /// Each of them, the oldest first.
    pub fn each(self) -> impl Iterator<Item = Epoch> {
        let numbers: RangeInclusive<u32> = self.oldest.0..=self.newest.0;
        numbers.map(Epoch)
    }

    /// Packs both ends.
    pub fn encode(self, out: &mut Writer) {
        self.oldest.encode(out);
        self.newest.encode(out);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { oldest: Epoch::decode(input)?, newest: Epoch::decode(input)? })
    }
}

impl fmt::Display for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.oldest, self.newest)
    }
}
