//! What a frontend knows of the machine that it runs on: which one it is, what its clock says.
//!
//! All of it is for people and for the checks before joining; no outcome depends on it. It is
//! given from outside, so that tests and a simulation can give another.

use std::fs;
use std::sync::Arc;

use super::wall_clock_us;
use crate::config::Live;

/// Names a boot of a machine, alike for all programs on it, also in containers.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The machine's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// Longest text that is taken from there.
const TEXT_BYTES_MAX: usize = 256;

/// A wall clock: microseconds since 1970, or 0 when it is not known.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What surrounds a frontend.
#[derive(Clone)]
pub struct Surroundings {
    /// The same text on every frontend of one machine; empty when not known, which checks nothing.
    pub machine: String,
    /// The machine's name; empty when not known.
    pub host_name: String,
    /// The machine's clock.
    pub clock: Clock,
    /// The configuration in force.
    pub config: Live,
}

impl Surroundings {
    /// Those of this machine.
    pub fn here(config: Live) -> Self {
        let clock = Arc::new(wall_clock_us);
        Self { machine: text(BOOT_ID), host_name: text(HOST_NAME), clock, config }
    }

    /// A machine of which nothing is known.
    pub fn unknown(config: Live) -> Self {
        Self { machine: String::new(), host_name: String::new(), clock: Arc::new(|| 0), config }
    }
}

/// The text of a file of the system; empty when there is none that could be a name.
fn text(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let text = text.trim();
    let plain = text.len() <= TEXT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { text.to_owned() } else { String::new() }
}
