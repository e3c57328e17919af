//! The commands that set replicated settings.

use std::collections::BTreeSet;

use super::host::{Halt, Host, refuse, refuse_with};
use crate::machine::keys;
use crate::machine::rows;
use crate::machine::signature;

/// `true` lets several frontends of one host join.
pub const ALLOW_COLOCATED: &str = "allow_colocated";

/// Most settings; another name is refused.
pub const SETTINGS_MAX: usize = 256;

const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 4 << 10;

impl Host<'_> {
    /// Sets all of them, or none. A name that comes twice has the value that comes last.
    pub fn set_all(&mut self, settings: Vec<(String, String)>) -> Result<u64, Halt> {
        let mut added = BTreeSet::new();
        for (name, value) in &settings {
            check(name, value)?;
            if !self.registry.settings.contains_key(name) {
                added.insert(name);
            }
        }
        if !added.is_empty() && self.registry.settings.len() + added.len() > SETTINGS_MAX {
            let message = format!("the cluster has {SETTINGS_MAX} settings, the most it can");
            return Err(refuse(message));
        }
        let mut changed = 0;
        for (name, value) in settings {
            if self.registry.settings.get(&name) != Some(&value) {
                self.put(keys::setting(&name), rows::pack(|out| out.text(&value)));
                self.registry.settings.insert(name, value);
                changed += 1;
            }
        }
        Ok(changed)
    }
}

/// Whether a setting can have this name and value.
fn check(name: &str, value: &str) -> Result<(), Halt> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(letters) {
        // MySQL: ER_UNKNOWN_SYSTEM_VARIABLE.
        return Err(refuse_with(1193, format!("unknown setting '{name}'")));
    }
    let is_flag = value == "true" || value == "false";
    let wrong = match name {
        ALLOW_COLOCATED | signature::REQUIRE => !is_flag,
        signature::TRUSTED_KEYS => !signature::are_keys(value),
        _ => false,
    };
    if wrong || value.len() > VALUE_BYTES_MAX {
        // MySQL: ER_WRONG_VALUE_FOR_VAR.
        return Err(refuse_with(1231, format!("setting '{name}' cannot have this value")));
    }
    Ok(())
}
