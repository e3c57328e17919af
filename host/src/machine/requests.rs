//! What became of the requests that clients may repeat: a command that is logged twice, because a
//! leader was lost or an answer was late, runs once.
//!
//! Stored as one row per client and entry: the client's floor as of that entry and the outcomes of
//! its requests there. A client's newest row always stays, so the rows alone say all that this
//! table holds: one rebuilt from them decides exactly as the one that grew. A row goes when the
//! floor has passed everything in it.
//!
//! Everything is bounded, and what is forgotten at a bound follows from the log alone.

use std::collections::{BTreeMap, BTreeSet};

use quorate_wire::{DecodeError, Reader, Reply};

use super::keys;
use super::rows;
use crate::runtime::Overlay;
use crate::types::{Lsn, Outcome, RequestId, View, ViewError};

/// Clients remembered. Beyond it the one unused for the longest (by LSN) is forgotten: a request of
/// its that is repeated even later runs again. A client is one start of one frontend, and repeats
/// within seconds.
pub const CLIENTS_MAX: usize = 1024;

/// Outcomes remembered per client. Beyond it the lowest sequence is forgotten, and rejected as
/// stale if it is repeated. More than a frontend may have under way.
pub const OUTCOMES_PER_CLIENT_MAX: usize = 8192;

/// Outcomes remembered in all. Beyond it whole clients are forgotten as above.
pub const OUTCOMES_MAX: usize = 1 << 18;

/// Longest reply that is remembered. Who repeats a request with a longer one is told, as a warning.
pub const REPLY_BYTES_KEPT_MAX: usize = 4 << 10;

/// The table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Requests {
    clients: BTreeMap<u64, Client>,
    /// All clients by the entry that used them last.
    by_use: BTreeSet<(Lsn, u64)>,
    outcomes: usize,
    /// The clients of the entry under way.
    touched: BTreeSet<u64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Client {
    floor: u64,
    /// The entry of its newest row.
    used: Lsn,
    outcomes: BTreeMap<u64, (Lsn, Outcome)>,
    /// Its rows by entry, with the number of outcomes in each that are above the floor.
    rows: BTreeMap<Lsn, usize>,
    /// Rows that the entry under way emptied.
    emptied: Vec<Lsn>,
    /// Sequences that the entry under way ran.
    ran: Vec<u64>,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Not seen before: run it, then [`Requests::remember`] the outcome.
    Run,
    /// It ran in this entry, and ended so.
    Repeated(Lsn, Outcome),
    /// Forgotten: its client said that it has the outcome.
    Stale,
}

impl Requests {
    /// Rebuilds the table from its rows.
    pub fn load(view: &dyn View) -> Result<Self, ViewError> {
        let mut table = Self::default();
        rows::each(view, keys::REQUESTS, |key, value| {
            let (id, lsn) = (rows::number(key)?, Lsn(rows::number(key)?));
            let client = table.clients.entry(id).or_default();
            client.read_row(lsn, value)
        })?;
        for (id, client) in &mut table.clients {
            client.forget_below(client.floor);
            client.emptied.clear();
            table.by_use.insert((client.used, *id));
            table.outcomes += client.outcomes.len();
        }
        Ok(table)
    }

    /// Decides on a request, and takes note of its client's floor.
    pub fn admit(&mut self, request: RequestId, floor: u64) -> Admission {
        self.touched.insert(request.client);
        let client = self.clients.entry(request.client).or_default();
        self.outcomes -= client.forget_below(floor);
        if request.sequence < client.floor {
            return Admission::Stale;
        }
        match client.outcomes.get(&request.sequence) {
            Some((lsn, outcome)) => Admission::Repeated(*lsn, outcome.clone()),
            None => Admission::Run,
        }
    }

    /// Keeps the outcome of a request that ran in entry `lsn`.
    pub fn remember(&mut self, request: RequestId, lsn: Lsn, outcome: &Outcome) {
        let client = self.clients.entry(request.client).or_default();
        client.outcomes.insert(request.sequence, (lsn, kept(lsn, outcome)));
        *client.rows.entry(lsn).or_default() += 1;
        client.ran.push(request.sequence);
        self.outcomes += 1;
        if client.outcomes.len() > OUTCOMES_PER_CLIENT_MAX
            && let Some(lowest) = client.outcomes.keys().next().copied()
        {
            self.outcomes -= client.forget_below(lowest + 1);
        }
    }

    /// Ends entry `lsn`: writes its rows, removes emptied ones, and keeps the bounds.
    pub fn end_entry(&mut self, lsn: Lsn, overlay: &mut Overlay) {
        for id in std::mem::take(&mut self.touched) {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            self.by_use.remove(&(client.used, id));
            self.by_use.insert((lsn, id));
            client.write_row(id, lsn, overlay);
        }
        while self.clients.len() > CLIENTS_MAX
            || (self.outcomes > OUTCOMES_MAX && self.clients.len() > 1)
        {
            let Some((_, id)) = self.by_use.pop_first() else { break };
            let Some(client) = self.clients.remove(&id) else { break };
            self.outcomes -= client.outcomes.len();
            client.rows.keys().for_each(|lsn| overlay.delete(keys::requests(id, *lsn)));
        }
    }
}

impl Client {
    /// Raises the floor and tells how many outcomes that forgot.
    fn forget_below(&mut self, floor: u64) -> usize {
        self.floor = self.floor.max(floor);
        let mut forgotten = 0;
        while let Some(lowest) = self.outcomes.first_entry()
            && *lowest.key() < self.floor
        {
            let (lsn, _) = lowest.remove();
            forgotten += 1;
            if let Some(left) = self.rows.get_mut(&lsn) {
                *left -= 1;
                if *left == 0 {
                    self.emptied.push(lsn);
                }
            }
        }
        forgotten
    }

    fn write_row(&mut self, id: u64, lsn: Lsn, overlay: &mut Overlay) {
        self.rows.entry(lsn).or_default();
        // The row that was newest until now may have been empty all along.
        self.emptied.push(self.used);
        for emptied in std::mem::take(&mut self.emptied) {
            if emptied != lsn && self.rows.get(&emptied) == Some(&0) {
                self.rows.remove(&emptied);
                overlay.delete(keys::requests(id, emptied));
            }
        }
        self.used = lsn;
        let ran = std::mem::take(&mut self.ran);
        let kept = ran.iter().filter_map(|seq| Some((*seq, &self.outcomes.get(seq)?.1)));
        let kept: Vec<_> = kept.collect();
        let row = rows::pack(|out| {
            out.unsigned(self.floor);
            out.count(kept.len());
            for (sequence, outcome) in kept {
                out.unsigned(sequence);
                outcome.encode(out);
            }
        });
        overlay.put(keys::requests(id, lsn), row);
    }

    fn read_row(&mut self, lsn: Lsn, row: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.floor = self.floor.max(row.unsigned()?);
        self.used = lsn;
        let count = row.count()?;
        self.rows.insert(lsn, count);
        for _ in 0..count {
            self.outcomes.insert(row.unsigned()?, (lsn, Outcome::decode(row)?));
        }
        Ok(())
    }
}

/// What is remembered of an outcome. A command that was applied stays one that was: without a reply
/// that is too long, but never as an error.
pub fn kept(lsn: Lsn, outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Applied(reply) if reply.len() > REPLY_BYTES_KEPT_MAX => {
            let message = format!("the command was applied at LSN {lsn}, but its reply is gone");
            Outcome::Applied(Reply::done().with_warning(1105, message).pack().into())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
