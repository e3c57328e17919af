//! A module that is part of this program instead of a component: what simulations run, which apply
//! millions of entries. It sees the same store under the same savepoints, and its replies and
//! refusals become the same outcomes; there is no fuel, and it must not trap.

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::{Description, Failure, Finding, Reply};
use sha2::{Digest, Sha256};

use super::abi::{Caller, Request};
use super::call::{Event, Facts};
use super::ending::{Fault, ReadError};
use super::overlay::Overlay;
use super::read::{Evaluation, Page, ReadCall};
use crate::types::{ModuleDigest, Outcome, Range, Scan};

/// A module written in this program's language.
pub trait Native: Send + Sync + 'static {
    /// What it says of itself.
    fn describe(&self) -> Description;

    /// Whether this frontend can run it, asked whenever it is loaded.
    ///
    /// # Errors
    /// What this frontend lacks, which may pass. It says nothing about the module.
    fn available(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// Turns a request into a reply or a command. Reads only: what it writes is dropped.
    ///
    /// # Errors
    /// What the client is told.
    fn evaluate(
        &self,
        space: &mut Space<'_>,
        facts: &Facts,
        caller: &Caller,
        request: &Request,
    ) -> Result<Evaluation, Failure>;

    /// Runs a command.
    ///
    /// # Errors
    /// Why it refuses; then nothing that it wrote stays.
    fn apply(&self, space: &mut Space<'_>, facts: &Facts, command: &[u8])
    -> Result<Reply, Failure>;

    /// Takes one step of the migration from `from_schema`, and gives the cursor of the next.
    ///
    /// # Errors
    /// Why it cannot; then nothing that it wrote stays.
    fn migrate(
        &self,
        space: &mut Space<'_>,
        from_schema: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure>;

    /// One page of what is wrong with the state. Reads only.
    ///
    /// # Errors
    /// Why it cannot tell.
    fn check(&self, space: &mut Space<'_>, cursor: Option<&[u8]>)
    -> Result<Page<Finding>, Failure>;
}

/// The digest under which a native module is installed: that of `file`, which stands for it in the
/// log.
pub fn native_digest(file: &[u8]) -> ModuleDigest {
    ModuleDigest(Sha256::digest(file).into())
}

/// The keys of a module. A read that fails ends the call as a fault of this frontend, whatever the
/// module makes of it.
pub struct Space<'a> {
    overlay: &'a mut Overlay,
    prefix: &'a [u8],
    events: Vec<Event>,
    fault: parking_lot::Mutex<Option<Fault>>,
}

impl<'a> Space<'a> {
    fn new(overlay: &'a mut Overlay, prefix: &'a [u8]) -> Self {
        Self { overlay, prefix, events: Vec::new(), fault: parking_lot::Mutex::default() }
    }

    fn full(&self, key: &[u8]) -> Bytes {
        [self.prefix, key].concat().into()
    }

    fn noting<T: Default>(&self, result: Result<T, crate::types::ViewError>) -> T {
        result.unwrap_or_else(|error| {
            self.fault.lock().get_or_insert(error.into());
            T::default()
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.noting(self.overlay.get(&self.full(key)))
    }

    /// The first pairs of `low <= key < high`, and whether there are no more.
    pub fn scan(&self, low: &[u8], high: &[u8], reverse: bool, rows_max: usize) -> Scan {
        let (low, high) = (self.full(low), self.full(high));
        let range = Range { low: &low, high: &high, reverse };
        let scan = self.overlay.scan(range, rows_max, usize::MAX).map(Some);
        let Some(mut scan) = self.noting(scan) else {
            return Scan { pairs: Vec::new(), done: true };
        };
        for (key, _) in &mut scan.pairs {
            *key = key.slice(self.prefix.len()..);
        }
        scan
    }

    /// Sets a key.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.overlay.put(self.full(key), Bytes::copy_from_slice(value));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: &[u8]) {
        self.overlay.delete(self.full(key));
    }

    /// Removes the keys of a range and tells how many there were.
    pub fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        let (low, high) = (self.full(low), self.full(high));
        let deleted = self.overlay.delete_range(&low, &high);
        self.noting(deleted)
    }

    /// Tells consumers of the feed.
    pub fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        let (key, body) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(body));
        self.events.push(Event { topic: topic.to_owned(), key, body });
    }

    fn end(self) -> Result<Vec<Event>, Fault> {
        self.fault.into_inner().map_or(Ok(self.events), Err)
    }
}

pub(super) fn apply(
    native: &Arc<dyn Native>,
    overlay: &mut Overlay,
    prefix: &[u8],
    facts: &Facts,
    command: &[u8],
) -> Result<(Outcome, Vec<Event>), Fault> {
    let applied = write(overlay, prefix, |space| native.apply(space, facts, command))?;
    Ok(match applied {
        Ok((reply, events)) => (Outcome::Applied(reply.pack().into()), events),
        Err(refusal) => (Outcome::Refused(refusal), Vec::new()),
    })
}

pub(super) fn migrate(
    native: &Arc<dyn Native>,
    overlay: &mut Overlay,
    prefix: &[u8],
    from_schema: u32,
    cursor: Option<&[u8]>,
) -> Result<Result<Option<Vec<u8>>, Outcome>, Fault> {
    let step = write(overlay, prefix, |space| native.migrate(space, from_schema, cursor))?;
    Ok(step.map(|(cursor, _)| cursor).map_err(Outcome::Refused))
}

pub(super) fn check(
    native: &Arc<dyn Native>,
    overlay: &mut Overlay,
    prefix: &[u8],
    cursor: Option<&[u8]>,
) -> Result<Result<Page<Finding>, Outcome>, Fault> {
    let page = write(overlay, prefix, |space| native.check(space, cursor))?;
    Ok(page.map(|(page, _)| page).map_err(Outcome::Refused))
}

/// One call under a savepoint: what it wrote stays if it ends well.
fn write<T>(
    overlay: &mut Overlay,
    prefix: &[u8],
    call: impl FnOnce(&mut Space<'_>) -> Result<T, Failure>,
) -> Result<Result<(T, Vec<Event>), Failure>, Fault> {
    overlay.savepoint();
    let mut space = Space::new(overlay, prefix);
    let called = call(&mut space);
    let ended = space.end();
    if called.is_ok() && ended.is_ok() {
        overlay.commit();
    } else {
        overlay.rollback();
    }
    let events = ended?;
    Ok(called.map(|result| (result, events)))
}

pub(super) fn evaluate(
    native: &Arc<dyn Native>,
    call: ReadCall,
    caller: &Caller,
    request: &Request,
) -> Result<Evaluation, ReadError> {
    let ReadCall { view, prefix, facts, .. } = call;
    let mut overlay = Overlay::new(view);
    let mut space = Space::new(&mut overlay, &prefix);
    let evaluated = native.evaluate(&mut space, &facts, caller, request);
    space.end()?;
    Ok(evaluated?)
}
