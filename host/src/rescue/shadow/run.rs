//! A shadow run from its base to its report.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_wire::{Description, Severity};

use super::base::{Base, OPTIONS};
use super::gauge::Gauge;
use super::judge::Judgement;
use super::report::{Report, Weight};
use super::{Bounds, Parts, ShadowError, ShadowOptions};
use crate::machine::{
    Active, CHECK_PAGES_MAX, DIGESTS_KEPT, GoesOn, Machine, MachineView, Noticed, Shadow,
    ShadowEnd, noticed,
};
use crate::rescue::RescueError;
use crate::runtime::{EntryRun, Module, Overlay, ReadCall, Runtime, RuntimeOptions, Witness};
use crate::storage::log::READ_BYTES_MAX;
use crate::storage::{Log, RocksState, StateStore};
use crate::types::{Entry, Lsn, StateDigest, ViewError};

/// How long entries are replayed, with both modules together.
const REPLAY_TIME_MAX: Duration = Duration::from_secs(60);
/// Entries that are applied at once.
const RUN_ENTRIES: usize = 32;
/// Findings of one `check` that are told; more are counted.
const FINDINGS_MAX: u64 = 200;

/// Entries of the log on their way to copies, and the digests that the frontend has stored of them.
pub struct Replay<'a> {
    log: &'a Log,
    recorded: BTreeMap<Lsn, StateDigest>,
    compared: u64,
    /// LSN, the stored digest, and the one of the copy.
    difference: Option<(Lsn, StateDigest, StateDigest)>,
}

impl<'a> Replay<'a> {
    fn new(log: &'a Log, view: &MachineView) -> Result<Self, ViewError> {
        let last = view.lsn().0;
        let mut recorded = BTreeMap::new();
        for lsn in (last + 1).saturating_sub(DIGESTS_KEPT.into())..=last {
            if let Some(digest) = view.digest_at(Lsn(lsn))? {
                recorded.insert(Lsn(lsn), digest);
            }
        }
        Ok(Self { log, recorded, compared: 0, difference: None })
    }

    /// Hands the entries of a range to `each`, in runs, until it says that it is enough.
    pub fn each_run(
        &mut self,
        range: Range<u64>,
        mut each: impl FnMut(&mut Self, &[Entry]) -> Result<bool, ShadowError>,
    ) -> Result<(), ShadowError> {
        let mut next = range.start;
        while next < range.end {
            let portion =
                self.log.read(next..range.end, READ_BYTES_MAX).map_err(RescueError::from)?;
            if portion.first().is_none_or(|first| first.log_id.index != next) {
                return Err(ShadowError::Purged(next));
            }
            next += portion.len() as u64;
            for run in portion.chunks(RUN_ENTRIES) {
                if !each(self, run)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Compares what a copy has come to with what the frontend has.
    pub fn compare_digests(&mut self, copy: &Machine, run: &[Entry]) -> Result<(), ShadowError> {
        let view = copy.view();
        for entry in run {
            self.compare_digest(&view, Lsn(entry.log_id.index))?;
        }
        Ok(())
    }

    /// Of one entry. Digests are a chain, so only the first difference says anything.
    pub fn compare_digest(&mut self, copy: &MachineView, lsn: Lsn) -> Result<(), ShadowError> {
        let (Some(recorded), None) = (self.recorded.get(&lsn), self.difference) else {
            return Ok(());
        };
        let Some(replayed) = copy.digest_at(lsn)? else { return Ok(()) };
        self.compared += 1;
        if *recorded != replayed {
            self.difference = Some((lsn, *recorded, replayed));
        }
        Ok(())
    }

    fn tell(&self, entries: u64, report: &mut Report) {
        match self.difference {
            Some((lsn, recorded, replayed)) => report.error(
                "digests",
                format!(
                    "digest mismatch: at LSN {lsn} this frontend has {recorded}, the log comes to \
                     {replayed}; its state is not what the log says, `quorate verify` tells more"
                ),
            ),
            None if self.compared > 0 => {
                report.info("digests", format!("{} of {0} agree with the log", self.compared));
            }
            None if entries > 0 => {
                report.notice("digests", "none is stored any more of what was replayed");
            }
            None => {}
        }
    }
}

/// Tries a module.
pub fn run(parts: &Parts, options: ShadowOptions, bounds: Bounds) -> Result<Report, ShadowError> {
    let view = parts.machine.view();
    view.log_id().ok_or(ShadowError::Nothing)?;
    let file = view.module_bytes(options.module)?;
    let runtime = Runtime::new(RuntimeOptions { read_slots: 1 })?.keeping(&parts.modules);
    let mut report = Report::default();
    let (active, lsn) = (view.active().cloned(), view.lsn());
    let mut replay = Replay::new(&parts.log, &view)?;
    let place = parts.folder.join("active");
    let base = match &active {
        Some(active) => {
            let how = (options.entries, &bounds);
            Base::lay(parts, &view, active, (&place, &runtime), how, &mut replay)?
        }
        None => Base::present(parts, &place, &runtime, None)?,
    };
    // It pins what the frontend's storage would give up.
    drop(view);
    let tried = parts.folder.join("tried");
    base.state.checkpoint(&tried)?;
    let state = Arc::new(RocksState::open(&tried, OPTIONS)?);
    let active = base.machine.view().active().cloned();
    let shadow = Shadow::open(state, runtime, &file, active.clone())?;
    let mut attempt = Attempt { base, shadow, active, bounds, report: Report::default() };
    std::mem::swap(&mut attempt.report, &mut report);
    attempt.run(lsn, &mut replay)?;
    Ok(attempt.report)
}

/// A module that is tried against the active one.
struct Attempt {
    base: Base,
    shadow: Shadow,
    active: Option<Active>,
    bounds: Bounds,
    report: Report,
}

impl Attempt {
    fn run(&mut self, last: Lsn, replay: &mut Replay<'_>) -> Result<(), ShadowError> {
        let tried = self.shadow.module().description().clone();
        let active = self.active.as_ref().map(|active| active.module.description().clone());
        let is_same = active.as_ref().is_none_or(|active| active.name == tried.name);
        if let Some(active) = active.as_ref().filter(|_| is_same) {
            let stored = self.active.as_ref().map(|active| active.schema);
            for Noticed { breaks, subject, text } in noticed(active, &tried, stored) {
                let weight = if breaks { Weight::Error } else { Weight::Notice };
                self.report.add(weight, subject, text);
            }
        }
        let activates = self.activate(&tried)?;
        if let (false, Some(active)) = (is_same, &active) {
            let names = format!("'{}' is not '{}'", tried.name, active.name);
            self.report.notice(
                "commands",
                format!("{names}: the log's commands are not for it, and none is tried"),
            );
        }
        self.replay(last, replay, activates && is_same)?;
        self.check_active()?;
        if activates {
            self.check_tried()?;
        }
        Ok(())
    }

    /// Activates and migrates; whether that can be.
    fn activate(&mut self, tried: &Description) -> Result<bool, ShadowError> {
        let goes_on = self.goes_on();
        let began = Instant::now();
        let migrated = match self.shadow.activate(&goes_on) {
            Ok(None) => {
                let schema = tried.schema;
                self.report.info("migration", format!("none: the state has schema {schema}"));
                return Ok(true);
            }
            Ok(Some(migrated)) => migrated,
            Err(ShadowEnd::Refused(message)) => {
                self.report.error("migration", format!("the activation is refused: {message}"));
                return Ok(false);
            }
            Err(end) => return Err(self.ended(end)),
        };
        let ms = began.elapsed().as_secs_f64() * 1e3;
        let (from, to, written) = (migrated.from, migrated.to, migrated.written);
        let how = if migrated.is_stepped { "step by step" } else { "as a whole" };
        self.report.info(
            "migration",
            format!(
                "{how} from schema {from} to {to}: {} steps in {ms:.1} ms, {} fuel, {} keys and {} \
                 bytes written",
                migrated.steps, migrated.fuel, written.keys, written.bytes
            ),
        );
        let weight = if migrated.is_stepped { Weight::Error } else { Weight::Notice };
        match self.shadow.migrate_again(&migrated, &goes_on) {
            Ok(written) if written.keys == 0 => {
                self.report.info("idempotency", "a second migration writes nothing");
            }
            Ok(written) if written.changed == 0 => self.report.info(
                "idempotency",
                format!("a second migration writes {} keys as they are", written.keys),
            ),
            Ok(written) => self.report.add(
                weight,
                "idempotency",
                format!("a second migration changes {} keys", written.changed),
            ),
            Err(ShadowEnd::Refused(message)) => self.report.add(
                weight,
                "idempotency",
                format!("a second migration does not end well: {message}"),
            ),
            Err(end) => return Err(self.ended(end)),
        }
        Ok(true)
    }

    /// Replays with the active module, and with the one that is tried if `both`.
    fn replay(
        &mut self,
        last: Lsn,
        replay: &mut Replay<'_>,
        both: bool,
    ) -> Result<(), ShadowError> {
        let (first, until) = (self.base.first, Instant::now() + REPLAY_TIME_MAX);
        let (mut old, mut new, mut entries) = (Gauge::new(), Gauge::new(), 0);
        let mut judgement = Judgement::default();
        let Self { base, shadow, bounds, .. } = self;
        let mut failed = None;
        replay.each_run(first..last.0 + 1, |replay, run| {
            bounds.check()?;
            let replies = base.applier.apply_watched(run, &mut old).map_err(RescueError::Apply)?;
            replay.compare_digests(&base.machine, run)?;
            entries += run.len() as u64;
            if both {
                match shadow.apply(run, &replies, &mut new) {
                    Ok(tried) => judgement.add(&tried, &new.take_ended()),
                    Err(end) => {
                        failed = Some(end);
                        return Ok(false);
                    }
                }
            }
            Ok(Instant::now() < until)
        })?;
        if let Some(end) = failed {
            return Err(self.ended(end));
        }
        let name = &self.base.name;
        let upto = self.base.lsn();
        let told = match entries {
            0 => format!("from {name}: nothing is in the log after it that the active module ran"),
            _ => format!(
                "from {name}: {entries} entries, LSN {first} to {upto}, with {} commands",
                old.count()
            ),
        };
        self.report.info("replay", told);
        if let Some(remark) = &self.base.remark {
            self.report.notice("replay", remark.clone());
        }
        if upto < last && entries > 0 {
            let limit = REPLAY_TIME_MAX.as_secs();
            self.report.notice("replay", format!("it ended at LSN {upto}, after {limit} s"));
        }
        replay.tell(entries, &mut self.report);
        if both && old.count() > 0 {
            judgement.tell(&mut self.report);
            costs(&old, &new, &mut self.report);
        }
        Ok(())
    }

    /// What the active module finds in the state before anything of the other.
    fn check_active(&mut self) -> Result<(), ShadowError> {
        let view = self.base.machine.view();
        let call = view.read_call(self.bounds.deadline);
        let Some((active, call)) = self.active.clone().zip(call) else { return Ok(()) };
        self.check("check before", &active.module, call)
    }

    /// What the other module finds after all of its own.
    fn check_tried(&mut self) -> Result<(), ShadowError> {
        let module = Arc::clone(self.shadow.module());
        let call = self.shadow.read_call(self.bounds.deadline);
        self.check("check after", &module, call)
    }

    /// Has a module check a state, within the fuel that it has in an activation.
    fn check(
        &mut self,
        subject: &str,
        module: &Arc<Module>,
        call: ReadCall,
    ) -> Result<(), ShadowError> {
        let ReadCall { view, prefix, facts, .. } = call;
        let (witness, mut overlay) = (Witness::of_calls(), Overlay::new(view));
        let run = EntryRun::new(module, module.description().limits, prefix);
        let mut run = run.seen_by(Some(witness.clone()));
        let (mut found, mut cursor) = (0, None::<Vec<u8>>);
        for _ in 0..CHECK_PAGES_MAX {
            self.bounds.check()?;
            let page = run.check(&mut overlay, facts.clone(), cursor.as_deref())?;
            let calls = witness.take();
            let (findings, next) = match page {
                Ok(page) => page,
                Err(outcome) => {
                    let why = calls.into_iter().next_back().and_then(|call| call.ended);
                    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
                    self.report.error(subject, format!("it does not end well: {outcome}{why}"));
                    return Ok(());
                }
            };
            for finding in findings {
                found += 1;
                if found > FINDINGS_MAX {
                    continue;
                }
                let weight = match finding.severity {
                    Severity::Notice => Weight::Notice,
                    Severity::Error => Weight::Error,
                };
                let key = finding.key.escape_ascii();
                self.report.add(weight, subject, format!("key '{key}': {}", finding.note));
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        match found {
            _ if cursor.is_some() => {
                let message = format!("it takes more than {CHECK_PAGES_MAX} pages");
                self.report.error(subject, message);
            }
            0 => self.report.info(subject, "nothing is found"),
            found if found > FINDINGS_MAX => {
                let more = found - FINDINGS_MAX;
                self.report.notice(subject, format!("{more} more findings"));
            }
            _ => {}
        }
        Ok(())
    }

    fn goes_on(&self) -> GoesOn {
        let Bounds { deadline, stop } = &self.bounds;
        let bounds = Bounds { deadline: *deadline, stop: Arc::clone(stop) };
        Arc::new(move || bounds.goes_on())
    }

    /// An end by this run's own bounds is told as that.
    fn ended(&self, end: ShadowEnd) -> ShadowError {
        self.bounds.check().err().unwrap_or_else(|| end.into())
    }
}

/// What commands take with the one module and with the other.
fn costs(old: &Gauge, new: &Gauge, report: &mut Report) {
    let [(old_fuel, old_us), (old_fuel_99, old_us_99)] = [50.0, 99.0].map(|at| old.at(at));
    let [(fuel, us), (fuel_99, us_99)] = [50.0, 99.0].map(|at| new.at(at));
    report.info(
        "fuel",
        format!("p50 {fuel}, p99 {fuel_99} a command; until now {old_fuel}, {old_fuel_99}"),
    );
    report.info(
        "time",
        format!(
            "p50 {us:.1} us, p99 {us_99:.1} us a command; until now {old_us:.1} us, \
             {old_us_99:.1} us"
        ),
    );
}
