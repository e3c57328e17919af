//! Crash points: where a test can have this process killed, as `kill -9` would.
//!
//! A test hook. The environment variable [`CRASH_AT`] names one of [`CRASH_POINTS`]; the process
//! ends there with SIGKILL, without a farewell of any kind. `name:3` means the third time. The
//! variable is read once and concerns the whole process, as the signal does. Without it, a point
//! costs one look at a value that never changes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// The environment variable that names a crash point.
pub const CRASH_AT: &str = "QUORATE_CRASH_AT";

/// Every crash point, in the order of what happens.
pub const CRASH_POINTS: [&str; 35] = [
    // Entries and the vote, on their way to the log's disk.
    "log-queued",
    "log-written",
    "log-synced",
    "vote-synced",
    // A run of entries, on its way to the state.
    "state-before-commit",
    "state-after-commit",
    // A step in the life of a module, in a run of entries.
    "chunk-worked-out",
    "chunk-committed",
    "module-worked-out",
    "module-committed",
    "acknowledge-worked-out",
    "acknowledge-committed",
    "activate-worked-out",
    "activate-committed",
    "migrate-worked-out",
    "migrate-committed",
    // A snapshot is built.
    "snapshot-flushed",
    "snapshot-checkpointed",
    "snapshot-described",
    "snapshot-renamed",
    "snapshot-replaced",
    // A snapshot is received.
    "receive-begun",
    "receive-chunk",
    "receive-file",
    "receive-finished",
    // A snapshot is installed.
    "install-begun",
    "install-linked",
    "install-opened",
    "install-committed",
    "install-swapped",
    "install-renamed",
    // The log is purged.
    "purge-asked",
    "purge-written",
    "purge-synced",
    "purge-done",
];

struct Plan {
    name: String,
    left: AtomicU64,
}

impl Plan {
    fn parse(text: &str) -> Option<Self> {
        let (name, count) = text.split_once(':').unwrap_or((text, "1"));
        let left: u64 = count.parse().ok().filter(|count| *count > 0)?;
        CRASH_POINTS.contains(&name).then(|| Self { name: name.to_owned(), left: left.into() })
    }

    /// Whether this is the moment.
    fn reach(&self, name: &str) -> bool {
        self.name == name && self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let read = || {
        let text = std::env::var(CRASH_AT).ok()?;
        let plan = Plan::parse(&text);
        if plan.is_none() {
            tracing::error!("{CRASH_AT}={text} names no crash point: one of {CRASH_POINTS:?}");
        }
        plan
    };
    PLAN.get_or_init(read).as_ref()
}

/// Kills the process if it was told to die here.
pub fn crash_point(name: &str) {
    debug_assert!(CRASH_POINTS.contains(&name), "{name} is not in the list");
    if plan().is_some_and(|plan| plan.reach(name)) {
        // It cannot fail for the own process, and nothing may run after it.
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort();
    }
}

/// Whether the process is to die at this point, now or later. For points that lie inside of what is
/// normally one step.
pub fn is_planned(name: &str) -> bool {
    plan().is_some_and(|plan| plan.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_plan_names_a_point_and_a_time() {
        for text in ["", "log", "log-synced:", "log-synced:0", "log-synced:x", ":1"] {
            assert!(Plan::parse(text).is_none(), "{text}");
        }
        let first = Plan::parse("log-synced").unwrap();
        assert!(!first.reach("log-queued"));
        assert!(first.reach("log-synced"));
        assert!(!first.reach("log-synced"));
        let third = Plan::parse("log-synced:3").unwrap();
        let reached: Vec<_> = (0..4).map(|_| third.reach("log-synced")).collect();
        assert_eq!(reached, [false, false, true, false]);
    }
}
