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
    /// What its value is.
    pub kind: Kind,
    /// Where and when it is set.
    pub reach: Reach,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
}

/// What a value is, by StarRocks' names of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A number of 32 bits.
    Int,
    /// A number of 64 bits.
    Long,
    /// `true` or `false`.
    Flag,
}

/// Where a key is set, and when a value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On each frontend, at its next start.
    Start,
    /// On each frontend, at its next start; or on all of them at once with
    /// `ADMIN SET FRONTEND CONFIG`, which goes before what each has been told.
    Running,
    /// Only on all of them, with `ADMIN SET FRONTEND CONFIG`.
    Cluster,
}

impl Kind {
    /// As `ADMIN SHOW FRONTEND CONFIG` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Int => "int",
            Self::Long => "long",
            Self::Flag => "boolean",
        }
    }
}

impl Key {
    /// Whether `ADMIN SET FRONTEND CONFIG` takes it.
    pub fn is_mutable(&self) -> bool {
        self.reach != Reach::Start
    }

    /// Whether `name` is its name or an alias.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    const fn int(self) -> Self {
        Self { kind: Kind::Int, ..self }
    }

    const fn long(self) -> Self {
        Self { kind: Kind::Long, ..self }
    }

    const fn flag(self) -> Self {
        Self { kind: Kind::Flag, ..self }
    }

    const fn running(self) -> Self {
        Self { reach: Reach::Running, ..self }
    }

    const fn cluster(self) -> Self {
        Self { reach: Reach::Cluster, ..self }
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

/// A text that is read at a start, unless it is said otherwise.
const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key { name, default, help, kind: Kind::Text, reach: Reach::Start, aliases: &[] }
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
    key("edit_log_port", "9010", "port for the other frontends").int(),
    key("rpc_port", "9020", "gRPC port for clients").int(),
    key("query_port", "9030", "MySQL port").int(),
    key("http_port", "8030", "HTTP port").int(),
    key("election_profile", "", "timing of elections: fast, lan or wan"),
    key(
        "module_engine",
        "native",
        "how modules run: native; on an observer also unoptimised or interpreter, to check others",
    ),
    key("qe_max_connection", "4096", "most client sessions at once").int().running(),
    key("query_mem_limit", "268435456", "most bytes that one SELECT may take").long().running(),
    key("sys_log_level", LOG_LEVEL, "what goes to the log: a filter").running(),
    key("sys_log_dir", "", "where the log is a file, fe.log; else standard error"),
    key("pid_dir", "", "where a file fe.pid tells the process's id"),
    key("snapshot_log_bytes", "268435456", "bytes of log after which a snapshot is taken")
        .long()
        .running(),
    key("snapshot_log_entries", "500000", "entries of log after which a snapshot is taken")
        .long()
        .running(),
    key("snapshot_interval_seconds", "600", "time after which one is taken if anything changed")
        .long()
        .running(),
    key("snapshot_max_bytes_per_second", "67108864", "how fast a snapshot is sent at most")
        .long()
        .running(),
    key("log_retention_entries", "100000", "entries of log that are kept behind a snapshot")
        .long()
        .running(),
    key("log_retention_bytes", "536870912", "bytes of log that are kept at most").long().running(),
    key("min_free_disk_bytes", "536870912", "free disk space below which writes are refused")
        .long()
        .running(),
    key(
        "ballast_bytes",
        "67108864",
        "disk space kept in reserve and given up when the disk is full",
    )
    .long(),
    key(
        "max_bdbje_clock_delta_ms",
        "5000",
        "how far the clocks of two frontends may be apart before one may not join",
    )
    .long()
    .running()
    .alias(&["max_clock_delta_ms"]),
    key(
        "allow_colocated",
        "false",
        "whether frontends may share a machine and differ in http_port",
    )
    .flag()
    .cluster(),
    key("change_feed", "true", "whether what each entry changes is kept for subscribers")
        .flag()
        .cluster(),
    key("module_trusted_keys", "", "public keys of minisign, several with ;, that sign modules")
        .cluster(),
    key("require_module_signatures", "false", "whether a module must be signed by one of them")
        .flag()
        .cluster(),
];

/// The key of that name or alias.
pub fn lookup(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.is_called(name))
}

/// The key of that name.
///
/// # Panics
/// When there is none: callers name keys in their code.
pub(super) fn find(name: &str) -> &'static Key {
    lookup(name).expect("every key in use is in the table")
}
