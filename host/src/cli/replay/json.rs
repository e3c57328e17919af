//! An entry as JSON. Bytes are told as in the feed: `base64`, and `text` where they are UTF-8; the
//! head of long ones, with `size` for all of them.

use serde_json::{Map, Value, json};

use crate::cli::subscribe::json::bytes;
use crate::rescue::{Base, ExplainedCommand, Explanation};
use crate::runtime::{Data, Datum, Imported, Ran, Writes};
use crate::types::Outcome;

/// The whole object.
pub fn explanation(explanation: &Explanation, trace: bool) -> Value {
    let Explanation { base, entry, stored, outcomes, applied } = explanation;
    let id = entry.log_id;
    let commands = entry.commands.iter().zip(outcomes);
    let commands: Vec<_> =
        commands.map(|(ran, stored)| command(ran, stored.as_ref(), trace)).collect();
    json!({
        "lsn": id.index,
        "term": id.leader_id.term,
        "leader": id.leader_id.node_id.0,
        "base_lsn": match base {
            Base::Empty => None,
            Base::Snapshot(last, _) => Some(last.index),
        },
        "time_us": entry.time_us,
        "applied": applied,
        "membership": entry.membership.as_deref().map(parsed),
        "commands": commands,
        "writes": writes(&entry.writes),
        "digest_before": entry.before.to_string(),
        "digest": entry.digest.to_string(),
        "digest_stored": stored.map(|digest| digest.to_string()),
        "equal": stored.map(|stored| stored == entry.digest),
    })
}

fn command(command: &ExplainedCommand, stored: Option<&Outcome>, trace: bool) -> Value {
    let ExplainedCommand { index, request, caller, kind, details, at, .. } = command;
    let events = command.events.iter().map(|event| {
        json!({ "topic": event.topic, "key": bytes(&event.key), "body": bytes(&event.body) })
    });
    let module = command.module.as_ref();
    json!({
        "index": index,
        "request": request.map(|request| request.to_string()),
        "caller": caller,
        "kind": kind,
        "details": details.as_deref().map(parsed),
        "module": module.map(|(digest, _)| digest.to_string()),
        "payload": module.map(|(_, payload)| datum(&Datum::bytes(payload))),
        "ran_at_lsn": at.0,
        "outcome": outcome(&command.outcome),
        "outcome_stored": stored.map(outcome),
        "calls": command.runs.iter().map(|ran| calls(ran, trace)).collect::<Vec<_>>(),
        "events": events.collect::<Vec<_>>(),
        "writes": writes(&command.writes),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Applied(reply) => {
            json!({ "code": "applied", "reply": datum(&Datum::bytes(reply)) })
        }
        Outcome::Refused(failure) => json!({
            "code": "refused", "errno": failure.code, "sqlstate": failure.sqlstate,
            "message": failure.message,
        }),
        Outcome::Rejected(rejection) => json!({ "code": rejection.name() }),
    }
}

fn calls(ran: &Ran, trace: bool) -> Value {
    let imports = ran.imports.iter().map(import).collect::<Vec<_>>();
    json!({
        "export": ran.export,
        "fuel_granted": ran.granted,
        "fuel_used": ran.used,
        "imports": trace.then_some(imports),
        "imports_omitted": ran.imports_omitted,
        "ended": ran.ended,
    })
}

fn import(Imported { name, asked, given, fuel_at, fuel }: &Imported) -> Value {
    json!({
        "name": name, "asked": data(asked), "given": given.as_ref().map(data),
        "fuel_at": fuel_at, "fuel": fuel,
    })
}

/// Objects of one name each: the pairs of a page have the same two names.
fn data(data: &Data) -> Value {
    let one = |(name, value): &(&str, Datum)| {
        Value::Object(Map::from_iter([((*name).to_owned(), datum(value))]))
    };
    Value::Array(data.iter().map(one).collect())
}

fn datum(value: &Datum) -> Value {
    match value {
        Datum::Bytes { head, length } => {
            let mut told = bytes(head);
            told["size"] = (*length).into();
            told
        }
        Datum::Number(number) => (*number).into(),
        Datum::Flag(flag) => (*flag).into(),
        Datum::Absent => Value::Null,
    }
}

fn writes(writes: &Writes) -> Value {
    let one = |(key, value): (&bytes::Bytes, &Option<bytes::Bytes>)| {
        let value = value.as_ref().map(|value| datum(&Datum::bytes(value)));
        json!({ "name": crate::rescue::key_name(key), "key": bytes(key), "value": value })
    };
    Value::Array(writes.iter().map(one).collect())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
