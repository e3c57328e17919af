//! Encoding the short answers: OK, error, end of a list.
//!
//! `mysql_common` reads OK packets and does not write them.

use mysql_common::constants::{CapabilityFlags, SessionStateType, StatusFlags};
use mysql_common::io::BufMutExt;
use mysql_common::packets::session_state_change::{Schema, SystemVariable};
use mysql_common::packets::{ErrPacket, ServerError, SqlState};
use mysql_common::proto::MySerialize;
use quorate_wire::Failure;

use crate::session::Changes;

/// In front of an OK packet.
pub(super) const OK: u8 = 0x00;
/// In front of what ends columns and rows.
pub(super) const END: u8 = 0xfe;

/// What every answer ends with.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub capabilities: CapabilityFlags,
    pub status: StatusFlags,
    pub warnings: u16,
    pub changes: Changes,
}

impl Tail {
    /// An OK packet.
    pub fn ok(&self, out: &mut Vec<u8>, affected: u64) {
        self.write(out, OK, affected);
    }

    /// What ends rows: an OK packet of another kind for clients that know it, else EOF.
    pub fn end(&self, out: &mut Vec<u8>) {
        if self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            self.write(out, END, 0);
        } else {
            self.eof(out);
        }
    }

    /// What ends columns, for clients that insist on it.
    pub fn eof(&self, out: &mut Vec<u8>) {
        out.push(END);
        out.extend_from_slice(&self.warnings.to_le_bytes());
        out.extend_from_slice(&self.status.bits().to_le_bytes());
    }

    fn write(&self, out: &mut Vec<u8>, kind: u8, affected: u64) {
        let tracked = self.capabilities.contains(CapabilityFlags::CLIENT_SESSION_TRACK);
        let state = if tracked { session_state(&self.changes) } else { Vec::new() };
        let mut status = self.status;
        status.set(StatusFlags::SERVER_SESSION_STATE_CHANGED, !state.is_empty());
        out.push(kind);
        out.put_lenenc_int(affected);
        // No generated ids here.
        out.put_lenenc_int(0);
        out.extend_from_slice(&status.bits().to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if !state.is_empty() {
            // In front of it, an empty message for people.
            out.put_lenenc_int(0);
            out.put_lenenc_str(&state);
        }
    }
}

/// An error packet.
pub(super) fn error(out: &mut Vec<u8>, failure: &Failure) {
    // SQLSTATE has five characters; a module that says otherwise gets the general one.
    let state = failure.sqlstate.as_bytes().try_into().unwrap_or(*b"HY000");
    write_error(out, failure, Some(SqlState::new(state)));
}

/// An error packet before the client's capabilities are known.
pub(super) fn early_error(out: &mut Vec<u8>, failure: &Failure) {
    write_error(out, failure, None);
}

fn write_error(out: &mut Vec<u8>, failure: &Failure, state: Option<SqlState>) {
    let message = failure.message.as_bytes();
    ErrPacket::Error(ServerError::new(failure.code, state, message)).serialize(out);
}

/// Session state changes as in an OK packet.
fn session_state(changes: &Changes) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(database) = &changes.database {
        let schema = Schema::new(database.as_bytes());
        put_state(&mut out, SessionStateType::SESSION_TRACK_SCHEMA, &schema);
    }
    if let Some(lsn) = changes.last_lsn {
        let variable = SystemVariable::new(&b"last_lsn"[..], lsn.to_string().into_bytes());
        put_state(&mut out, SessionStateType::SESSION_TRACK_SYSTEM_VARIABLES, &variable);
    }
    out
}

fn put_state(out: &mut Vec<u8>, kind: SessionStateType, state: &impl MySerialize) {
    let mut bytes = Vec::new();
    state.serialize(&mut bytes);
    out.push(kind.into());
    out.put_lenenc_str(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(capabilities: CapabilityFlags) -> Tail {
        Tail {
            capabilities,
            status: StatusFlags::SERVER_STATUS_AUTOCOMMIT,
            warnings: 1,
            changes: Changes { database: Some("d".to_owned()), last_lsn: Some(7) },
        }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn a_failure_with_an_odd_sqlstate_gets_the_general_one() {
        let failure = Failure::new(1064, "4", "no");
        assert_eq!(written(|out| error(out, &failure)), b"\xff\x28\x04#HY000no");
        assert_eq!(written(|out| early_error(out, &failure)), b"\xff\x28\x04no");
    }

    #[test]
    fn session_state_is_told_to_clients_that_track_it() {
        let tail = tail(CapabilityFlags::CLIENT_SESSION_TRACK);
        let state = b"\x01\x02\x01d\x00\x0b\x08last_lsn\x017";
        let head = [0, 5, 0, 2, 0x40, 1, 0, 0, state.len() as u8];
        assert_eq!(written(|out| tail.ok(out, 5)), [&head[..], state].concat());
    }

    #[test]
    fn other_clients_get_the_short_form() {
        let tail = tail(CapabilityFlags::empty());
        assert_eq!(written(|out| tail.ok(out, 300)), [0, 0xfc, 0x2c, 1, 0, 2, 0, 1, 0]);
        assert_eq!(written(|out| tail.end(out)), [0xfe, 1, 0, 2, 0]);
    }
}
