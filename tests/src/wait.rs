//! Waiting for a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Looks until `condition` gives a value.
///
/// # Panics
/// When it has not after `limit`; `what` says what was waited for.
pub fn eventually<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < limit, "not so after {limit:?}: {what}");
        thread::park_timeout(LOOK_INTERVAL);
    }
}

/// As [`eventually`], for a condition that must be awaited.
///
/// # Panics
/// When it has not after `limit`.
pub async fn eventually_async<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let waiting = async {
        let mut interval = tokio::time::interval(LOOK_INTERVAL);
        loop {
            interval.tick().await;
            if let Some(value) = condition().await {
                return value;
            }
        }
    };
    let done = tokio::time::timeout(limit, waiting).await;
    done.unwrap_or_else(|_| panic!("not so after {limit:?}: {what}"))
}
