//! The benchmark beside etcd: what a system under test is, the load, the report.

pub mod etcd;
pub mod load;
pub mod quorate;
pub mod report;
pub mod usage;

use futures_util::future::BoxFuture;

/// Length of a key, in bytes.
pub const KEY_BYTES: usize = 8;
/// Length of a value, in bytes.
pub const VALUE_BYTES: usize = 256;
/// Keys that the load spreads over.
pub const KEYS: u64 = 10_000;

/// What the load does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sets a key.
    Put,
    /// Reads a key, linearizable.
    Get,
}

/// A client of a system, with its own place on a connection.
pub trait Client: Send + Sync {
    /// Runs one operation. A get of a key that is not there is an error.
    fn run(&self, operation: Operation, key: [u8; KEY_BYTES]) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// A running cluster of three.
pub trait System {
    /// Its name in the report.
    fn name(&self) -> &'static str;
    /// Process ids of its servers.
    fn processes(&self) -> Vec<u32>;
    /// `count` clients. They share connections, one for each eight of them, spread over the
    /// members; a single client talks to the leader.
    fn clients(&self, count: usize) -> BoxFuture<'_, anyhow::Result<Vec<Box<dyn Client>>>>;
}

/// Clients per connection.
pub const CLIENTS_PER_CONNECTION: usize = 8;

/// A key by its number.
pub fn key(number: u64) -> [u8; KEY_BYTES] {
    number.to_be_bytes()
}

/// The value that every put writes; it does not compress.
pub fn value() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(VALUE_BYTES);
    while bytes.len() < VALUE_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}
