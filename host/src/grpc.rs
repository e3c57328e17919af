//! The gRPC front door for clients: `client.proto`, health and reflection.
//!
//! A payload goes to the active module as it is. A statement goes through a session of its own,
//! so it means what it means on the MySQL port; nothing is kept from one call to the next.

mod convert;
mod save;
mod subscribe;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use quorate_wire::Failure;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};

use crate::cluster::Cluster;
use crate::cluster::modules::MODULE_BYTES_MAX;
use crate::config::networks::Trusted;
use crate::proto::client::client_server::{Client as Service, ClientServer};
use crate::proto::client::{
    Acknowledgement, ExecuteRequest, ExecuteResponse, InstallModuleRequest, InstallModuleResponse,
    SaveSnapshotRequest, SubscribeRequest, execute_request,
};
use crate::query::Cancel;
use crate::rescue::archive::Backups;
use crate::session::{Answer, Backend, Consistency, Sessions, StatementContext};

use subscribe::Subscriptions;

/// Largest message taken from a client: a payload of the largest command and its frame.
const MESSAGE_BYTES_MAX: usize = 2 << 20;
/// Time for a request that names none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Time to install a module.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(120);
/// A connection that is silent for the first time is asked whether its client lives, and closed
/// when the second time passes without an answer.
const ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls under way on one connection; more wait.
const CALLS_MAX: u32 = 1024;

/// Who gRPC clients are, until there are users.
const USER: &str = "root";

/// Serves until told to stop, then lets running calls end.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    sessions: Arc<Sessions>,
    backend: Arc<dyn Backend>,
    cluster: Cluster,
    backups: Backups,
    trusted: Trusted,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ClientServer<FrontDoor>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::proto::DESCRIPTORS)
        .build_v1()
        .expect("the descriptor set was made by our own build");
    let subscriptions = Subscriptions::new(cluster.machine().clone(), stop.clone());
    let door = FrontDoor { sessions, backend, cluster, backups, subscriptions, trusted };
    let door = ClientServer::new(door).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let draining = async move {
        stop.cancelled().await;
        // Ends the streams of those who watch; they would keep the server otherwise.
        let mut health = health;
        health.clear_service_status("").await;
        health.clear_service_status(<ClientServer<FrontDoor> as NamedService>::NAME).await;
    };
    tonic::transport::Server::builder()
        .concurrency_limit_per_connection(CALLS_MAX as usize)
        .max_concurrent_streams(CALLS_MAX)
        .http2_keepalive_interval(Some(ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(ALIVE_TIMEOUT))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(door)
        .serve_with_incoming_shutdown(crate::raft::incoming(listener), draining)
        .await
}

/// The service. Public only because health names it.
pub struct FrontDoor {
    sessions: Arc<Sessions>,
    backend: Arc<dyn Backend>,
    cluster: Cluster,
    backups: Backups,
    subscriptions: Subscriptions,
    trusted: Trusted,
}

#[tonic::async_trait]
impl Service for FrontDoor {
    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<ExecuteResponse>, Status> {
        self.check_peer(request.remote_addr())?;
        let request = request.into_inner();
        let timeout = match request.timeout_ms {
            0 => TIMEOUT_DEFAULT,
            ms => Duration::from_millis(u64::from(ms)),
        };
        let consistency = convert::consistency(request.consistency());
        let deadline = Instant::now() + timeout;
        let answer = match request.request {
            None => {
                return Err(Status::invalid_argument("the request has no statement or payload"));
            }
            Some(execute_request::Request::Payload(payload)) => {
                let context = StatementContext {
                    session_id: 0,
                    user: USER.to_owned(),
                    database: (!request.database.is_empty()).then_some(request.database),
                    consistency,
                    token: request.wait_lsn,
                    deadline,
                    cancel: Cancel::default(),
                };
                let payload = crate::session::Request::Bytes(payload.into());
                self.backend.module(context, payload).await
            }
            Some(execute_request::Request::Statement(statement)) => {
                self.statement(statement, request.database, consistency, request.wait_lsn, timeout)
                    .await
            }
        };
        answer.map(convert::response).map(Response::new).map_err(|failure| status(&failure))
    }

    async fn install_module(
        &self,
        request: Request<Streaming<InstallModuleRequest>>,
    ) -> Result<Response<InstallModuleResponse>, Status> {
        self.check_peer(request.remote_addr())?;
        let mut parts = request.into_inner();
        let mut component = BytesMut::new();
        let mut signature = None;
        while let Some(message) = parts.message().await? {
            if component.len() + message.part.len() > MODULE_BYTES_MAX {
                return Err(Status::invalid_argument(format!(
                    "a module has at most {MODULE_BYTES_MAX} bytes"
                )));
            }
            component.extend_from_slice(&message.part);
            signature = message.signature.or(signature);
        }
        let deadline = Instant::now() + INSTALL_TIMEOUT;
        let installed = self.cluster.install(USER, component.freeze(), signature, deadline).await;
        let installed = installed.map_err(|failure| status(&failure))?;
        let view = self.cluster.machine().view();
        let description = quorate_wire::Description::unpack(&installed.manifest.description)
            .map_err(|error| Status::internal(error.to_string()))?;
        let acknowledgements = installed.acknowledgements.into_iter().map(|(node, refusal)| {
            let frontend = view.frontend(node).map_or_else(|| node.to_string(), |f| f.name());
            Acknowledgement { frontend, refusal: refusal.unwrap_or_default() }
        });
        Ok(Response::new(InstallModuleResponse {
            name: description.name,
            version: description.version,
            digest: installed.manifest.digest.to_string(),
            lsn: installed.lsn.0,
            acknowledgements: acknowledgements.collect(),
        }))
    }

    type SaveSnapshotStream = save::Parts;

    async fn save_snapshot(
        &self,
        request: Request<SaveSnapshotRequest>,
    ) -> Result<Response<Self::SaveSnapshotStream>, Status> {
        self.check_peer(request.remote_addr())?;
        let parts = save::begin(&self.cluster, &self.backups, request.into_inner().stale).await?;
        Ok(Response::new(parts))
    }

    type SubscribeStream = subscribe::Stream;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.check_peer(request.remote_addr())?;
        self.subscriptions.begin(request.into_inner()).await.map(Response::new)
    }
}

impl FrontDoor {
    /// There are no users yet, so it depends on where a client is.
    fn check_peer(&self, peer: Option<SocketAddr>) -> Result<(), Status> {
        match peer {
            Some(peer) if !self.trusted.admits(peer.ip()) => Err(Status::unauthenticated(format!(
                "{} is neither this machine nor in this frontend's trusted_networks",
                peer.ip()
            ))),
            _ => Ok(()),
        }
    }

    async fn statement(
        &self,
        statement: String,
        database: String,
        consistency: Consistency,
        wait_lsn: u64,
        timeout: Duration,
    ) -> Result<Answer, Failure> {
        let mut session = self.sessions.open("127.0.0.1".to_owned())?;
        session.authenticate(USER);
        let consistency = match consistency {
            Consistency::Linearizable => "linearizable",
            Consistency::Any => "any",
            Consistency::Session | Consistency::Bounded { .. } => "session",
        };
        let settings = format!(
            "SET read_consistency = '{consistency}', query_timeout = {}, wait_lsn = {wait_lsn}",
            timeout.as_secs().max(1)
        );
        session.execute(&settings).await?;
        if !database.is_empty() {
            session.use_database(&database).await?;
        }
        let reply = session.execute(&statement).await?;
        Ok(Answer { reply, lsn: session.last_lsn() })
    }
}

/// The gRPC status of a failure. MySQL's code and SQLSTATE travel in the metadata.
fn status(failure: &Failure) -> Status {
    let code = match failure.code {
        1064 | 1153 | 1235 => tonic::Code::InvalidArgument,
        1021 | 1040 => tonic::Code::ResourceExhausted,
        1053 => tonic::Code::Unavailable,
        1205 | 3024 => tonic::Code::DeadlineExceeded,
        1317 => tonic::Code::Cancelled,
        _ => match failure.sqlstate.as_str() {
            "08S01" => tonic::Code::Unavailable,
            "08007" => tonic::Code::DeadlineExceeded,
            _ => tonic::Code::FailedPrecondition,
        },
    };
    let mut status = Status::new(code, failure.message.clone());
    let metadata = status.metadata_mut();
    metadata.insert("mysql-errno", failure.code.into());
    if let Ok(state) = failure.sqlstate.parse() {
        metadata.insert("sqlstate", state);
    }
    status
}
