//! Following a cluster from one frontend to the next.

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status, Streaming};

use super::{Arguments, json, kinds};
use crate::cli::client::{connect, message};
use crate::cli::{Exit, exit, table};
use crate::proto::client::subscribe_request::Start;
use crate::proto::client::{Change, SubscribeRequest, SubscribeResponse};

/// A frontend that tells nothing for this long, ten times as long as it should, is left.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(5);
/// A frontend that does not begin a subscription for this long is left.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two rounds over all frontends: the first pause, which doubles up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Prints what changes.
pub struct Follower {
    arguments: Arguments,
    position: Position,
    printed: u64,
    /// When a frontend told anything.
    heard: Option<Instant>,
}

/// Up to where everything was printed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Position {
    /// The LSN up to which all is printed; none before the first answer.
    complete: Option<u64>,
    /// The last change printed, by LSN and ordinal: of an entry that is not complete, some are.
    last: Option<(u64, u32)>,
    cluster: u64,
    generation: u64,
}

/// How a subscription ended.
enum End {
    /// All that was wanted is printed.
    Done,
    /// This frontend cannot go on; whether another one could is to be tried.
    Lost(Trouble),
}

/// Why a frontend was left.
struct Trouble {
    reason: String,
    /// It answered, and will not answer otherwise soon.
    refused: bool,
}

impl Follower {
    pub fn new(arguments: Arguments) -> Self {
        let position = Position {
            complete: arguments.after,
            last: None,
            cluster: arguments.cluster.unwrap_or(0),
            generation: arguments.generation.unwrap_or(0),
        };
        Self { arguments, position, printed: 0, heard: None }
    }

    pub async fn run(mut self) -> Result<(), Exit> {
        let endpoints = self.arguments.endpoints.endpoints.clone();
        let retry = Duration::from_secs(self.arguments.retry.into());
        let mut pause = PAUSE;
        loop {
            let mut troubles = Vec::new();
            for address in &endpoints {
                let heard = self.heard;
                match self.subscribe(address).await? {
                    End::Done => return Ok(()),
                    End::Lost(trouble) => troubles.push((address, trouble)),
                }
                if self.heard != heard {
                    // It served for a while: the others are as good as new.
                    pause = PAUSE;
                    self.complain(&troubles);
                    troubles.clear();
                }
            }
            let Some((_, trouble)) = troubles.first() else { continue };
            let refused = troubles.iter().filter(|(_, trouble)| trouble.refused).count();
            if refused == troubles.len() && refused == endpoints.len() {
                return Err(Exit::new(exit::FAILED, anyhow!("{}", trouble.reason)));
            }
            if self.heard.is_none_or(|heard| heard.elapsed() >= retry) {
                let reasons: Vec<_> = troubles
                    .iter()
                    .map(|(at, trouble)| format!("{at}: {}", trouble.reason))
                    .collect();
                let position = self.position.complete.map(|lsn| format!(" after LSN {lsn}"));
                return Err(Exit::new(
                    exit::UNREACHABLE,
                    anyhow!(
                        "no frontend serves the subscription{}: {}",
                        position.unwrap_or_default(),
                        reasons.join("; ")
                    ),
                ));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn complain(&self, troubles: &[(&String, Trouble)]) {
        for (address, Trouble { reason, .. }) in troubles {
            let lsn = self.position.complete.unwrap_or_default();
            table::complain(&format!("quorate: {address}: {reason}; going on after LSN {lsn}"));
        }
    }

    /// Follows one frontend for as long as that goes well.
    async fn subscribe(&mut self, address: &str) -> Result<End, Exit> {
        let lost = |reason: String| Ok(End::Lost(Trouble { reason, refused: false }));
        let mut client = match connect(address).await {
            Ok(client) => client,
            Err(error) => return lost(format!("{error:#}")),
        };
        match timeout(BEGIN_TIMEOUT, client.subscribe(self.request())).await {
            Ok(Ok(response)) => self.take(response.into_inner()).await,
            Ok(Err(status)) => self.ended(&status),
            Err(_) => lost(format!("no answer for {BEGIN_TIMEOUT:?}")),
        }
    }

    fn request(&self) -> SubscribeRequest {
        let start = match self.position.complete {
            Some(lsn) => Start::AfterLsn(lsn),
            None if self.arguments.from_oldest => Start::FromOldest(true),
            None => Start::FromNow(true),
        };
        SubscribeRequest {
            start: Some(start),
            kinds: kinds(&self.arguments.kinds),
            prefix: self.arguments.prefix.0.clone().into(),
            cluster_id: self.position.cluster,
            generation: self.position.generation,
        }
    }

    async fn take(&mut self, mut stream: Streaming<SubscribeResponse>) -> Result<End, Exit> {
        loop {
            let reason = match timeout(SILENCE_TIMEOUT, stream.message()).await {
                Ok(Ok(Some(mut response))) => {
                    if self.print(&mut response)? {
                        return Ok(End::Done);
                    }
                    continue;
                }
                Ok(Ok(None)) => "the stream ended".to_owned(),
                Ok(Err(status)) => return self.ended(&status),
                Err(_) => format!("silent for {SILENCE_TIMEOUT:?}"),
            };
            return Ok(End::Lost(Trouble { reason, refused: false }));
        }
    }

    /// What a status means: the end for good, or that another frontend is to be tried.
    fn ended(&self, status: &Status) -> Result<End, Exit> {
        let reason = message(status);
        match status.code() {
            Code::InvalidArgument | Code::Unimplemented => {
                Err(Exit::new(exit::USAGE, anyhow!("{reason}")))
            }
            code => {
                let refused = matches!(
                    code,
                    Code::OutOfRange | Code::FailedPrecondition | Code::Unauthenticated
                );
                Ok(End::Lost(Trouble { reason, refused }))
            }
        }
    }

    /// Prints a response, and tells whether that was all that is wanted.
    fn print(&mut self, response: &mut SubscribeResponse) -> Result<bool, Exit> {
        self.heard = Some(Instant::now());
        let mut out = stdout().lock();
        for change in std::mem::take(&mut response.changes) {
            if self.arguments.until.is_some_and(|until| change.lsn > until) {
                return Ok(true);
            }
            if !self.position.takes(&change) {
                continue;
            }
            writeln!(out, "{}", json::change(change))?;
            self.printed += 1;
            if self.arguments.limit.is_some_and(|limit| self.printed >= limit) {
                out.flush()?;
                return Ok(true);
            }
        }
        self.position.is_at(response);
        if self.arguments.progress {
            writeln!(out, "{}", json::progress(response))?;
        }
        out.flush()?;
        Ok(self.arguments.until.is_some_and(|until| self.position.complete >= Some(until)))
    }
}

impl Position {
    /// Whether a change was not printed before; it is from here on.
    fn takes(&mut self, change: &Change) -> bool {
        let at = (change.lsn, change.ordinal);
        if self.last.is_some_and(|last| at <= last) {
            return false;
        }
        self.last = Some(at);
        true
    }

    fn is_at(&mut self, response: &SubscribeResponse) {
        self.complete = self.complete.max(response.complete_lsn);
        self.cluster = response.cluster_id;
        self.generation = response.generation;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(lsn: u64, ordinal: u32) -> Change {
        Change { lsn, ordinal, ..Change::default() }
    }

    #[test]
    fn of_an_entry_that_was_cut_off_only_the_rest_is_taken() {
        let mut position = Position::default();
        assert!(position.takes(&change(7, 0)) && position.takes(&change(7, 4)));
        position.is_at(&SubscribeResponse { complete_lsn: Some(6), ..Default::default() });
        assert_eq!(position.complete, Some(6));
        // Another frontend begins after 6.
        let taken: Vec<_> = [(7, 0), (7, 4), (7, 5), (8, 0)]
            .into_iter()
            .filter(|(lsn, ordinal)| position.takes(&change(*lsn, *ordinal)))
            .collect();
        assert_eq!(taken, [(7, 5), (8, 0)]);
    }
}
