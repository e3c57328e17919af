//! Clients: each asks one thing after the other, of this frontend or that one, and writes down what
//! it was told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv::{Request, Response};
use parking_lot::Mutex;
use quorate::types::Lsn;
use quorate_wire::Failure;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::context::Context;
use super::frontend::{Asked, Connection, Running, Statement};
use super::history::{Answer, History, Operation, Question};
use super::level::Level;
use super::model::response;

/// Statements end after so many seconds.
const QUERY_TIMEOUT_S: std::ops::RangeInclusive<u64> = 1..=4;
/// A client gives up its connection when nothing came for so long.
const PATIENCE: Duration = Duration::from_secs(6);

/// The frontends that can be connected to at this moment.
pub type Doors = Arc<Mutex<Vec<Option<Running>>>>;

/// One client.
pub struct Client {
    /// Its number.
    pub id: u64,
    /// The world.
    pub context: Arc<Context>,
    /// Where to connect.
    pub doors: Doors,
    /// What it writes down.
    pub history: Arc<Mutex<History>>,
    /// Whether it reads at all levels, and carries its token from one frontend to the next.
    pub travels: bool,
    /// How many keys there are.
    pub keys: u64,
    /// Pause between two questions, in milliseconds.
    pub think_ms: std::ops::RangeInclusive<u64>,
}

impl Client {
    /// Asks until told to stop.
    pub async fn run(self, stop: Arc<std::sync::atomic::AtomicBool>) {
        let dice = &self.context.dice;
        let mut written = 0;
        let mut known: Option<Bytes> = None;
        let mut newest = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let carried = if self.travels && dice.chance(600_000) { newest } else { 0 };
            let Some((host, connection, level)) = self.connect(carried).await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            // The least that the session must show: a token carried from another frontend, or none.
            let mut token = carried;
            for _ in 0..dice.within(&(1..=30)) {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                sleep(Duration::from_millis(dice.within(&self.think_ms))).await;
                let key = Bytes::from(format!("k{}", dice.below(self.keys)));
                written += 1;
                let value = Bytes::from(format!("{}-{written}", self.id));
                let question = match dice.below(10) {
                    0..=3 => Question::Put { key, value },
                    4..=5 => Question::Swap { key, old: known.clone(), new: value },
                    6 => Question::Delete { key },
                    _ => Question::Get { key, level },
                };
                let operation = self.ask(host, &connection, question, token).await;
                if let Answer::Read { value: Some((value, _)), .. } = &operation.answer {
                    known = Some(value.clone());
                }
                let lost = matches!(operation.answer, Answer::Lost);
                if let Some(lsn) = operation.answer.lsn() {
                    token = token.max(lsn.0);
                    newest = newest.max(lsn.0);
                }
                self.history.lock().add(operation);
                if lost {
                    break;
                }
            }
        }
    }

    async fn connect(&self, carried: u64) -> Option<(usize, Connection, Level)> {
        let dice = &self.context.dice;
        let open: Vec<_> = {
            let doors = self.doors.lock();
            let open = doors.iter().enumerate();
            open.filter_map(|(host, door)| Some((host, door.clone()?))).collect()
        };
        if open.is_empty() {
            return None;
        }
        let (host, running) = dice.pick(&open);
        let connection = running.connect()?;
        let level = Level::choose(dice, self.travels);
        let timeout_s = dice.within(&QUERY_TIMEOUT_S);
        let mut settings = level.settings();
        settings.push(format!("SET query_timeout = {timeout_s}"));
        if carried > 0 {
            settings.push(format!("SET wait_lsn = {carried}"));
        }
        for sql in settings {
            let (answer, answered) = oneshot::channel();
            connection.send(Asked { statement: Statement::Text(sql), answer }).ok()?;
            let (result, _) = timeout(PATIENCE, answered).await.ok()?.ok()?;
            if let Err(failure) = result {
                self.context.violate(format!("a session refuses its settings: {failure}"));
            }
        }
        Some((*host, connection, level))
    }

    async fn ask(
        &self,
        host: usize,
        connection: &Connection,
        question: Question,
        token: u64,
    ) -> Operation {
        let packed = question.request().pack();
        let (began, began_ms) = (self.context.moment(), self.context.now_ms());
        let (answer, answered) = oneshot::channel();
        let sent = connection.send(Asked { statement: Statement::Packed(packed), answer });
        let got = match sent {
            Ok(()) => timeout(PATIENCE, answered).await.ok().and_then(Result::ok),
            Err(_gone) => None,
        };
        let ended = self.context.moment();
        let answer = match got {
            None => Answer::Lost,
            Some((Ok(reply), lsn)) => match response(&reply).map(Response::unpack) {
                Some(Ok(response)) => said(response, lsn),
                _ => {
                    self.context.violate(format!("a reply of the module is unreadable: {reply:?}"));
                    Answer::Lost
                }
            },
            Some((Err(failure), _)) => refused(&failure),
        };
        let at_ms = self.context.now_ms();
        Operation { client: self.id, host, question, began, began_ms, ended, at_ms, token, answer }
    }
}

fn said(response: Response<'_>, lsn: u64) -> Answer {
    let lsn = Lsn(lsn);
    match response {
        Response::Put { version } => Answer::Done { lsn: Lsn(version), changed: true },
        Response::Swap(changed) | Response::Delete(changed) => Answer::Done { lsn, changed },
        Response::Get(found) => {
            let value = found.map(|(value, version)| (Bytes::copy_from_slice(value), Lsn(version)));
            Answer::Read { lsn, value }
        }
        Response::Range { .. } => Answer::Lost,
    }
}

fn refused(failure: &Failure) -> Answer {
    if is_unknown(failure) { Answer::Unknown } else { Answer::Refused(format!("{failure}")) }
}

/// Whether a failure leaves it open what came of a statement: "transaction resolution unknown", or
/// its time was up while it waited.
pub fn is_unknown(failure: &Failure) -> bool {
    failure.sqlstate == "08007" || failure.code == 3024 || failure.code == 1317
}

/// Waits for an instant of the clients' clock.
pub async fn until(instant: Instant) {
    tokio::time::sleep_until(instant).await;
}

impl Question {
    /// As the module takes it.
    pub fn request(&self) -> Request<'_> {
        match self {
            Self::Put { key, value } => Request::Put { key, value },
            Self::Swap { key, old, new } => {
                Request::Swap { key, old: old.as_deref(), new: Some(new) }
            }
            Self::Delete { key } => Request::Delete { key },
            Self::Get { key, .. } => Request::Get { key },
        }
    }
}
