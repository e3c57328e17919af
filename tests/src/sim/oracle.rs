//! The invariants that hold at every step, checked over all frontends at once.
//!
//! | invariant | where it is looked at |
//! |---|---|
//! | log matching: one log id, one payload | every record that reaches a disk |
//! | one payload per LSN; committed means durable on a majority | an LSN is applied first |
//! | the state is not ahead of its own durable log | every applied run, every start |
//! | equal digests at equal LSN | every applied entry |
//! | each request runs once, with the outcome of the model | every applied entry |
//! | a leader has all that was committed before | it is first seen to lead |

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate::machine::Machine;
use quorate::storage::log::{Change, SimLogDevice, unseal_entry};
use quorate::types::{
    BatchReply, Entry, EntryPayload, LeaderId, LogId, Lsn, Membership, NodeId, Outcome, StateDigest,
};

use super::context::Context;
use super::model::{Expected, Model};

/// What the simulation knows of one host's disk.
struct Disk {
    node: Option<NodeId>,
    log: Arc<SimLogDevice>,
    /// What it had made durable when it went back in time.
    forgotten: BTreeMap<u64, Bytes>,
}

impl Disk {
    /// Whether it has, or had, made a record durable.
    fn kept(&self, index: u64, record: &Bytes) -> bool {
        self.log.synced(index).as_ref() == Some(record)
            || self.forgotten.get(&index) == Some(record)
    }
}

/// An entry known to be committed.
struct Committed {
    id: LogId,
    record: Bytes,
    expected: Vec<Expected>,
    digest: Option<StateDigest>,
}

/// Looks at everything.
pub struct Oracle {
    context: Arc<Context>,
    disks: Vec<Disk>,
    records: BTreeMap<(u64, LeaderId), Bytes>,
    memberships: BTreeMap<u64, BTreeMap<LeaderId, Membership>>,
    committed: BTreeMap<u64, Committed>,
    leaders: BTreeMap<LeaderId, usize>,
    /// What the committed log means.
    pub model: Model,
}

impl Oracle {
    /// Over these disks.
    pub fn new(context: Arc<Context>, disks: impl Iterator<Item = Arc<SimLogDevice>>) -> Self {
        Self {
            context,
            disks: disks.map(|log| Disk { node: None, log, forgotten: BTreeMap::new() }).collect(),
            records: BTreeMap::new(),
            memberships: BTreeMap::new(),
            committed: BTreeMap::new(),
            leaders: BTreeMap::new(),
            model: Model::default(),
        }
    }

    /// Host `host` has the frontend `node`.
    pub fn is(&mut self, host: usize, node: NodeId) {
        self.disks[host].node = Some(node);
    }

    /// The disk of `host` is about to go back in time: what it acknowledged until now counts.
    pub fn forgets(&mut self, host: usize) {
        let disk = &mut self.disks[host];
        let last = disk.log.last_synced().unwrap_or_default();
        let first = disk.log.first_seen().unwrap_or_default();
        let kept = (first..=last).filter_map(|at| Some((at, disk.log.synced(at)?)));
        disk.forgotten = kept.collect();
    }

    /// The highest LSN known to be committed.
    pub fn last_committed(&self) -> u64 {
        self.committed.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// Something is written to the log of `host`.
    pub fn wrote(&mut self, host: usize, changes: &[Change]) {
        for change in changes {
            let Change::Put { index, record } = change else { continue };
            let Ok(entry) = unseal_entry(*index, record) else {
                self.context.violate(format!("host {host} writes a damaged record at {index}"));
                continue;
            };
            let key = (*index, entry.log_id.leader_id);
            let known = self.records.entry(key).or_insert_with(|| record.clone());
            if known != record {
                self.context.violate(format!(
                    "log matching: host {host} has another entry under log id {}",
                    entry.log_id
                ));
            }
            if let EntryPayload::Membership(membership) = entry.payload {
                let at = self.memberships.entry(*index).or_default();
                at.insert(entry.log_id.leader_id, membership);
            }
        }
    }

    /// `host` has applied a run of entries.
    pub fn applied(
        &mut self,
        host: usize,
        entries: &[Entry],
        replies: &[BatchReply],
        machine: &Machine,
    ) {
        let view = machine.view();
        for (entry, reply) in entries.iter().zip(replies) {
            let index = entry.log_id.index;
            let record = self.records.get(&(index, entry.log_id.leader_id)).cloned();
            let Some(record) = record else {
                self.context.violate(format!("host {host} applies {index}, which nobody wrote"));
                return;
            };
            match self.committed.get(&index) {
                None => self.first(entry, record.clone()),
                Some(known) if known.record != record => {
                    self.context.violate(format!(
                        "one payload per LSN: host {host} applies {} at {index}, others {}",
                        entry.log_id, known.id
                    ));
                    return;
                }
                Some(_) => {}
            }
            let own = &self.disks[host].log;
            if own.seen(index).is_some() && own.synced(index).as_ref() != Some(&record) {
                self.context.violate(format!(
                    "state ahead of log: host {host} has applied {index}, which is not durable there"
                ));
            }
            let digest = match view.digest_at(Lsn(index)) {
                Ok(digest) => digest,
                Err(error) => return self.context.violate(format!("host {host}: {error}")),
            };
            self.compare(host, index, reply, digest);
        }
    }

    fn compare(
        &mut self,
        host: usize,
        index: u64,
        reply: &BatchReply,
        digest: Option<StateDigest>,
    ) {
        let Some(known) = self.committed.get_mut(&index) else { return };
        if let Some(digest) = digest {
            let first = *known.digest.get_or_insert(digest);
            if first != digest {
                self.context.violate(format!(
                    "digests differ at LSN {index}: host {host} has {}, others {}",
                    digest.short(),
                    first.short()
                ));
            }
        }
        // Entries that were applied before have no replies.
        for (expected, (at, outcome)) in known.expected.iter().zip(reply.outcomes.iter()) {
            let agrees = match (expected, outcome) {
                (Expected::Unknown, _) => true,
                (Expected::Stale, Outcome::Rejected(_)) => true,
                (Expected::Applied(lsn, wanted), Outcome::Applied(got)) => {
                    lsn == at && wanted == got
                }
                _ => false,
            };
            if !agrees {
                self.context.violate(format!(
                    "exactly once: host {host} at LSN {index}: expected {expected:?}, got {at} \
                     {outcome:?}"
                ));
                return;
            }
        }
    }

    /// An LSN is applied for the first time anywhere.
    fn first(&mut self, entry: &Entry, record: Bytes) {
        let index = entry.log_id.index;
        if index != 0 && !self.committed.contains_key(&(index - 1)) {
            self.context.violate(format!("LSN {index} is applied before {}", index - 1));
        }
        if !self.is_on_majority(index, &record) {
            let holders: Vec<_> = (0..self.disks.len())
                .filter(|host| self.disks[*host].kept(index, &record))
                .collect();
            self.context.violate(format!(
                "committed without a majority: LSN {index} ({}) is durable on hosts {holders:?} only",
                entry.log_id
            ));
        }
        let expected = match &entry.payload {
            EntryPayload::Normal(batch) => self.model.apply(Lsn(index), batch),
            EntryPayload::Blank | EntryPayload::Membership(_) => Vec::new(),
        };
        let committed = Committed { id: entry.log_id, record, expected, digest: None };
        self.committed.insert(index, committed);
    }

    /// Whether a record is durable on a majority, by the memberships in the log of one of those who
    /// have it: the last one before it, or a later one.
    fn is_on_majority(&self, index: u64, record: &Bytes) -> bool {
        let holds = |node: &NodeId| {
            self.disks.iter().any(|disk| disk.node == Some(*node) && disk.kept(index, record))
        };
        let enough = |membership: &Membership| {
            membership
                .get_joint_config()
                .iter()
                .all(|config| 2 * config.iter().filter(|node| holds(node)).count() > config.len())
        };
        self.disks.iter().filter(|disk| disk.kept(index, record)).any(|disk| {
            let of = |at: &u64, all: &BTreeMap<LeaderId, Membership>| {
                let mut all = all.iter();
                let own = all.find(|(leader, _)| {
                    self.records.get(&(*at, **leader)).is_some_and(|record| disk.kept(*at, record))
                });
                own.map(|(_, membership)| membership.clone())
            };
            let before = self.memberships.range(..=index).rev();
            let in_force = before.filter_map(|(at, all)| of(at, all)).next();
            let later = self.memberships.range(index + 1..).filter_map(|(at, all)| of(at, all));
            in_force.into_iter().chain(later).any(|membership| enough(&membership))
        })
    }

    /// `host` leads, by its own account.
    pub fn leads(&mut self, host: usize, leader: LeaderId) {
        if self.leaders.contains_key(&leader) {
            return;
        }
        self.context.count("leaders");
        self.context.say(&format!("host {host} leads as {leader}"));
        self.leaders.insert(leader, host);
        let log = &self.disks[host].log;
        for (index, committed) in &self.committed {
            let purged = log.seen(*index).is_none() && log.first_seen() > Some(*index);
            if committed.id.leader_id < leader
                && !purged
                && log.seen(*index).as_ref() != Some(&committed.record)
            {
                self.context.violate(format!(
                    "leader completeness: host {host} leads as {leader} without LSN {index}"
                ));
                return;
            }
        }
    }

    /// `host` starts, with its state at this entry.
    pub fn started(&mut self, host: usize, applied: Option<LogId>) {
        let Some(applied) = applied else { return };
        let log = &self.disks[host].log;
        let is_purged = log.seen(applied.index).is_none() && log.first_seen() > Some(applied.index);
        let held =
            log.seen(applied.index).and_then(|record| unseal_entry(applied.index, &record).ok());
        if !is_purged && held.is_none_or(|entry| entry.log_id != applied) {
            self.context.violate(format!(
                "state ahead of log: host {host} starts with its state at {applied}, which its log \
                 does not hold"
            ));
        }
    }
}
