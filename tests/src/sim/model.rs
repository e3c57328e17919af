//! What the committed log means, worked out independently of the system: each request runs once, in
//! log order, on a map of keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv::{Request, Response};
use quorate::types::{Action, Batch, Command, Lsn, Outcome, RequestId};
use quorate_wire::{Body, Reply};

use super::ledger::{Electorate, Ended, Ledger};

/// One value of a key and since when it has it.
type Version = (Lsn, Option<Bytes>);

/// The model.
#[derive(Default)]
pub struct Model {
    ran: BTreeMap<RequestId, Expected>,
    floors: BTreeMap<u64, u64>,
    keys: BTreeMap<Bytes, Vec<Version>>,
    /// Which values were written where: every value of a write is used once.
    written: BTreeMap<Bytes, Vec<Lsn>>,
    /// What it means for modules and engine epochs.
    pub ledger: Ledger,
}

/// What a command of the log must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// This packed reply, at this LSN.
    Applied(Lsn, Bytes),
    /// Another module made it than the one that was active at this LSN.
    Changed(Lsn),
    /// Its client said that it needs no answer.
    Stale,
    /// Not a command of the module: the model does not know.
    Unknown,
}

impl Model {
    /// Runs the commands of an entry. Whether the host refuses one of its own is not worked out
    /// here: that they came to these outcomes is believed, and what follows from them is not.
    /// `attempt` finds what came of an activation that was due before them.
    pub fn apply(
        &mut self,
        lsn: Lsn,
        batch: &Batch,
        outcomes: &[(Lsn, Outcome)],
        voters: &Electorate,
        attempt: impl Fn() -> Option<Outcome>,
    ) -> Result<Vec<Expected>, String> {
        let Ok((_, commands)) = batch.unpack() else { return Ok(Vec::new()) };
        self.ledger.begin(lsn, voters, attempt)?;
        let mut expected = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            let came = outcomes.get(at).map(|(_, came)| came);
            expected.push(self.command(lsn, command, came, voters)?);
        }
        Ok(expected)
    }

    fn command(
        &mut self,
        lsn: Lsn,
        packed: &Bytes,
        came: Option<&Outcome>,
        voters: &Electorate,
    ) -> Result<Expected, String> {
        let Ok(command) = Command::unpack(packed) else { return Ok(Expected::Unknown) };
        let floor = self.floors.entry(command.request.client).or_default();
        *floor = (*floor).max(command.floor);
        if command.request.sequence < *floor {
            return Ok(Expected::Stale);
        }
        if let Some(before) = self.ran.get(&command.request) {
            return Ok(before.clone());
        }
        let expected = match command.action {
            Action::Module { digest, .. } if self.ledger.active_at(lsn) != Some(digest) => {
                Expected::Changed(lsn)
            }
            Action::Module { payload, .. } => {
                self.run(lsn, &payload).map_or(Expected::Unknown, |it| Expected::Applied(lsn, it))
            }
            Action::Host(command) => {
                if let Some(came) = came {
                    self.ledger.host(lsn, &command, Ended::of(came), voters)?;
                }
                Expected::Unknown
            }
        };
        self.ran.insert(command.request, expected.clone());
        Ok(expected)
    }

    /// The payload is a flag for the form of the answer, then the packed request.
    fn run(&mut self, lsn: Lsn, payload: &[u8]) -> Option<Bytes> {
        let (_, request) = payload.split_first()?;
        let response = match Request::unpack(request).ok()? {
            Request::Put { key, value } => {
                self.put(lsn, key, Some(value));
                Response::Put { version: lsn.0 }
            }
            Request::Delete { key } => {
                let found = self.newest(key).is_some();
                self.put(lsn, key, None);
                Response::Delete(found)
            }
            Request::Swap { key, old, new } => {
                let expected = self.newest(key).as_deref() == old;
                if expected {
                    self.put(lsn, key, new);
                }
                Response::Swap(expected)
            }
            Request::Get { .. } | Request::Range { .. } => return None,
        };
        Some(Reply::bytes(response.pack()).pack().into())
    }

    fn put(&mut self, lsn: Lsn, key: &[u8], value: Option<&[u8]>) {
        let value = value.map(Bytes::copy_from_slice);
        if let Some(value) = &value {
            self.written.entry(value.clone()).or_default().push(lsn);
        }
        self.keys.entry(Bytes::copy_from_slice(key)).or_default().push((lsn, value));
    }

    fn newest(&self, key: &[u8]) -> Option<Bytes> {
        self.keys.get(key)?.last()?.1.clone()
    }

    /// What a key held after an LSN, and since when.
    pub fn at(&self, key: &[u8], lsn: Lsn) -> Option<(Bytes, Lsn)> {
        let versions = self.keys.get(key)?;
        let (since, value) = versions.iter().rev().find(|(since, _)| *since <= lsn)?;
        value.clone().map(|value| (value, *since))
    }

    /// Where a value was written.
    pub fn written(&self, value: &[u8]) -> &[Lsn] {
        self.written.get(value).map_or(&[], Vec::as_slice)
    }

    /// All keys ever written.
    pub fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.keys.keys()
    }
}

/// The response in a reply of the module.
pub fn response(reply: &Reply) -> Option<&[u8]> {
    match &reply.body {
        Body::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
