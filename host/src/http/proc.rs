//! `SHOW PROC` over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use quorate_sql::ClusterStatement;
use quorate_wire::{Body, Rows, Value};
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use tokio::time::Instant;

use super::Door;
use crate::query::Cancel;
use crate::session::{Consistency, StatementContext};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Who asks, until there are users.
const USER: &str = "root";

#[derive(Deserialize)]
pub(super) struct Path {
    #[serde(default)]
    path: String,
}

/// `/api/show_proc?path=/frontends`: the rows as a list of objects; 404 for a path that leads
/// nowhere.
pub(super) async fn show(State(door): State<Door>, Query(asked): Query<Path>) -> Response {
    let context = StatementContext {
        session_id: 0,
        user: USER.to_owned(),
        database: None,
        consistency: Consistency::Session,
        token: 0,
        deadline: Instant::now() + TIMEOUT,
        cancel: Cancel::default(),
    };
    let shown = door.backend.cluster(context, ClusterStatement::ShowProc(asked.path)).await;
    match shown {
        Ok(answer) => match &answer.reply.body {
            Body::Rows(rows) => Json(objects(rows)).into_response(),
            Body::Done { .. } | Body::Bytes(_) => Json(json!([])).into_response(),
        },
        Err(failure) => {
            let status = match failure.code {
                1064 => StatusCode::NOT_FOUND,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            let answer = json!({"status": "FAILED", "msg": failure.message});
            (status, Json(answer)).into_response()
        }
    }
}

/// Rows as objects by the names of the columns.
pub(super) fn objects(rows: &Rows) -> Json_ {
    let objects = rows.rows.iter().map(|row| {
        let cells = rows.columns.iter().zip(row);
        let cells = cells.map(|(column, value)| (column.name.clone(), cell(value)));
        Json_::Object(cells.collect())
    });
    Json_::Array(objects.collect())
}

fn cell(value: &Value) -> Json_ {
    match value {
        Value::Null => Json_::Null,
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
    }
}
