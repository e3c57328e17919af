//! Read-only calls: what a client asks of a module on this frontend.
//!
//! They decide nothing that is replicated, so they run beside apply, on an engine and a pool of
//! their own, each on a view of the state, and end at a deadline. An instance that ended well
//! serves further calls; one that trapped does not. A write traps. They block, so call them on
//! threads for that.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use quorate_wire::{Constraint, DecodeError, Failure, Finding, Reply, Value, unpack_rows};

use super::abi::{Caller, CheckPage, Evaluated, RelationPage, Request};
use super::call::{Call, Facts, Mode};
use super::ending::{Ending, ReadError};
use super::module::{Code, Compiled, Module};
use super::native;
use super::overlay::Overlay;
use super::program::{Answer, Exports, Live};
use crate::types::View;

/// Most instances of a module that wait for calls; further ones are dropped.
pub(super) const IDLE_MAX: usize = 4;
/// Calls that one instance serves; then it is dropped with all that it has piled up.
const CALLS_MAX: u32 = 10_000;

/// Words of a statement that tell its kind in the local log, and characters of them at most.
const KIND_WORDS: usize = 2;
const KIND_CHARS_MAX: usize = 40;

/// On what, and until when, a read-only call runs.
pub struct ReadCall {
    /// The state that it sees.
    pub view: Arc<dyn View>,
    /// All keys of the module live under it.
    pub prefix: Bytes,
    /// The last applied entry, as the module may know it.
    pub facts: Facts,
    /// When it is ended, at the latest.
    pub deadline: Instant,
}

/// What `evaluate` decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluation {
    /// The answer.
    Reply(Reply),
    /// A command to propose, opaque to the host.
    Command(Bytes),
}

/// Items of one page, and the cursor of the next; absent after the last page.
pub type Page<T> = (Vec<T>, Option<Vec<u8>>);

impl Module {
    /// Turns a request into a reply or a command.
    ///
    /// # Errors
    /// When the module refuses, traps or does not end in time, or this frontend cannot run it.
    pub fn evaluate(
        &self,
        call: ReadCall,
        caller: Caller,
        request: Request,
    ) -> Result<Evaluation, ReadError> {
        if let Code::Native(module) = &self.code {
            return native::evaluate(module, call, &caller, &request);
        }
        let kind = || format!("evaluate {}", kind(&request));
        let evaluated = self.read(call, kind, |live, exports| {
            let params = (&caller, &request);
            let (answer,) = live.call::<_, (Answer<Evaluated>,)>(&exports.evaluate, params)?;
            Ok(answer)
        })?;
        Ok(match evaluated {
            Evaluated::Reply(packed) => {
                Evaluation::Reply(Reply::unpack(&packed).map_err(unreadable)?)
            }
            Evaluated::Command(command) => Evaluation::Command(command.into()),
        })
    }

    /// One page of a relation that the description offers, its rows as wide as the relation.
    /// Constraints may or may not have narrowed them.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and when there is no such relation.
    pub fn scan(
        &self,
        call: ReadCall,
        relation: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<Page<Vec<Value>>, ReadError> {
        let described = self.description().relations.iter().find(|known| known.name == relation);
        let Some(described) = described else {
            // MySQL: ER_UNKNOWN_TABLE.
            return Err(Failure::new(1109, "42S02", format!("Unknown table '{relation}'")).into());
        };
        let constraints = Constraint::pack(constraints);
        let kind = || format!("scan {relation}");
        let page = self.read(call, kind, |live, exports| {
            let params = (relation, &constraints[..], cursor);
            let (answer,) = live.call::<_, (Answer<RelationPage>,)>(&exports.scan, params)?;
            Ok(answer)
        })?;
        let columns = described.columns.len();
        let rows = unpack_rows(&page.rows, columns).map_err(|error| {
            let what = format!("rows of relation '{relation}' are not {columns} columns wide");
            ReadError::Trap(format!("{what}, or damaged: {error}"))
        })?;
        Ok((rows, page.next))
    }

    /// One page of what is wrong with the state.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn check(&self, call: ReadCall, cursor: Option<&[u8]>) -> Result<Page<Finding>, ReadError> {
        let page = self.read(
            call,
            || "check".to_owned(),
            |live, exports| {
                let (answer,) = live.call::<_, (Answer<CheckPage>,)>(&exports.check, (cursor,))?;
                Ok(answer)
            },
        )?;
        Ok((Finding::unpack(&page.findings).map_err(unreadable)?, page.next))
    }

    fn read<T>(
        &self,
        call: ReadCall,
        kind: impl FnOnce() -> String,
        run: impl FnOnce(&mut Live, &Exports) -> wasmtime::Result<Answer<T>>,
    ) -> Result<T, ReadError> {
        let ReadCall { view, prefix, facts, deadline } = call;
        let lsn = facts.lsn.0;
        let compiled = self.compiled()?;
        let _slot = compiled.slots.take(deadline).ok_or(ReadError::Deadline)?;
        let idle = compiled.idle.lock().pop();
        let live = match idle {
            Some(mut live) => {
                live.renew(deadline);
                live.store.data_mut().begin(Mode::Read, Overlay::new(view), facts);
                Ok(live)
            }
            None => {
                let limits = self.description().limits;
                let mut call = Call::new(Arc::clone(&self.name), prefix, &limits, false);
                call.begin(Mode::Read, Overlay::new(view), facts);
                compiled.read.start(call, Some(deadline))
            }
        };
        match live.and_then(|mut live| run(&mut live, &compiled.read.exports).map(|a| (live, a))) {
            Ok((live, answer)) => {
                compiled.keep(live);
                answer.map_err(|refusal| ReadError::Failure(refusal.into()))
            }
            Err(error) => Err(match Ending::from(error) {
                Ending::Rejected(_, why) => {
                    let (module, kind) = (&self.name, kind());
                    tracing::warn!(
                        %module, lsn, kind, within = why.within(),
                        "a read-only call was ended: {}", why.reason
                    );
                    ReadError::Trap(why.reason)
                }
                Ending::Deadline => ReadError::Deadline,
                Ending::Fault(fault) => ReadError::Fault(fault),
            }),
        }
    }
}

impl Compiled {
    /// Keeps an instance for the next call, without the view that it ran on.
    fn keep(&self, mut live: Live) {
        live.store.data_mut().end();
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX && live.calls < CALLS_MAX {
            idle.push(live);
        }
    }
}

/// What kind of statement a request is: its first words, which hold no values.
fn kind(request: &Request) -> String {
    match request {
        Request::Text(text) => {
            let words = text.split_whitespace().take(KIND_WORDS);
            let words =
                words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()));
            words.collect::<Vec<_>>().join(" ").chars().take(KIND_CHARS_MAX).collect()
        }
        Request::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

fn unreadable(error: DecodeError) -> ReadError {
    ReadError::Trap(error.to_string())
}
