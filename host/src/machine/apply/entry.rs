//! One entry: its commands in their order, then its digest.

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::DecodeError;

use super::Run;
use super::explain::Explaining;
use super::host::Host;
use super::steps::Step;
use super::watch::{self, Watching};
use crate::machine::changes::{self, Recorder};
use crate::machine::keys;
use crate::machine::milestones::Milestone;
use crate::machine::position::{Position, Trail, seed};
use crate::machine::registry::{SCHEDULED_INDEX, pack_membership};
use crate::machine::requests::Admission;
use crate::runtime::{EntryRun, Event, Facts, Fault};
use crate::types::{
    Action, Batch, BatchHeader, BatchReply, Command, Entry, EntryPayload, HostCommand, Lifecycle,
    LogId, Lsn, ModuleDigest, Outcome, Rejection, StoredMembership,
};

/// What runs the commands of an entry; one of its modules at a time.
type Guest = Option<EntryRun>;

impl Run<'_> {
    /// Applies an entry to the overlay and the tables; one that is applied already is passed over.
    pub fn entry(&mut self, entry: &Entry) -> Result<BatchReply, Fault> {
        let lsn = Lsn(entry.log_id.index);
        let next = self.position.next();
        if lsn < next {
            return Ok(BatchReply::default());
        }
        if lsn > next {
            return Err(Fault(format!("entry {lsn} was handed to apply, but {next} comes next")));
        }
        let before = self.module_in_force();
        self.overlay.savepoint();
        let mut trail = Trail::new(self.position.digest, lsn);
        let mut recorder = changes::is_on(&self.registry).then(|| Recorder::new(lsn));
        if let Some(recorder) = &mut recorder {
            recorder.at(self.position.clock_us);
        }
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Membership(membership) => {
                if let Some(recorder) = &mut recorder {
                    recorder.membership(membership);
                }
                let stored = StoredMembership::new(Some(entry.log_id), membership.clone());
                self.overlay.put(keys::MEMBERSHIP, pack_membership(&stored));
                Arc::make_mut(&mut self.registry).membership = stored;
                Vec::new()
            }
            EntryPayload::Normal(batch) => {
                self.batch(entry.log_id, batch, &mut trail, &mut recorder)?
            }
        };
        let digest = trail.finish(self.overlay.top());
        if let Some(explaining) = &mut self.explaining {
            explaining.wrote(self.overlay.top());
        }
        self.overlay.commit();

        self.position = Position { log_id: Some(entry.log_id), digest, ..self.position };
        if self.module_in_force() != before {
            let first = self.milestones.map_or(lsn, |(first, _)| first);
            self.milestones = Some((first, Milestone { lsn, digest }));
        }
        let (key, row) = self.position.ring_row();
        self.overlay.put(key, row);
        self.requests.end_entry(lsn, &mut self.overlay);
        self.record(lsn, recorder);
        Ok(BatchReply { outcomes: outcomes.into() })
    }

    /// Since when the active module is that, and whether all of its rows have its schema.
    fn module_in_force(&self) -> (Option<Lsn>, bool) {
        let since = self.registry.active.as_ref().map(|active| active.since);
        (since, self.registry.migration.is_none())
    }

    /// Keeps what the entry changed, outside of its digest.
    fn record(&mut self, lsn: Lsn, recorder: Option<Recorder>) {
        let continues = std::mem::replace(&mut self.recorded, recorder.is_some());
        if let Some(recorder) = recorder {
            if !continues {
                self.overlay.put(keys::CHANGES_BEGIN, changes::begin_row(lsn));
            }
            recorder.finish(&mut self.overlay);
        }
    }

    fn batch(
        &mut self,
        log_id: LogId,
        batch: &Batch,
        trail: &mut Trail,
        recorder: &mut Option<Recorder>,
    ) -> Result<Vec<(Lsn, Outcome)>, Fault> {
        let lsn = Lsn(log_id.index);
        let (header, commands) = match batch.unpack() {
            Ok(unpacked) => unpacked,
            Err(DecodeError::Version(version)) => return Err(too_new("entry", lsn, version)),
            // The same bytes on every frontend, and no command in them.
            Err(_) => return Ok(Vec::new()),
        };
        self.position.clock_us = self.position.clock_us.max(header.time_us);
        let time_us = self.position.clock_us;
        self.explaining.iter_mut().for_each(|explaining| explaining.at(time_us));
        if let Some(recorder) = recorder {
            recorder.at(self.position.clock_us);
        }
        if let Some(since) = self.due(lsn) {
            let command = HostCommand::Lifecycle(Lifecycle::RunScheduled { since });
            let facts = self.facts(&header, lsn, SCHEDULED_INDEX, String::new());
            self.host(log_id, &facts, command, recorder)?;
        }
        let mut guest = None;
        let mut outcomes = Vec::with_capacity(commands.len());
        for (index, packed) in (0u32..).zip(&commands) {
            self.begin_explaining();
            let (at, outcome, events) =
                self.command(log_id, &header, index, packed, &mut guest, recorder)?;
            self.explain(index, packed, at, &outcome, &events);
            trail.command(at, &outcome, &events);
            outcomes.push((at, outcome));
        }
        Ok(outcomes)
    }

    fn command(
        &mut self,
        log_id: LogId,
        header: &BatchHeader,
        index: u32,
        packed: &Bytes,
        guest: &mut Guest,
        recorder: &mut Option<Recorder>,
    ) -> Result<(Lsn, Outcome, Vec<Event>), Fault> {
        let lsn = Lsn(log_id.index);
        let rejected = |rejection| Ok((lsn, Outcome::Rejected(rejection), Vec::new()));
        let command = match Command::unpack(packed) {
            Ok(command) => command,
            // A newer frontend may know what it is. To call it malformed here would part the two.
            Err(DecodeError::Version(version)) => return Err(too_new("command", lsn, version)),
            Err(_) => return rejected(Rejection::Malformed),
        };
        let Command { request, floor, caller, action } = command;
        match self.requests.admit(request, floor) {
            Admission::Run => {}
            Admission::Repeated(at, outcome) => return Ok((at, outcome, Vec::new())),
            Admission::Stale => return rejected(Rejection::Stale),
        }
        let facts = self.facts(header, lsn, index, caller);
        let (outcome, events) = match action {
            Action::Module { digest, payload } => {
                self.module(facts, digest, &payload, guest, recorder)?
            }
            Action::Host(command) => {
                // Another module may be active afterwards.
                *guest = None;
                (self.host(log_id, &facts, command, recorder)?, Vec::new())
            }
        };
        self.requests.remember(request, lsn, &outcome);
        Ok((lsn, outcome, events))
    }

    /// The entry that scheduled what is to take effect before the commands of this one.
    fn due(&self, lsn: Lsn) -> Option<Lsn> {
        let scheduled = self.registry.scheduled.as_ref()?;
        let at_lsn = scheduled.time_us.is_none();
        (at_lsn && scheduled.is_due(lsn, 0)).then_some(scheduled.since)
    }

    fn facts(&self, header: &BatchHeader, lsn: Lsn, index: u32, caller: String) -> Facts {
        let cluster = self.registry.cluster.map(|(cluster, _)| cluster).unwrap_or_default();
        Facts {
            lsn,
            index,
            time_us: self.position.clock_us,
            schema: self.registry.active.as_ref().map_or(0, |active| active.schema),
            caller,
            seed: seed(cluster, lsn, index, &header.entropy),
        }
    }

    fn host(
        &mut self,
        log_id: LogId,
        facts: &Facts,
        command: HostCommand,
        recorder: &mut Option<Recorder>,
    ) -> Result<Outcome, Fault> {
        self.steps.extend(Step::of(&command));
        let recording = recorder.as_mut();
        let recording =
            recording.map(|recorder| (recorder.tell(&command, &self.registry), recorder));
        if recording.is_some() {
            self.overlay.savepoint();
        }
        let mut host = Host {
            registry: Arc::make_mut(&mut self.registry),
            overlay: &mut self.overlay,
            modules: &self.machine.shared.modules,
            facts,
            leader: log_id.leader_id.node_id,
            witness: self.explaining.as_ref().map(Explaining::witness),
        };
        let outcome = host.run(command)?;
        if let Some((told, recorder)) = recording {
            if !self.overlay.top().is_empty() {
                recorder.ran(facts.index, &facts.caller, told, &outcome);
                recorder.written(facts.index, &self.overlay)?;
            }
            self.overlay.commit();
        }
        Ok(outcome)
    }

    fn module(
        &mut self,
        facts: Facts,
        digest: ModuleDigest,
        payload: &[u8],
        guest: &mut Guest,
        recorder: &mut Option<Recorder>,
    ) -> Result<(Outcome, Vec<Event>), Fault> {
        let rejected = |rejection| Ok((Outcome::Rejected(rejection), Vec::new()));
        let Some(active) = &self.registry.active else { return rejected(Rejection::NoModule) };
        if active.digest != digest {
            return rejected(Rejection::ModuleChanged);
        }
        let witness = self.explaining.as_ref().map(Explaining::witness);
        let witness = witness.or_else(|| self.watching.as_ref().map(Watching::witness));
        let (overlay, watching) = (&mut self.overlay, &mut self.watching);
        let run = guest.get_or_insert_with(|| {
            let description = active.module.description();
            let space = keys::space(&description.name);
            EntryRun::new(&active.module, description.limits, space).seen_by(witness)
        });
        let Some(recorder) = recorder else {
            return watch::apply(watching, run, overlay, facts, payload);
        };
        // One more savepoint, so that what the command wrote can be told from what came before.
        let index = facts.index;
        overlay.savepoint();
        let (outcome, events) = watch::apply(watching, run, overlay, facts, payload)?;
        recorder.written(index, overlay)?;
        recorder.emitted(index, &active.module.description().name, &events);
        overlay.commit();
        Ok((outcome, events))
    }
}

fn too_new(what: &str, lsn: Lsn, version: u8) -> Fault {
    Fault(format!("{what} at LSN {lsn} has version {version}, which this frontend does not know"))
}
