//! What the state machine must offer to be driven by the log.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use crate::types::{BatchReply, Entry, LogId, StoredMembership};

/// Comes back when everything that was asked of the log so far is durable here, removals too.
pub type LogBarrier = Arc<dyn Fn() -> BoxFuture<'static, Result<(), ApplyError>> + Send + Sync>;

/// Applies committed entries, in order, on one thread of its own. Calls may block, unless it runs
/// [inline](super::Place::Inline).
///
/// Rules: an entry's effects and its log id become visible in one step. They are not made durable
/// before the entry itself is durable here, or a crash could leave a state ahead of its log. After
/// an error nothing of the run is visible, and the same run may be given again.
pub trait Apply: Send + 'static {
    /// The last applied entry and the last applied membership.
    fn applied(&self) -> (Option<LogId>, StoredMembership);

    /// Applies a run of entries: one reply per entry; a blank entry or a membership has an empty
    /// one.
    ///
    /// # Errors
    /// Only for a fault of this frontend. What a command may not do is an outcome, not an error.
    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<BatchReply>, ApplyError>;

    /// Where nothing may block, awaited before [`apply`](Self::apply): comes back when entries up
    /// to this one are durable here, so that `apply` need not wait for it.
    ///
    /// # Errors
    /// When they never will be.
    fn gate(&self, _last: LogId) -> BoxFuture<'static, Result<(), ApplyError>> {
        ready(Ok(())).boxed()
    }

    /// What is awaited before a snapshot takes the state's place: entries that it contradicts must
    /// be gone from the log for good by then.
    fn barrier(&self) -> LogBarrier;

    /// A snapshot has taken the state's place: reads it anew, so that it is visible.
    ///
    /// # Errors
    /// Only for a fault of this frontend.
    fn reload(&mut self) -> Result<(), ApplyError>;
}

/// This frontend cannot apply, for a reason that has nothing to do with the entries' meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("apply committed entries: {message}")]
pub struct ApplyError {
    /// Whether trying again can help. If not, the frontend must stop.
    pub retryable: bool,
    /// What is wrong, for the operator.
    pub message: String,
}
