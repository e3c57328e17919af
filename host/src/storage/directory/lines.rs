//! `key=value` lines that a person can read, with a checksum that a person must not edit.

use std::collections::BTreeMap;
use std::fmt;

const CHECKSUM: &str = "checksum";

/// Keys and values; none of them contains a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) struct Lines(BTreeMap<String, String>);

impl Lines {
    pub fn new<const N: usize>(pairs: [(&str, String); N]) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Reads what [`Display`](fmt::Display) printed. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let last = format!("{CHECKSUM}=");
        let (body, stored) = text.rsplit_once(&last).ok_or("its checksum line is missing")?;
        if stored.trim_end() != checksum(body) {
            return Err("its checksum does not match, so it was cut or edited".to_owned());
        }
        let pair = |line: &str| {
            let pair = line.split_once('=');
            let (key, value) = pair.ok_or_else(|| format!("'{line}' is no key=value"))?;
            Ok((key.to_owned(), value.to_owned()))
        };
        body.lines().map(pair).collect::<Result<_, String>>().map(Self)
    }
}

impl FromIterator<(String, String)> for Lines {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.0.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        writeln!(f, "{body}{CHECKSUM}={}", checksum(&body))
    }
}

fn checksum(body: &str) -> String {
    format!("{:08x}", crc32fast::hash(body.as_bytes()))
}
