//! Ids and positions. Each is a type of its own, so none can be taken for another.

use std::fmt;

use quorate_wire::{DecodeError, Reader, Writer};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl $name {
            /// Packs the number.
            pub fn encode(self, out: &mut Writer) {
                out.unsigned(self.0);
            }

            /// Reads what [`encode`](Self::encode) wrote.
            ///
            /// # Errors
            /// When the input is cut short.
            pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                input.unsigned().map(Self)
            }
        }
    };
}

number! {
    /// Log sequence number: position in the replicated log, the Raft log index. 0 is the entry
    /// that founds a cluster; clients' commands begin after it.
    Lsn
}

number! {
    /// A frontend's identity, kept in its data directory and never used again after it left. 1 is
    /// the founder; any other is the LSN of the command that registered the frontend.
    NodeId
}

number! {
    /// A cluster's identity: a random positive number below 2^53, chosen when it is founded.
    ClusterId
}

number! {
    /// How often the cluster was founded anew from what was left of it. Frontends of different
    /// generations refuse each other.
    Generation
}

/// A command's identity, the same for every attempt at it. What is logged twice runs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Who proposes: a random number that a frontend draws at each start.
    pub client: u64,
    /// Counts that client's commands from 1.
    pub sequence: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.client, self.sequence)
    }
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first 12 hexadecimal digits, enough for a person to compare.
            pub fn short(&self) -> String {
                self.to_string()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

digest! {
    /// SHA-256 of a module's component file: what `sha256sum` prints for it.
    ModuleDigest
}

digest! {
    /// BLAKE3 chain over everything applied so far. Equal LSN and unequal digest means that two
    /// frontends disagree.
    StateDigest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_print_as_hexadecimal() {
        let digest = ModuleDigest([0xab; 32]);
        assert_eq!(digest.to_string(), "ab".repeat(32));
        assert_eq!(digest.short(), "ab".repeat(6));
    }
}
