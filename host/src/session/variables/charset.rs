//! Character sets and collations.
//!
//! All text is UTF-8, in and out. Clients that ask for another well-known set get it named, with
//! a warning, because drivers of old ask for `latin1` and then send ASCII; a set nobody has heard
//! of is an error.

use quorate_wire::{Failure, Warning};

/// Warning: a feature is accepted by name only.
const NOT_SUPPORTED_YET: u16 = 1235;

/// A character set.
#[derive(Debug)]
pub(in crate::session) struct Charset {
    /// As in `SET NAMES`.
    pub name: &'static str,
    /// For `SHOW CHARACTER SET`.
    pub description: &'static str,
    /// The collation that goes with it when none is named.
    pub collation: &'static str,
    /// Bytes of its longest character.
    pub bytes_max: i64,
    /// Whether its bytes are UTF-8 as well.
    pub utf8: bool,
}

/// A collation.
#[derive(Debug)]
pub(in crate::session) struct Collation {
    /// As in `COLLATE`.
    pub name: &'static str,
    /// Its character set.
    pub charset: &'static str,
    /// Its number in MySQL's protocol.
    pub id: i64,
}

const fn set(
    name: &'static str,
    description: &'static str,
    collation: &'static str,
    bytes_max: i64,
    utf8: bool,
) -> Charset {
    Charset { name, description, collation, bytes_max, utf8 }
}

/// The known character sets.
pub(in crate::session) const CHARSETS: &[Charset] = &[
    set("ascii", "US ASCII", "ascii_general_ci", 1, true),
    set("binary", "Binary pseudo charset", "binary", 1, true),
    set("gb18030", "China National Standard GB18030", "gb18030_chinese_ci", 4, false),
    set("gbk", "GBK Simplified Chinese", "gbk_chinese_ci", 2, false),
    set("latin1", "cp1252 West European", "latin1_swedish_ci", 1, false),
    set("utf8", "UTF-8 Unicode", "utf8_general_ci", 3, true),
    set("utf8mb3", "UTF-8 Unicode", "utf8mb3_general_ci", 3, true),
    set("utf8mb4", "UTF-8 Unicode", "utf8mb4_0900_ai_ci", 4, true),
];

const fn collated(name: &'static str, charset: &'static str, id: i64) -> Collation {
    Collation { name, charset, id }
}

/// The known collations.
pub(in crate::session) const COLLATIONS: &[Collation] = &[
    collated("ascii_bin", "ascii", 65),
    collated("ascii_general_ci", "ascii", 11),
    collated("binary", "binary", 63),
    collated("gb18030_chinese_ci", "gb18030", 248),
    collated("gbk_chinese_ci", "gbk", 28),
    collated("latin1_bin", "latin1", 47),
    collated("latin1_swedish_ci", "latin1", 8),
    collated("utf8_bin", "utf8", 83),
    collated("utf8_general_ci", "utf8", 33),
    collated("utf8_unicode_ci", "utf8", 192),
    collated("utf8mb3_bin", "utf8mb3", 83),
    collated("utf8mb3_general_ci", "utf8mb3", 33),
    collated("utf8mb3_unicode_ci", "utf8mb3", 192),
    collated("utf8mb4_0900_ai_ci", "utf8mb4", 255),
    collated("utf8mb4_0900_as_cs", "utf8mb4", 278),
    collated("utf8mb4_0900_bin", "utf8mb4", 309),
    collated("utf8mb4_bin", "utf8mb4", 46),
    collated("utf8mb4_general_ci", "utf8mb4", 45),
    collated("utf8mb4_unicode_520_ci", "utf8mb4", 246),
    collated("utf8mb4_unicode_ci", "utf8mb4", 224),
];

/// The character set of that name.
///
/// # Errors
/// 1115 when it is unknown.
pub(in crate::session) fn charset(name: &str) -> Result<&'static Charset, Failure> {
    CHARSETS
        .iter()
        .find(|charset| charset.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| Failure::new(1115, "42000", format!("Unknown character set: '{name}'")))
}

/// The collation of that name.
///
/// # Errors
/// 1273 when it is unknown.
pub(in crate::session) fn collation(name: &str) -> Result<&'static Collation, Failure> {
    COLLATIONS
        .iter()
        .find(|collation| collation.name.eq_ignore_ascii_case(name))
        .ok_or_else(|| Failure::new(1273, "HY000", format!("Unknown collation: '{name}'")))
}

impl Charset {
    /// What a client is told that chooses it.
    pub fn warning(&self) -> Option<Warning> {
        (!self.utf8).then(|| Warning {
            code: NOT_SUPPORTED_YET,
            message: format!("text is exchanged as utf8mb4, not as {}", self.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_collations_name_each_other() {
        for set in CHARSETS {
            assert_eq!(collation(set.collation).map(|found| found.charset), Ok(set.name));
        }
        for collation in COLLATIONS {
            assert!(charset(collation.charset).is_ok(), "{}", collation.name);
        }
    }
}
