//! What an operator may set: `fe.conf`, environment, flags.
//!
//! Three sources, later ones win: the file (`key = value` lines with StarRocks' key names), the
//! environment (`QUORATE_` and the key in upper case), the command line (`--key value`). All three
//! meet in one table, [`keys::KEYS`], so a key works everywhere or nowhere.
//!
//! Some keys can also be set for all frontends while they run: [`Live`].
//!
//! Nothing here can change an outcome below the log: two frontends with different configurations
//! still apply every entry alike.

mod address;
mod file;
mod keys;
mod live;
pub mod networks;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use address::{Machine, This, Wish};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

pub use file::{expand, parse};
pub use keys::{KEYS, Key, Kind, Reach};
pub use live::{Live, SetError};

use networks::{Network, Trusted};

/// Timing of elections; see `raft::Profile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElectionProfile {
    /// One machine: a dead leader is replaced in about 0.25 s.
    Fast,
    /// One site: about 0.4 s.
    Lan,
    /// Slow disks or several sites: about 2 s.
    Wan,
}

/// How a frontend has modules run. It makes no difference to what they come to, and that is what
/// the slow ones are for: one that they do make a difference on shows it by its digest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ModuleEngine {
    /// Optimised machine code, as voters run it
    #[default]
    Native,
    /// Machine code without optimisation
    Unoptimised,
    /// The interpreter
    Interpreter,
}

impl ModuleEngine {
    /// As `module_engine` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Unoptimised => "unoptimised",
            Self::Interpreter => "interpreter",
        }
    }
}

/// The configuration of one frontend, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data directory. Default `meta`.
    pub meta_dir: PathBuf,
    /// Address that every port binds to; the clients' ones also to 127.0.0.1. Default: see
    /// [`address`].
    pub bind_address: IpAddr,
    /// Host name or address under which the other frontends and clients reach this one. Default:
    /// see [`address`].
    pub frontend_address: String,
    /// Where clients may come from. Default: this machine only, because there are no users yet.
    pub trusted: Trusted,
    /// Port for the other frontends. Default 9010.
    pub edit_log_port: u16,
    /// gRPC port for clients. Default 9020.
    pub rpc_port: u16,
    /// MySQL port. Default 9030.
    pub query_port: u16,
    /// HTTP port. Default 8030.
    pub http_port: u16,
    /// Timing of elections. Default `fast` on a loopback address, else `lan`.
    pub election_profile: ElectionProfile,
    /// How modules run. Default `native`; anything else is for observers.
    pub module_engine: ModuleEngine,
    /// Most client sessions at once, over all front doors. Default 4096; one more gets error 1040.
    pub qe_max_connection: usize,
    /// Most memory in bytes that the rows of one SELECT may take. Default 256 MiB.
    pub query_mem_limit: usize,
    /// What goes to the log: a `tracing` filter. Default `info`, of the consensus less.
    pub sys_log_level: String,
    /// Where the log is a file, `fe.log`; empty for standard error.
    pub sys_log_dir: PathBuf,
    /// Where a file `fe.pid` tells the process's id; empty for none.
    pub pid_dir: PathBuf,
    /// When snapshots are taken and what of the log is kept behind them.
    pub snapshots: SnapshotConfig,
    /// Free disk space in bytes below which writes are refused. Default 512 MiB.
    pub min_free_disk_bytes: u64,
    /// Disk space in bytes that a file in the data directory keeps in reserve, given up when less
    /// than a quarter of `min_free_disk_bytes` is free. Default 64 MiB; 0 for none.
    pub ballast_bytes: u64,
    /// How far two frontends' clocks may be apart. Default 5 s. Beyond it, a frontend may not join,
    /// and one that has joined is pointed at. Nothing else depends on clocks.
    pub max_clock_delta: Duration,
    /// As it was written, of which the rest was made.
    settings: Settings,
}

/// When snapshots are taken, how fast they are sent, and what of the log is kept behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Bytes of log since the last one. Default 256 MiB.
    pub log_bytes: u64,
    /// Entries of log since the last one. Default 500,000.
    pub log_entries: u64,
    /// Time since the last one, if anything was applied. Default ten minutes.
    pub interval: Duration,
    /// Bytes per second of each transfer. Default 64 MiB.
    pub bytes_per_second: u64,
    /// Entries that are kept behind a snapshot, so that short absences need none. Default 100,000.
    pub keep_entries: u64,
    /// Bytes of log that are kept at most, whoever would still need them. Default 512 MiB.
    pub keep_bytes: u64,
}

/// A configuration that cannot be used, in one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {message}")]
pub struct ConfigError {
    /// The file and line, the variable or the flag.
    pub source_name: String,
    /// What is wrong with it, and what would be right.
    pub message: String,
    /// It may be right at the next start without being changed: a name did not resolve.
    pub passing: bool,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// As written.
    pub value: String,
    /// `fe.conf:3`, `QUORATE_HTTP_PORT`, `--http_port`.
    pub source_name: String,
}

/// Values by key; a later source replaces an earlier one.
pub type Settings = BTreeMap<String, Setting>;

impl Config {
    /// Checks settings and fills in the defaults.
    ///
    /// # Errors
    /// The first value that is not what its key takes.
    pub fn from_settings(settings: &Settings) -> Result<Self, ConfigError> {
        Self::on(settings, &This)
    }

    fn on(settings: &Settings, machine: &dyn Machine) -> Result<Self, ConfigError> {
        let get = |key: &str| Value { key: keys::find(key), setting: settings.get(key) };
        let wish = Wish {
            bind_address: get("bind_address").optional("an IP address")?,
            frontend_address: Some(get("frontend_address").text())
                // StarRocks' way to write that nothing is set.
                .filter(|text| !matches!(*text, "" | "0.0.0.0")),
            priority_networks: get("priority_networks").networks()?,
            by_name: match get("host_type").text() {
                "FQDN" | "fqdn" => true,
                "IP" | "ip" => false,
                _ => return Err(get("host_type").wrong("IP or FQDN")),
            },
        };
        let chosen = address::choose(&wish, machine)
            .map_err(|refusal| get(refusal.key).refused(refusal.message, refusal.passing))?;
        let bind_address = chosen.bind;
        let fallback = if bind_address.is_loopback() { "fast" } else { "lan" };
        let election_profile = match get("election_profile").or(fallback) {
            "fast" => ElectionProfile::Fast,
            "lan" => ElectionProfile::Lan,
            "wan" => ElectionProfile::Wan,
            _ => return Err(get("election_profile").wrong("fast, lan or wan")),
        };
        let module_engine = ModuleEngine::from_str(get("module_engine").text(), false);
        let module_engine = module_engine
            .map_err(|_| get("module_engine").wrong("native, unoptimised or interpreter"))?;
        let config = Self {
            meta_dir: get("meta_dir").text().into(),
            bind_address,
            frontend_address: chosen.host,
            trusted: Trusted::new(get("trusted_networks").networks()?, chosen.own),
            edit_log_port: get("edit_log_port").port()?,
            rpc_port: get("rpc_port").port()?,
            query_port: get("query_port").port()?,
            http_port: get("http_port").port()?,
            election_profile,
            module_engine,
            qe_max_connection: get("qe_max_connection")
                .parsed::<NonZeroUsize>("a number above 0")?
                .get(),
            query_mem_limit: get("query_mem_limit").parsed("a number of bytes")?,
            sys_log_level: get("sys_log_level").log_filter()?,
            sys_log_dir: get("sys_log_dir").text().into(),
            pid_dir: get("pid_dir").text().into(),
            snapshots: SnapshotConfig {
                log_bytes: get("snapshot_log_bytes").parsed("a number of bytes")?,
                log_entries: get("snapshot_log_entries").parsed("a number")?,
                interval: Duration::from_secs(
                    get("snapshot_interval_seconds").parsed("a number of seconds")?,
                ),
                bytes_per_second: get("snapshot_max_bytes_per_second")
                    .parsed("a number of bytes")?,
                keep_entries: get("log_retention_entries").parsed("a number")?,
                keep_bytes: get("log_retention_bytes").parsed("a number of bytes")?,
            },
            min_free_disk_bytes: get("min_free_disk_bytes").parsed("a number of bytes")?,
            ballast_bytes: get("ballast_bytes").parsed("a number of bytes")?,
            max_clock_delta: Duration::from_millis(
                get("max_bdbje_clock_delta_ms").parsed("a number of milliseconds")?,
            ),
            settings: settings.clone(),
        };
        config.check_ports_differ(settings)?;
        Ok(config)
    }

    fn check_ports_differ(&self, settings: &Settings) -> Result<(), ConfigError> {
        let ports = [
            ("edit_log_port", self.edit_log_port),
            ("rpc_port", self.rpc_port),
            ("query_port", self.query_port),
            ("http_port", self.http_port),
        ];
        for (at, (key, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..at].iter().find(|(_, taken)| taken == port) {
                let source_name =
                    settings.get(*key).map_or("defaults", |setting| &setting.source_name);
                return Err(ConfigError {
                    source_name: source_name.to_owned(),
                    message: format!("{key} and {other} are both {port}; each needs its own port"),
                    passing: false,
                });
            }
        }
        Ok(())
    }
}

/// The value of a key, or its default, without looking at the others.
///
/// # Panics
/// When there is no such key.
pub fn text<'a>(settings: &'a Settings, key: &str) -> &'a str {
    Value { key: keys::find(key), setting: settings.get(key) }.text()
}

/// The folders that start scripts hand on in the environment, as StarRocks' do. Any other source
/// wins over them.
pub fn from_scripts(variables: impl Iterator<Item = (String, String)>) -> Settings {
    variables
        .filter_map(|(name, value)| {
            let key = match name.as_str() {
                "LOG_DIR" => "sys_log_dir",
                "PID_DIR" => "pid_dir",
                _ => return None,
            };
            Some((key.to_owned(), Setting { value, source_name: name }))
        })
        .collect()
}

/// Settings from the environment, of which only `QUORATE_*` with the name of a key count.
pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Settings {
    variables
        .filter_map(|(name, value)| {
            let key = name.strip_prefix("QUORATE_")?.to_ascii_lowercase();
            let known = keys::lookup(&key).filter(|known| known.reach != Reach::Cluster)?;
            Some((known.name.to_owned(), Setting { value, source_name: name }))
        })
        .collect()
}

struct Value<'a> {
    key: &'static Key,
    setting: Option<&'a Setting>,
}

impl<'a> Value<'a> {
    fn text(&self) -> &'a str {
        self.setting.map_or(self.key.default, |setting| &setting.value)
    }

    fn or<'b>(&'b self, default: &'b str) -> &'b str {
        self.setting.map_or(default, |setting| &setting.value)
    }

    fn parsed<T: std::str::FromStr>(&self, expected: &str) -> Result<T, ConfigError> {
        self.text().parse().map_err(|_| self.wrong(expected))
    }

    fn optional<T: std::str::FromStr>(&self, expected: &str) -> Result<Option<T>, ConfigError> {
        if self.text().is_empty() { Ok(None) } else { self.parsed(expected).map(Some) }
    }

    fn networks(&self) -> Result<Vec<Network>, ConfigError> {
        let wrong = |_| self.wrong("networks as 10.1.3.0/24, apart by ';'");
        networks::list(self.text()).map_err(wrong)
    }

    fn port(&self) -> Result<u16, ConfigError> {
        match self.parsed("a port between 1 and 65535")? {
            0 => Err(self.wrong("a port between 1 and 65535")),
            port => Ok(port),
        }
    }

    fn log_filter(&self) -> Result<String, ConfigError> {
        match EnvFilter::try_new(self.text()) {
            Ok(_) => Ok(self.text().to_owned()),
            Err(_) => Err(self.wrong("a log filter, such as info,openraft=warn")),
        }
    }

    fn wrong(&self, expected: &str) -> ConfigError {
        let message = format!("{} is '{}', but takes {expected}", self.key.name, self.text());
        self.refused(message, false)
    }

    fn refused(&self, message: String, passing: bool) -> ConfigError {
        let source_name = match self.setting {
            Some(setting) => setting.source_name.clone(),
            None => "defaults".to_owned(),
        };
        ConfigError { source_name, message, passing }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let setting = |value: &str| Setting { value: value.into(), source_name: "test".into() };
        pairs.iter().map(|(key, value)| ((*key).to_owned(), setting(value))).collect()
    }

    #[test]
    fn a_value_that_does_not_fit_its_key_is_named_with_its_source() {
        for (key, value) in
            [("http_port", "x"), ("http_port", "0"), ("http_port", "70000"), ("bind_address", "h")]
        {
            let error = Config::from_settings(&settings(&[(key, value)])).unwrap_err();
            assert_eq!(error.source_name, "test");
            assert!(error.message.contains(key) && error.message.contains(value), "{error}");
        }
    }

    #[test]
    fn what_is_no_network_host_type_or_engine_is_named_with_its_key() {
        for (key, value) in [
            ("priority_networks", "eth0"),
            ("trusted_networks", "all"),
            ("host_type", "DNS"),
            ("module_engine", "jit"),
        ] {
            let error = Config::from_settings(&settings(&[(key, value)])).unwrap_err();
            assert!(error.message.contains(key) && error.message.contains(value), "{error}");
        }
        let error = Config::from_settings(&settings(&[("priority_networks", "192.0.2.255/32")]));
        let error = error.unwrap_err();
        assert_eq!(error.source_name, "test");
        assert!(error.message.contains("127.0.0.1 (lo)"), "{error}");
    }

    #[test]
    fn a_file_written_for_starrocks_means_no_address_by_all_addresses() {
        let config = Config::from_settings(&settings(&[("frontend_address", "0.0.0.0")])).unwrap();
        assert_eq!(config.frontend_address, "127.0.0.1");
    }

    #[test]
    fn two_services_cannot_share_a_port() {
        let error = Config::from_settings(&settings(&[("rpc_port", "9030")])).unwrap_err();
        assert!(error.message.contains("9030"), "{error}");
    }

    #[test]
    fn the_defaults_are_those_of_the_key_table() {
        let config = Config::from_settings(&Settings::new()).unwrap();
        assert_eq!((config.edit_log_port, config.http_port), (9010, 8030));
        assert_eq!(config.frontend_address, "127.0.0.1");
        assert_eq!(config.bind_address.to_string(), "127.0.0.1");
        assert!(config.trusted.networks().is_empty());
        assert_eq!(config.election_profile, ElectionProfile::Fast);
    }

    #[test]
    fn only_known_keys_are_taken_from_the_environment() {
        let variables = [("QUORATE_HTTP_PORT", "1"), ("QUORATE_OTHER", "2"), ("PATH", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = from_environment(variables.into_iter());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["http_port"]);
    }
}
