//! The harness: clusters of real processes on loopback, real clients, deadlines instead of sleeps.

pub mod author;
pub mod bench;
mod cluster;
pub mod daemon;
pub mod endurance;
pub mod files;
pub mod guide;
mod mariadb;
mod process;
pub mod prove;
pub mod sim;
mod wait;

pub use cluster::Cluster;
pub use daemon::{Daemon, Ended};
pub use mariadb::{Mariadb, Output};
pub use process::{Frontend, binary, free_ports};
pub use wait::{eventually, eventually_async};

/// Component files, built from this repository's sources before the tests.
pub mod modules {
    /// The catalog that a new cluster starts with.
    pub const CATALOG_1: &str = env!("MODULE_CATALOG_1_0_0");
    /// The catalog with one visible addition.
    pub const CATALOG_2: &str = env!("MODULE_CATALOG_2_0_0");
    /// Keys and values.
    pub const KV: &str = env!("MODULE_KV_1_0_0");
    /// The same under another version.
    pub const KV_TWIN: &str = env!("MODULE_KV_1_0_1");
    /// Its second version, of another schema, which serves that of the first.
    pub const KV_2: &str = env!("MODULE_KV_2_0_0");
    /// Misbehaves on request.
    pub const FAULTY: &str = env!("MODULE_FAULTY_1_0_0");
    /// It in another schema.
    pub const FAULTY_2: &str = env!("MODULE_FAULTY_2_0_0");
}
