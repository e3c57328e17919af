//! What high availability and swapping modules promise, measured on real processes: `make
//! prove-ha`, `make prove-modules`.
//!
//! Each part starts a cluster of its own, lets clients write at a moderate rate, does something to
//! it, and gives rows of a report: what was aimed at, what was measured. Gaps are the clients': the
//! longest time between two answers that acknowledge a write, over all clients whose frontend is
//! not the one that something is done to. Every write is accounted for by what its client was told;
//! see [`history`](crate::endurance::history).

pub mod answers;
pub mod failover;
pub mod idle;
pub mod kills;
pub mod load;
pub mod members;
pub mod network;
pub mod observers;
pub mod proof;
pub mod reads;
pub mod report;
pub mod stepped;
pub mod swaps;
pub mod transfer;

use std::path::Path;

use crate::{Cluster, Frontend, modules};
pub use report::Row;

/// Timing of elections; see `election_profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// One machine.
    Fast,
    /// A local network.
    Lan,
}

impl Profile {
    /// As `election_profile` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Lan => "lan",
        }
    }
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often each event is measured.
    pub runs: usize,
    /// Decides when things happen.
    pub seed: u64,
    /// Which timings are measured, where they matter.
    pub profiles: Vec<Profile>,
    /// Whether the network is cut by proxies also where the kernel could cut it.
    pub proxies: bool,
}

/// Where parts say what they are at.
pub type Progress<'a> = &'a dyn Fn(String);

/// A cluster of `size` voters with that timing and the key/value module.
fn cluster(dir: &Path, size: usize, profile: Profile) -> Cluster {
    let settle = |_, frontend: &mut Frontend| settle(frontend, profile);
    Cluster::start_prepared(dir, size, Some(modules::KV), settle)
}

/// Configures a frontend that has not been started yet.
fn settle(frontend: &mut Frontend, profile: Profile) {
    frontend.configure("election_profile", profile.name());
    // Room on the disk is proved elsewhere, and two dozen ballasts are more than a gigabyte.
    frontend.configure("ballast_bytes", 0);
}

/// The frontends at these positions.
fn some<'a>(cluster: &'a Cluster, positions: &[usize]) -> Vec<(usize, &'a Frontend)> {
    positions.iter().map(|at| (*at, &cluster.frontends[*at])).collect()
}

/// All positions but one.
fn others(size: usize, one: usize) -> Vec<usize> {
    (0..size).filter(|at| *at != one).collect()
}
