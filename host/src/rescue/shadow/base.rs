//! What a shadow run begins with: a state that is some way behind, and where to compare from.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::run::Replay;
use super::{Bounds, Parts, ShadowError};
use crate::machine::{Active, Applier, Machine, MachineView, read_mark};
use crate::rescue::RescueError;
use crate::runtime::Runtime;
use crate::storage::snapshots::{StoredSnapshot, unfold};
use crate::storage::{RocksState, RocksStateOptions, StateStore};
use crate::types::Lsn;

/// For reading a copy.
pub(super) const OPTIONS: RocksStateOptions = RocksStateOptions { block_cache_bytes: 16 << 20 };
/// How long entries are applied that come before those that are compared.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(30);

/// A copy of a state of the past, with the machine over it.
pub struct Base {
    /// What it was made of, for people.
    pub name: String,
    pub state: Arc<RocksState>,
    pub machine: Machine,
    pub applier: Applier,
    /// The first LSN to compare; after the last one, if there is nothing.
    pub first: u64,
    /// Why it is not what was asked for.
    pub remark: Option<String>,
}

impl Base {
    /// Lays it in `place`, and applies what comes before the entries that are to be compared.
    pub fn lay(
        parts: &Parts,
        view: &MachineView,
        active: &Active,
        (place, runtime): (&Path, &Runtime),
        (entries, bounds): (u64, &Bounds),
        replay: &mut Replay<'_>,
    ) -> Result<Self, ShadowError> {
        let next = view.lsn().0 + 1;
        let mut wanted = next.saturating_sub(entries).max(active.since.0 + 1);
        let purged = parts.log.positions().purged.map_or(0, |purged| purged.index + 1);
        let usable = |snapshot: &Arc<dyn StoredSnapshot>| {
            let last = snapshot.manifest().last.index;
            last + 1 >= purged && last < next && snapshot.folder().is_some()
        };
        let newest = parts.snapshots.newest().filter(usable);
        let manifest = newest.as_ref().map(|snapshot| snapshot.manifest().clone());
        let (name, begin) = match newest {
            Some(snapshot) => {
                unfold(&*snapshot, place)?;
                let last = snapshot.manifest().last.index;
                (format!("the snapshot of LSN {last}"), last + 1)
            }
            None if purged == 0 => ("the beginning of the log".to_owned(), 0),
            None => return Self::present(parts, place, runtime, None),
        };
        let (state, machine, mut applier) = open(place, runtime)?;
        if let Some(manifest) = &manifest {
            let mark = read_mark(&*state.view())?;
            if mark.last != Some(manifest.last) || mark.digest != manifest.digest {
                let (lsn, found, wanted) = (Lsn(manifest.last.index), mark.digest, manifest.digest);
                return Err(RescueError::Base { lsn, found, wanted }.into());
            }
            replay.compare_digest(&machine.view(), machine.lsn())?;
        }
        wanted = wanted.max(begin);
        let until = Instant::now() + CATCH_UP_TIME_MAX;
        let mut remark = None;
        replay.each_run(begin..wanted, |replay, run| {
            bounds.check()?;
            let replies = applier.apply(run, &|_| Ok(())).map_err(RescueError::Apply)?;
            drop(replies);
            replay.compare_digests(&machine, run)?;
            Ok(Instant::now() < until)
        })?;
        let first = if begin == wanted { begin } else { machine.lsn().0 + 1 };
        if first < wanted {
            let limit = CATCH_UP_TIME_MAX.as_secs();
            remark = Some(format!(
                "applying what comes before the newest entries took longer than {limit} s; older \
                 ones are compared, from LSN {first} on"
            ));
        }
        let under_way = machine.view().migration().is_some() && view.migration().is_none();
        if first <= active.since.0 || (under_way && first < next) {
            drop((applier, machine, state));
            let remark = if under_way {
                "a migration was under way in what could be replayed"
            } else {
                "the activation of the active module could not be reached in time"
            };
            let other = place.with_extension("present");
            return Self::present(parts, &other, runtime, Some(remark.to_owned()));
        }
        Ok(Self { name, state, machine, applier, first, remark })
    }

    /// The present state, after which nothing is to be replayed.
    pub fn present(
        parts: &Parts,
        place: &Path,
        runtime: &Runtime,
        remark: Option<String>,
    ) -> Result<Self, ShadowError> {
        parts.machine.checkpoint(place)?;
        let (state, machine, applier) = open(place, runtime)?;
        let lsn = machine.lsn();
        let (name, first) = (format!("the state at LSN {lsn}"), lsn.0 + 1);
        Ok(Self { name, state, machine, applier, first, remark })
    }

    /// The LSN that it shows.
    pub fn lsn(&self) -> Lsn {
        self.machine.lsn()
    }
}

/// Opens a copy.
fn open(
    place: &Path,
    runtime: &Runtime,
) -> Result<(Arc<RocksState>, Machine, Applier), ShadowError> {
    let state = Arc::new(RocksState::open(place, OPTIONS)?);
    let opened = Machine::open(Arc::clone(&state) as _, runtime.clone());
    let (machine, applier) = opened.map_err(RescueError::from)?;
    Ok((state, machine, applier))
}
