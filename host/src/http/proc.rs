//! `SHOW PROC` and `SHOW FRONTENDS` over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::WARNING;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use quorate_sql::ClusterStatement;
use quorate_wire::{Body, Rows, Value, Warning};
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
    listed(&door, ClusterStatement::ShowProc(asked.path), |rows| rows).await
}

/// Answers with the rows of a statement that shows something. Its warnings, that the rows may be
/// out of date for one, are headers `Warning`, since a list has no place for them.
pub(super) async fn listed(
    door: &Door,
    statement: ClusterStatement,
    body: impl FnOnce(Json_) -> Json_,
) -> Response {
    let context = StatementContext {
        session_id: 0,
        user: USER.to_owned(),
        database: None,
        consistency: Consistency::Session,
        token: 0,
        deadline: Instant::now() + TIMEOUT,
        cancel: Cancel::default(),
    };
    match door.backend.cluster(context, statement).await {
        Ok(answer) => {
            let rows = match &answer.reply.body {
                Body::Rows(rows) => objects(rows),
                Body::Done { .. } | Body::Bytes(_) => json!([]),
            };
            let warnings =
                answer.reply.warnings.iter().filter_map(header).map(|text| (WARNING, text));
            (AppendHeaders(warnings), Json(body(rows))).into_response()
        }
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

/// A warning as RFC 7234 writes it; none for a text that no header can have.
fn header(warning: &Warning) -> Option<HeaderValue> {
    let text = warning.message.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_str(&format!("199 quorate \"{text}\"")).ok()
}

/// Rows as objects by the names of the columns.
fn objects(rows: &Rows) -> Json_ {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_cannot_break_out_of_its_header() {
        let written = |message: &str| {
            let header = header(&Warning { code: 1105, message: message.to_owned() })?;
            header.to_str().ok().map(str::to_owned)
        };
        assert_eq!(written("a \"b\" \\"), Some(r#"199 quorate "a \"b\" \\""#.to_owned()));
        assert_eq!(written("a\r\nb: c"), None);
    }
}
