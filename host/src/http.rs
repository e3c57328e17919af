//! The HTTP front door: whether this frontend lives, whether it is ready, who is in the cluster.
//!
//! Liveness never depends on a quorum or on catching up: a frontend that recovers must not be
//! restarted for it. Readiness does: it says whether clients should come here now.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, wall_clock_us};

/// A frontend this many entries behind what it knows to be committed is not ready.
const READY_LAG_ENTRIES: u64 = 10_000;

#[derive(Clone)]
struct Door {
    cluster: Cluster,
    leaving: CancellationToken,
}

/// Serves until told to stop. Readiness ends with `leaving`, before this does.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    cluster: Cluster,
    leaving: CancellationToken,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/api/bootstrap", get(bootstrap))
        .route("/api/health", get(health))
        .route("/api/v1/frontends", get(frontends))
        .with_state(Door { cluster, leaving });
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

/// StarRocks' start-up probe.
async fn bootstrap(State(door): State<Door>) -> Json<Value> {
    Json(match door.not_ready() {
        None => json!({"status": "OK", "msg": "Success"}),
        Some(reason) => json!({"status": "FAILED", "msg": format!("not ready: {reason}")}),
    })
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
async fn frontends(State(door): State<Door>) -> Json<Value> {
    let rows = door.cluster.frontends(wall_clock_us()).await;
    let objects = rows.rows.iter().map(|row| {
        let cells = rows.columns.iter().zip(row).map(|(column, value)| {
            let value = match value {
                quorate_wire::Value::Text(text) => Value::from(text.as_str()),
                _ => Value::Null,
            };
            (column.name.clone(), value)
        });
        Value::Object(cells.collect())
    });
    Json(json!({ "frontends": objects.collect::<Vec<_>>() }))
}
