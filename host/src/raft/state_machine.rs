//! openraft's view of the state machine: entries go to one apply thread in runs, replies come back.
//!
//! A run is all that is committed, up to a limit; it costs one wake-up of the thread and one of the
//! task that waits for it. The thread is an ordinary one with a large stack, because applying runs
//! WebAssembly and waits for disk. A simulation has no threads: there a run is applied where it is
//! awaited ([`Place`]).
//!
//! A fault that may pass stalls the run: the thread tries it again with growing pauses, says why in
//! [`Stall`], and the frontend votes on but does not lead. A fault that cannot pass goes to
//! openraft, which stops the frontend.
//!
//! A snapshot is installed between two runs, behind a barrier in the log, and then read anew by
//! what applies.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::RaftSnapshotBuilder;
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine, SnapshotMeta};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::apply::{Apply, ApplyError, LogBarrier};
use super::snapshot::{Handle, Snapshot, blocking, described};
use crate::storage::Snapshots;
use crate::types::{
    BatchReply, Entry, EntryPayload, LeaderId, LogId, NodeId, Peer, StoredMembership, TypeConfig,
};

/// Most entries in a run; more wait for the next one.
const RUN_ENTRIES_MAX: usize = 1024;
/// Most bytes of commands in a run, unless one entry alone is larger.
const RUN_BYTES_MAX: usize = 4 << 20;
/// Stack of the apply thread: a module may use 1 MiB of it, the host the rest.
const STACK_BYTES: usize = 16 << 20;
/// First and longest pause of a stalled run. Between them it doubles.
const STALL_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Why applying is stalled; `None` when it is not.
pub(super) type Stall = Option<String>;

struct Run {
    work: Work,
    done: oneshot::Sender<Result<Vec<BatchReply>, ApplyError>>,
}

/// What is done at once.
enum Work {
    Apply(Vec<Entry>),
    /// A snapshot took the state's place.
    Reload,
}

impl Work {
    fn run(&self, apply: &mut dyn Apply) -> Result<Vec<BatchReply>, ApplyError> {
        match self {
            Self::Apply(entries) => apply.apply(entries),
            Self::Reload => apply.reload().map(|()| Vec::new()),
        }
    }
}

/// Where entries are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On a thread of its own, which may block.
    Thread,
    /// Where they are awaited, once [`Apply::gate`] lets them; nothing may block.
    Inline,
}

/// Hands committed entries to what applies them.
pub(super) struct StateMachine {
    applied: (Option<LogId>, StoredMembership),
    outlet: Outlet,
    barrier: LogBarrier,
    snapshots: Arc<dyn Snapshots>,
}

enum Outlet {
    Thread(Sender<Run>),
    /// Locked by nobody: the lock makes it shareable, as openraft wants it.
    Inline(Mutex<Box<dyn Apply>>, watch::Sender<Stall>),
}

impl StateMachine {
    /// Starts the apply thread, if there is to be one. It ends when the state machine is dropped;
    /// then `stall` closes.
    pub fn start(
        apply: impl Apply,
        place: Place,
        stall: watch::Sender<Stall>,
        snapshots: Arc<dyn Snapshots>,
    ) -> io::Result<Self> {
        let (applied, barrier) = (apply.applied(), apply.barrier());
        if place == Place::Inline {
            let outlet = Outlet::Inline(Mutex::new(Box::new(apply)), stall);
            return Ok(Self { applied, outlet, barrier, snapshots });
        }
        let (runs, queue) = channel();
        thread::Builder::new()
            .name("apply".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || apply_runs(apply, &queue, &stall))?;
        Ok(Self { applied, outlet: Outlet::Thread(runs), barrier, snapshots })
    }

    async fn run(&mut self, entries: Vec<Entry>) -> io::Result<Vec<BatchReply>> {
        let count = entries.len();
        let replies = self.work(Work::Apply(entries)).await?;
        if replies.len() != count {
            return Err(io::Error::other("apply committed entries: replies are missing"));
        }
        Ok(replies)
    }

    async fn reload(&mut self) -> io::Result<()> {
        self.work(Work::Reload).await.map(drop)
    }

    async fn work(&mut self, work: Work) -> io::Result<Vec<BatchReply>> {
        let replies = match &mut self.outlet {
            Outlet::Inline(apply, stall) => work_here(&mut **apply.get_mut(), &work, stall).await,
            Outlet::Thread(runs) => {
                let (done, replies) = oneshot::channel();
                runs.send(Run { work, done }).map_err(|_| io::Error::other(THREAD_GONE))?;
                replies.await.map_err(|_| io::Error::other(THREAD_GONE))?
            }
        };
        replies.map_err(io::Error::other)
    }
}

const THREAD_GONE: &str = "apply committed entries: the apply thread ended";

async fn work_here(
    apply: &mut dyn Apply,
    work: &Work,
    stall: &watch::Sender<Stall>,
) -> Result<Vec<BatchReply>, ApplyError> {
    let mut pause = STALL_PAUSE.0;
    loop {
        if let Work::Apply(entries) = work
            && let Some(last) = entries.last()
        {
            let gate = apply.gate(last.log_id);
            gate.await?;
        }
        match work.run(apply) {
            Err(error) if error.retryable => {
                stall.send_replace(Some(error.message));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(STALL_PAUSE.1);
            }
            result => {
                stall.send_if_modified(|reason| reason.take().is_some());
                return result;
            }
        }
    }
}

fn apply_runs(mut apply: impl Apply, queue: &Receiver<Run>, stall: &watch::Sender<Stall>) {
    while let Ok(run) = queue.recv() {
        let mut pause = STALL_PAUSE.0;
        let result = loop {
            match run.work.run(&mut apply) {
                Err(error) if error.retryable => {
                    tracing::error!(%error, "applying is stalled");
                    stall.send_replace(Some(error.message));
                    // openraft waits for this run, so nothing arrives but the end of the queue.
                    if matches!(queue.recv_timeout(pause), Err(RecvTimeoutError::Disconnected)) {
                        return;
                    }
                    pause = (pause * 2).min(STALL_PAUSE.1);
                }
                result => break result,
            }
        };
        stall.send_if_modified(|reason| reason.take().is_some());
        // A receiver that is gone was stopped and needs no reply.
        let _ = run.done.send(result);
    }
}

fn size(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(batch) => batch.0.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Handle;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok(self.applied.clone())
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        let mut more = true;
        while more {
            let mut run = Vec::new();
            let mut responders: Vec<Option<ApplyResponder<TypeConfig>>> = Vec::new();
            let mut bytes = 0;
            while run.len() < RUN_ENTRIES_MAX && bytes < RUN_BYTES_MAX {
                let Some(item) = entries.next().await else {
                    more = false;
                    break;
                };
                let (entry, responder) = item?;
                bytes += size(&entry);
                run.push(entry);
                responders.push(responder);
            }
            if run.is_empty() {
                break;
            }
            let replies = self.run(run).await?;
            for (responder, reply) in responders.into_iter().zip(replies) {
                if let Some(responder) = responder {
                    responder.send(reply);
                }
            }
        }
        Ok(())
    }

    /// Nothing to do while it runs: a snapshot is made by [`Node`](super::Node) and is there when
    /// openraft is told to look for it.
    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder> {
        let is_there = force || self.snapshots.newest().is_some();
        is_there.then(|| Builder(Arc::clone(&self.snapshots)))
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder(Arc::clone(&self.snapshots))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<LeaderId, NodeId, Peer>,
        snapshot: Handle,
    ) -> io::Result<()> {
        (self.barrier)().await.map_err(io::Error::other)?;
        blocking(&self.snapshots, move |snapshots| snapshots.install(&*snapshot)).await?;
        self.reload().await?;
        self.applied = (meta.last_log_id, meta.last_membership.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        Ok(self.snapshots.newest().map(described))
    }
}

/// Gives openraft the newest snapshot. Only at a start that finds none does it make one.
pub(super) struct Builder(Arc<dyn Snapshots>);

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Handle;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        if let Some(newest) = self.0.newest() {
            return Ok(described(newest));
        }
        Ok(described(blocking(&self.0, |snapshots| snapshots.build(0)).await?))
    }
}
