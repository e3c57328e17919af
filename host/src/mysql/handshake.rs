//! Entering: greeting, the client's answer, and who may come in.
//!
//! The greeting offers `mysql_native_password`, which every client in use knows or can be told to
//! leave: one without it answers with its own method. A password that is empty is empty in all of
//! them, so the answer of `mysql_native_password` and of `caching_sha2_password` is understood as
//! it is, and a client with another method is asked to switch.

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse};
use mysql_common::proto::MySerialize;
use quorate_wire::Failure;

use super::Peer;

/// Longest payload before the client is known. Room for 64 KiB of connection attributes.
pub(super) const PAYLOAD_BYTES_MAX: usize = 128 << 10;

const PLUGIN: &str = "mysql_native_password";
const PROTOCOL_VERSION: u8 = 10;
/// `utf8mb4_general_ci`, the one that old clients know as well.
const COLLATION: u8 = 45;

/// What the server can do.
const OFFERED: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_FOUND_ROWS)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_INTERACTIVE)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

/// Twenty random bytes that a password is scrambled with. None is 0, which would end them.
pub(super) struct Scramble([u8; 20]);

impl Scramble {
    pub fn random() -> Self {
        Self(rand::random::<[u8; 20]>().map(|byte| byte % 127 + 1))
    }

    fn terminated(&self, from: usize) -> Vec<u8> {
        self.0[from..].iter().copied().chain([0]).collect()
    }
}

/// Who wants to come in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    pub user: String,
    pub database: Option<String>,
    /// What the method makes of password and scramble.
    pub response: Vec<u8>,
    /// Whether `response` is of a method that the server does not understand.
    pub unknown_plugin: bool,
}

/// The first packet.
pub(super) fn greeting(out: &mut Vec<u8>, version: &str, connection_id: u64, scramble: &Scramble) {
    let mut head = [0; 8];
    head.copy_from_slice(&scramble.0[..8]);
    HandshakePacket::new(
        PROTOCOL_VERSION,
        version.as_bytes(),
        // The protocol has 32 bits for it.
        connection_id as u32,
        head,
        Some(scramble.terminated(8)),
        OFFERED,
        COLLATION,
        StatusFlags::SERVER_STATUS_AUTOCOMMIT,
        Some(PLUGIN.as_bytes()),
    )
    .serialize(out);
}

/// Asks for another method.
pub(super) fn switch(out: &mut Vec<u8>, scramble: &Scramble) {
    AuthSwitchRequest::new(PLUGIN.as_bytes(), scramble.terminated(0)).serialize(out);
}

/// Reads the client's answer to the greeting: what both sides can do, and who it is.
///
/// # Errors
/// 1043 when it is malformed, of a client from before MySQL 4.1, or begins TLS.
pub(super) fn response(payload: &[u8]) -> Result<(CapabilityFlags, Credentials), Failure> {
    let flags = payload.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).unwrap_or_default();
    let flags = CapabilityFlags::from_bits_truncate(flags);
    if !flags.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        return Err(bad_handshake("a client of MySQL 4.1 or later is needed"));
    }
    if flags.contains(CapabilityFlags::CLIENT_SSL) {
        return Err(bad_handshake("TLS is not offered"));
    }
    let answer: HandshakeResponse<'_> =
        ParseBuf(payload).parse(()).map_err(|_| bad_handshake("malformed answer"))?;
    let credentials = Credentials {
        user: text(answer.user())?,
        database: answer.db_name().filter(|name| !name.is_empty()).map(text).transpose()?,
        response: answer.scramble_buf().to_vec(),
        unknown_plugin: answer.auth_plugin().is_some_and(is_unknown),
    };
    Ok((flags & OFFERED, credentials))
}

/// Reads COM_CHANGE_USER, command byte included.
///
/// # Errors
/// 1043 when it is malformed.
pub(super) fn change_user(
    payload: &[u8],
    capabilities: CapabilityFlags,
) -> Result<Credentials, Failure> {
    // `mysql_common` has the packet for clients only, without getters.
    let mut rest = ParseBuf(payload.get(1..).unwrap_or_default());
    let user = text(rest.eat_null_str())?;
    let Some(response) = rest.checked_eat_u8_str() else {
        return Err(bad_handshake("malformed COM_CHANGE_USER"));
    };
    let database = rest.eat_null_str();
    let database = (!database.is_empty()).then(|| text(database)).transpose()?;
    // Character set and plugin may be left out.
    let named = rest.checked_skip(2) && capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH);
    let unknown_plugin = named && is_unknown(&AuthPlugin::from_bytes(rest.eat_null_str()));
    Ok(Credentials { user, database, response: response.to_vec(), unknown_plugin })
}

/// Whether someone may come in.
///
/// # Errors
/// 1045 for everybody but `root` without a password from a trusted address.
pub(super) fn admit(user: &str, response: &[u8], peer: Peer) -> Result<(), Failure> {
    // `caching_sha2_password` sends an empty password as its terminator.
    let empty = matches!(response, [] | [0]);
    if user == "root" && empty && peer.trusted {
        return Ok(());
    }
    let peer = peer.address.to_canonical();
    let using = if empty { "NO" } else { "YES" };
    let reason = format!("Access denied for user '{user}'@'{peer}' (using password: {using})");
    Err(Failure::new(1045, "28000", reason))
}

fn is_unknown(plugin: &AuthPlugin<'_>) -> bool {
    !matches!(plugin, AuthPlugin::MysqlNativePassword | AuthPlugin::CachingSha2Password)
        && !plugin.as_bytes().is_empty()
}

fn text(bytes: &[u8]) -> Result<String, Failure> {
    String::from_utf8(bytes.to_vec()).map_err(|_| bad_handshake("a name is not UTF-8"))
}

fn bad_handshake(reason: &str) -> Failure {
    Failure::new(1043, "08S01", format!("Bad handshake: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_but_root_without_a_password_from_a_trusted_address_comes_in() {
        let address = "192.0.2.1".parse().unwrap();
        let (near, far) = (Peer { address, trusted: true }, Peer { address, trusted: false });
        for (user, response, peer) in [
            ("root", &b"scrambled"[..], near),
            ("root", b"", far),
            ("jack", b"", near),
            ("", b"", near),
        ] {
            assert_eq!(admit(user, response, peer).unwrap_err().code, 1045);
        }
        assert_eq!(admit("root", b"", near), Ok(()));
        assert_eq!(admit("root", b"\0", near), Ok(()));
    }

    #[test]
    fn old_clients_and_tls_are_refused() {
        assert_eq!(response(&[0; 32]).unwrap_err().code, 1043);
        let flags = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_SSL;
        let mut request = flags.bits().to_le_bytes().to_vec();
        request.resize(32, 0);
        assert!(response(&request).unwrap_err().message.contains("TLS"));
    }

    #[test]
    fn a_scramble_has_no_terminator_inside() {
        assert!((0..100).all(|_| !Scramble::random().0.contains(&0)));
    }

    proptest! {
        #[test]
        fn hostile_answers_never_panic(
            flags in any::<u32>(),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let flags = flags & !CapabilityFlags::CLIENT_SSL.bits() | 0x200;
            let mut payload = flags.to_le_bytes().to_vec();
            payload.extend(rest);
            let _answer = response(&payload);
            payload.insert(0, 0x11);
            let _change = change_user(&payload, CapabilityFlags::from_bits_truncate(flags));
        }
    }
}
