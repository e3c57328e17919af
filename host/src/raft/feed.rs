//! The committed log for frontends outside the membership: observers.
//!
//! An observer runs the same consensus code as a follower, with its own log, but is in no
//! membership, so no leader knows of it. What a leader would send it, it gets from any frontend
//! that has it: committed entries, under the vote of the leader that the sender has followed. To
//! the observer's openraft they are that leader's appends, and legitimate ones: by leader
//! completeness (Raft, 5.4) the leader of that term has every entry that was committed when it was
//! elected or since. So log, apply, snapshots, purge and recovery are those of a follower, and an
//! observer that becomes a follower only changes who sends.
//!
//! ```text
//!  subscriber                                   sender: leader, follower or observer
//!  committed entry, credit, address ─────────>  the same entry here? not behind?
//!             <──────────────────────────────── pulse: vote, applied, hops, silence
//!             <──────────────────────────────── batch of what is applied here
//!  more credit, once it is durable ──────────>
//!             <────────── InstallSnapshot ───── when what is needed is purged
//! ```
//!
//! - A sender hands out only what it has applied: that is committed, and durable there.
//! - Batches are read and encoded once and shared by all subscribers ([`batches`]).
//! - Hops bound the chain and end cycles; silence ends subscriptions to a frontend that is cut off.
//!
//! Limits: [`FEEDS_MAX`] and [`LEADER_FEEDS_MAX`] subscribers, [`HOPS_MAX`], [`CREDIT_BYTES`] under
//! way per subscriber, [`LAG_TIMEOUT`] without credit, [`SILENCE_MAX`], [`IDLE_TIMEOUT`].

mod batches;
mod follow;
mod serve;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;

pub use follow::FeedEnd;
pub(super) use follow::Follower;
pub(super) use serve::Feeds;

use super::Raft;
use super::service::Heard;
use crate::types::NodeId;

/// Subscribers of a frontend that does not lead.
pub const FEEDS_MAX: usize = 64;
/// Subscribers of a leader, whose work is elsewhere.
pub const LEADER_FEEDS_MAX: usize = 8;
/// Frontends that an entry passes between the leader and an observer, at most: a follower and two
/// observers.
pub const HOPS_MAX: u32 = 3;
/// Bytes of entries that may be under way to a subscriber that has not stored them yet.
pub const CREDIT_BYTES: u64 = 4 << 20;
/// A subscriber that stores nothing for this long is left.
pub const LAG_TIMEOUT: Duration = Duration::from_secs(30);
/// A frontend that has not heard of a leader for this long feeds nobody, and is left.
pub const SILENCE_MAX: Duration = Duration::from_secs(3);
/// A subscriber leaves a sender that says nothing for this long.
pub const IDLE_TIMEOUT: Duration = Duration::from_millis(600);

/// Between two pulses, when nothing else is sent.
const PULSE_INTERVAL: Duration = Duration::from_millis(100);
/// How long a subscription may take to begin.
const OPEN_TIMEOUT: Duration = Duration::from_secs(1);
/// After a batch the next one is given this long to fill, unless it is full before.
const COALESCE: Duration = Duration::from_millis(3);

/// Whom this frontend takes the committed log from, when it is in no membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its id.
    pub node: NodeId,
    /// Its `host:edit_log_port`.
    pub address: String,
    /// Its hops from the leader.
    pub hops: u32,
    /// When it was last heard, and how long ago it had heard of the leader then.
    pub heard: (Instant, Duration),
}

/// How far from a leader this frontend is, in hops and in time.
#[derive(Clone)]
pub(super) struct Distance {
    raft: Raft,
    heard: Heard,
    upstream: watch::Receiver<Option<Upstream>>,
}

impl Distance {
    pub fn new(raft: Raft, heard: Heard, upstream: watch::Receiver<Option<Upstream>>) -> Self {
        Self { raft, heard, upstream }
    }

    /// Hops, and time since the leader was heard of. `None`: there is no way to a leader.
    pub fn measure(&self) -> Option<(u32, Duration)> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        if metrics.state.is_leader() {
            // Alone, it has its majority in itself, and nothing acknowledges between two writes.
            let alone = metrics.membership_config.voter_ids().count() <= 1;
            let acked = metrics.last_quorum_acked.map(|at| at.elapsed());
            return if alone { Some(Duration::ZERO) } else { acked }.map(|silence| (0, silence));
        }
        let membership = metrics.membership_config.membership();
        if membership.get_node(&metrics.id).is_some() {
            return self.heard.age().map(|silence| (1, silence));
        }
        let upstream = self.upstream.borrow().clone()?;
        let (at, silence) = upstream.heard;
        Some((upstream.hops + 1, at.elapsed() + silence))
    }
}
