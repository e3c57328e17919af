//! The words of the system as types: ids, positions, commands, entries, outcomes.
//!
//! The lowest layer. Everything here that is logged, stored or sent has a layout of its own, packed
//! with [`quorate_wire`], with a version byte where it may grow; no library's derive decides a
//! byte.

mod alteration;
mod command;
mod consensus;
mod entry;
mod epoch;
mod frontend;
mod ids;
mod lifecycle;
mod outcome;
mod record;
mod time;
mod view;

pub use alteration::{ALTERED_MAX, Address, Alteration};
pub use command::{Action, Command, HostCommand, ModuleManifest};
pub use consensus::{
    Entry, EntryPayload, LeaderId, LogId, Membership, Peer, StoredMembership, TypeConfig, Vote,
};
pub use entry::{Batch, BatchHeader, BatchReply, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX};
pub use epoch::{Epoch, Epochs};
pub use frontend::{Frontend, FrontendKind, Ports};
pub use ids::{ClusterId, Generation, Lsn, ModuleDigest, NodeId, RequestId, StateDigest};
pub use lifecycle::{BreakToken, Consent, Gate, Lifecycle, Order, When};
pub use outcome::{Outcome, Rejection};
pub use record::{
    decode_entry, decode_log_id, decode_membership, decode_vote, encode_entry, encode_log_id,
    encode_membership, encode_vote,
};
pub use time::format_time;
pub use view::{Pairs, Range, Scan, View, ViewError};
