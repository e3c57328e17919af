//! What a frontend knows of the machine that it runs on: which one it is, what its clock says, what
//! names stand for there.
//!
//! All of it is for people and for the checks before joining; no outcome depends on it. It is
//! given from outside, so that tests and a simulation can give another.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

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

/// Finds the addresses of a host by its name; none when it does not resolve.
pub type Names = Arc<dyn Fn(String) -> BoxFuture<'static, BTreeSet<IpAddr>> + Send + Sync>;

/// What surrounds a frontend.
#[derive(Clone)]
pub struct Surroundings {
    /// The same text on every frontend of one machine; empty when not known, which checks nothing.
    pub machine: String,
    /// The machine's name; empty when not known.
    pub host_name: String,
    /// The machine's clock.
    pub clock: Clock,
    /// What names stand for.
    pub names: Names,
    /// The configuration in force.
    pub config: Live,
}

impl Surroundings {
    /// Those of this machine.
    pub fn here(config: Live) -> Self {
        Self {
            machine: text(BOOT_ID),
            host_name: text(HOST_NAME),
            clock: Arc::new(wall_clock_us),
            names: Arc::new(|host| ask_system(host).boxed()),
            config,
        }
    }

    /// A machine of which nothing is known.
    pub fn unknown(config: Live) -> Self {
        let (machine, host_name) = (String::new(), String::new());
        let names = Arc::new(|_| std::future::ready(BTreeSet::new()).boxed());
        Self { machine, host_name, clock: Arc::new(|| 0), names, config }
    }

    /// The addresses of a host, by its name or as one of them; none when the name does not resolve
    /// before the deadline.
    pub async fn look_up(&self, host: &str, deadline: Instant) -> BTreeSet<IpAddr> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return BTreeSet::from([ip.to_canonical()]);
        }
        timeout_at(deadline, (self.names)(host.to_owned())).await.unwrap_or_default()
    }
}

/// The addresses that the system has for a name. It finds them on a thread, and takes as long as it
/// takes.
async fn ask_system(host: String) -> BTreeSet<IpAddr> {
    match tokio::net::lookup_host((host.as_str(), 0)).await {
        Ok(found) => found.map(|socket| socket.ip().to_canonical()).collect(),
        Err(_unknown) => BTreeSet::new(),
    }
}

/// The text of a file of the system; empty when there is none that could be a name.
fn text(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let text = text.trim();
    let plain = text.len() <= TEXT_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { text.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, Settings};

    #[tokio::test]
    async fn a_name_that_does_not_resolve_in_time_has_no_address() {
        let live = Live::new(Config::from_settings(&Settings::new()).unwrap());
        let mut here = Surroundings::here(live);
        let deadline = Instant::now() + Duration::from_secs(60);
        assert!(here.look_up("host.invalid", deadline).await.is_empty());
        let local = here.look_up("localhost", deadline).await;
        assert!(local.iter().any(IpAddr::is_loopback));
        let (v4, mapped) = ("10.0.0.1", "::ffff:10.0.0.1");
        assert_eq!(here.look_up(v4, deadline).await, here.look_up(mapped, deadline).await);
        here.names = Arc::new(|_| std::future::pending().boxed());
        assert!(here.look_up("localhost", Instant::now()).await.is_empty());
    }
}
