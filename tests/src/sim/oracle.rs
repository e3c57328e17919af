//! The invariants that hold at every step, checked over all frontends at once.
//!
//! | invariant | where it is looked at |
//! |---|---|
//! | log matching: one log id, one payload | every record that reaches a disk |
//! | one payload per LSN; committed means durable on a majority | an LSN is applied first |
//! | the state is not ahead of its own durable log | every applied run, every start |
//! | every LSN in its turn, none twice | every applied entry |
//! | equal digests at equal LSN | every applied entry |
//! | each request runs once, with the outcome of the model | every applied entry |
//! | a leader has all committed before it, and the votes of a majority | it is first seen to lead |
//! | voters change by legal steps that were asked for; who is out stays out | every membership |
//! | an id is given once, and never to a second disk | registry, start |
//! | one module, its migration and engine epoch at each LSN; the host has them | likewise |
//!
//! A majority is always one of the membership that the frontend in question has in its log; of a
//! joint one, a majority of each half.

mod disk;
mod majority;
mod members;
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use quorate::machine::{Activation, Machine, MachineView, SCHEDULED_INDEX};
use quorate::storage::log::{Change, SimLogDevice, unseal_entry};
use quorate::types::{
    BatchReply, Entry, EntryPayload, Frontend, FrontendKind, LeaderId, LogId, Lsn, Membership,
    NodeId, Outcome, Rejection, StateDigest,
};

use super::context::Context;
use super::ledger::Electorate;
use super::model::{Expected, Model};
use super::shelf::Shelf;
use disk::Disk;
use members::Members;
use modules::Modules;

/// An entry known to be committed.
struct Committed {
    id: LogId,
    record: Bytes,
    expected: Vec<Expected>,
    /// What its commands came to on the first frontend that applied it.
    outcomes: Arc<[(Lsn, Outcome)]>,
    digest: Option<StateDigest>,
}

/// Looks at everything.
pub struct Oracle {
    context: Arc<Context>,
    disks: Vec<Disk>,
    /// Which of them each host has.
    hosts: Vec<usize>,
    shelves: Vec<Arc<Shelf>>,
    /// The last entry that each host has applied.
    reached: BTreeMap<usize, u64>,
    records: BTreeMap<(u64, LeaderId), Bytes>,
    memberships: BTreeMap<u64, BTreeMap<LeaderId, Membership>>,
    committed: BTreeMap<u64, Committed>,
    leaders: BTreeMap<LeaderId, usize>,
    members: Members,
    modules: Modules,
    /// What the committed log means.
    pub model: Model,
}

impl Oracle {
    /// Over the disks of hosts, and what their programs find.
    pub fn new(
        context: Arc<Context>,
        disks: impl Iterator<Item = (Arc<SimLogDevice>, Arc<Shelf>)>,
    ) -> Self {
        let (disks, shelves): (Vec<_>, _) =
            disks.map(|(log, shelf)| (Disk::new(log), shelf)).unzip();
        Self {
            context,
            hosts: (0..disks.len()).collect(),
            disks,
            shelves,
            reached: BTreeMap::new(),
            records: BTreeMap::new(),
            memberships: BTreeMap::new(),
            committed: BTreeMap::new(),
            leaders: BTreeMap::new(),
            members: Members::default(),
            modules: Modules::default(),
            model: Model::default(),
        }
    }

    fn disk(&self, host: usize) -> &Disk {
        &self.disks[self.hosts[host]]
    }

    /// Host `host` has the frontend `node`.
    pub fn is(&mut self, host: usize, node: NodeId) {
        let own = self.hosts[host];
        let elsewhere = self.disks.iter().position(|disk| disk.node == Some(node));
        if elsewhere.is_some_and(|disk| disk != own) {
            self.context.violate(format!(
                "host {host} is taken in as frontend {node}, whose promises are on another disk"
            ));
        }
        self.disks[own].node = Some(node);
    }

    /// Host `host` gets an empty disk. What the old one promised counts on.
    pub fn replaced(&mut self, host: usize, log: Arc<SimLogDevice>) {
        self.hosts[host] = self.disks.len();
        self.disks.push(Disk::new(log));
    }

    /// Somebody asks for a frontend on `address`.
    pub fn asked_to_add(&mut self, address: &str) {
        self.members.asked_to_add(address);
    }

    /// That was refused.
    pub fn refused_to_add(&mut self, address: &str) {
        if let Err(what) = self.members.refused_to_add(address) {
            self.context.violate(what);
        }
    }

    /// Somebody wants the frontend at `address` out.
    pub fn asked_to_drop(&mut self, address: &str) {
        self.members.asked_to_drop(address);
    }

    /// That was refused.
    pub fn refused_to_drop(&mut self, address: &str) {
        if let Err(what) = self.members.refused_to_drop(address) {
            self.context.violate(what);
        }
    }

    /// Somebody wants the frontend at `address` to become that.
    pub fn asked_to_turn(&mut self, address: &str, kind: FrontendKind) {
        self.members.asked_to_turn(address, kind);
    }

    /// That was refused.
    pub fn refused_to_turn(&mut self, address: &str, kind: FrontendKind) {
        if let Err(what) = self.members.refused_to_turn(address, kind) {
            self.context.violate(what);
        }
    }

    /// A frontend has moved to `address`, and that may be recorded.
    pub fn may_be_at(&mut self, node: NodeId, address: &str) {
        self.members.may_be_at(node, address);
    }

    /// Registered frontends, as of the newest applied LSN.
    pub fn registry(&self) -> &BTreeMap<NodeId, Frontend> {
        self.members.registry()
    }

    /// Registered frontends that are to vote.
    pub fn followers(&self) -> BTreeSet<NodeId> {
        self.members.of_kind(FrontendKind::Follower)
    }

    /// Registered frontends that are to take the committed log from others.
    pub fn observers(&self) -> BTreeSet<NodeId> {
        self.members.of_kind(FrontendKind::Observer)
    }

    /// Whether it was registered and is not any more.
    pub fn is_dropped(&self, node: NodeId) -> bool {
        self.members.knows(node) && !self.members.registry().contains_key(&node)
    }

    /// Who votes, by the newest committed membership.
    pub fn committed_voters(&self) -> BTreeSet<NodeId> {
        self.electorate().into_iter().flatten().collect()
    }

    /// Likewise, both halves of a joint one.
    fn electorate(&self) -> Electorate {
        let mut all = self.memberships.iter().rev();
        let newest = all.find_map(|(at, all)| all.get(&self.committed.get(at)?.id.leader_id));
        newest.map(|membership| membership.get_joint_config().clone()).unwrap_or_default()
    }

    /// All sets of voters that may count now or next: of the newest committed membership, of later
    /// ones in any log, and what the registry wants.
    pub fn electorates(&self) -> Vec<BTreeSet<NodeId>> {
        let newest = self.memberships.keys().rev().find(|at| self.committed.contains_key(at));
        let from = newest.copied().unwrap_or_default();
        let all = self.memberships.range(from..).flat_map(|(_, all)| all.values());
        let configs = all.flat_map(|membership| membership.get_joint_config().iter().cloned());
        configs.chain([self.followers()]).collect()
    }

    /// The disk of `host` is about to go back in time: what it acknowledged until now counts.
    pub fn forgets(&mut self, host: usize) {
        let disk = &mut self.disks[self.hosts[host]];
        let last = disk.log.last_synced().unwrap_or_default();
        let first = disk.log.first_seen().unwrap_or_default();
        let kept = (first..=last).filter_map(|at| Some((at, disk.log.synced(at)?)));
        disk.forgotten = kept.collect();
    }

    /// Whether an entry is known to be committed.
    pub fn is_committed(&self, id: LogId) -> bool {
        self.committed.get(&id.index).is_some_and(|known| known.id == id)
    }

    /// The highest LSN known to be committed.
    pub fn last_committed(&self) -> u64 {
        self.committed.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// What was committed at an LSN, as it is logged.
    pub fn record(&self, lsn: u64) -> Bytes {
        self.committed.get(&lsn).map(|committed| committed.record.clone()).unwrap_or_default()
    }

    /// Something is written to the log of `host`.
    pub fn wrote(&mut self, host: usize, changes: &[Change]) {
        let mut written = BTreeMap::new();
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
            written.insert(*index, record);
            if let EntryPayload::Membership(membership) = entry.payload {
                self.change(host, entry.log_id, membership, &written);
            }
        }
    }

    /// A membership is written to the log of `host`, after `written`.
    fn change(
        &mut self,
        host: usize,
        id: LogId,
        membership: Membership,
        written: &BTreeMap<u64, &Bytes>,
    ) {
        let is_new =
            !self.memberships.get(&id.index).is_some_and(|all| all.contains_key(&id.leader_id));
        let disk = self.disk(host);
        let seen = |index: u64, record: &Bytes| match written.get(&index) {
            Some(own) => *own == record,
            None => disk.log.seen(index).as_ref() == Some(record),
        };
        let before = self.memberships.range(..id.index).rev();
        let mut before = before.filter_map(|(at, all)| self.in_log(disk, *at, all, seen));
        if let Some((_, before)) = before.next().filter(|_| is_new) {
            self.context.count("memberships");
            self.context.say(&format!("host {host} has membership {id}: {membership}"));
            let holds =
                |node| self.disks.iter().any(|disk| disk.node == Some(node) && disk.has_log());
            if let Err(what) = self.members.step(before, &membership, holds) {
                self.context.violate(format!("membership {id}: {what}: {before} to {membership}"));
            }
        }
        self.memberships.entry(id.index).or_default().insert(id.leader_id, membership);
    }

    /// The membership that a log has at an index. `held` tells whether the log holds a record.
    fn in_log<'a>(
        &self,
        disk: &Disk,
        at: u64,
        all: &'a BTreeMap<LeaderId, Membership>,
        held: impl Fn(u64, &Bytes) -> bool,
    ) -> Option<(LeaderId, &'a Membership)> {
        let own = all.iter().find(|(leader, _)| {
            let record = self.records.get(&(at, **leader));
            let committed = self.committed.get(&at).map(|committed| &committed.record);
            record.is_some_and(|record| held(at, record))
                || (disk.purged(at) && record == committed)
        });
        own.map(|(leader, membership)| (*leader, membership))
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
            let due = self.reached.insert(host, index).map_or(0, |last| last + 1);
            if index != due {
                self.context.violate(format!("host {host} applies {index} where {due} is due"));
                return;
            }
            let record = self.records.get(&(index, entry.log_id.leader_id)).cloned();
            let Some(record) = record else {
                self.context.violate(format!("host {host} applies {index}, which nobody wrote"));
                return;
            };
            match self.committed.get(&index) {
                None => self.first(entry, record.clone(), reply, &view),
                Some(known) if known.record != record => {
                    self.context.violate(format!(
                        "one payload per LSN: host {host} applies {} at {index}, others {}",
                        entry.log_id, known.id
                    ));
                    return;
                }
                Some(_) => {}
            }
            let own = &self.disk(host).log;
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
        if let Err(what) = self.members.registered(view.lsn().0, view.frontends()) {
            self.context.violate(format!("registry at LSN {}: {what}", view.lsn()));
        }
        self.runs(host, &view);
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
        if !reply.outcomes.is_empty() && reply.outcomes != known.outcomes {
            self.context.violate(format!(
                "outcomes differ at LSN {index}: host {host} has {:?}, others {:?}",
                reply.outcomes, known.outcomes
            ));
        }
        for (expected, (at, outcome)) in known.expected.iter().zip(reply.outcomes.iter()) {
            let agrees = match (expected, outcome) {
                (Expected::Unknown, _) => true,
                (Expected::Stale, Outcome::Rejected(_)) => true,
                (Expected::Applied(lsn, wanted), Outcome::Applied(got)) => {
                    lsn == at && wanted == got
                }
                (Expected::Changed(lsn), Outcome::Rejected(Rejection::ModuleChanged)) => lsn == at,
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
    fn first(&mut self, entry: &Entry, record: Bytes, reply: &BatchReply, view: &MachineView) {
        let index = entry.log_id.index;
        if index != 0 && !self.committed.contains_key(&(index - 1)) {
            self.context.violate(format!("LSN {index} is applied before {}", index - 1));
        }
        if !self.is_on_majority(index, &record) {
            let holders: Vec<_> = (0..self.hosts.len())
                .filter(|host| self.disk(*host).kept(index, &record))
                .collect();
            self.context.violate(format!(
                "committed without a majority: LSN {index} ({}) is durable on hosts {holders:?} only",
                entry.log_id
            ));
        }
        let expected = match &entry.payload {
            EntryPayload::Normal(batch) => {
                let voters = self.electorate();
                let attempt = || {
                    let mut all = view.history().ok()?.into_iter();
                    let is_it = |it: &Activation| (it.lsn.0, it.index) == (index, SCHEDULED_INDEX);
                    Some(all.find(is_it)?.outcome)
                };
                self.model.apply(Lsn(index), batch, &reply.outcomes, &voters, attempt)
            }
            EntryPayload::Blank | EntryPayload::Membership(_) => Ok(Vec::new()),
        };
        let expected = expected.unwrap_or_else(|what| {
            self.context.violate(format!("LSN {index}: {what}"));
            Vec::new()
        });
        if let EntryPayload::Membership(next) = &entry.payload {
            let mut before = self.memberships.range(..index).rev();
            let previous =
                before.find_map(|(at, all)| all.get(&self.committed.get(at)?.id.leader_id));
            if let Some(previous) = previous {
                self.members.committed(previous, next);
            }
        }
        let (id, outcomes) = (entry.log_id, reply.outcomes.clone());
        let committed = Committed { id, record, expected, outcomes, digest: None };
        self.committed.insert(index, committed);
    }

    /// `host` leads, by its own account.
    pub fn leads(&mut self, host: usize, leader: LeaderId) {
        if self.leaders.contains_key(&leader) {
            return;
        }
        self.context.count("leaders");
        self.context.say(&format!("host {host} leads as {leader}"));
        self.leaders.insert(leader, host);
        if let Err(by) = self.is_elected(host, leader) {
            self.context.violate(format!(
                "election safety: host {host} leads as {leader} without the votes of a majority{by}"
            ));
        }
        let log = &self.disk(host).log;
        for (index, committed) in &self.committed {
            if committed.id.leader_id < leader
                && log.purged() < Some(*index)
                && log.seen(*index).as_ref() != Some(&committed.record)
            {
                self.context.violate(format!(
                    "leader completeness: host {host} leads as {leader} without LSN {index}"
                ));
                return;
            }
        }
    }

    /// `host` has read its state, at its start or from a snapshot. It must be a state that the log
    /// explains: the log holds its last entry, or a snapshot on this disk reaches as far.
    pub fn started(&mut self, host: usize, machine: &Machine, snapshot: Option<LogId>) {
        let applied = machine.applied();
        self.reached.remove(&host);
        let Some(last) = applied.log_id else { return };
        self.reached.insert(host, last.index);
        let log = &self.disk(host).log;
        let record = log.seen(last.index);
        let held = record.and_then(|record| unseal_entry(last.index, &record).ok());
        let explained = held.is_some_and(|entry| entry.log_id == last)
            || log.purged() >= Some(last.index)
            || snapshot >= Some(last);
        if !explained {
            self.context.violate(format!(
                "state ahead of log: host {host} has its state at {last}, which its log does not \
                 hold, and no snapshot that reaches it"
            ));
        }
        self.runs(host, &machine.view());
        let known = self.committed.get(&last.index).and_then(|committed| committed.digest);
        if known.is_some_and(|digest| digest != applied.digest) {
            self.context.violate(format!(
                "digests differ at LSN {}: host {host} reads a state with another one",
                last.index
            ));
        }
    }
}
