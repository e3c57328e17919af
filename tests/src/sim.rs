//! Whole clusters on simulated time, network and storage: one seed is one history, which can be
//! replayed.
//!
//! | part | real | simulated |
//! |---|---|---|
//! | consensus | openraft, its settings, network messages, votes, forwarding, read index | the wire below gRPC's calls |
//! | log | the log with its tail, groups, fence file | the device that keeps records |
//! | state | machine, registry, deduplication, digests, sessions, read barrier | the store below |
//! | module | kv: compiled in, in five versions, or as WebAssembly | – |
//! | time | tokio's timers | the clock, moved by the world, one per host |
//!
//! [`World`] runs a seed. [`oracle`] holds the invariants that are checked at every step,
//! [`history`] those over what clients were told. A process that runs a seed must take its entropy
//! from the seed too, which the program `sim` sees to; it runs every seed in a process of its own.

mod changes;
mod clients;
mod company;
mod context;
mod dice;
mod disk;
mod ending;
mod faults;
mod founding;
mod frontend;
pub mod history;
mod ledger;
pub mod level;
mod model;
mod mutation;
mod native;
mod network;
pub mod oracle;
mod plan;
mod release;
mod shelf;
mod spoiling;
mod stalls;
mod standing;
mod subscriber;
mod swaps;
mod world;

pub use dice::{Dice, mix};
pub use mutation::Mutation;
pub use world::{Outcome, World};
