//! Streams of messages, each way in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tonic::Status;

use super::Network;
use super::body::Piece;
use super::feeds::Feed;

/// Where the pieces of one direction arrive.
type End = mpsc::UnboundedSender<Result<Piece, Status>>;

/// An open stream of messages each way.
pub(super) struct Stream {
    pub ends: (usize, usize),
    pub broken: AtomicBool,
    pub feed: Option<Feed>,
    pub up: Mutex<Option<End>>,
    pub down: Mutex<Option<End>>,
    /// When the last message of each direction arrives.
    pub last_up: AtomicU64,
    pub last_down: AtomicU64,
}

impl Stream {
    pub fn new(ends: (usize, usize), feed: Option<Feed>, up: End, down: End) -> Self {
        Self {
            ends,
            broken: AtomicBool::new(false),
            feed,
            up: Mutex::new(Some(up)),
            down: Mutex::new(Some(down)),
            last_up: AtomicU64::new(0),
            last_down: AtomicU64::new(0),
        }
    }

    pub fn reset(&self, why: &str) {
        self.broken.store(true, Ordering::Relaxed);
        for end in [&self.up, &self.down] {
            if let Some(end) = end.lock().take() {
                // The reader may be gone.
                let _ = end.send(Err(Status::unavailable(why)));
            }
        }
    }
}

/// Closes a stream from the caller's side.
pub(super) struct Closer {
    pub network: Arc<Network>,
    pub stream: Arc<Stream>,
    pub pump: tokio::task::AbortHandle,
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.pump.abort();
        self.network.break_later(&self.stream, 1, "the caller closed the stream");
    }
}
