//! A cluster that lost its majority for good goes on from one survivor.
//!
//! The survivor must be the freshest there is: the one that an election among the directories would
//! have chosen. Its whole log is kept, committed or not, because an entry at its end may have been
//! acknowledged without this frontend having learnt that it was committed; keeping what was not
//! acknowledged is the lesser evil, and `drop_uncommitted` the other choice.
//!
//! What the directories not given hold is unknown. If one of them was in the majority that
//! acknowledged a write and the survivor was not, that write is lost; no tool can know.
//!
//! An observer can be the survivor. Its log is a beginning of the committed one, and log ids
//! compare with those of followers as in an election: whoever has an entry of a later leader has
//! all that was committed before. But it acknowledged nothing, so nothing speaks for its having the
//! newest entries: whatever was acknowledged after its last one is lost with the followers, and
//! that is said.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::{RescueError, show};
use super::generation::{Beginning, Begun, begin};
use super::survey::{Opened, Survey};
use crate::types::{BatchHeader, Frontend, FrontendKind, Lsn};

/// From what to recover.
#[derive(Debug, Clone, Default)]
pub struct RecoveryOptions {
    /// The survivor's data directory.
    pub meta_dir: PathBuf,
    /// Other directories that are left, to be sure that none of them is fresher.
    pub compare: Vec<PathBuf>,
    /// Where the survivor is reached, if not where it was.
    pub host: Option<String>,
    /// Its port for other frontends, if not the same.
    pub edit_log_port: Option<u16>,
    /// Whether to cut the log where it is known to be committed.
    pub drop_uncommitted: bool,
}

/// A recovery that could be made. Holds the locks of all directories.
pub struct Recovery {
    survivor: Opened,
    others: Vec<Opened>,
    frontend: Frontend,
    options: RecoveryOptions,
}

impl Recovery {
    /// Looks at all directories and checks that the survivor is the one to recover from. Changes
    /// nothing.
    ///
    /// # Errors
    /// What speaks against it. The surveys of the directories that could be opened come along.
    pub fn plan(options: RecoveryOptions) -> Result<Self, Box<(RescueError, Vec<Survey>)>> {
        let survivor = Opened::open(&options.meta_dir);
        let survivor = survivor.map_err(|error| Box::new((error, Vec::new())))?;
        let mut others = Vec::new();
        let mut checked = Ok(());
        for path in &options.compare {
            if same(path, &options.meta_dir) {
                checked = checked.and(Err(RescueError::Twice(path.clone())));
                continue;
            }
            match Opened::open(path) {
                Ok(opened) => others.push(opened),
                Err(error) => checked = checked.and(Err(error)),
            }
        }
        let checked = checked
            .and_then(|()| others.iter().try_for_each(|other| compare(&survivor, other)))
            .and_then(|()| address(&survivor, &options));
        match checked {
            Ok(frontend) => Ok(Self { survivor, others, frontend, options }),
            Err(error) => Err(Box::new((error, surveys(&survivor, &others)))),
        }
    }

    /// What was found, the survivor first.
    pub fn surveys(&self) -> Vec<Survey> {
        surveys(&self.survivor, &self.others)
    }

    /// Where the survivor will be reached.
    pub fn address(&self) -> String {
        self.frontend.address()
    }

    /// The last entry that the survivor was given, if it was an observer.
    pub fn observed(&self) -> Option<Lsn> {
        let Survey { kind, last, .. } = &self.survivor.survey;
        let observes = *kind == FrontendKind::Observer;
        observes.then(|| Lsn(last.map_or(0, |last| last.index)))
    }

    /// Entries at the end of the log that are not known to be committed: first and last LSN.
    pub fn uncommitted(&self) -> Option<(Lsn, Lsn)> {
        let Survey { committed, last, .. } = &self.survivor.survey;
        let next = committed.map_or(0, |id| id.index + 1);
        last.filter(|last| last.index >= next).map(|last| (Lsn(next), Lsn(last.index)))
    }

    /// Begins the new generation.
    ///
    /// # Errors
    /// When storage or a module fails. The same recovery, run again, goes on where it stopped.
    pub fn execute(self) -> Result<Begun, RescueError> {
        let observes = self.observed().is_some();
        let Self { survivor, others, frontend, options } = self;
        let term = surveys(&survivor, &others).iter().map(Survey::term).max().unwrap_or_default();
        let identity = survivor.survey.identity;
        let tail = if options.drop_uncommitted { "cut" } else { "kept" };
        let observer = if observes { ", an observer" } else { "" };
        let note = format!(
            "recovered from frontend {}{observer} of generation {}, whose log ended with {}; {} \
             other directories were compared; entries not known to be committed were {tail}",
            identity.node,
            identity.generation,
            show(survivor.survey.last),
            others.len()
        );
        let beginning = Beginning {
            frontend,
            term,
            cut: survivor.survey.committed.filter(|_| options.drop_uncommitted),
            digest: None,
            note,
            header: header(),
        };
        drop(others);
        begin(survivor.ground, (identity.cluster, identity.generation), beginning)
    }
}

/// This machine's clock and random bytes, as a leader stamps an entry.
pub(super) fn header() -> BatchHeader {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    BatchHeader { time_us, entropy: rand::random() }
}

fn surveys(survivor: &Opened, others: &[Opened]) -> Vec<Survey> {
    [survivor].into_iter().chain(others).map(|opened| opened.survey.clone()).collect()
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Refuses a survivor that another directory speaks against.
fn compare(survivor: &Opened, other: &Opened) -> Result<(), RescueError> {
    let (ours, theirs) = (&survivor.survey, &other.survey);
    let path = theirs.path.clone();
    if theirs.identity.cluster != ours.identity.cluster {
        let (found, wanted) = (theirs.identity.cluster, ours.identity.cluster);
        return Err(RescueError::OtherCluster { path, found, wanted });
    }
    if theirs.identity.generation != ours.identity.generation {
        let (found, wanted) = (theirs.identity.generation, ours.identity.generation);
        return Err(RescueError::OtherGeneration { path, found, wanted });
    }
    if theirs.last > ours.last {
        let (theirs, ours) = (show(theirs.last), show(ours.last));
        return Err(RescueError::Fresher { path, theirs, ours });
    }
    let lsn = Lsn(ours.applied.min(theirs.applied).map_or(0, |id| id.index));
    let digests = (survivor.standing.digest_at(lsn)?, other.standing.digest_at(lsn)?);
    if let (Some(one_digest), Some(other_digest)) = digests
        && one_digest != other_digest
    {
        let one = ours.path.clone();
        return Err(RescueError::Disagree { one, other: path, lsn, one_digest, other_digest });
    }
    Ok(())
}

/// Where the survivor is reached: where it was, unless told otherwise.
fn address(survivor: &Opened, options: &RecoveryOptions) -> Result<Frontend, RescueError> {
    let frontends = &survivor.standing.frontends;
    let identity = survivor.survey.identity;
    // The old id is gone from a state in which an attempt that was cut off has got far.
    let began = survivor.standing.cluster.is_some_and(|(_, state)| state > identity.generation);
    let known = if began { frontends.values().next() } else { frontends.get(&identity.node) };
    let host = options.host.clone().or_else(|| known.map(|known| known.host.clone()));
    let port = options.edit_log_port.or_else(|| known.map(|known| known.edit_log_port));
    let (Some(host), Some(port)) = (host, port) else { return Err(RescueError::NoAddress) };
    Ok(Frontend::new(FrontendKind::Follower, host, port))
}
