//! Threads that others need not wait for.

/// Has this thread get less of a processor that other threads want too: 19 is the least. Only where
/// that is a matter of threads, not of the whole process.
pub fn give_way(niceness: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::debug!("a thread goes on at the usual priority: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}
