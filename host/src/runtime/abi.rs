//! The types that cross the border, as `wit/` defines them.
// Deriving the engine's traits writes `unsafe impl`; their layouts are the macro's own doing.
#![allow(unsafe_code)]

use quorate_wire::Failure;
use wasmtime::component::{ComponentType, Lift, Lower};

/// Longest message of a failure; the rest is cut.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct Caller {
    /// Number of the client's connection on its frontend.
    #[component(name = "id")]
    pub session_id: u64,
    /// Authenticated user.
    pub user: String,
    /// Current database of the session.
    pub database: Option<String>,
}

/// What a client sent.
#[derive(Debug, Clone, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub enum Request {
    /// SQL or other text.
    #[component(name = "text")]
    Text(String),
    /// Bytes that only client and module understand.
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Evaluated {
    #[component(name = "reply")]
    Reply(Vec<u8>),
    #[component(name = "command")]
    Command(Vec<u8>),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct RelationPage {
    pub rows: Vec<u8>,
    pub next: Option<Vec<u8>>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct CheckPage {
    pub findings: Vec<u8>,
    pub next: Option<Vec<u8>>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Refusal {
    code: u16,
    sqlstate: String,
    message: String,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct StorePage {
    pub pairs: Vec<u8>,
    pub next: Option<Vec<u8>>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Context {
    pub lsn: u64,
    pub index: u32,
    #[component(name = "time-us")]
    pub time_us: u64,
    pub schema: u32,
    pub caller: String,
}

// Made by lifting only.
#[allow(dead_code)]
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Refusal> for Failure {
    /// Goes to clients and into digests, so it is brought into form here, alike everywhere: a
    /// SQLSTATE is five letters or digits, a code is never 0, a message is not endless.
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, mut sqlstate, mut message } = refusal;
        if sqlstate.len() != 5 || !sqlstate.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            sqlstate = "HY000".to_owned();
        }
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self { code: if code == 0 { 1105 } else { code }, sqlstate, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_brought_into_form() {
        let refuse = |code, sqlstate: &str, message: String| {
            Failure::from(Refusal { code, sqlstate: sqlstate.to_owned(), message })
        };
        let failure = refuse(0, "4200\u{e9}", format!("x{}", "é".repeat(4096)));
        assert_eq!((failure.code, failure.sqlstate.as_str()), (1105, "HY000"));
        assert_eq!(failure.message.len(), MESSAGE_BYTES_MAX - 1);
        assert_eq!(refuse(1050, "42S01", "m".into()), Failure::new(1050, "42S01", "m"));
    }
}
