//! A frontend whose state was put aside has it made anew. Its vote, its log and its identity stay,
//! so no promise that it made to the others is broken, and it is no new frontend to them.
//!
//! The new state comes of the frontend's own newest snapshot, or of the beginning of its log, if
//! that proves itself: applied again up to where the states were compared, it must have the digest
//! that a majority has. A digest covers everything before it, so then snapshot and log are right.
//! The next start makes the state of them.
//!
//! Otherwise the state must come of a backup that another frontend made. It becomes the state as of
//! the backup's snapshot; a log that ends before that begins after it, as if the snapshot had been
//! sent by the leader.
//!
//! Nothing is deleted: see [`Aside`].

use std::path::{Path, PathBuf};

use super::archive::{ArchiveManifest, read_archive};
use super::error::{RescueError, show};
use super::restore::write_state;
use super::stage::{Base, ReplayOptions, on_stage};
use super::survey::BLOCK_CACHE_BYTES;
use crate::machine::{Quarantine, Standing};
use crate::runtime::Fault;
use crate::storage::snapshots::stored;
use crate::storage::{
    Aside, DataDirectory, Generations, Identity, Log, LogOptions, RocksLogDevice, RocksState,
    RocksStateOptions, StateStore,
};
use crate::types::{LogId, Lsn, StateDigest};

/// What to rebuild.
#[derive(Debug, Clone, Default)]
pub struct RebuildOptions {
    /// The data directory, and how it is replayed to find out whether it is right.
    pub replay: ReplayOptions,
    /// A backup to make the state of, instead of what is in the directory.
    pub from: Option<PathBuf>,
}

/// A state that will be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// What it begins with.
    pub base: Base,
    /// Where what was in its place is.
    pub aside: PathBuf,
}

/// Puts a state aside that was found not to be the others', and sees to it that the next start has
/// another one.
///
/// # Errors
/// When that state is not put aside, nothing is there that a right one could be made of, or storage
/// fails. Run again, it goes on where it stopped.
pub fn rebuild(options: &RebuildOptions) -> Result<Rebuilt, RescueError> {
    let path = &options.replay.meta_dir;
    if !path.join("format").exists() {
        return Err(RescueError::NoDirectory(path.clone()));
    }
    let (quarantine, applied) = look(path)?;
    match &options.from {
        Some(file) => from_backup(path, file, &quarantine, applied),
        None => from_itself(&options.replay, &quarantine, applied),
    }
}

/// Why the state was put aside, and where it stands.
fn look(path: &Path) -> Result<(Quarantine, LogId), RescueError> {
    let directory = DataDirectory::open(path)?;
    let options = RocksStateOptions { block_cache_bytes: BLOCK_CACHE_BYTES };
    let state = Generations::open(&directory.state(), options)?;
    let Standing { quarantine, log_id, .. } = Standing::read(state.view())?;
    let found = quarantine.zip(log_id);
    found.ok_or_else(|| RescueError::NotAside(path.to_owned()))
}

fn from_itself(
    replay: &ReplayOptions,
    quarantine: &Quarantine,
    applied: LogId,
) -> Result<Rebuilt, RescueError> {
    let path = &replay.meta_dir;
    let unproven = |reason: String| RescueError::Unproven { path: path.clone(), reason };
    let Some((lsn, wanted)) = quarantine.agreed else {
        return Err(unproven("no majority has said what is right".to_owned()));
    };
    let (mut before, mut reasons) = (lsn.0 + 1, Vec::new());
    // Newer bases first. Each turn begins before the last one, so this ends.
    let base = loop {
        let (base, found) = match replay_to(replay, before, lsn) {
            Ok(replayed) => replayed,
            Err(error @ (RescueError::NotReached { .. } | RescueError::Base { .. })) => {
                reasons.push(error.to_string());
                return Err(unproven(reasons.join("; ")));
            }
            Err(error) => return Err(error),
        };
        if found == Ok(wanted) {
            break base;
        }
        let found = found.map_or_else(|reason| reason, |digest| format!("it comes to {digest}"));
        let begins = match &base {
            Base::Empty => "the beginning of its log".to_owned(),
            Base::Snapshot(last, _) => format!("its snapshot at LSN {}", last.index),
        };
        reasons.push(format!("from {begins} on, {found} at LSN {lsn}, a majority has {wanted}"));
        match base {
            Base::Snapshot(last, _) if last.index > 0 => before = last.index,
            _ => return Err(unproven(reasons.join("; "))),
        }
    };
    let directory = DataDirectory::open(path)?;
    let kept = match &base {
        Base::Empty => None,
        Base::Snapshot(last, _) => name_of(&directory, last)?,
    };
    let aside = Aside::begin(&directory, applied.index)?;
    let place = aside.place().to_owned();
    aside.commit(|name| Some(name) == kept.as_deref())?;
    Ok(Rebuilt { base, aside: place })
}

/// What the log comes to at an LSN, on a copy, with the newest base before LSN `before`; or why it
/// does not get there.
fn replay_to(
    options: &ReplayOptions,
    before: u64,
    lsn: Lsn,
) -> Result<(Base, Result<StateDigest, String>), RescueError> {
    on_stage(options, Some(before), |stage| {
        let (machine, mut applier) = stage.machine()?;
        let applied = stage.each_run(lsn.0, |entries| {
            if entries.is_empty() {
                return Ok(());
            }
            let durable = |_: &LogId| Ok::<(), Fault>(());
            applier.apply(entries, &durable).map(drop).map_err(RescueError::Apply)
        });
        let digest = match applied {
            Ok(()) if machine.lsn() == lsn => Ok(machine.view().digest()),
            Ok(()) => Err(format!("it ends with LSN {}", machine.lsn())),
            Err(RescueError::Apply(fault)) => Err(format!("it cannot be applied ({fault})")),
            Err(error) => return Err(error),
        };
        Ok((stage.base.clone(), digest))
    })
}

/// The name of the snapshot with this last entry.
fn name_of(directory: &DataDirectory, last: &LogId) -> Result<Option<String>, RescueError> {
    let (found, _) = stored(&directory.snapshots(), Some(last))?;
    let found = found.iter().find(|snapshot| snapshot.manifest().last == *last);
    let name = found.and_then(|snapshot| snapshot.folder()?.file_name()?.to_str());
    Ok(name.map(str::to_owned))
}

fn from_backup(
    path: &Path,
    file: &Path,
    quarantine: &Quarantine,
    applied: LogId,
) -> Result<Rebuilt, RescueError> {
    let manifest = read_archive(file)?;
    let unfit = |reason: String| RescueError::Unfit {
        file: file.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let directory = DataDirectory::open(path)?;
    let identity = directory.identity()?.ok_or_else(|| RescueError::NoCluster(path.to_owned()))?;
    let log = Log::open(
        RocksLogDevice::open(&directory.log(), &directory.fence())?,
        LogOptions::default(),
    )?;
    check_fit(&log, &identity, &manifest)?.map_err(unfit)?;
    let (last, digest) = (manifest.snapshot.last, manifest.snapshot.digest);

    let aside = Aside::begin(&directory, applied.index)?;
    let place = aside.place().to_owned();
    let folder = aside.prepare()?;
    write_state(file, &folder)?;
    check_state(&folder, &manifest, quarantine)?.map_err(unfit)?;
    aside.prepared()?;
    if log.positions().last.is_none_or(|own| own.index < last.index) {
        // All of it is in the state to come. As an installed snapshot does it.
        log.begin_durably(last)?;
        log.commit_durably(last)?;
    }
    log.close()?;
    aside.commit(|_| false)?;
    Ok(Rebuilt { base: Base::Snapshot(last, digest), aside: place })
}

/// Whether a backup continues to where a log is, or a log to where a backup is; else why not.
fn check_fit(
    log: &Log,
    identity: &Identity,
    manifest: &ArchiveManifest,
) -> Result<Result<(), String>, RescueError> {
    let Some((cluster, generation)) = manifest.snapshot.cluster else {
        return Ok(Err("it is of no cluster".to_owned()));
    };
    if (cluster, generation) != (identity.cluster, identity.generation) {
        return Ok(Err(format!("it is of cluster {cluster}, generation {generation}")));
    }
    let (last, positions) = (manifest.snapshot.last, log.positions());
    if let Some(purged) = positions.purged.filter(|purged| purged.index > last.index) {
        return Ok(Err(format!(
            "its snapshot ends with LSN {}, and the log begins after LSN {}; take a new snapshot \
             there with `quorate snapshot create`, and save again",
            last.index, purged.index
        )));
    }
    if positions.last.is_none_or(|own| own.index < last.index) {
        return Ok(Ok(()));
    }
    let own = log.id_at(last.index)?;
    if own != Some(last) {
        let (own, other) = (show(own), show(Some(last)));
        return Ok(Err(format!(
            "it has {other}, and the log {own}: drop this frontend, empty its meta_dir and add it \
             anew"
        )));
    }
    Ok(Ok(()))
}

/// Whether the state of a backup is what the backup says, and what a majority has; else why not.
fn check_state(
    folder: &Path,
    manifest: &ArchiveManifest,
    quarantine: &Quarantine,
) -> Result<Result<(), String>, RescueError> {
    let options = RocksStateOptions { block_cache_bytes: BLOCK_CACHE_BYTES };
    let state = RocksState::open(folder, options)?;
    let standing = Standing::read(state.view())?;
    let (last, wanted) = (manifest.snapshot.last, manifest.snapshot.digest);
    if standing.log_id != Some(last) || standing.digest != wanted {
        let (lsn, found) = (Lsn(last.index), standing.digest);
        return Err(RescueError::Digest { lsn, found, wanted });
    }
    if standing.quarantine.is_some() {
        return Ok(Err("its frontend had put its state aside too".to_owned()));
    }
    if let Some((lsn, wanted)) = quarantine.agreed
        && let Some(found) = standing.digest_at(lsn)?.filter(|found| *found != wanted)
    {
        return Ok(Err(format!("its digest at LSN {lsn} is {found}, a majority has {wanted}")));
    }
    drop(standing);
    state.flush()?;
    Ok(Ok(()))
}
