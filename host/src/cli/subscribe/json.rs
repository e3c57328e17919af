//! Changes and progress as lines of JSON.
//!
//! Keys and values are bytes. Each is an object: `base64` has the bytes, `text` is there too when
//! they are UTF-8.

use serde_json::{Map, Value, json};

use crate::proto::client::{Change, SubscribeResponse, change};
use crate::types::format_time;

const MICROSECONDS: u64 = 1_000_000;

/// A change.
pub fn change(change: Change) -> Value {
    let Change { lsn, ordinal, index, time_us, what } = change;
    let mut line = Map::new();
    line.insert("lsn".into(), lsn.into());
    line.insert("ordinal".into(), ordinal.into());
    line.insert("index".into(), index.into());
    line.insert("time".into(), time(time_us).into());
    let rest = match what {
        Some(change::What::Key(key)) => json!({
            "kind": if key.after.is_some() { "put" } else { "delete" },
            "module": key.module,
            "key": bytes(&key.key),
            "before": key.before.as_deref().map(bytes),
            "before_omitted": key.before_omitted,
            "after": key.after.as_deref().map(bytes),
        }),
        Some(change::What::Event(event)) => json!({
            "kind": "event",
            "module": event.module,
            "topic": event.topic,
            "key": bytes(&event.key),
            "body": bytes(&event.body),
        }),
        Some(change::What::Cluster(cluster)) => json!({
            "kind": "cluster",
            "command": cluster.command,
            "caller": cluster.caller,
            "details": serde_json::from_str(&cluster.details)
                .unwrap_or(Value::String(cluster.details)),
        }),
        // Of a newer frontend.
        None => json!({ "kind": "unknown" }),
    };
    if let Value::Object(rest) = rest {
        line.extend(rest);
    }
    Value::Object(line)
}

/// How far everything is complete.
pub fn progress(response: &SubscribeResponse) -> Value {
    json!({
        "kind": "progress",
        "complete_lsn": response.complete_lsn,
        "applied_lsn": response.applied_lsn,
        "cluster_id": response.cluster_id,
        "generation": response.generation,
    })
}

fn time(us: u64) -> String {
    let seconds = format_time(us.cast_signed()).replace(' ', "T");
    format!("{seconds}.{:06}Z", us % MICROSECONDS)
}

/// Bytes: base64, and the text if that is what they are.
pub fn bytes(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text, "base64": base64(bytes) }),
        Err(_) => json!({ "base64": base64(bytes) }),
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= chunk.len() {
                let letter = group >> (18 - 6 * at) & 0x3f;
                out.push(char::from(LETTERS[letter as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::*;
    use crate::proto::client::{ClusterChange, KeyChange};

    #[test]
    fn base64_is_that_of_the_standard() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn bytes_that_are_no_text_are_only_bytes() {
        let key = KeyChange {
            module: "kv".into(),
            key: Bytes::from_static(b"a"),
            before: None,
            after: Some(Bytes::from_static(&[0xff])),
            before_omitted: false,
        };
        let what = Some(change::What::Key(key));
        let line = change(Change { lsn: 5, ordinal: 1, index: 2, time_us: 1_000_002, what });
        assert_eq!(
            line,
            json!({
                "lsn": 5, "ordinal": 1, "index": 2, "time": "1970-01-01T00:00:01.000002Z",
                "kind": "put", "module": "kv", "key": { "text": "a", "base64": "YQ==" },
                "before": null, "before_omitted": false, "after": { "base64": "/w==" },
            })
        );
        let told = |details: &str| {
            let details = details.to_owned();
            let cluster = ClusterChange { command: "set".into(), caller: "root".into(), details };
            let what = Some(change::What::Cluster(cluster));
            change(Change { lsn: 5, ordinal: 1, index: 2, time_us: 0, what })["details"].clone()
        };
        assert_eq!(told("{\"name\":\"a\"}"), json!({ "name": "a" }));
        assert_eq!(told("not JSON"), json!("not JSON"));
    }
}
