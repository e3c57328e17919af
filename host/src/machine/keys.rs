//! Where things are in the state database.
//!
//! | key (numbers big endian)                | value                                          |
//! |-----------------------------------------|------------------------------------------------|
//! | `00 00`                                 | format of this table, one byte                 |
//! | `00 01`                                 | log id, state digest and clock of the state    |
//! | `00 02`                                 | membership and the log id that set it          |
//! | `00 03`                                 | cluster id and generation                      |
//! | `00 04`                                 | newest node id ever given                      |
//! | `00 05`                                 | engine epoch in force, if one was ever set     |
//! | `01 node:8`                             | a registered frontend                          |
//! | `02 00 digest:32`                       | manifest of an installed module                |
//! | `02 01 digest:32 node:8`                | what a frontend said of it                     |
//! | `02 02 digest:32 index:4`               | one chunk of its file                          |
//! | `02 03 digest:32`                       | how far its upload is, until it is installed   |
//! | `02 04 digest:32`                       | LSN at which it was retired                    |
//! | `02 05 digest:32`                       | signature of its file                          |
//! | `03 00 lsn:8 index:4`                   | an attempt to activate a module                |
//! | `03 01`                                 | the active module                              |
//! | `03 02 name`                            | schema version of the module's key space       |
//! | `03 03`                                 | the migration that is under way                |
//! | `03 04`                                 | the activation that is scheduled               |
//! | `04 name`                               | a setting                                      |
//! | `05 client:8 lsn:8`                     | outcomes of a client's requests in one entry   |
//! | `06 slot:4`                             | LSN and state digest, a ring                   |
//! | `07 lsn:8`                              | a recovery: how a generation began             |
//! | `08 node:8`                             | what a frontend drew when it entered           |
//! | `09 node:8`                             | engine epochs that a frontend can run          |
//! | `0c 00`                                 | LSN since which there is a row for every entry |
//! | `0c 01 lsn:8 part:4`                    | what an entry changed, for subscribers         |
//! | `0c 02`                                 | why this state is not to be used               |
//! | `10 length name key…`                   | a module's own key space                       |
//!
//! A module's space belongs to its *name*, so its versions share it and no other module sees it.
//! Ids are big endian, so key order is their order.
//!
//! Area `0c` is this frontend's own: no digest covers it, and nothing that is applied reads it.

use bytes::Bytes;

use crate::types::{Lsn, ModuleDigest, NodeId};

pub const FORMAT: Bytes = Bytes::from_static(&[0x00, 0]);
pub const POSITION: Bytes = Bytes::from_static(&[0x00, 1]);
pub const MEMBERSHIP: Bytes = Bytes::from_static(&[0x00, 2]);
pub const CLUSTER: Bytes = Bytes::from_static(&[0x00, 3]);
pub const NEWEST_NODE: Bytes = Bytes::from_static(&[0x00, 4]);
pub const EPOCH: Bytes = Bytes::from_static(&[0x00, 5]);
pub const FRONTENDS: &[u8] = &[0x01];
pub const MANIFESTS: &[u8] = &[0x02, 0];
pub const ACKNOWLEDGEMENTS: &[u8] = &[0x02, 1];
pub const CHUNKS: &[u8] = &[0x02, 2];
pub const UPLOADS: &[u8] = &[0x02, 3];
pub const RETIRED: &[u8] = &[0x02, 4];
pub const SIGNATURES: &[u8] = &[0x02, 5];
pub const HISTORY: &[u8] = &[0x03, 0];
pub const ACTIVE: Bytes = Bytes::from_static(&[0x03, 1]);
pub const SCHEMAS: &[u8] = &[0x03, 2];
pub const MIGRATION: Bytes = Bytes::from_static(&[0x03, 3]);
pub const SCHEDULED: Bytes = Bytes::from_static(&[0x03, 4]);
pub const SETTINGS: &[u8] = &[0x04];
pub const REQUESTS: &[u8] = &[0x05];
pub const DIGESTS: &[u8] = &[0x06];
pub const RECOVERIES: &[u8] = &[0x07];
pub const ENTRANTS: &[u8] = &[0x08];
pub const EPOCHS: &[u8] = &[0x09];
pub const CHANGES_BEGIN: Bytes = Bytes::from_static(&[0x0c, 0]);
pub const CHANGES: &[u8] = &[0x0c, 1];
pub const QUARANTINE: Bytes = Bytes::from_static(&[0x0c, 2]);
const SPACES: u8 = 0x10;

pub fn frontend(node: NodeId) -> Bytes {
    join(FRONTENDS, &[&node.0.to_be_bytes()])
}

pub fn entrant(node: NodeId) -> Bytes {
    join(ENTRANTS, &[&node.0.to_be_bytes()])
}

pub fn epochs(node: NodeId) -> Bytes {
    join(EPOCHS, &[&node.0.to_be_bytes()])
}

pub fn manifest(module: ModuleDigest) -> Bytes {
    join(MANIFESTS, &[&module.0])
}

pub fn acknowledgement(module: ModuleDigest, node: NodeId) -> Bytes {
    join(ACKNOWLEDGEMENTS, &[&module.0, &node.0.to_be_bytes()])
}

pub fn chunk(module: ModuleDigest, index: u32) -> Bytes {
    join(CHUNKS, &[&module.0, &index.to_be_bytes()])
}

pub fn upload(module: ModuleDigest) -> Bytes {
    join(UPLOADS, &[&module.0])
}

pub fn retired(module: ModuleDigest) -> Bytes {
    join(RETIRED, &[&module.0])
}

pub fn signature(module: ModuleDigest) -> Bytes {
    join(SIGNATURES, &[&module.0])
}

pub fn activation(lsn: Lsn, index: u32) -> Bytes {
    join(HISTORY, &[&lsn.0.to_be_bytes(), &index.to_be_bytes()])
}

pub fn schema(name: &str) -> Bytes {
    join(SCHEMAS, &[name.as_bytes()])
}

pub fn setting(name: &str) -> Bytes {
    join(SETTINGS, &[name.as_bytes()])
}

pub fn requests(client: u64, lsn: Lsn) -> Bytes {
    join(REQUESTS, &[&client.to_be_bytes(), &lsn.0.to_be_bytes()])
}

pub fn digest(slot: u32) -> Bytes {
    join(DIGESTS, &[&slot.to_be_bytes()])
}

pub fn recovery(lsn: Lsn) -> Bytes {
    join(RECOVERIES, &[&lsn.0.to_be_bytes()])
}

pub fn changes(lsn: Lsn, part: u32) -> Bytes {
    join(CHANGES, &[&lsn.0.to_be_bytes(), &part.to_be_bytes()])
}

/// Name of the module and its own key, if `key` lies in the space of one.
pub fn in_space(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let [SPACES, length, rest @ ..] = key else { return None };
    rest.split_at_checked(usize::from(*length))
}

/// A key for people.
pub fn name(key: &[u8]) -> String {
    let area = match key {
        [0x00, 0, ..] => "format",
        [0x00, 1, ..] => "position",
        [0x00, 2, ..] => "membership",
        [0x00, 3, ..] => "cluster",
        [0x00, 4, ..] => "newest frontend",
        [0x00, 5, ..] => "engine epoch",
        [0x01, ..] => "frontend",
        [0x02, 0, ..] => "module",
        [0x02, 1, ..] => "acknowledgement",
        [0x02, 2, ..] => "chunk of a module",
        [0x02, 3, ..] => "upload of a module",
        [0x02, 4, ..] => "retirement of a module",
        [0x02, 5, ..] => "signature of a module",
        [0x03, 0, ..] => "activation",
        [0x03, 1, ..] => "active module",
        [0x03, 2, ..] => "schema of a module",
        [0x03, 3, ..] => "migration",
        [0x03, 4, ..] => "scheduled activation",
        [0x04, ..] => "setting",
        [0x05, ..] => "outcomes of a client",
        [0x06, ..] => "digest",
        [0x07, ..] => "recovery",
        [0x09, ..] => "engine epochs of a frontend",
        _ => "",
    };
    match in_space(key) {
        Some((module, own)) => format!("{}: {}", module.escape_ascii(), own.escape_ascii()),
        None if area.is_empty() => key.escape_ascii().to_string(),
        None => format!("host: {area}: {}", key.escape_ascii()),
    }
}

/// What every key of a module's space begins with.
pub fn space(name: &str) -> Bytes {
    let length = u8::try_from(name.len()).expect("a module's name is checked when it is installed");
    join(&[SPACES, length], &[name.as_bytes()])
}

/// The first key that does not begin with `prefix`, which is not empty and not all `ff`.
pub fn end(prefix: &[u8]) -> Bytes {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff).map_or(0, |last| last + 1);
    let mut end = prefix[..kept].to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end.into()
}

fn join(area: &[u8], parts: &[&[u8]]) -> Bytes {
    let mut key =
        Vec::with_capacity(area.len() + parts.iter().map(|part| part.len()).sum::<usize>());
    key.extend_from_slice(area);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_space_of_a_module_lies_inside_that_of_another() {
        let (short, long) = (space("kv"), space("kv2"));
        assert!(!long.starts_with(&short));
        assert!(long >= end(&short));
    }

    #[test]
    fn the_end_of_a_prefix_follows_all_that_begin_with_it() {
        assert_eq!(end(&[2, 0xff, 0xff]), [3].as_slice());
        assert_eq!(end(&[2, 7]), [2, 8].as_slice());
    }
}
