//! Decoding what a client sends after it has entered.

use mysql_common::constants::Command as Code;
use mysql_common::io::ParseBuf;
use quorate_wire::Failure;

/// A command.
#[derive(Debug, PartialEq)]
pub(super) enum Command<'a> {
    Quit,
    InitDb(&'a str),
    Query(&'a str),
    FieldList,
    Statistics,
    ProcessKill(u64),
    Ping,
    /// With the command byte, as it is read with the client's capabilities.
    ChangeUser(&'a [u8]),
    ResetConnection,
    SetMultiStatements(bool),
    Prepare(&'a str),
    /// The statement, and all that follows its number.
    Execute(u32, &'a [u8]),
    /// Statement, parameter, a piece of its value. Has no answer.
    SendLongData(u32, u16, &'a [u8]),
    /// Has no answer.
    Close(u32),
    ResetStatement(u32),
}

impl<'a> Command<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// 1047 for a command that is not offered, 1300 for a text that is not UTF-8, 1835 for a
    /// payload that ends too early.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Failure> {
        let Some((&code, body)) = payload.split_first() else {
            return Err(malformed());
        };
        let mut rest = ParseBuf(body);
        let is = |command: Code| code == command as u8;
        Ok(if is(Code::COM_QUERY) {
            Self::Query(text(body)?)
        } else if is(Code::COM_STMT_EXECUTE) {
            Self::Execute(rest.checked_eat_u32_le().ok_or_else(malformed)?, rest.0)
        } else if is(Code::COM_STMT_PREPARE) {
            Self::Prepare(text(body)?)
        } else if is(Code::COM_STMT_CLOSE) {
            Self::Close(rest.checked_eat_u32_le().ok_or_else(malformed)?)
        } else if is(Code::COM_STMT_RESET) {
            Self::ResetStatement(rest.checked_eat_u32_le().ok_or_else(malformed)?)
        } else if is(Code::COM_STMT_SEND_LONG_DATA) {
            let statement = rest.checked_eat_u32_le().ok_or_else(malformed)?;
            let parameter = rest.checked_eat_u16_le().ok_or_else(malformed)?;
            Self::SendLongData(statement, parameter, rest.0)
        } else if is(Code::COM_PING) {
            Self::Ping
        } else if is(Code::COM_QUIT) {
            Self::Quit
        } else if is(Code::COM_INIT_DB) {
            Self::InitDb(text(body)?)
        } else if is(Code::COM_FIELD_LIST) {
            Self::FieldList
        } else if is(Code::COM_STATISTICS) {
            Self::Statistics
        } else if is(Code::COM_PROCESS_KILL) {
            Self::ProcessKill(rest.checked_eat_u32_le().ok_or_else(malformed)?.into())
        } else if is(Code::COM_CHANGE_USER) {
            Self::ChangeUser(payload)
        } else if is(Code::COM_RESET_CONNECTION) {
            Self::ResetConnection
        } else if is(Code::COM_SET_OPTION) {
            match rest.checked_eat_u16_le().ok_or_else(malformed)? {
                // MYSQL_OPTION_MULTI_STATEMENTS_ON and _OFF.
                0 => Self::SetMultiStatements(true),
                1 => Self::SetMultiStatements(false),
                _ => return Err(unknown()),
            }
        } else {
            return Err(unknown());
        })
    }
}

/// A payload that ends too early or holds what it should not.
pub(super) fn malformed() -> Failure {
    Failure::new(1835, "HY000", "Malformed communication packet")
}

fn unknown() -> Failure {
    Failure::new(1047, "08S01", "Unknown command")
}

/// How much of a text that is not UTF-8 is quoted, in bytes, as in MySQL.
const INVALID_BYTES_QUOTED: usize = 6;

fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let invalid = bytes[error.valid_up_to()..].iter().take(INVALID_BYTES_QUOTED);
        let quoted: String = invalid.map(|byte| format!("\\x{byte:02X}")).collect();
        Failure::new(1300, "HY000", format!("Invalid utf8mb4 character string: '{quoted}'"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_not_offered_are_never_taken_for_others() {
        // COM_SLEEP, _CREATE_DB, _BINLOG_DUMP, _STMT_FETCH, _STMT_BULK_EXECUTE, and no command.
        for code in [0, 5, 18, 28, 0xfa, 0xff] {
            assert_eq!(Command::decode(&[code, 0, 0, 0, 0]).unwrap_err().code, 1047);
        }
        assert_eq!(Command::decode(&[27, 9, 0]).unwrap_err().code, 1047);
    }

    #[test]
    fn short_payloads_and_texts_that_are_not_utf8_are_refused() {
        for payload in [&[][..], &[23, 1, 0], &[24, 1, 0, 0, 0, 7], &[25], &[12, 1]] {
            assert_eq!(Command::decode(payload).unwrap_err().code, 1835);
        }
        let failure = Command::decode(b"\x03SELECT \xff\xfe").unwrap_err();
        assert_eq!(failure.code, 1300);
        assert!(failure.message.ends_with("'\\xFF\\xFE'"), "{failure}");
    }

    proptest! {
        #[test]
        fn hostile_payloads_never_panic(payload in prop::collection::vec(any::<u8>(), 0..50)) {
            let _command = Command::decode(&payload);
        }
    }
}
