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
//! Snapshots are neither taken nor installed in this version: the log is kept whole.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine, SnapshotMeta};
use openraft::{RaftSnapshotBuilder, Snapshot};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::apply::{Apply, ApplyError};
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
    entries: Vec<Entry>,
    done: oneshot::Sender<Result<Vec<BatchReply>, ApplyError>>,
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
}

enum Outlet {
    Thread(Sender<Run>),
    /// Locked by nobody: the lock makes it shareable, as openraft wants it.
    Inline(Mutex<Box<dyn Apply>>, watch::Sender<Stall>),
}

impl StateMachine {
    /// Starts the apply thread, if there is to be one. It ends when the state machine is dropped;
    /// then `stall` closes.
    pub fn start(apply: impl Apply, place: Place, stall: watch::Sender<Stall>) -> io::Result<Self> {
        let applied = apply.applied();
        if place == Place::Inline {
            return Ok(Self {
                applied,
                outlet: Outlet::Inline(Mutex::new(Box::new(apply)), stall),
            });
        }
        let (runs, queue) = channel();
        thread::Builder::new()
            .name("apply".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || apply_runs(apply, &queue, &stall))?;
        Ok(Self { applied, outlet: Outlet::Thread(runs) })
    }

    async fn run(&mut self, entries: Vec<Entry>) -> io::Result<Vec<BatchReply>> {
        let count = entries.len();
        let replies = match &mut self.outlet {
            Outlet::Inline(apply, stall) => {
                apply_here(&mut **apply.get_mut(), &entries, stall).await
            }
            Outlet::Thread(runs) => {
                let (done, replies) = oneshot::channel();
                runs.send(Run { entries, done }).map_err(|_| io::Error::other(THREAD_GONE))?;
                replies.await.map_err(|_| io::Error::other(THREAD_GONE))?
            }
        };
        let replies = replies.map_err(io::Error::other)?;
        if replies.len() != count {
            return Err(io::Error::other("apply committed entries: replies are missing"));
        }
        Ok(replies)
    }
}

const THREAD_GONE: &str = "apply committed entries: the apply thread ended";

async fn apply_here(
    apply: &mut dyn Apply,
    entries: &[Entry],
    stall: &watch::Sender<Stall>,
) -> Result<Vec<BatchReply>, ApplyError> {
    let mut pause = STALL_PAUSE.0;
    loop {
        if let Some(last) = entries.last() {
            let gate = apply.gate(last.log_id);
            gate.await?;
        }
        match apply.apply(entries) {
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
            match apply.apply(&run.entries) {
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
    type SnapshotData = ();
    type SnapshotBuilder = NoSnapshots;

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

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<NoSnapshots> {
        force.then_some(NoSnapshots)
    }

    async fn get_snapshot_builder(&mut self) -> NoSnapshots {
        NoSnapshots
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<LeaderId, NodeId, Peer>,
        _snapshot: (),
    ) -> io::Result<()> {
        Err(no_snapshots())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<Snapshot<LeaderId, NodeId, Peer, ()>>> {
        Ok(None)
    }
}

/// Stands where a snapshot builder will be: refuses with a clear error.
pub(super) struct NoSnapshots;

impl RaftSnapshotBuilder<TypeConfig> for NoSnapshots {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> io::Result<Snapshot<LeaderId, NodeId, Peer, ()>> {
        Err(no_snapshots())
    }
}

/// What asking for a snapshot gets.
pub(super) fn no_snapshots() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "snapshots are not supported in this version")
}
