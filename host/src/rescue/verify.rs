//! A log applied again, entry by entry, and compared with what came of it the first time.
//!
//! The newest digests are stored by the state. For older entries it may still remember how commands
//! ended, or hold what they changed; both are compared there. When the log was replayed to its end,
//! all rows of both states are compared too: digests prove what was written, not what became of it
//! on the disk since.

use super::error::RescueError;
use super::stage::{Base, ReplayOptions, Stage, on_stage};
use crate::machine::{
    Change, Compared, DIFFERENCES_MAX, Machine, Standing, What, compare, remembered,
};
use crate::runtime::Fault;
use crate::types::{
    BatchReply, Command, Entry, EntryPayload, LogId, Lsn, Outcome, RequestId, StateDigest,
};

/// What came of a replay.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What it began with.
    pub base: Base,
    /// The last LSN that was replayed; that of the base if none was.
    pub last: Lsn,
    /// Entries that were replayed.
    pub entries: u64,
    /// Entries of which the stored digest was compared.
    pub digests: u64,
    /// Entries of which remembered outcomes or changes were compared, for want of a digest.
    pub traces: u64,
    /// The digest at the end.
    pub digest: StateDigest,
    /// How the rows of the two states compare, if it was replayed to the end.
    pub rows: Option<Compared>,
    /// What is damaged and could be done without.
    pub damaged: Vec<String>,
    /// The first entry that came to something else.
    pub disagreement: Option<Disagreement>,
}

impl Verified {
    /// Whether nothing differs and nothing is damaged.
    pub fn is_equal(&self) -> bool {
        self.disagreement.is_none()
            && self.damaged.is_empty()
            && self.rows.as_ref().is_none_or(|rows| rows.different == 0)
    }
}

/// An entry that came to something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The entry.
    pub lsn: Lsn,
    /// The digest that the frontend stored, if it is kept.
    pub stored: Option<StateDigest>,
    /// The digest now.
    pub replayed: StateDigest,
    /// How its commands ended.
    pub commands: Vec<Both>,
    /// What it changed the one time and not the other, as far as that is kept.
    pub changes: Vec<String>,
}

/// How a command ended, both times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Both {
    /// Its position in the entry.
    pub index: usize,
    /// Its identity, if it can be read.
    pub request: Option<RequestId>,
    /// On the frontend, if that is still remembered.
    pub stored: Option<Outcome>,
    /// Now.
    pub replayed: Outcome,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// This many entries of that many are replayed.
    Replayed(u64, u64),
    /// This many rows are compared.
    Compared(u64),
}

/// Replays the log after the newest base before LSN `from`, up to LSN `to`; all that can be without
/// them.
///
/// # Errors
/// When nothing could be said: the log does not reach back, the directory is in use or damaged, or
/// an entry cannot be applied here.
pub fn verify(
    options: &ReplayOptions,
    (from, to): (Option<Lsn>, Option<Lsn>),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Verified, RescueError> {
    on_stage(options, from.map(|lsn| lsn.0), |stage| {
        let last = Lsn(stage.applied());
        let to = to.unwrap_or(last);
        let what = "what the state has applied";
        if to > last || from.is_some_and(|from| from > to) {
            return Err(RescueError::NotThere { wanted: to.max(from.unwrap_or(to)), what, last });
        }
        Verification::new(stage)?.run(to, progress)
    })
}

struct Verification<'a> {
    stage: &'a Stage,
    done: Verified,
}

impl<'a> Verification<'a> {
    fn new(stage: &'a Stage) -> Result<Self, RescueError> {
        let (base, damaged) = (stage.base.clone(), stage.damaged.clone());
        let (last, digest) = match &base {
            Base::Empty => (Lsn(0), StateDigest::default()),
            Base::Snapshot(last, digest) => (Lsn(last.index), *digest),
        };
        let done = Verified {
            base,
            last,
            entries: 0,
            digests: 0,
            traces: 0,
            digest,
            rows: None,
            damaged,
            disagreement: None,
        };
        Ok(Self { stage, done })
    }

    fn run(
        mut self,
        to: Lsn,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Verified, RescueError> {
        let stage = self.stage;
        let (machine, mut applier) = stage.machine()?;
        self.judge_base()?;
        let total = (to.0 + 1).saturating_sub(stage.base.next());
        stage.each_run(to.0, |entries| {
            if self.done.disagreement.is_some() || entries.is_empty() {
                return Ok(());
            }
            let durable = |_: &LogId| Ok::<(), Fault>(());
            let replies = applier.apply(entries, &durable).map_err(RescueError::Apply)?;
            self.judge(&machine, entries, &replies)?;
            progress(Progress::Replayed(self.done.entries, total));
            Ok(())
        })?;
        if self.done.disagreement.is_none() && self.done.last.0 == stage.applied() {
            let (stored, replayed) = (stage.stored.view(), stage.standing()?);
            let rows = compare(stored, replayed.view(), |rows| {
                progress(Progress::Compared(rows));
            });
            self.done.rows = Some(rows?);
        }
        Ok(self.done)
    }

    /// The base itself, where the state still knows the digest.
    fn judge_base(&mut self) -> Result<(), RescueError> {
        let Base::Snapshot(last, replayed) = self.stage.base else { return Ok(()) };
        let lsn = Lsn(last.index);
        let stored = self.stage.stored.digest_at(lsn)?;
        self.done.digests += u64::from(stored.is_some());
        if stored.is_some_and(|stored| stored != replayed) {
            let (commands, changes) = (Vec::new(), Vec::new());
            let disagreement = Disagreement { lsn, stored, replayed, commands, changes };
            self.done.disagreement = Some(disagreement);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        machine: &Machine,
        entries: &[Entry],
        replies: &[BatchReply],
    ) -> Result<(), RescueError> {
        let (stored, replayed) = (&self.stage.stored, self.stage.standing()?);
        for (entry, reply) in entries.iter().zip(replies) {
            let lsn = Lsn(entry.log_id.index);
            let digest = replayed.digest_at(lsn)?.unwrap_or_else(|| machine.view().digest());
            (self.done.entries, self.done.last) = (self.done.entries + 1, lsn);
            self.done.digest = digest;
            let kept = stored.digest_at(lsn)?;
            if kept == Some(digest) {
                self.done.digests += 1;
                continue;
            }
            let commands = both(stored, entry, reply)?;
            let changes = (stored.changes(lsn)?, replayed.changes(lsn)?);
            let seen = changes.0.is_some() || commands.iter().any(|both| both.stored.is_some());
            let differ = |both: &Both| {
                let now = remembered(lsn, &both.replayed);
                both.stored.as_ref().is_some_and(|stored| *stored != now)
            };
            let changed = matches!(&changes, (Some(one), Some(other)) if one != other);
            if kept.is_some() || changed || commands.iter().any(differ) {
                let changes = changes.0.zip(changes.1);
                let changes = changes.map_or_else(Vec::new, |(one, other)| unlike(&one, &other));
                let stored = kept;
                self.done.disagreement =
                    Some(Disagreement { lsn, stored, replayed: digest, commands, changes });
                return Ok(());
            }
            self.done.traces += u64::from(seen);
        }
        Ok(())
    }
}

/// How the commands of an entry ended, then and now. One that was a repetition ran in an earlier
/// entry.
fn both(stored: &Standing, entry: &Entry, reply: &BatchReply) -> Result<Vec<Both>, RescueError> {
    let EntryPayload::Normal(batch) = &entry.payload else { return Ok(Vec::new()) };
    let Ok((_, packed)) = batch.unpack() else { return Ok(Vec::new()) };
    let mut all = Vec::with_capacity(packed.len());
    for (index, (packed, (at, replayed))) in packed.iter().zip(reply.outcomes.iter()).enumerate() {
        let request = Command::unpack(packed).ok().map(|command| command.request);
        let stored = match request {
            Some(request) => stored.outcome(request, *at)?,
            None => None,
        };
        all.push(Both { index, request, stored, replayed: replayed.clone() });
    }
    Ok(all)
}

/// What is in one list and not in the other, in words.
fn unlike(stored: &[Change], replayed: &[Change]) -> Vec<String> {
    let only = |whose: &str, one: &[Change], other: &[Change]| -> Vec<String> {
        let missing = one.iter().filter(|change| !other.contains(change));
        missing.map(|change| format!("only {whose}: {}", tell(change))).collect()
    };
    let mut all = only("stored", stored, replayed);
    all.extend(only("replayed", replayed, stored));
    all.truncate(DIFFERENCES_MAX);
    all
}

fn tell(Change { index, what }: &Change) -> String {
    let what = match what {
        What::Key { module, key, after, .. } => {
            let key = key.escape_ascii();
            match after {
                Some(value) => format!("{module} put {key} = {}", value.escape_ascii()),
                None => format!("{module} deleted {key}"),
            }
        }
        What::Event { module, topic, key, body } => {
            let (key, body) = (key.escape_ascii(), body.escape_ascii());
            format!("{module} emitted {topic} {key} = {body}")
        }
        What::Cluster { command, details, .. } => format!("{command} {details}"),
    };
    format!("command {index}: {}", cut(&what))
}

/// Longest description of a change.
const CHANGE_CHARS_MAX: usize = 400;

fn cut(text: &str) -> String {
    match text.char_indices().nth(CHANGE_CHARS_MAX) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}
