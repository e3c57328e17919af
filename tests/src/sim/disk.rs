//! The simulated disk of one host: what is on it, how quick it is, and what goes wrong with it.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quorate::machine::read_mark;
use quorate::storage::log::{
    Change, DeviceError, Kept, LogDevice, LogWriter, SimFault, SimLogDevice, Slot, Step,
};
use quorate::storage::snapshots::{Incoming, Manifest, MemorySnapshots, Snapshots, StoredSnapshot};
use quorate::storage::state::{MemoryState, StateError, StateStore, Writes};
use quorate::storage::{Identity, SnapshotError};
use quorate::types::{LogId, NodeId, View};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::mutation::Mutation;
use super::oracle::Oracle;

/// How a disk behaves for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// A write takes so many milliseconds.
    Takes(RangeInclusive<u64>),
    /// The next fsync fails.
    SyncFails,
    /// The next write finds no room.
    Full,
}

/// The file that says who a host's frontend is: durable when it is written.
pub type Passport = Arc<Mutex<Option<Identity>>>;
/// The file with the number that a joining frontend asks with.
pub type Entrant = Arc<Mutex<Option<u64>>>;
/// The file with the cluster's frontends and their addresses when this one joined.
pub type Acquaintances = Arc<Mutex<Vec<(NodeId, String)>>>;

/// A disk, which outlives the frontend on it.
pub struct Disk {
    /// Entries and votes.
    pub log: Arc<SimLogDevice>,
    /// The state.
    pub state: Arc<MemoryState>,
    /// Its snapshots.
    pub snapshots: Arc<MemorySnapshots>,
    /// Who the frontend on it is.
    pub passport: Passport,
    /// By what the cluster knows its requests to be taken in.
    pub entrant: Entrant,
    /// Whom it knows of before its state names them.
    pub members: Acquaintances,
    /// How it behaves.
    pub mood: Arc<Mutex<Mood>>,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        let state = Arc::new(MemoryState::new());
        Self {
            log: Arc::new(SimLogDevice::new()),
            snapshots: Arc::new(MemorySnapshots::new(Arc::clone(&state), read_mark)),
            state,
            passport: Arc::default(),
            entrant: Arc::default(),
            members: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Takes(0..=1))),
        }
    }

    /// From now on, that is who the frontend on it is.
    pub fn stamp(&self, identity: Identity) {
        *self.passport.lock() = Some(identity);
    }

    /// Who the frontend on it is, if it knows.
    pub fn identity(&self) -> Option<Identity> {
        *self.passport.lock()
    }

    /// The last LSN that the log's fence file vouches for.
    pub fn fenced(&self) -> Option<u64> {
        quorate::storage::log::fenced(&*self.log).map(|id| id.index)
    }

    /// The process or the machine ends. Of what was not synced, anything from nothing to all is
    /// there afterwards, never a later write without the earlier ones.
    pub fn crash(&self, context: &Context) {
        let unsynced = self.log.unsynced();
        let kept = context.dice.index(unsynced + 1);
        if kept < unsynced {
            context.count("crashes that lost log writes");
        }
        self.log.crash(kept);
        let unflushed = self.state.unflushed();
        self.state.crash(context.dice.index(unflushed + 1));
        self.snapshots.crash();
    }
}

/// The log's device of a running frontend: the disk, watched.
pub struct Watched {
    /// The disk below.
    pub log: Arc<SimLogDevice>,
    /// Whose it is.
    pub host: usize,
    /// The world.
    pub context: Arc<Context>,
    /// Sees what is written.
    pub oracle: Arc<Mutex<Oracle>>,
    /// Ends the process at once.
    pub crash: Arc<Notify>,
    /// How often a write ends the process, in millionths.
    pub crash_rate: Arc<AtomicU64>,
}

impl LogDevice for Watched {
    fn fence_location(&self) -> String {
        format!("fence of host {}", self.host)
    }

    fn location(&self) -> String {
        format!("log of host {}", self.host)
    }

    fn blocks(&self) -> bool {
        false
    }

    fn load(&self) -> Result<Kept, DeviceError> {
        self.log.load()
    }

    fn write(&self, changes: Vec<Change>, sync: bool) -> Result<(), DeviceError> {
        self.oracle.lock().wrote(self.host, &changes);
        let has = |wanted: fn(&Change) -> bool| changes.iter().any(wanted);
        let votes = has(|change| matches!(change, Change::Set { slot: Slot::Vote, .. }));
        let entries = has(|change| matches!(change, Change::Put { .. }));
        let mut sync = sync;
        if self.context.has(Mutation::VoteWithoutSync) && votes && !entries {
            sync = false;
        }
        if self.context.has(Mutation::AckBeforeSync) && entries {
            sync = false;
        }
        if sync && self.context.dice.chance(self.crash_rate.load(Ordering::Relaxed)) {
            // Written, not synced, and nobody is told.
            self.context.count("crashes in a write");
            self.log.fail(SimFault::Sync);
            self.crash.notify_one();
        }
        self.log.write(changes, sync)
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, DeviceError> {
        self.log.read(range, bytes_max)
    }

    fn read_fence(&self) -> Result<Vec<u8>, DeviceError> {
        self.log.read_fence()
    }

    fn write_fence(&self, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.log.write_fence(offset, bytes)
    }
}

/// Drives the log's writer as the disk allows, until the log is closed.
pub async fn drive(
    mut writer: LogWriter,
    log: Arc<SimLogDevice>,
    mood: Arc<Mutex<Mood>>,
    context: Arc<Context>,
) {
    loop {
        let now = mood.lock().clone();
        let pause = match now {
            Mood::Takes(ms) => context.dice.within(&ms),
            Mood::SyncFails => {
                log.fail(SimFault::Sync);
                0
            }
            Mood::Full => {
                log.fail(SimFault::Full);
                0
            }
        };
        sleep(Duration::from_millis(pause.max(1))).await;
        loop {
            match writer.step(Instant::now().into_std()) {
                Step::Wrote if pause <= 1 => {}
                Step::Wrote | Step::Idle => break,
                Step::Ended => return,
            }
        }
    }
}

/// The state of a running frontend: the disk, and the defect that loses rows.
pub struct WatchedState {
    /// The disk below.
    pub state: Arc<MemoryState>,
    /// The world.
    pub context: Arc<Context>,
}

/// First byte of the rows that remember requests.
const REQUESTS: u8 = 0x05;
/// The rows that say which module is active, and how far its migration is.
const ACTIVE: &[u8] = &[0x03, 1];
const MIGRATION: &[u8] = &[0x03, 3];
/// The rows of what entries changed.
const CHANGES: &[u8] = &[0x0c, 1];

impl StateStore for WatchedState {
    fn view(&self) -> Arc<dyn View> {
        self.state.view()
    }

    fn commit(&self, mut writes: Writes) -> Result<(), StateError> {
        if self.context.has(Mutation::LostOutcome) && self.context.dice.chance(700_000) {
            writes.retain(|key, value| value.is_none() || key.first() != Some(&REQUESTS));
        }
        for (mutation, row) in [(Mutation::LostActivation, ACTIVE), (Mutation::LostStep, MIGRATION)]
        {
            if self.context.has(mutation) && self.context.dice.chance(700_000) {
                writes.retain(|key, _| key != row);
            }
        }
        if self.context.has(Mutation::LostChanges) && self.context.dice.chance(10_000) {
            writes.retain(|key, _| !key.starts_with(CHANGES));
        }
        self.state.commit(writes)?;
        // Now and then RocksDB writes its memory out by itself.
        if self.context.dice.chance(2_000) {
            self.state.flush()?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StateError> {
        self.state.flush()
    }

    fn checkpoint(&self, dir: &std::path::Path) -> Result<(), StateError> {
        self.state.checkpoint(dir)
    }
}

/// How often an installation of a snapshot ends the process, before it or after, in millionths.
const INSTALL_CRASH_RATE: u64 = 200_000;

/// The snapshots of a running frontend: the disk, watched.
pub struct WatchedSnapshots {
    /// The disk below.
    pub snapshots: Arc<MemorySnapshots>,
    /// The state that is installed to.
    pub state: Arc<MemoryState>,
    /// The world.
    pub context: Arc<Context>,
    /// Ends the process at once.
    pub crash: Arc<Notify>,
}

impl WatchedSnapshots {
    /// The last entry in the newest one.
    pub fn last(&self) -> Option<LogId> {
        self.newest().map(|newest| newest.manifest().last)
    }

    fn end(&self) -> SnapshotError {
        self.crash.notify_one();
        SnapshotError::Refused("simulated crash".to_owned())
    }

    /// The defect: pair by pair instead of all at once, and the process ends half-way.
    fn install_half(&self, received: &dyn StoredSnapshot) -> Result<(), SnapshotError> {
        let mut image = Vec::new();
        loop {
            let chunk = received.read(0, image.len() as u64)?;
            if chunk.is_empty() {
                break;
            }
            image.extend_from_slice(&chunk);
        }
        let whole = quorate::types::Range { low: &[], high: &[0xff], reverse: false };
        let new = MemoryState::open_image(&image.into())?;
        let pairs = new.view().scan(whole, usize::MAX, usize::MAX)?.pairs;
        let half = pairs.len() / 2;
        let writes = pairs.into_iter().take(half).map(|(key, value)| (key, Some(value)));
        self.state.commit(writes.collect())?;
        self.state.flush()?;
        Err(self.end())
    }
}

impl Snapshots for WatchedSnapshots {
    fn blocks(&self) -> bool {
        false
    }

    fn build(&self, created_us: u64) -> Result<Arc<dyn StoredSnapshot>, SnapshotError> {
        self.context.count("snapshots built");
        self.snapshots.build(created_us)
    }

    fn newest(&self) -> Option<Arc<dyn StoredSnapshot>> {
        self.snapshots.newest()
    }

    fn receive(&self, manifest: Manifest) -> Result<Box<dyn Incoming>, SnapshotError> {
        self.context.count("snapshot transfers begun");
        let mut manifest = manifest;
        if self.context.has(Mutation::StaleMembership) {
            manifest.membership = read_mark(&*self.state.view())?.membership;
        }
        self.snapshots.receive(manifest)
    }

    fn install(&self, received: &dyn StoredSnapshot) -> Result<(), SnapshotError> {
        if self.context.has(Mutation::HalfInstall) {
            return self.install_half(received);
        }
        let ends = self.context.dice.chance(INSTALL_CRASH_RATE);
        let before = self.context.dice.chance(500_000);
        if ends && before {
            self.context.count("crashes before an installation");
            return Err(self.end());
        }
        self.snapshots.install(received)?;
        self.context.count("snapshots installed");
        if ends {
            self.context.count("crashes after an installation");
            return Err(self.end());
        }
        Ok(())
    }
}
