//! Which variables there are.
//!
//! MySQL's names and defaults where clients read or set them on connecting, StarRocks' where its
//! clients do, and four of our own: `read_consistency`, `max_staleness_ms`, `wait_lsn` and
//! `last_lsn`. Those that drivers set and that mean nothing here, as StarRocks' that have
//! statements forwarded, are kept all the same, so that reading gives back what was set.

use quorate_wire::Value;

use crate::session::{PACKET_BYTES_MAX, prepared};

/// A system variable.
#[derive(Debug)]
pub(in crate::session) struct Variable {
    /// Lower-case name.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// Who may set it.
    pub access: Access,
    default: Initial,
}

/// Which values a variable takes.
#[derive(Debug)]
pub(in crate::session) enum Kind {
    /// 0 or 1.
    Flag,
    /// A number; one out of range is moved into it.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A character set.
    Charset,
    /// A collation.
    Collation,
}

/// Who may set a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Access {
    /// The session for itself, and the frontend for new sessions.
    Both,
    /// The frontend only.
    Global,
    /// The session only.
    Session,
    /// Nobody.
    Fixed,
}

#[derive(Debug)]
enum Initial {
    Null,
    Number(u64),
    Word(&'static str),
}

impl Variable {
    /// Its value on a frontend that was told nothing else.
    pub fn default(&self) -> Value {
        match self.default {
            Initial::Null => Value::Null,
            Initial::Word(word) => word.into(),
            Initial::Number(number) => match i64::try_from(number) {
                Ok(number) => Value::Int(number),
                Err(_) => Value::UInt(number),
            },
        }
    }
}

const fn of(name: &'static str, kind: Kind, access: Access, default: Initial) -> Variable {
    Variable { name, kind, access, default }
}

const fn flag(name: &'static str, access: Access, default: u64) -> Variable {
    of(name, Kind::Flag, access, Initial::Number(default))
}

const fn number(name: &'static str, access: Access, min: u64, max: u64, default: u64) -> Variable {
    of(name, Kind::Integer { min, max }, access, Initial::Number(default))
}

const fn word(name: &'static str, access: Access, default: &'static str) -> Variable {
    of(name, Kind::Text, access, Initial::Word(default))
}

const fn set(name: &'static str, access: Access, default: &'static str) -> Variable {
    of(name, Kind::Charset, access, Initial::Word(default))
}

const fn collated(name: &'static str, access: Access) -> Variable {
    of(name, Kind::Collation, access, Initial::Word("utf8mb4_0900_ai_ci"))
}

const fn choice(
    name: &'static str,
    access: Access,
    choices: &'static [&'static str],
    default: &'static str,
) -> Variable {
    of(name, Kind::Choice(choices), access, Initial::Word(default))
}

const ISOLATION: &[&str] =
    &["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"];
const CONSISTENCY: &[&str] = &["session", "linearizable", "bounded", "any"];
/// Who answers is decided by `read_consistency` here.
const FORWARDING: &[&str] = &["", "default", "leader", "follower"];

const DAY_S: u64 = 24 * 3600;
const YEAR_S: u64 = 365 * DAY_S;
const U32: u64 = u32::MAX as u64;

use Access::{Both, Fixed, Global, Session};

/// All variables, in the order of their names.
pub(in crate::session) const VARIABLES: &[Variable] = &[
    number("auto_increment_increment", Both, 1, 65535, 1),
    number("auto_increment_offset", Both, 1, 65535, 1),
    flag("autocommit", Both, 1),
    choice("catalog", Session, &["default_catalog"], "default_catalog"),
    set("character_set_client", Both, "utf8mb4"),
    set("character_set_connection", Both, "utf8mb4"),
    set("character_set_database", Both, "utf8mb4"),
    set("character_set_filesystem", Both, "binary"),
    set("character_set_results", Both, "utf8mb4"),
    set("character_set_server", Both, "utf8mb4"),
    set("character_set_system", Fixed, "utf8mb3"),
    collated("collation_connection", Both),
    collated("collation_database", Both),
    collated("collation_server", Both),
    number("connect_timeout", Fixed, 1, YEAR_S, 10),
    word("default_authentication_plugin", Fixed, "mysql_native_password"),
    word("default_storage_engine", Both, "OLAP"),
    word("default_tmp_storage_engine", Both, "OLAP"),
    number("default_week_format", Both, 0, 7, 0),
    number("div_precision_increment", Both, 0, 30, 4),
    number("error_count", Fixed, 0, U32, 0),
    choice("event_scheduler", Fixed, &["OFF"], "OFF"),
    choice("follower_query_forward_mode", Both, FORWARDING, ""),
    flag("foreign_key_checks", Both, 1),
    flag("forward_to_leader", Both, 0),
    flag("forward_to_master", Both, 0),
    number("group_concat_max_len", Both, 4, u64::MAX, 1024),
    word("have_openssl", Fixed, "DISABLED"),
    word("have_query_cache", Fixed, "NO"),
    word("have_ssl", Fixed, "DISABLED"),
    number("identity", Session, 0, u64::MAX, 0),
    word("init_connect", Global, ""),
    number("insert_id", Session, 0, u64::MAX, 0),
    number("interactive_timeout", Both, 1, YEAR_S, 28800),
    number("last_insert_id", Session, 0, u64::MAX, 0),
    number("last_lsn", Fixed, 0, u64::MAX, 0),
    word("lc_messages", Both, "en_US"),
    word("lc_time_names", Both, "en_US"),
    word("license", Fixed, "Apache-2.0"),
    flag("local_infile", Fixed, 0),
    number("lock_wait_timeout", Both, 1, YEAR_S, YEAR_S),
    number("lower_case_file_system", Fixed, 0, 1, 0),
    number("lower_case_table_names", Fixed, 0, 2, 0),
    number("max_allowed_packet", Fixed, 1024, 1 << 30, PACKET_BYTES_MAX as u64),
    number("max_connections", Fixed, 1, U32, 1024),
    number("max_execution_time", Both, 0, U32, 0),
    number("max_join_size", Both, 1, u64::MAX, u64::MAX),
    number("max_prepared_stmt_count", Fixed, 0, U32, prepared::STATEMENTS_MAX as u64),
    number("max_staleness_ms", Both, 0, DAY_S * 1000, 5000),
    number("net_buffer_length", Both, 1024, 1 << 20, 16384),
    number("net_read_timeout", Both, 1, YEAR_S, 30),
    number("net_retry_count", Both, 1, u64::MAX, 10),
    number("net_write_timeout", Both, 1, YEAR_S, 60),
    word("optimizer_switch", Both, ""),
    flag("performance_schema", Fixed, 0),
    flag("profiling", Both, 0),
    number("protocol_version", Fixed, 10, 10, 10),
    number("query_cache_size", Fixed, 0, 0, 0),
    choice("query_cache_type", Fixed, &["OFF"], "OFF"),
    number("query_timeout", Both, 1, 3 * DAY_S, 300),
    choice("read_consistency", Both, CONSISTENCY, "session"),
    flag("read_only", Fixed, 0),
    choice("session_track_gtids", Fixed, &["OFF"], "OFF"),
    flag("session_track_schema", Fixed, 1),
    flag("session_track_state_change", Fixed, 0),
    word("session_track_system_variables", Fixed, "last_lsn"),
    flag("skip_name_resolve", Fixed, 1),
    of("socket", Kind::Text, Fixed, Initial::Null),
    flag("sql_auto_is_null", Both, 0),
    flag("sql_big_selects", Both, 1),
    flag("sql_log_bin", Session, 1),
    word("sql_mode", Both, "ONLY_FULL_GROUP_BY"),
    flag("sql_notes", Both, 1),
    flag("sql_quote_show_create", Both, 1),
    flag("sql_safe_updates", Both, 0),
    number("sql_select_limit", Both, 0, u64::MAX, u64::MAX),
    flag("sql_warnings", Both, 0),
    flag("super_read_only", Fixed, 0),
    word("system_time_zone", Fixed, "UTC"),
    word("time_zone", Both, "SYSTEM"),
    word("tls_version", Fixed, ""),
    choice("transaction_isolation", Both, ISOLATION, "REPEATABLE-READ"),
    flag("transaction_read_only", Both, 0),
    choice("tx_isolation", Both, ISOLATION, "REPEATABLE-READ"),
    flag("tx_read_only", Both, 0),
    flag("unique_checks", Both, 1),
    word("version", Fixed, ""),
    word("version_comment", Fixed, concat!("Quorate ", env!("CARGO_PKG_VERSION"))),
    word("version_compile_machine", Fixed, std::env::consts::ARCH),
    word("version_compile_os", Fixed, std::env::consts::OS),
    number("wait_lsn", Session, 0, u64::MAX, 0),
    number("wait_timeout", Both, 1, YEAR_S, 28800),
    number("warning_count", Fixed, 0, U32, 0),
];
