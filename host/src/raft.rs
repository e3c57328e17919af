//! Consensus between frontends: one log, agreed on by a majority.
//!
//! openraft decides; this layer gives it a log
//! ([`RaftLogStorage`](openraft::storage::RaftLogStorage)), a state machine ([`Apply`]), a network
//! (gRPC) and settings, and offers what the layers above need: [`Node`] (start, membership,
//! status), [`Proposer`] (run a command exactly once, from any frontend), [`ReadIndex`] (what a
//! linearizable read must have seen) and the feed (the committed log for observers).
//!
//! ```text
//!  propose ──> queue ──> packer ──(leads)──> openraft ──> log, peers ──> apply thread ──> outcomes
//!                          │ ▲
//!               (follows)  ▼ │
//!                     forward stream ──> the leader's queue
//! ```
//!
//! Invariants:
//! - A message is acted on only if its cluster, generation and target are this frontend's.
//! - What failed in transport is never taken for an answer of a peer.
//! - A command is reported as not run only if no log can hold it.
//! - Clock and entropy enter here, as an entry's header, and nowhere below.
//!
//! A voter that lost its data does not come back under its id.

mod apply;
mod config;
mod feed;
mod fence;
mod forward;
mod leadership;
mod network;
mod node;
mod proposer;
mod read_index;
mod service;
mod snapshot;
mod state_machine;
mod wire;

#[cfg(test)]
mod tests;

pub use apply::{Apply, ApplyError, LogBarrier};
pub use config::Profile;
pub use feed::{FEEDS_MAX, FeedEnd, HOPS_MAX, LEADER_FEEDS_MAX, Upstream};
pub use fence::{Fence, ROUTE_KEY};
pub use forward::Confirmed;
pub use leadership::{Leader, Leadership};
pub(crate) use network::Wire;
pub use network::{Called, Dial, MESSAGE_BYTES_MAX, Tcp, Transport, incoming, server};
pub use node::{Defect, MemberError, Node, NodeOptions, NodeStatus, StartError};
pub use proposer::{Active, ProposeError, Proposer, Stamp};
pub use read_index::{ReadError, ReadIndex};
pub use service::{PeerService, Service};
pub use snapshot::{IDLE_TIMEOUT, RATE_MAX, TRANSFERS_MAX};
pub use state_machine::Place;

type Raft = openraft::Raft<crate::types::TypeConfig, state_machine::StateMachine>;
