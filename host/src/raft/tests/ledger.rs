//! The smallest state machine: it writes down every command that it runs, each request once.
//!
//! What it knows is also in a state store, row by row, so that snapshots can be taken of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::ready;
use parking_lot::Mutex;
use quorate_wire::{Reader, Writer};

use crate::raft::{Apply, ApplyError, LogBarrier};
use crate::storage::snapshots::MemorySnapshots;
use crate::storage::state::{MemoryState, StateStore, Writes};
use crate::storage::{Snapshots, StateMark};
use crate::types::{
    Action, Batch, BatchReply, Command, Entry, EntryPayload, LogId, Lsn, ModuleDigest, Outcome,
    Range, Rejection, RequestId, StateDigest, StoredMembership, View, ViewError, decode_log_id,
    decode_membership, encode_log_id, encode_membership,
};

/// Where the last applied entry and the membership are, and what begins the keys of the rest.
const POSITION: &[u8] = b"position";
const RUN: u8 = b'r';
const ANSWER: u8 = b'a';
const FLOOR: u8 = b'f';

/// Shared with the test, and with the frontend's next life.
#[derive(Clone)]
pub(super) struct Ledger {
    pages: Arc<Mutex<Pages>>,
    state: Arc<MemoryState>,
    snapshots: Arc<MemorySnapshots>,
}

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
    /// What is not in the state yet.
    writes: Writes,
}

impl Default for Ledger {
    fn default() -> Self {
        let state = Arc::new(MemoryState::new());
        let snapshots = Arc::new(MemorySnapshots::new(Arc::clone(&state), mark));
        Self { pages: Arc::default(), state, snapshots }
    }
}

impl Ledger {
    pub fn read<T>(&self, read: impl FnOnce(&Pages) -> T) -> T {
        read(&self.pages.lock())
    }

    pub fn applied(&self) -> Lsn {
        self.read(|pages| pages.applied.map_or(Lsn(0), |id| Lsn(id.index)))
    }

    pub fn fail(&self, fault: Option<ApplyError>) {
        self.pages.lock().fault = fault;
    }

    pub fn snapshots(&self) -> Arc<dyn Snapshots> {
        self.snapshots.clone()
    }
}

fn mark(view: &dyn View) -> Result<StateMark, ViewError> {
    let (last, membership) = position(view);
    Ok(StateMark { cluster: None, last, membership, digest: StateDigest::default() })
}

fn position(view: &dyn View) -> (Option<LogId>, StoredMembership) {
    let Some(row) = view.get(POSITION).unwrap() else { return Default::default() };
    let mut row = Reader::new(&row);
    let last = decode_log_id(&mut row).unwrap();
    let set_by = row.flag().unwrap().then(|| decode_log_id(&mut row).unwrap());
    (Some(last), StoredMembership::new(set_by, decode_membership(&mut row).unwrap()))
}

fn key(kind: u8, numbers: &[u64]) -> Bytes {
    let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
    std::iter::once(kind).chain(numbers).collect()
}

fn numbers<const N: usize>(key: &[u8]) -> [u64; N] {
    std::array::from_fn(|n| u64::from_be_bytes(key[1 + n * 8..][..8].try_into().unwrap()))
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
        let mut pages = self.pages.lock();
        if let Some(fault) = &pages.fault {
            return Err(fault.clone());
        }
        let replies = entries.iter().map(|entry| pages.apply(entry)).collect();
        pages.put_position();
        self.state.commit(std::mem::take(&mut pages.writes)).unwrap();
        Ok(replies)
    }

    fn barrier(&self) -> LogBarrier {
        Arc::new(|| ready(Ok(())).boxed())
    }

    fn reload(&mut self) -> Result<(), ApplyError> {
        *self.pages.lock() = Pages::load(&*self.state.view());
        Ok(())
    }
}

impl Pages {
    fn load(view: &dyn View) -> Self {
        let mut pages = Self::default();
        (pages.applied, pages.membership) = position(view);
        let range = Range { low: b"", high: b"\xff", reverse: false };
        for (key, row) in view.scan(range, usize::MAX, usize::MAX).unwrap().pairs {
            let mut input = Reader::new(&row);
            match key[0] {
                RUN if key.len() == 9 => {
                    let lsn = Lsn::decode(&mut input).unwrap();
                    pages.run.push((lsn, Bytes::copy_from_slice(input.rest())));
                }
                ANSWER => {
                    let [client, sequence] = numbers(&key);
                    let lsn = Lsn::decode(&mut input).unwrap();
                    let answer = (lsn, Outcome::decode(&mut input).unwrap());
                    pages.answered.insert(RequestId { client, sequence }, answer);
                }
                FLOOR => {
                    let [client] = numbers(&key);
                    pages.floors.insert(client, input.unsigned().unwrap());
                }
                _ => {}
            }
        }
        pages
    }

    fn put(&mut self, key: Bytes, write: impl FnOnce(&mut Writer)) {
        let mut row = Writer::new();
        write(&mut row);
        self.writes.insert(key, Some(row.finish().into()));
    }

    fn put_position(&mut self) {
        let Some(last) = self.applied else { return };
        let membership = self.membership.clone();
        self.put(Bytes::from_static(POSITION), |row| {
            encode_log_id(&last, row);
            row.flag(membership.log_id().is_some());
            if let Some(id) = membership.log_id() {
                encode_log_id(id, row);
            }
            encode_membership(membership.membership(), row);
        });
    }

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
            let request = command.request;
            let floor = self.floors.entry(request.client).or_default();
            *floor = (*floor).max(command.floor);
            let floor = *floor;
            self.put(key(FLOOR, &[request.client]), |row| row.unsigned(floor));
            if request.sequence < floor {
                return (lsn, Outcome::Rejected(Rejection::Stale));
            }
            if let Some(answer) = self.answered.get(&request) {
                return answer.clone();
            }
            let Action::Module { payload, .. } = command.action else { panic!() };
            self.put(key(RUN, &[self.run.len() as u64]), |row| {
                lsn.encode(row);
                row.raw(&payload);
            });
            self.run.push((lsn, payload.clone()));
            let answer = (lsn, Outcome::Applied(payload));
            self.put(key(ANSWER, &[request.client, request.sequence]), |row| {
                lsn.encode(row);
                answer.1.encode(row);
            });
            self.answered.insert(request, answer.clone());
            answer
        });
        BatchReply { outcomes: outcomes.collect() }
    }
}
