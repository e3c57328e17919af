//! Who has a majority, of those who vote by a log.

use std::collections::BTreeSet;

use bytes::Bytes;
use quorate::types::{LeaderId, Membership, NodeId};

use super::Oracle;
use super::disk::Disk;

impl Oracle {
    /// Whether a record is durable on a majority, by the memberships in the log of one of those who
    /// have it: the last one before it, or a later one.
    pub(super) fn is_on_majority(&self, index: u64, record: &Bytes) -> bool {
        let holds = |disk: &Disk| disk.kept(index, record);
        self.disks.iter().filter(|disk| holds(disk)).any(|disk| {
            let kept = |at: u64, record: &Bytes| disk.kept(at, record);
            let own =
                |(at, all): (&u64, _)| self.in_log(disk, *at, all, kept).map(|own| (*at, own));
            let in_force = self.memberships.range(..=index).rev().filter_map(own).next();
            // A leader counts by the newest in its log, on its disk or not. If it is lost, so that
            // the one before is in force, the majorities of that one include these.
            let seen = |at: u64, record: &Bytes| disk.log.seen(at).as_ref() == Some(record);
            let newest =
                |(at, all): (&u64, _)| self.in_log(disk, *at, all, seen).map(|own| (*at, own));
            let later = self.memberships.range(index + 1..).filter_map(newest);
            in_force.into_iter().chain(later).any(|(at, (by, all))| {
                self.is_majority(all, holds) || self.may_be_over(at, by, all, holds)
            })
        })
    }

    /// Whether a change of the voters is committed, so that its leader may have written the end of
    /// it, which has reached no disk yet, and whoever votes then `counts`.
    fn may_be_over(
        &self,
        at: u64,
        by: LeaderId,
        change: &Membership,
        counts: impl Fn(&Disk) -> bool,
    ) -> bool {
        let [_, new] = change.get_joint_config().as_slice() else { return false };
        let Some(record) = self.records.get(&(at, by)) else { return false };
        self.is_majority(change, |disk| disk.kept(at, record)) && self.is_majority_of(new, counts)
    }

    /// Whether a majority of a membership has a disk that `counts`.
    fn is_majority(&self, membership: &Membership, counts: impl Fn(&Disk) -> bool) -> bool {
        let mut configs = membership.get_joint_config().iter();
        configs.all(|config| self.is_majority_of(config, &counts))
    }

    fn is_majority_of(&self, voters: &BTreeSet<NodeId>, counts: impl Fn(&Disk) -> bool) -> bool {
        let has = |node: &&NodeId| {
            self.disks.iter().any(|disk| disk.node == Some(**node) && counts(disk))
        };
        2 * voters.iter().filter(has).count() > voters.len()
    }

    /// Whether `host` was elected by a majority of those who vote by its own log, as that was
    /// before it led, and is one of them, or was until the newest change: that may reach it between
    /// the probe of its chances and the election.
    pub(super) fn is_elected(&self, host: usize, leader: LeaderId) -> Result<(), String> {
        let disk = self.disk(host);
        let seen = |at: u64, record: &Bytes| disk.log.seen(at).as_ref() == Some(record);
        let all = self.memberships.iter().rev();
        let own = all.filter_map(|(at, all)| {
            let (by, membership) = self.in_log(disk, *at, all, seen)?;
            Some((*at, by, membership))
        });
        let mut before = own.filter(|(_, by, _)| *by != leader);
        let Some((at, by, in_force)) = before.next() else { return Ok(()) };
        let votes = |disk: &Disk| disk.log.voted().is_some_and(|vote| vote.leader_id >= leader);
        let votes_in = |it: &Membership| it.voter_ids().any(|voter| voter == leader.node_id);
        let votes_itself =
            votes_in(in_force) || before.next().is_some_and(|(_, _, it)| votes_in(it));
        if votes_itself && self.is_majority(in_force, votes) {
            return Ok(());
        }
        let voted: Vec<_> = self.disks.iter().map(|disk| (disk.node, disk.log.voted())).collect();
        Err(format!(" of the membership {by}.{at}: {in_force}; the newest votes are {voted:?}"))
    }
}
