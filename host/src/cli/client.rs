//! The connection to a frontend's gRPC port.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tonic::transport::{Channel, Endpoint};

use super::{Exit, exit};
use crate::proto::client::client_client::ClientClient;
use crate::proto::client::{
    Consistency, ExecuteRequest, ExecuteResponse, Rows, execute_request, execute_response,
};

/// Time to connect to one endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer that is taken.
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// Which frontends to talk to.
#[derive(Args, Clone)]
pub struct Endpoints {
    /// gRPC addresses of frontends, tried in turn
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "127.0.0.1:9020",
        env = "QUORATE_ENDPOINTS"
    )]
    pub endpoints: Vec<String>,
}

impl Endpoints {
    /// Connects to the first endpoint that answers.
    pub async fn connect(&self) -> Result<ClientClient<Channel>, Exit> {
        let mut reasons = Vec::new();
        for address in &self.endpoints {
            match connect(address).await {
                Ok(client) => return Ok(client),
                Err(error) => reasons.push(format!("{error:#}")),
            }
        }
        Err(Exit::new(
            exit::UNREACHABLE,
            anyhow!("no frontend is reachable: {}", reasons.join("; ")),
        ))
    }
}

/// Connects to one frontend.
pub async fn connect(address: &str) -> anyhow::Result<ClientClient<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .with_context(|| format!("'{address}' is not of the form host:port"))?;
    let channel = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true).connect().await;
    let channel = channel.map_err(|_| anyhow!("{address} does not answer"))?;
    Ok(ClientClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// Runs a statement.
pub async fn execute(
    client: &mut ClientClient<Channel>,
    statement: &str,
    timeout: Duration,
) -> anyhow::Result<ExecuteResponse> {
    let request = ExecuteRequest {
        request: Some(execute_request::Request::Statement(statement.to_owned())),
        consistency: Consistency::Session.into(),
        timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        ..ExecuteRequest::default()
    };
    match client.execute(request).await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => bail!("{}", message(&status)),
    }
}

/// Runs a statement that answers with rows.
pub async fn rows(
    client: &mut ClientClient<Channel>,
    statement: &str,
    timeout: Duration,
) -> anyhow::Result<Rows> {
    match execute(client, statement, timeout).await?.body {
        Some(execute_response::Body::Rows(rows)) => Ok(rows),
        _ => bail!("'{statement}' was not answered with rows"),
    }
}

/// A status as the frontend meant it.
pub fn message(status: &tonic::Status) -> String {
    let code = status.metadata().get("mysql-errno").and_then(|code| code.to_str().ok());
    let state = status.metadata().get("sqlstate").and_then(|state| state.to_str().ok());
    match (code, state) {
        (Some(code), Some(state)) => format!("ERROR {code} ({state}): {}", status.message()),
        _ => status.message().to_owned(),
    }
}
