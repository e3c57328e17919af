//! One subscription under way: reads, filters, sends, and waits for more.

use std::time::Duration;

use prost::Message;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::message::Filter;
use super::{blocking, failed};
use crate::machine::{ChangeCursor, EntryChanges, Machine};
use crate::proto::client::{Change, SubscribeResponse};
use crate::types::Lsn;

/// A client is told how far it is at least this often.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// A client that takes nothing for this long is left.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client that was further elsewhere waits for this frontend to come up to it.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two reads, so that a busy cluster is sent in a few messages and not one per entry.
const READ_INTERVAL: Duration = Duration::from_millis(5);
/// What one read takes.
const READ_ROWS: usize = 512;
const READ_BYTES: usize = 1 << 20;
/// A message of so many bytes is sent; one change may make it longer.
const MESSAGE_BYTES: usize = 256 << 10;

/// A subscription.
pub struct Feed {
    machine: Machine,
    applied: watch::Receiver<Lsn>,
    stop: CancellationToken,
    filter: Filter,
    cursor: ChangeCursor,
    messages: Sender<SubscribeResponse>,
    told: Instant,
}

/// Why a subscription ends: with a status for its client, or because that is gone.
type End = Option<Status>;

impl Feed {
    pub fn new(
        machine: Machine,
        stop: CancellationToken,
        filter: Filter,
        cursor: ChangeCursor,
        messages: Sender<SubscribeResponse>,
    ) -> Self {
        let applied = machine.subscribe();
        Self { machine, applied, stop, filter, cursor, messages, told: Instant::now() }
    }

    /// Runs until the client is gone, or gives the status that it ends with.
    pub async fn run(mut self) -> Option<Status> {
        match self.feed().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn feed(&mut self) -> Result<std::convert::Infallible, End> {
        self.tell(Vec::new(), self.cursor.complete()).await?;
        self.catch_up().await?;
        let mut next_read = Instant::now();
        loop {
            self.applied.borrow_and_update();
            if self.machine.lsn() < self.cursor.lsn {
                self.wait(None).await?;
                continue;
            }
            if Instant::now() < next_read {
                self.wait(Some(next_read)).await?;
                continue;
            }
            next_read = Instant::now() + READ_INTERVAL;
            let entries = self.read().await?;
            self.send(entries).await?;
        }
    }

    /// Waits for this frontend to be as far as the client was elsewhere.
    async fn catch_up(&mut self) -> Result<(), End> {
        let until = Instant::now() + CATCH_UP_TIMEOUT;
        let Some(wanted) = self.cursor.complete() else { return Ok(()) };
        while self.machine.lsn() < wanted {
            if Instant::now() >= until {
                let applied = self.machine.lsn();
                return Err(Some(Status::failed_precondition(format!(
                    "this frontend has applied LSN {applied} and did not come to {wanted} in \
                     {CATCH_UP_TIMEOUT:?}; ask another frontend"
                ))));
            }
            self.applied.borrow_and_update();
            if self.machine.lsn() < wanted {
                self.wait(Some(until)).await?;
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Vec<EntryChanges>, End> {
        let (view, mut cursor) = (self.machine.view(), self.cursor);
        let read = blocking(move || {
            let entries = view.changes(&mut cursor, READ_ROWS, READ_BYTES).map_err(failed)?;
            Ok((cursor, entries))
        });
        let (cursor, entries) = read.await.map_err(Some)?;
        self.cursor = cursor;
        Ok(entries)
    }

    /// Sends what is wanted of some entries.
    async fn send(&mut self, entries: Vec<EntryChanges>) -> Result<(), End> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let (lsn, more) = (entry.lsn, entry.more);
            // Of an entry that goes on, nothing but the entries before it is complete.
            let before = lsn.0.checked_sub(1).map(Lsn);
            let wanted: Vec<_> = self.filter.changes(entry).collect();
            for change in wanted {
                if bytes >= MESSAGE_BYTES {
                    self.tell(std::mem::take(&mut changes), before).await?;
                    bytes = 0;
                }
                bytes += change.encoded_len();
                changes.push(change);
            }
            if bytes >= MESSAGE_BYTES {
                let complete = if more { before } else { Some(lsn) };
                self.tell(std::mem::take(&mut changes), complete).await?;
                bytes = 0;
            }
        }
        if !changes.is_empty() || self.told.elapsed() >= HEARTBEAT {
            self.tell(changes, self.cursor.complete()).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, changes: Vec<Change>, complete: Option<Lsn>) -> Result<(), End> {
        let (cluster, generation) = self.machine.view().cluster().unwrap_or_default();
        let response = SubscribeResponse {
            changes,
            complete_lsn: complete.map(|lsn| lsn.0),
            applied_lsn: self.machine.lsn().0,
            cluster_id: cluster.0,
            generation: generation.0,
        };
        self.told = Instant::now();
        let sending = timeout(STALL_TIMEOUT, self.messages.send(response));
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Some(stopping())),
            sent = sending => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(None),
                Err(_) => Err(Some(Status::resource_exhausted(format!(
                    "nothing was taken from the subscription for {STALL_TIMEOUT:?}; go on after \
                     the last complete LSN"
                )))),
            },
        }
    }

    /// Waits for another entry or a point in time, and tells the client how far it is when it is
    /// time to.
    async fn wait(&mut self, until: Option<Instant>) -> Result<(), End> {
        let heartbeat = self.told + HEARTBEAT;
        let until = until.map_or(heartbeat, |until| until.min(heartbeat));
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Some(stopping())),
            () = self.messages.closed() => return Err(None),
            () = sleep_until(until) => {}
            changed = self.applied.changed() => {
                if changed.is_err() {
                    return Err(Some(stopping()));
                }
            }
        }
        if Instant::now() >= heartbeat {
            self.tell(Vec::new(), self.cursor.complete()).await?;
        }
        Ok(())
    }
}

fn stopping() -> Status {
    Status::unavailable("this frontend is stopping; go on at another")
}
