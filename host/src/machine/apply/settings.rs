//! The command that sets a replicated setting.

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
    pub fn set(&mut self, name: String, value: String) -> Result<u64, Halt> {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(letters) {
            // MySQL: ER_UNKNOWN_SYSTEM_VARIABLE.
            return Err(refuse_with(1193, format!("unknown setting '{name}'")));
        }
        let is_flag = value == "true" || value == "false";
        let wrong = match name.as_str() {
            ALLOW_COLOCATED | signature::REQUIRE => !is_flag,
            signature::TRUSTED_KEYS => !signature::are_keys(&value),
            _ => false,
        };
        if wrong || value.len() > VALUE_BYTES_MAX {
            // MySQL: ER_WRONG_VALUE_FOR_VAR.
            return Err(refuse_with(1231, format!("setting '{name}' cannot have this value")));
        }
        let present = self.registry.settings.get(&name);
        if present == Some(&value) {
            return Ok(0);
        }
        if present.is_none() && self.registry.settings.len() >= SETTINGS_MAX {
            return Err(refuse(format!(
                "the cluster has {SETTINGS_MAX} settings, the most it can"
            )));
        }
        self.put(keys::setting(&name), rows::pack(|out| out.text(&value)));
        self.registry.settings.insert(name, value);
        Ok(1)
    }
}
