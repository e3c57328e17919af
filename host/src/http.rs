//! The HTTP front door: whether this frontend lives, whether it is ready, who is in the cluster.
//!
//! Liveness never depends on a quorum or on catching up: a frontend that recovers must not be
//! restarted for it. Readiness does: it says whether clients should come here now.

mod metrics;
mod proc;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use quorate_sql::ClusterStatement;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, VERSION};
use crate::session::{Backend, Sessions};
use crate::storage::Log;

/// A frontend this many entries behind what it knows to be committed is not ready.
const READY_LAG_ENTRIES: u64 = 10_000;

/// What the door shows. Readiness ends with `draining`.
#[derive(Clone)]
pub struct Door {
    /// This frontend's part in the cluster.
    pub cluster: Cluster,
    /// Answers statements.
    pub backend: Arc<dyn Backend>,
    /// The clients' sessions.
    pub sessions: Arc<Sessions>,
    /// The log.
    pub log: Log,
    /// Cancelled when no new client should come.
    pub leaving: CancellationToken,
}

/// Serves until told to stop. Readiness ends with `leaving`, before this does.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    door: Door,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics))
        .route("/api/bootstrap", get(bootstrap))
        .route("/api/health", get(health))
        .route("/api/show_proc", get(proc::show))
        .route("/api/v1/frontends", get(frontends))
        .with_state(door);
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

impl Door {
    /// Why clients should not come here now.
    fn not_ready(&self) -> Option<String> {
        if self.leaving.is_cancelled() {
            return Some("shutting down".to_owned());
        }
        let status = self.cluster.status();
        if !status.stalled.is_empty() {
            return Some(format!("does not apply entries: {}", status.stalled));
        }
        if status.leader == 0 {
            return Some("no leader is known".to_owned());
        }
        if status.module.is_empty() {
            return Some("no module is active".to_owned());
        }
        let lag = status.committed_lsn.saturating_sub(status.applied_lsn);
        (lag > READY_LAG_ENTRIES).then(|| format!("{lag} committed entries are not applied yet"))
    }
}

async fn ready(State(door): State<Door>) -> Response {
    match door.not_ready() {
        None => "ok\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

#[derive(Deserialize)]
struct Bootstrap {
    cluster_id: Option<String>,
}

/// StarRocks' start-up probe, and its heartbeat: whoever names the cluster is told more.
async fn bootstrap(State(door): State<Door>, Query(query): Query<Bootstrap>) -> Json<Value> {
    if let Some(reason) = door.not_ready() {
        return Json(json!({"status": "FAILED", "msg": format!("not ready: {reason}")}));
    }
    let mut answer = json!({"status": "OK", "msg": "Success"});
    if let Some(named) = query.cluster_id {
        let own = door.cluster.identity();
        if named != own.cluster.to_string() {
            let msg = format!("invalid cluster id: {named}");
            return Json(json!({"status": "FAILED", "msg": msg}));
        }
        let view = door.cluster.machine().view();
        let ports = view.frontend(own.node).map(|own| own.ports).unwrap_or_default();
        answer["replayedJournalId"] = view.lsn().0.into();
        answer["queryPort"] = ports.query.into();
        answer["rpcPort"] = ports.rpc.into();
        answer["feStartTime"] = (door.cluster.started_us() / 1000).into();
        answer["feVersion"] = VERSION.into();
    }
    Json(answer)
}

/// StarRocks' probe for load balancers. There are no backends behind a catalog.
async fn health(State(door): State<Door>) -> Response {
    match door.not_ready() {
        None => Json(json!({"online_backend_num": 0, "total_backend_num": 0, "status": "OK"}))
            .into_response(),
        Some(reason) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{reason}\n")).into_response(),
    }
}

/// `SHOW FRONTENDS` as a list of objects.
async fn frontends(State(door): State<Door>) -> Response {
    proc::listed(&door, ClusterStatement::ShowFrontends, |rows| json!({ "frontends": rows })).await
}
