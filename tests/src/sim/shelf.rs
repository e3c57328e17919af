//! What the program on a host can run: the engine epochs that its release knows, and the versions of
//! the module whose artefacts it finds there.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use quorate::runtime::{Fault, Runtime};
use quorate::types::{Epoch, Epochs, ModuleDigest};

use super::release::Release;

/// The epoch that only the newer release of the program knows.
pub const NEWER: Epoch = Epoch(2);

/// Of one host. It outlives the processes on it.
#[derive(Default)]
pub struct Shelf(Mutex<State>);

#[derive(Default)]
struct State {
    /// A version that cannot be run, and until when.
    lost: Option<(Release, u64)>,
    /// Whether the newer release of the program is installed.
    is_newer: bool,
    /// What the process that runs can run, once one has begun.
    process: Option<Process>,
}

struct Process {
    epochs: Epochs,
    /// What it took from here. It may keep that, whatever is lost afterwards.
    taken: BTreeSet<ModuleDigest>,
}

impl Shelf {
    /// A process begins: what it runs modules with.
    pub fn begin(self: &Arc<Self>) -> Runtime {
        let mut state = self.0.lock();
        let newest = if state.is_newer { NEWER } else { Epoch::FIRST };
        let epochs = Epochs { oldest: Epoch::FIRST, newest };
        state.process = Some(Process { epochs, taken: BTreeSet::new() });
        Release::runtime(self).in_epochs(epochs)
    }

    /// A process asks for a version.
    ///
    /// # Errors
    /// When it is not there.
    pub fn take(&self, release: Release) -> Result<(), Fault> {
        let mut state = self.0.lock();
        if state.lost.is_some_and(|(lost, _)| lost == release) {
            let name = release.name();
            return Err(Fault(format!("simulated: nothing is here that runs {name}")));
        }
        if let Some(process) = &mut state.process {
            process.taken.insert(release.digest());
        }
        Ok(())
    }

    /// Whether the process that runs may run a module in an epoch: it got it from here, and its
    /// program knows the epoch. Also when none has begun.
    pub fn provides(&self, digest: ModuleDigest, epoch: Epoch) -> bool {
        let state = self.0.lock();
        state
            .process
            .as_ref()
            .is_none_or(|process| process.epochs.contain(epoch) && process.taken.contains(&digest))
    }

    /// A version is lost until some time, if nothing is lost yet.
    pub fn lose(&self, release: Release, until: u64) -> bool {
        let lost = &mut self.0.lock().lost;
        let whole = lost.is_none();
        lost.get_or_insert((release, until));
        whole
    }

    /// What is lost.
    pub fn lost(&self) -> Option<Release> {
        self.0.lock().lost.map(|(release, _)| release)
    }

    /// What was lost until now is there again. Tells which version.
    pub fn restore(&self, now: u64) -> Option<Release> {
        let lost = &mut self.0.lock().lost;
        lost.take_if(|(_, until)| *until <= now).map(|(release, _)| release)
    }

    /// Whether the newer release of the program is installed.
    pub fn is_newer(&self) -> bool {
        self.0.lock().is_newer
    }

    /// Installs the newer release of the program, or the older one, for the next process.
    pub fn install(&self, newer: bool) {
        self.0.lock().is_newer = newer;
    }

    /// What the process that runs can run.
    pub fn epochs(&self) -> Epochs {
        self.0.lock().process.as_ref().map_or(Epochs::FIRST, |process| process.epochs)
    }
}
