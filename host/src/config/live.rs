//! The configuration in force: what a frontend was started with, under what the cluster has set.
//!
//! `ADMIN SET FRONTEND CONFIG` writes a replicated setting named like its key. Every frontend lays
//! the replicated settings over its own configuration, at a start and whenever they change, and an
//! empty value lays nothing over: it gives the key back. Only keys of [`Reach::Running`] can be
//! covered so; all others stay what they were at the start.

use std::sync::Arc;

use tokio::sync::watch;

use super::keys::{self, Key, Kind, Reach};
use super::{Config, ConfigError, Setting};

/// The source of replicated values, in messages.
const SOURCE: &str = "ADMIN SET FRONTEND CONFIG";

/// Why a value cannot be set while the frontends run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No key has this name.
    #[error("Config '{0}' does not exist or is not mutable")]
    Unknown(String),
    /// The key is read at a start only.
    #[error(
        "Config '{0}' does not exist or is not mutable; it is read at a start: set it in the \
         fe.conf of each frontend and start it again"
    )]
    Fixed(&'static str),
    /// The value does not fit.
    #[error("Set config failed: {0}")]
    Wrong(String),
}

/// The configuration in force. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Live {
    own: Arc<Config>,
    current: Arc<watch::Sender<Arc<Config>>>,
}

impl Live {
    /// A frontend's own configuration, with nothing over it yet.
    pub fn new(own: Config) -> Self {
        let own = Arc::new(own);
        let current = Arc::new(watch::Sender::new(Arc::clone(&own)));
        Self { own, current }
    }

    /// What is in force now.
    pub fn get(&self) -> Arc<Config> {
        Arc::clone(&self.current.borrow())
    }

    /// What is in force, as it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Config>> {
        self.current.subscribe()
    }

    /// Lays replicated settings over the frontend's own configuration, in the place of those
    /// before. Gives what this frontend cannot use: another version may have set it. There its own
    /// value stays.
    pub fn overlay(&self, replicated: &[(String, String)]) -> Vec<ConfigError> {
        let (next, unusable) = self.own.overlaid(replicated);
        self.current.send_if_modified(|current| {
            let changed = current.settings != next.settings;
            if changed {
                *current = Arc::new(next);
            }
            changed
        });
        unusable
    }
}

impl Config {
    /// Whether a value can be set while the frontends run, by the name of its key or an alias.
    /// Gives the key. An empty value gives the key back to each frontend's own configuration.
    ///
    /// # Errors
    /// See [`SetError`].
    pub fn check_set(&self, name: &str, value: &str) -> Result<&'static Key, SetError> {
        let key = keys::lookup(name).ok_or_else(|| SetError::Unknown(name.to_owned()))?;
        match key.reach {
            Reach::Start => Err(SetError::Fixed(key.name)),
            Reach::Cluster if key.kind == Kind::Flag && value != "true" && value != "false" => {
                Err(SetError::Wrong(format!("{} takes true or false, not '{value}'", key.name)))
            }
            Reach::Cluster => Ok(key),
            Reach::Running if value.is_empty() => Ok(key),
            Reach::Running => match self.with(key, value) {
                Ok(_) => Ok(key),
                Err(error) => Err(SetError::Wrong(error.message)),
            },
        }
    }

    /// The value in force of a key of this frontend.
    pub fn shown(&self, key: &Key) -> String {
        match key.name {
            "frontend_address" => self.frontend_address.clone(),
            "election_profile" => format!("{:?}", self.election_profile).to_ascii_lowercase(),
            name => match self.settings.get(name) {
                Some(setting) => setting.value.clone(),
                None => key.default.to_owned(),
            },
        }
    }

    /// As this one, with another value of a key of [`Reach::Running`].
    fn with(&self, key: &Key, value: &str) -> Result<Self, ConfigError> {
        let setting = |value: &str, source_name: &str| Setting {
            value: value.to_owned(),
            source_name: source_name.to_owned(),
        };
        let mut settings = self.settings.clone();
        settings.insert(key.name.to_owned(), setting(value, SOURCE));
        // What is read at a start was found to be right then, and may be found in the system, which
        // is not asked again.
        let mut running = settings.clone();
        running.retain(|name, _| keys::find(name).reach == Reach::Running);
        for name in ["bind_address", "frontend_address"] {
            running.insert(name.to_owned(), setting("127.0.0.1", SOURCE));
        }
        let mut next = self.clone();
        next.take_over(Self::from_settings(&running)?);
        next.settings = settings;
        Ok(next)
    }

    fn overlaid(&self, replicated: &[(String, String)]) -> (Self, Vec<ConfigError>) {
        let (mut next, mut unusable) = (self.clone(), Vec::new());
        for (name, value) in replicated {
            let key = keys::lookup(name).filter(|key| key.reach == Reach::Running);
            let Some(key) = key.filter(|_| !value.is_empty()) else { continue };
            match next.with(key, value) {
                Ok(changed) => next = changed,
                Err(error) => unusable.push(error),
            }
        }
        (next, unusable)
    }

    /// Takes what may change while a frontend runs, and nothing else.
    fn take_over(&mut self, changed: Self) {
        let Self { qe_max_connection, query_mem_limit, sys_log_level, .. } = changed;
        (self.qe_max_connection, self.query_mem_limit) = (qe_max_connection, query_mem_limit);
        self.sys_log_level = sys_log_level;
        self.snapshots = changed.snapshots;
        self.min_free_disk_bytes = changed.min_free_disk_bytes;
        self.max_clock_delta = changed.max_clock_delta;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{KEYS, Settings};

    fn own(pairs: &[(&str, &str)]) -> Config {
        let setting = |value: &str| Setting { value: value.into(), source_name: "test".into() };
        let settings = pairs.iter().map(|(key, value)| ((*key).to_owned(), setting(value)));
        Config::from_settings(&settings.collect()).unwrap()
    }

    fn set(live: &Live, pairs: &[(&str, &str)]) -> Vec<ConfigError> {
        let pairs: Vec<_> =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        live.overlay(&pairs)
    }

    #[test]
    fn what_cannot_be_set_is_refused_with_its_reason() {
        let config = own(&[]);
        assert_eq!(
            config.check_set("no_such_key", "1").unwrap_err().to_string(),
            "Config 'no_such_key' does not exist or is not mutable"
        );
        let fixed = config.check_set("http_port", "8031").unwrap_err();
        assert!(fixed.to_string().contains("does not exist or is not mutable"), "{fixed}");
        assert!(fixed.to_string().contains("fe.conf"), "{fixed}");
        for (name, value) in [
            ("qe_max_connection", "0"),
            ("qe_max_connection", "many"),
            ("query_mem_limit", "-1"),
            ("sys_log_level", "quorate=loud"),
            ("max_bdbje_clock_delta_ms", "5s"),
            ("allow_colocated", "yes"),
            ("allow_colocated", ""),
        ] {
            let refused = config.check_set(name, value).unwrap_err();
            assert!(matches!(refused, SetError::Wrong(_)), "{name} = {value}: {refused}");
            assert!(refused.to_string().contains(name), "{refused}");
        }
        assert_eq!(config.check_set("allow_colocated", "true").unwrap().name, "allow_colocated");
        let by_alias = config.check_set("max_clock_delta_ms", "1000").unwrap();
        assert_eq!(by_alias.name, "max_bdbje_clock_delta_ms");
    }

    #[test]
    fn an_unusable_or_fixed_setting_leaves_the_frontends_own_value() {
        let live = Live::new(own(&[("http_port", "8031"), ("query_mem_limit", "1000")]));
        let unusable =
            set(&live, &[("http_port", "1"), ("query_mem_limit", "lots"), ("from_later", "x")]);
        assert_eq!(unusable.len(), 1);
        assert!(unusable[0].message.contains("query_mem_limit"), "{}", unusable[0]);
        assert_eq!((live.get().http_port, live.get().query_mem_limit), (8031, 1000));
    }

    #[test]
    fn a_setting_goes_before_the_frontends_own_value_until_it_is_given_back() {
        let live = Live::new(own(&[("qe_max_connection", "7")]));
        let mut seen = live.subscribe();
        set(&live, &[("qe_max_connection", "9")]);
        assert_eq!(seen.borrow_and_update().qe_max_connection, 9);
        set(&live, &[("qe_max_connection", "9")]);
        assert!(!seen.has_changed().unwrap(), "the same again is no change");
        set(&live, &[("qe_max_connection", "")]);
        assert_eq!(live.get().qe_max_connection, 7);
    }

    #[test]
    fn every_key_that_may_change_while_running_does() {
        for key in KEYS.iter().filter(|key| key.reach == Reach::Running) {
            let live = Live::new(own(&[]));
            let value = if key.name == "sys_log_level" { "debug" } else { "1234567" };
            assert_eq!(set(&live, &[(key.name, value)]), []);
            let (before, after) = (own(&[]), live.get());
            assert_eq!(after.shown(key), value);
            let without = |config: &Config| {
                let settings = Settings::new();
                format!("{:?}", Config { settings, ..config.clone() })
            };
            assert_ne!(without(&before), without(&after), "{} has no effect", key.name);
        }
    }

    #[test]
    fn what_depends_on_other_keys_is_shown_as_it_is_in_force() {
        let config = own(&[("bind_address", "10.1.2.3")]);
        let shown = |name| config.shown(keys::lookup(name).unwrap());
        assert_eq!(shown("frontend_address"), "10.1.2.3");
        assert_eq!(shown("election_profile"), "lan");
        assert_eq!(shown("http_port"), "8030");
    }
}
