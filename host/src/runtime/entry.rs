//! Running the commands of one log entry.
//!
//! The instance is fresh when the entry begins and is dropped with it: how entries are handed to
//! apply differs between frontends and after a restart, so what a module left in its memory must
//! not reach the next entry. Within an entry it may, because all frontends run the same commands in
//! the same order. After a trap the rest of the entry gets another fresh instance: a trapped one is
//! in no state to go on.

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::{Finding, Limits, Reply};

use super::abi::CheckPage;
use super::call::{Call, Event, Facts, Mode};
use super::ending::{Ending, Fault, Why};
use super::module::{Code, Module};
use super::native;
use super::overlay::Overlay;
use super::program::{Answer, Exports, Live};
use super::read::Page;
use super::witness::Witness;
use crate::types::{Outcome, Rejection};

// *Outcomes*, like the limits of the imports.

/// Longest reply of a command. It is stored until the client has it.
pub const REPLY_BYTES_MAX: usize = 1 << 20;
/// Longest cursor of a migration.
const CURSOR_BYTES_MAX: usize = 64 << 10;
/// Bytes that the commands of one entry may write together: they are held in memory until the entry
/// is done.
const ENTRY_WRITTEN_BYTES_MAX: u64 = 256 << 20;

/// The commands of one entry, run one after the other.
pub struct EntryRun {
    module: Arc<Module>,
    limits: Limits,
    prefix: Bytes,
    live: Option<Live>,
    written_bytes: u64,
    witness: Option<Witness>,
}

impl EntryRun {
    /// Begins an entry. `limits` are those of the activation; all keys of the module live under
    /// `prefix`, which it never sees.
    pub fn new(module: &Arc<Module>, limits: Limits, prefix: Bytes) -> Self {
        let module = Arc::clone(module);
        Self { module, limits, prefix, live: None, written_bytes: 0, witness: None }
    }

    /// Lets somebody see what the module does. It does the same.
    #[must_use]
    pub fn seen_by(mut self, witness: Option<Witness>) -> Self {
        self.witness = witness;
        self
    }

    /// Runs one command. Its writes are in `overlay` afterwards if the outcome is
    /// [`Outcome::Applied`], else none of them is, and there are no events.
    ///
    /// # Errors
    /// When this frontend could not run it. Then there is no outcome, and nothing of the command is
    /// in the overlay.
    pub fn apply(
        &mut self,
        overlay: &mut Overlay,
        facts: Facts,
        command: &[u8],
    ) -> Result<(Outcome, Vec<Event>), Fault> {
        if let Code::Native(module) = &self.module.code {
            return native::apply(module, overlay, &self.prefix, &facts, command);
        }
        let ended = self.run(
            overlay,
            Mode::Apply,
            facts,
            |live, exports| {
                let (answer,) = live.call::<_, (Answer<Vec<u8>>,)>(&exports.apply, (command,))?;
                Ok(answer)
            },
            |reply| {
                if reply.len() > REPLY_BYTES_MAX {
                    return Err(Rejection::Limit);
                }
                Reply::unpack(reply).map(drop).map_err(|_| Rejection::Aborted)
            },
        )?;
        Ok(match ended {
            Ok((reply, events)) => (Outcome::Applied(reply.into()), events),
            Err(outcome) => (outcome, Vec::new()),
        })
    }

    /// Runs one step of the migration from `from_schema`: the first without a cursor, each further
    /// one with the cursor that the last one gave; done when it gives none. Migrations emit no
    /// events. A step that does not end well leaves nothing in the overlay; the steps before it are
    /// the caller's to drop.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn migrate(
        &mut self,
        overlay: &mut Overlay,
        facts: Facts,
        from_schema: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Result<Option<Vec<u8>>, Outcome>, Fault> {
        if let Code::Native(module) = &self.module.code {
            return native::migrate(module, overlay, &self.prefix, from_schema, cursor);
        }
        let ended = self.run(
            overlay,
            Mode::Migrate,
            facts,
            |live, exports| {
                let params = (from_schema, cursor);
                let (answer,) =
                    live.call::<_, (Answer<Option<Vec<u8>>>,)>(&exports.migrate, params)?;
                Ok(answer)
            },
            |cursor| {
                let bytes = cursor.as_ref().map_or(0, Vec::len);
                if bytes > CURSOR_BYTES_MAX { Err(Rejection::Limit) } else { Ok(()) }
            },
        )?;
        Ok(ended.map(|(cursor, _)| cursor))
    }

    /// One page of what the module finds wrong with the state in `overlay`, as
    /// [`Module::check`] gives it, but bounded by fuel: an activation may depend on it.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn check(
        &mut self,
        overlay: &mut Overlay,
        facts: Facts,
        cursor: Option<&[u8]>,
    ) -> Result<Result<Page<Finding>, Outcome>, Fault> {
        if let Code::Native(module) = &self.module.code {
            return native::check(module, overlay, &self.prefix, cursor);
        }
        let mut findings = Vec::new();
        let ended = self.run(
            overlay,
            Mode::Read,
            facts,
            |live, exports| {
                let (answer,) = live.call::<_, (Answer<CheckPage>,)>(&exports.check, (cursor,))?;
                Ok(answer)
            },
            |page| {
                let next_bytes = page.next.as_ref().map_or(0, Vec::len);
                if page.findings.len() > REPLY_BYTES_MAX || next_bytes > CURSOR_BYTES_MAX {
                    return Err(Rejection::Limit);
                }
                findings = Finding::unpack(&page.findings).map_err(|_| Rejection::Aborted)?;
                Ok(())
            },
        )?;
        Ok(ended.map(|(page, _)| (findings, page.next)))
    }

    /// One call under a savepoint, with its own fuel. `check` may reject a result.
    fn run<T>(
        &mut self,
        overlay: &mut Overlay,
        mode: Mode,
        facts: Facts,
        call: impl FnOnce(&mut Live, &Exports) -> wasmtime::Result<Answer<T>>,
        check: impl FnOnce(&T) -> Result<(), Rejection>,
    ) -> Result<Result<(T, Vec<Event>), Outcome>, Fault> {
        let at = At { lsn: facts.lsn.0, index: facts.index, export: mode.export() };
        let module = Arc::clone(&self.module);
        let exports = &module.compiled()?.apply.exports;
        self.witness.iter().for_each(|witness| witness.begin(at.export, self.limits.fuel));
        let mut live = match self.live.take().map_or_else(|| self.start(), Ok) {
            Ok(live) => live,
            Err(ending) => return self.reject(ending, &at, self.limits.fuel).map(Err),
        };
        overlay.savepoint();
        live.store.data_mut().begin(mode, std::mem::take(overlay), facts);
        let fuelled = live.store.set_fuel(self.limits.fuel);
        let answer = fuelled.and_then(|()| call(&mut live, exports));
        let events;
        (*overlay, events) = live.store.data_mut().end();
        let left = live.store.get_fuel().unwrap_or_default();

        let rejection = match answer {
            Ok(Ok(result)) => {
                let written = self.written_bytes + overlay.written_bytes();
                let limit = if written > ENTRY_WRITTEN_BYTES_MAX {
                    Err(Rejection::Limit)
                } else {
                    check(&result)
                };
                match limit {
                    Ok(()) => {
                        self.witness.iter().for_each(|witness| witness.end(left, None));
                        self.written_bytes = written;
                        self.live = Some(live);
                        overlay.commit();
                        return Ok(Ok((result, events)));
                    }
                    Err(rejection) => Ending::Rejected(rejection, Why::new("its result")),
                }
            }
            Ok(Err(refusal)) => {
                self.witness.iter().for_each(|witness| witness.end(left, None));
                self.live = Some(live);
                overlay.rollback();
                return Ok(Err(Outcome::Refused(refusal.into())));
            }
            Err(error) => error.into(),
        };
        overlay.rollback();
        self.reject(rejection, &at, left).map(Err)
    }

    fn start(&self) -> Result<Live, Ending> {
        let name = Arc::clone(&self.module.name);
        let mut call = Call::new(name, self.prefix.clone(), &self.limits, true);
        call.witness = self.witness.clone().filter(Witness::sees_imports);
        self.module.compiled().map_err(Ending::Fault)?.apply.start(call, None).map_err(Ending::from)
    }

    /// The text of a trap names what differs between builds; it stays in the local log.
    fn reject(&self, ending: Ending, at: &At, left: u64) -> Result<Outcome, Fault> {
        match ending {
            Ending::Rejected(rejection, why) => {
                let At { lsn, index, export } = *at;
                let module = &self.module.name;
                tracing::warn!(
                    %module, lsn, index, export, ?rejection, within = why.within(),
                    "a command was ended: {}", why.reason
                );
                self.witness.iter().for_each(|witness| witness.end(left, Some(why.to_string())));
                Ok(Outcome::Rejected(rejection))
            }
            Ending::Deadline => Err(Fault("a deadline ended a replicated call".to_owned())),
            Ending::Fault(fault) => Err(fault),
        }
    }
}

/// Which call, for the local log.
struct At {
    lsn: u64,
    index: u32,
    export: &'static str,
}
