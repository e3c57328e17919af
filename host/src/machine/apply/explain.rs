//! One entry applied with everything written down that it did.
//!
//! For tools on a copy of a state. Applying goes exactly the same way: what is written down is read
//! off the overlay and told by a [`Witness`].

use std::slice;
use std::sync::Arc;

use bytes::Bytes;

use super::{Applier, Run};
use crate::machine::changes::{Told, tell, tell_membership};
use crate::machine::registry::Registry;
use crate::runtime::{Event, Fault, Ran, Witness, Writes};
use crate::types::{
    Action, Command, Entry, EntryPayload, LogId, Lsn, ModuleDigest, Outcome, RequestId, StateDigest,
};

/// What an entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The entry.
    pub log_id: LogId,
    /// Its time, in microseconds since 1970; none for one without commands.
    pub time_us: Option<u64>,
    /// The membership that it set, as JSON.
    pub membership: Option<String>,
    /// What its commands did, in their order.
    pub commands: Vec<ExplainedCommand>,
    /// All that it wrote and its digest covers, in the order of keys.
    pub writes: Writes,
    /// The digest of the entry before.
    pub before: StateDigest,
    /// Its digest.
    pub digest: StateDigest,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedCommand {
    /// Its position in the entry.
    pub index: u32,
    /// Its identity; none when it cannot be read.
    pub request: Option<RequestId>,
    /// On whose behalf it was proposed.
    pub caller: String,
    /// What kind of command it is: `module`, `malformed`, or the name of a command of the host.
    pub kind: String,
    /// Of a command of the host: what it says, as JSON.
    pub details: Option<String>,
    /// Of a module's command: the module that made it, and its bytes.
    pub module: Option<(ModuleDigest, Bytes)>,
    /// The entry in which it ran: an earlier one, if it is repeated here.
    pub at: Lsn,
    /// How it ended.
    pub outcome: Outcome,
    /// The events that it emitted.
    pub events: Vec<Event>,
    /// The calls of modules that it took.
    pub runs: Vec<Ran>,
    /// What it wrote.
    pub writes: Writes,
}

/// An explanation in the making.
#[derive(Default)]
pub(super) struct Explaining {
    time_us: Option<u64>,
    commands: Vec<ExplainedCommand>,
    writes: Writes,
    witness: Witness,
    /// The tables before the command under way.
    registry: Arc<Registry>,
}

impl Explaining {
    pub fn witness(&self) -> Witness {
        self.witness.clone()
    }

    pub fn at(&mut self, time_us: u64) {
        self.time_us = Some(time_us);
    }

    pub fn wrote(&mut self, writes: &Writes) {
        self.writes.clone_from(writes);
    }
}

impl Applier {
    /// Applies one entry, as [`apply`](Self::apply) does with a log that needs no waiting for, and
    /// tells all that it did. None: it was applied before.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn explain(&mut self, entry: &Entry) -> Result<Option<Explained>, Fault> {
        let before = self.machine.applied();
        let explaining = Some(Explaining::default());
        let (_, explained) = self.run(slice::from_ref(entry), &|_| Ok(()), explaining, None)?;
        let after = self.machine.applied();
        let Some(explaining) = explained.filter(|_| after.log_id != before.log_id) else {
            return Ok(None);
        };
        let membership = match &entry.payload {
            EntryPayload::Membership(membership) => Some(tell_membership(membership)),
            EntryPayload::Blank | EntryPayload::Normal(_) => None,
        };
        let Explaining { time_us, commands, writes, .. } = explaining;
        Ok(Some(Explained {
            log_id: entry.log_id,
            time_us,
            membership,
            commands,
            writes,
            before: before.digest,
            digest: after.digest,
        }))
    }
}

impl Run<'_> {
    /// Before a command.
    pub fn begin_explaining(&mut self) {
        if let Some(explaining) = &mut self.explaining {
            explaining.registry = Arc::clone(&self.registry);
            self.overlay.savepoint();
        }
    }

    /// After that command.
    pub fn explain(
        &mut self,
        index: u32,
        packed: &Bytes,
        at: Lsn,
        outcome: &Outcome,
        events: &[Event],
    ) {
        let Some(explaining) = &mut self.explaining else { return };
        let writes = self.overlay.top().clone();
        self.overlay.commit();
        let lsn = self.position.next();
        let command = Command::unpack(packed).ok();
        let (kind, details, module) = match command.as_ref().map(|command| &command.action) {
            Some(Action::Module { digest, payload }) => {
                ("module".to_owned(), None, Some((*digest, payload.clone())))
            }
            Some(Action::Host(command)) => {
                let told: Told = tell(command, lsn, &explaining.registry);
                let (name, details) = told.ended(outcome);
                (name, Some(details), None)
            }
            None => ("malformed".to_owned(), None, None),
        };
        let (request, caller) = command.map(|c| (c.request, c.caller)).unzip();
        explaining.commands.push(ExplainedCommand {
            index,
            request,
            caller: caller.unwrap_or_default(),
            kind,
            details,
            module,
            at,
            outcome: outcome.clone(),
            events: events.to_vec(),
            runs: explaining.witness.take(),
            writes,
        });
    }
}
