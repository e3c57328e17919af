//! A client that knows how each of its requests ended.

use std::time::Duration;

use quorate::proto::client::client_client::ClientClient;
use quorate::proto::client::execute_response::Body;
use quorate::proto::client::{Consistency, ExecuteRequest, execute_request};
use tokio::time::{Instant, interval};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// How long the frontend tries.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the client waits for its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two attempts to connect, and for how long it goes on before the caller hears of it.
const CONNECT_INTERVAL: Duration = Duration::from_millis(10);
const CONNECT_PATIENCE: Duration = Duration::from_millis(50);
/// Largest answer that is taken: a page of a range.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// MySQL's numbers for a statement that was interrupted or timed out: it may have had its effect.
const INTERRUPTED: [&str; 2] = ["1317", "3024"];

/// Why there is no answer.
#[derive(Debug)]
pub enum Miss {
    /// Nothing was sent: there is no connection.
    NotSent,
    /// The frontend says that nothing was changed.
    Failed(String),
    /// It may have been done, or be done yet.
    Uncertain(String),
}

/// A connection to one of several frontends. Moves on to the next one when it breaks.
pub struct Client {
    addresses: Vec<String>,
    at: usize,
    channel: Option<Channel>,
}

impl Client {
    /// Of these gRPC addresses; begins with the one at `at`.
    pub fn new(addresses: Vec<String>, at: usize) -> Self {
        let at = at % addresses.len();
        Self { addresses, at, channel: None }
    }

    async fn channel(&mut self) -> Result<Channel, Miss> {
        if let Some(channel) = &self.channel {
            return Ok(channel.clone());
        }
        let deadline = Instant::now() + CONNECT_PATIENCE;
        let mut attempts = interval(CONNECT_INTERVAL);
        while Instant::now() < deadline {
            attempts.tick().await;
            let address = format!("http://{}", self.addresses[self.at]);
            let endpoint = Endpoint::from_shared(address).map_err(|_| Miss::NotSent)?;
            match endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect().await {
                Ok(channel) => return Ok(self.channel.insert(channel).clone()),
                Err(_) => self.move_on(),
            }
        }
        Err(Miss::NotSent)
    }

    fn move_on(&mut self) {
        self.channel = None;
        self.at = (self.at + 1) % self.addresses.len();
    }

    /// Sends one request, once, and gives the packed answer.
    ///
    /// # Errors
    /// How it ended otherwise.
    pub async fn call(
        &mut self,
        request: &kv::Request<'_>,
        consistency: Consistency,
    ) -> Result<Vec<u8>, Miss> {
        self.call_after(request, consistency, 0).await
    }

    /// As [`call`](Self::call), of a frontend that has applied that LSN.
    ///
    /// # Errors
    /// How it ended otherwise.
    pub async fn call_after(
        &mut self,
        request: &kv::Request<'_>,
        consistency: Consistency,
        wait_lsn: u64,
    ) -> Result<Vec<u8>, Miss> {
        let channel = self.channel().await?;
        let mut client = ClientClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        let request = ExecuteRequest {
            request: Some(execute_request::Request::Payload(request.pack().into())),
            consistency: consistency.into(),
            wait_lsn,
            timeout_ms: u32::try_from(STATEMENT_TIMEOUT.as_millis()).unwrap_or(u32::MAX),
            ..ExecuteRequest::default()
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.execute(request)).await;
        let miss = match answer {
            Ok(Ok(response)) => match response.into_inner().body {
                Some(Body::Payload(answer)) => return Ok(answer.to_vec()),
                other => Miss::Uncertain(format!("an answer of another kind: {other:?}")),
            },
            Ok(Err(status)) => miss(&status),
            Err(_elapsed) => Miss::Uncertain("no answer".to_owned()),
        };
        self.move_on();
        Err(miss)
    }
}

/// What a status means for a write: only a frontend that says so is sure that nothing was changed.
fn miss(status: &Status) -> Miss {
    let text = |name| status.metadata().get(name).and_then(|value| value.to_str().ok());
    let reason = status.message().to_owned();
    match (text("mysql-errno"), text("sqlstate")) {
        (Some(number), Some(state)) if state != "08007" && !INTERRUPTED.contains(&number) => {
            Miss::Failed(reason)
        }
        _ => Miss::Uncertain(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_frontend_that_says_so_makes_a_failure_certain() {
        let status = |number: Option<&str>, state: &str| {
            let mut status = Status::unavailable("");
            let metadata = status.metadata_mut();
            if let Some(number) = number {
                metadata.insert("mysql-errno", number.parse().expect("a number"));
                metadata.insert("sqlstate", state.parse().expect("a state"));
            }
            status
        };
        assert!(matches!(miss(&status(None, "")), Miss::Uncertain(_)));
        assert!(matches!(miss(&status(Some("1105"), "08007")), Miss::Uncertain(_)));
        assert!(matches!(miss(&status(Some("3024"), "HY000")), Miss::Uncertain(_)));
        assert!(matches!(miss(&status(Some("1105"), "08S01")), Miss::Failed(_)));
        assert!(matches!(miss(&status(Some("1021"), "HY000")), Miss::Failed(_)));
    }
}
