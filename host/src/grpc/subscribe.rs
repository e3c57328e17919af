//! Subscriptions: what committed entries change, as a stream.
//!
//! A subscription is a task that reads what this frontend has recorded of the entries that it has
//! applied, and so only what is committed and durable. It holds no more of it than a few messages:
//! one that is slower than its cluster reads from disk, one that takes nothing is ended.

mod feed;
mod message;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::machine::{CHANGE_FEED, ChangeCursor, ChangesError, Machine, MachineView};
use crate::proto::client::{SubscribeRequest, SubscribeResponse, subscribe_request};
use crate::types::{ClusterId, Generation, Lsn};

use feed::Feed;
use message::Filter;

/// Subscriptions of one frontend; more are refused.
const SUBSCRIPTIONS_MAX: usize = 64;
/// Messages that wait for a client; more are not read yet.
const MESSAGES_MAX: usize = 4;
/// Entries that a recovery writes before the generation begins, and that one itself.
const RECOVERY_ENTRIES: u64 = 2;

/// The subscriptions of a frontend.
pub struct Subscriptions {
    machine: Machine,
    free: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Subscriptions {
    pub fn new(machine: Machine, stop: CancellationToken) -> Self {
        Self { machine, free: Arc::new(Semaphore::new(SUBSCRIPTIONS_MAX)), stop }
    }

    /// Begins one.
    pub async fn begin(&self, request: SubscribeRequest) -> Result<Stream, Status> {
        let filter = Filter::new(&request)?;
        self.machine.usable().map_err(|failure| super::status(&failure))?;
        let place = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "this frontend has {SUBSCRIPTIONS_MAX} subscriptions, the most it takes; ask another"
            ))
        })?;
        let view = self.machine.view();
        let cursor = blocking(move || start(&view, &request)).await?;
        let (messages, receiver) = mpsc::channel(MESSAGES_MAX);
        let (ended, end) = oneshot::channel();
        let (machine, stop) = (self.machine.clone(), self.stop.clone());
        tokio::spawn(async move {
            let status = Feed::new(machine, stop, filter, cursor, messages).run().await;
            if let Some(status) = status {
                // The client may be gone.
                let _ = ended.send(status);
            }
            drop(place);
        });
        Ok(Stream { messages: receiver, end: Some(end) })
    }
}

/// The first entry wanted, if this frontend can begin there.
fn start(view: &MachineView, request: &SubscribeRequest) -> Result<ChangeCursor, Status> {
    if !view.records_changes() {
        return Err(failed(ChangesError::Off));
    }
    let kept = view.first_changes().map_err(|error| failed(error.into()))?;
    let wanted = match request.start {
        None | Some(subscribe_request::Start::FromNow(_)) => Lsn(view.lsn().0 + 1),
        Some(subscribe_request::Start::FromOldest(_)) => kept,
        Some(subscribe_request::Start::AfterLsn(after)) => {
            check_history(view, Lsn(after), request)?;
            Lsn(after.saturating_add(1))
        }
    };
    if wanted < kept {
        return Err(failed(ChangesError::Gone { wanted, first: kept }));
    }
    Ok(ChangeCursor::at(wanted))
}

/// That the client's LSN is one of this history.
fn check_history(view: &MachineView, after: Lsn, request: &SubscribeRequest) -> Result<(), Status> {
    let own = view.cluster().map_or(ClusterId(0), |(cluster, _)| cluster);
    if request.cluster_id != 0 && request.cluster_id != own.0 {
        let message = format!("this is cluster {own}, not {}", request.cluster_id);
        return Err(Status::failed_precondition(message));
    }
    if request.generation == 0 {
        return Ok(());
    }
    let recoveries = view.recoveries().map_err(|error| failed(error.into()))?;
    let cut = recoveries.iter().find(|recovery| {
        recovery.generation > Generation(request.generation)
            && after.0.saturating_add(RECOVERY_ENTRIES) > recovery.lsn.0
    });
    match cut {
        None => Ok(()),
        Some(recovery) => Err(Status::failed_precondition(format!(
            "generation {} of the cluster began at LSN {}: what generation {} had up to LSN {after} \
             is not part of it; read the state anew and subscribe from there",
            recovery.generation, recovery.lsn, request.generation
        ))),
    }
}

/// The status of what could not be read.
fn failed(error: ChangesError) -> Status {
    match error {
        ChangesError::Gone { first, .. } => {
            let after = first.0.saturating_sub(1);
            Status::out_of_range(format!(
                "{error}; read the state anew and subscribe after LSN {after} or later, or ask \
                 another frontend"
            ))
        }
        ChangesError::Off => Status::failed_precondition(format!(
            "{error}; turn it on with ADMIN SET FRONTEND CONFIG (\"{CHANGE_FEED}\" = \"true\")"
        )),
        ChangesError::View(error) => Status::data_loss(error.to_string()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => {
            Err(Status::internal("the subscription hit a defect of this frontend"))
        }
        Err(_) => Err(Status::unavailable("this frontend is shutting down")),
    }
}

/// The messages of a subscription, then why it ended. The reason waits beside the messages, so a
/// client that let them fill up is told too.
pub struct Stream {
    messages: mpsc::Receiver<SubscribeResponse>,
    end: Option<oneshot::Receiver<Status>>,
}

impl futures_util::Stream for Stream {
    type Item = Result<SubscribeResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let status = ready!(Pin::new(end).poll(cx));
        self.end = None;
        let status = status.unwrap_or_else(|_| Status::unavailable("the subscription was cut off"));
        Poll::Ready(Some(Err(status)))
    }
}

#[cfg(test)]
mod tests;
