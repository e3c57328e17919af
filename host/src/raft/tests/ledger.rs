//! The smallest state machine: it writes down every command that it runs, each request once.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::raft::{Apply, ApplyError};
use crate::types::{
    Action, Batch, BatchReply, Command, Entry, EntryPayload, LogId, Lsn, ModuleDigest, Outcome,
    Rejection, RequestId, StoredMembership,
};

/// Shared with the test, and with the frontend's next life.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Pages>>);

#[derive(Default)]
pub(super) struct Pages {
    pub applied: Option<LogId>,
    pub membership: StoredMembership,
    /// What ran, in order.
    pub run: Vec<(Lsn, Bytes)>,
    answered: BTreeMap<RequestId, (Lsn, Outcome)>,
    floors: BTreeMap<u64, u64>,
    /// Makes every apply fail while it is set.
    pub fault: Option<ApplyError>,
}

impl Ledger {
    pub fn read<T>(&self, read: impl FnOnce(&Pages) -> T) -> T {
        read(&self.0.lock())
    }

    pub fn applied(&self) -> Lsn {
        self.read(|pages| pages.applied.map_or(Lsn(0), |id| Lsn(id.index)))
    }

    pub fn fail(&self, fault: Option<ApplyError>) {
        self.0.lock().fault = fault;
    }
}

/// A command that writes down this text.
pub(super) fn note(text: impl Into<String>) -> Action {
    Action::Module { digest: ModuleDigest::default(), payload: Bytes::from(text.into()) }
}

impl Apply for Ledger {
    fn applied(&self) -> (Option<LogId>, StoredMembership) {
        self.read(|pages| (pages.applied, pages.membership.clone()))
    }

    fn apply(&mut self, entries: &[Entry]) -> Result<Vec<BatchReply>, ApplyError> {
        let mut pages = self.0.lock();
        match &pages.fault {
            Some(fault) => Err(fault.clone()),
            None => Ok(entries.iter().map(|entry| pages.apply(entry)).collect()),
        }
    }
}

impl Pages {
    fn apply(&mut self, entry: &Entry) -> BatchReply {
        assert_eq!(entry.log_id.index, self.applied.map_or(0, |id| id.index + 1));
        self.applied = Some(entry.log_id);
        match &entry.payload {
            EntryPayload::Blank => BatchReply::default(),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                BatchReply::default()
            }
            EntryPayload::Normal(batch) => self.batch(Lsn(entry.log_id.index), batch),
        }
    }

    fn batch(&mut self, lsn: Lsn, batch: &Batch) -> BatchReply {
        let (_, commands) = batch.unpack().unwrap();
        let outcomes = commands.iter().map(|command| {
            let command = Command::unpack(command).unwrap();
            let floor = self.floors.entry(command.request.client).or_default();
            *floor = (*floor).max(command.floor);
            if command.request.sequence < *floor {
                return (lsn, Outcome::Rejected(Rejection::Stale));
            }
            if let Some(answer) = self.answered.get(&command.request) {
                return answer.clone();
            }
            let Action::Module { payload, .. } = command.action else { panic!() };
            self.run.push((lsn, payload.clone()));
            let answer = (lsn, Outcome::Applied(payload));
            self.answered.insert(command.request, answer.clone());
            answer
        });
        BatchReply { outcomes: outcomes.collect() }
    }
}
