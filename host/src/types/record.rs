//! How entries, votes and memberships are written in the log database and between frontends.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use super::consensus::{Entry, EntryPayload, LeaderId, LogId, Membership, Peer, Vote};
use super::entry::Batch;
use super::ids::NodeId;

/// Packs term, node and index.
pub fn encode_log_id(id: &LogId, out: &mut Writer) {
    encode_leader(&id.leader_id, out);
    out.unsigned(id.index);
}

/// Reads what [`encode_log_id`] wrote.
///
/// # Errors
/// When the bytes are cut short.
pub fn decode_log_id(input: &mut Reader<'_>) -> Result<LogId, DecodeError> {
    Ok(LogId { leader_id: decode_leader(input)?, index: input.unsigned()? })
}

/// Packs term, node and whether a quorum granted it.
pub fn encode_vote(vote: &Vote, out: &mut Writer) {
    encode_leader(&vote.leader_id, out);
    out.flag(vote.committed);
}

/// Reads what [`encode_vote`] wrote.
///
/// # Errors
/// When the bytes are cut short.
pub fn decode_vote(input: &mut Reader<'_>) -> Result<Vote, DecodeError> {
    Ok(Vote { leader_id: decode_leader(input)?, committed: input.flag()? })
}

/// Packs an entry: log id, tag, content. The batch comes last and without a length, so reading it
/// shares the memory of the record.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut out = Writer::new();
    encode_log_id(&entry.log_id, &mut out);
    match &entry.payload {
        EntryPayload::Blank => out.byte(0),
        EntryPayload::Normal(batch) => {
            out.byte(1);
            out.raw(&batch.0);
        }
        EntryPayload::Membership(membership) => {
            out.byte(2);
            encode_membership(membership, &mut out);
        }
    }
    out.finish()
}

/// Reads what [`encode_entry`] wrote.
///
/// # Errors
/// When the bytes are cut short, have a rest, or hold an unknown tag.
pub fn decode_entry(packed: &Bytes) -> Result<Entry, DecodeError> {
    let mut input = Reader::new(packed);
    let log_id = decode_log_id(&mut input)?;
    let payload = match input.byte()? {
        0 => {
            input.finish()?;
            EntryPayload::Blank
        }
        1 => EntryPayload::Normal(Batch(packed.slice_ref(input.rest()))),
        2 => {
            let membership = decode_membership(&mut input)?;
            input.finish()?;
            EntryPayload::Membership(membership)
        }
        _ => return Err(DecodeError::Range),
    };
    Ok(Entry { log_id, payload })
}

/// Packs the voters of each configuration and the addresses of all nodes.
pub fn encode_membership(membership: &Membership, out: &mut Writer) {
    let configs = membership.get_joint_config();
    out.count(configs.len());
    for config in configs {
        out.count(config.len());
        for node in config {
            node.encode(out);
        }
    }
    let nodes: Vec<_> = membership.nodes().collect();
    out.count(nodes.len());
    for (node, peer) in nodes {
        node.encode(out);
        out.text(&peer.address);
    }
}

/// Reads what [`encode_membership`] wrote.
///
/// # Errors
/// When the bytes are cut short, or a voter has no address.
pub fn decode_membership(input: &mut Reader<'_>) -> Result<Membership, DecodeError> {
    let mut configs = Vec::new();
    for _ in 0..input.count()? {
        let mut config = BTreeSet::new();
        for _ in 0..input.count()? {
            config.insert(NodeId::decode(input)?);
        }
        configs.push(config);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..input.count()? {
        let node = NodeId::decode(input)?;
        nodes.insert(node, Peer { address: input.text()? });
    }
    Membership::new(configs, nodes).map_err(|_| DecodeError::Range)
}

fn encode_leader(leader: &LeaderId, out: &mut Writer) {
    out.unsigned(leader.term);
    leader.node_id.encode(out);
}

fn decode_leader(input: &mut Reader<'_>) -> Result<LeaderId, DecodeError> {
    Ok(LeaderId { term: input.unsigned()?, node_id: NodeId::decode(input)? })
}
