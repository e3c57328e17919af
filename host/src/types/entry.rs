//! What a log entry carries: a header from the leader and the commands that it packed.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use super::ids::Lsn;
use super::outcome::Outcome;

const VERSION: u8 = 1;

/// Most commands in one entry; the proposer starts another entry beyond it.
pub const ENTRY_COMMANDS_MAX: usize = 1024;

/// Most bytes of commands in one entry; the proposer starts another entry beyond it. A single
/// command over it is refused before it is proposed.
pub const ENTRY_BYTES_MAX: usize = 1 << 20;

/// The commands of one entry, packed. The bytes that were proposed are the bytes that are stored
/// and sent: nothing decodes and encodes them again on the way.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch(pub Bytes);

/// What the leader adds to the commands of an entry. It is why no frontend needs a clock or random
/// numbers to apply it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The leader's clock in microseconds since 1970, as proposed; apply clamps it so that it never
    /// runs backwards.
    pub time_us: u64,
    /// Random bytes, the source of every seed in the entry.
    pub entropy: [u8; 16],
}

impl Batch {
    /// Packs commands, each of them packed already.
    pub fn pack<'a>(
        header: BatchHeader,
        commands: impl ExactSizeIterator<Item = &'a Bytes>,
    ) -> Self {
        let mut out = Writer::new();
        out.byte(VERSION);
        out.unsigned(header.time_us);
        out.raw(&header.entropy);
        out.count(commands.len());
        for command in commands {
            out.bytes(command);
        }
        Self(out.finish().into())
    }

    /// The header and the packed commands, which share memory with the batch.
    ///
    /// # Errors
    /// When the bytes are cut short, have a rest, or are of an unknown version.
    pub fn unpack(&self) -> Result<(BatchHeader, Vec<Bytes>), DecodeError> {
        let mut input = Reader::new(&self.0);
        match input.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let header = BatchHeader { time_us: input.unsigned()?, entropy: input.array()? };
        let mut commands = Vec::new();
        for _ in 0..input.count()? {
            commands.push(self.0.slice_ref(input.bytes()?));
        }
        input.finish()?;
        Ok((header, commands))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} bytes)", self.0.len())
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The outcomes of an entry's commands, in their order. A command that was a repetition carries
/// the LSN at which it ran first.
#[derive(Debug, Clone, Default)]
pub struct BatchReply {
    /// LSN and outcome per command.
    pub outcomes: Arc<[(Lsn, Outcome)]>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cut_batch_is_refused_and_a_whole_one_comes_back() {
        let header = BatchHeader { time_us: 5, entropy: [9; 16] };
        let commands = [Bytes::from_static(b"one"), Bytes::from_static(b"")];
        let batch = Batch::pack(header, commands.iter());
        for length in 0..batch.0.len() {
            assert!(Batch(batch.0.slice(..length)).unpack().is_err());
        }
        assert_eq!(batch.unpack().unwrap(), (header, commands.to_vec()));
    }
}
