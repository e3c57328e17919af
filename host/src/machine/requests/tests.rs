#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;
use quorate_wire::Reply;

use super::*;
use crate::storage::state::{MemoryState, StateStore};
use crate::types::Rejection;

/// A table and the state that its rows are in.
#[derive(Default)]
struct Kept {
    table: Requests,
    state: MemoryState,
    lsn: Lsn,
}

impl Kept {
    /// One entry of requests, given as client, sequence and floor.
    fn entry(&mut self, requests: &[(u64, u64, u64)]) -> Vec<Admission> {
        let mut overlay = Overlay::new(self.state.view());
        self.lsn.0 += 1;
        let mut admissions = Vec::new();
        for (client, sequence, floor) in requests.iter().copied() {
            let request = RequestId { client, sequence };
            let admission = self.table.admit(request, floor);
            if admission == Admission::Run {
                self.table.remember(request, self.lsn, &Outcome::Rejected(Rejection::Aborted));
            }
            admissions.push(admission);
        }
        self.table.end_entry(self.lsn, &mut overlay);
        self.state.commit(overlay.into_writes()).unwrap();
        admissions
    }

    fn rows(&self) -> usize {
        let mut rows = 0;
        let count = |_: &mut Reader<'_>, row: &mut Reader<'_>| {
            rows += 1;
            row.raw(row.rest().len()).map(drop)
        };
        rows::each(&*self.state.view(), keys::REQUESTS, count).unwrap();
        rows
    }

    fn reloaded(&self) -> Requests {
        Requests::load(&*self.state.view()).unwrap()
    }
}

proptest! {
    #[test]
    fn a_table_rebuilt_from_its_rows_equals_the_one_that_grew(
        entries in prop::collection::vec(
            prop::collection::vec((0..4u64, 1..12u64, 0..12u64), 0..8), 1..32)
    ) {
        let mut kept = Kept::default();
        for requests in entries {
            kept.entry(&requests);
            prop_assert_eq!(&kept.reloaded(), &kept.table);
        }
    }
}

#[test]
fn rows_go_when_the_floor_has_passed_them() {
    let mut kept = Kept::default();
    for sequence in 1..100 {
        // Two requests are always under way.
        kept.entry(&[(7, sequence, sequence.saturating_sub(1))]);
    }
    assert_eq!(kept.rows(), 2);
    assert_eq!(kept.entry(&[(7, 98, 0)])[0], Admission::Repeated(Lsn(98), aborted()));
    assert_eq!(kept.entry(&[(7, 97, 0)])[0], Admission::Stale);
}

#[test]
fn the_client_unused_for_the_longest_is_forgotten() {
    let mut kept = Kept::default();
    for client in 0..CLIENTS_MAX as u64 {
        kept.entry(&[(client, 1, 0)]);
    }
    kept.entry(&[(0, 2, 0), (9999, 1, 0)]);
    assert_eq!(kept.table.clients.len(), CLIENTS_MAX);
    assert_eq!(kept.entry(&[(0, 1, 0)])[0], Admission::Repeated(Lsn(1), aborted()));
    assert_eq!(kept.reloaded(), kept.table);
    assert_eq!(kept.entry(&[(1, 1, 0)])[0], Admission::Run);
    assert_eq!(kept.reloaded(), kept.table);
}

#[test]
fn beyond_its_window_a_clients_lowest_request_is_stale() {
    let mut kept = Kept::default();
    let all: Vec<_> = (1..=OUTCOMES_PER_CLIENT_MAX as u64 + 1).map(|seq| (7, seq, 0)).collect();
    for entry in all.chunks(1000) {
        kept.entry(entry);
    }
    assert_eq!(kept.reloaded(), kept.table);
    let again = kept.entry(&[(7, 1, 0), (7, 2, 0)]);
    assert_eq!(again, [Admission::Stale, Admission::Repeated(Lsn(1), aborted())]);
}

#[test]
fn a_request_with_a_long_reply_that_is_repeated_succeeds_and_warns_that_the_reply_is_gone() {
    let mut kept = Kept::default();
    let reply = Outcome::Applied(Bytes::from(vec![0; REPLY_BYTES_KEPT_MAX + 1]));
    let request = RequestId { client: 1, sequence: 1 };
    assert_eq!(kept.table.admit(request, 0), Admission::Run);
    kept.table.remember(request, Lsn(5), &reply);
    let Admission::Repeated(Lsn(5), Outcome::Applied(reply)) = kept.table.admit(request, 0) else {
        panic!("not repeated");
    };
    let told = "the command was applied at LSN 5, but its reply is gone";
    assert_eq!(Reply::unpack(&reply), Ok(Reply::done().with_warning(1105, told)));
}

fn aborted() -> Outcome {
    Outcome::Rejected(Rejection::Aborted)
}
