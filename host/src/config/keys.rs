//! Every configuration key, once.

/// A configuration key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, as in `fe.conf`.
    pub name: &'static str,
    /// Its value when nothing is set; empty when that depends on other keys.
    pub default: &'static str,
    /// What it does, for `--help` and `ADMIN SHOW FRONTEND CONFIG`.
    pub help: &'static str,
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help }
}

/// Without what the consensus says about each attempt to reach a frontend that is down, which is
/// hundreds of lines in a second.
const LOG_LEVEL: &str = "info,openraft=warn,openraft::replication=error,openraft::engine=error,\
                         openraft::core::heartbeat=error";

/// All keys, in the order of `--help`.
pub const KEYS: &[Key] = &[
    key("meta_dir", "meta", "data directory"),
    key("priority_networks", "", "networks, as 10.1.3.0/24;10.1.4.0/24, of this one's address"),
    key("frontend_address", "", "host under which others reach this frontend"),
    key("host_type", "IP", "IP or FQDN: be known by address or by this machine's name"),
    key("bind_address", "", "address that every port binds to"),
    key("trusted_networks", "", "networks whose clients may come in, as root; else this machine"),
    key("edit_log_port", "9010", "port for the other frontends"),
    key("rpc_port", "9020", "gRPC port for clients"),
    key("query_port", "9030", "MySQL port"),
    key("http_port", "8030", "HTTP port"),
    key("election_profile", "", "timing of elections: fast, lan or wan"),
    key("qe_max_connection", "4096", "most client sessions at once"),
    key("query_mem_limit", "268435456", "most bytes that one SELECT may take"),
    key("sys_log_level", LOG_LEVEL, "what goes to the log: a filter"),
    key("sys_log_dir", "", "where the log is a file, fe.log; else standard error"),
    key("pid_dir", "", "where a file fe.pid tells the process's id"),
    key("snapshot_log_bytes", "268435456", "bytes of log after which a snapshot is taken"),
    key("snapshot_log_entries", "500000", "entries of log after which a snapshot is taken"),
    key("snapshot_interval_seconds", "600", "time after which one is taken if anything changed"),
    key("snapshot_max_bytes_per_second", "67108864", "how fast a snapshot is sent at most"),
    key("log_retention_entries", "100000", "entries of log that are kept behind a snapshot"),
    key("log_retention_bytes", "536870912", "bytes of log that are kept at most"),
    key("min_free_disk_bytes", "536870912", "free disk space below which writes are refused"),
    key(
        "ballast_bytes",
        "67108864",
        "disk space kept in reserve and given up when the disk is full",
    ),
];

/// The key of that name.
///
/// # Panics
/// When there is none: callers name keys in their code.
pub(super) fn find(name: &str) -> &'static Key {
    KEYS.iter().find(|key| key.name == name).expect("every key in use is in the table")
}
