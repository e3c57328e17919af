//! Clients that write at a moderate rate, each to one frontend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::answers::{Answers, Seen};
use crate::endurance::client::Client;
use crate::endurance::history::{History, Verdict};
use crate::endurance::writer::{Writer, look};
use crate::{Frontend, eventually};

/// Between an answer and the client's next write: six clients then send some 300 a second, which
/// leaves two cores idle most of the time.
pub const PAUSE: Duration = Duration::from_millis(12);
/// Writes must go on within this time, whatever is done.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// Running clients.
pub struct Load {
    runtime: Runtime,
    answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
    pause: Duration,
    /// Position and gRPC address of each client's frontend, and the client.
    writers: Vec<(usize, String, JoinHandle<Result<History>>)>,
}

impl Load {
    /// Without clients yet; each will wait so long between an answer and its next write.
    ///
    /// # Errors
    /// When there are no threads for them.
    pub fn new(pause: Duration) -> Result<Self> {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build()?;
        let (answers, stop, writers) = (Arc::default(), Arc::default(), Vec::new());
        Ok(Self { runtime, answers, stop, pause, writers })
    }

    /// `each` clients for each of these frontends, with their positions.
    ///
    /// # Errors
    /// When there are no threads for them.
    pub fn start(frontends: &[(usize, &Frontend)], each: usize) -> Result<Self> {
        let mut load = Self::new(PAUSE)?;
        for (at, frontend) in frontends {
            load.add(*at, frontend, each);
        }
        Ok(load)
    }

    /// More clients, of the frontend at that position.
    pub fn add(&mut self, at: usize, frontend: &Frontend, count: usize) {
        for _ in 0..count {
            let (number, address) = (self.writers.len(), frontend.rpc());
            let writer = Writer::new(number, Client::new(vec![address.clone()], 0));
            let (answers, stop) = (Arc::clone(&self.answers), Arc::clone(&self.stop));
            let writing = write(writer, (number, at), answers, stop, self.pause);
            self.writers.push((at, address, self.runtime.spawn(writing)));
        }
    }

    /// What the clients of these frontends saw from one moment to another.
    pub fn seen(&self, frontends: &[usize], from: Instant, to: Instant) -> Seen {
        self.answers.seen(frontends, from, to)
    }

    /// Waits until each client of these frontends has had that many writes acknowledged after a
    /// moment, and gives the moment when it was so.
    ///
    /// # Panics
    /// When writes do not go on.
    pub fn wait(&self, frontends: &[usize], since: Instant, each: usize) -> Instant {
        let numbered = self.writers.iter().enumerate();
        let mine = numbered.filter(|(_, (at, ..))| frontends.contains(at));
        let mine: Vec<_> = mine.map(|(number, _)| number).collect();
        let what = format!("writes on the frontends {frontends:?} go on");
        eventually(&what, PROGRESS_LIMIT, || {
            let counts = self.answers.ok_since(since, &mine);
            counts.iter().all(|count| *count >= each).then(Instant::now)
        })
    }

    /// Stops the clients and judges all that they did; every frontend that has clients must run.
    ///
    /// # Errors
    /// When a client failed, or what it left cannot be read.
    pub fn judge(self) -> Result<Verdict> {
        self.stop.store(true, Ordering::Relaxed);
        let mut verdict = Verdict::default();
        for (number, (_, address, writer)) in self.writers.into_iter().enumerate() {
            let history = self.runtime.block_on(writer).context("a client panicked")??;
            let looking = look(number, Client::new(vec![address], 0));
            verdict = verdict.plus(history.judge(&self.runtime.block_on(looking)?));
        }
        Ok(verdict)
    }
}

async fn write(
    mut writer: Writer,
    (number, frontend): (usize, usize),
    answers: Arc<Answers>,
    stop: Arc<AtomicBool>,
    pause: Duration,
) -> Result<History> {
    let mut puts = true;
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let ended = if puts { writer.put().await? } else { writer.swap().await? };
        puts = !puts;
        if let Some(ended) = ended {
            answers.note(number, frontend, ended, sent.elapsed());
        }
        tokio::time::sleep(pause).await;
    }
    Ok(writer.into_history())
}
