//! `quorate subscribe`: what changes, one JSON object a line, from whichever frontend serves.
//!
//! When a frontend is lost, the next one is asked to go on where this one ended, so nothing is left
//! out or printed twice.

mod follow;
pub(super) mod json;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::client::Endpoints;
use super::{Exit, exit};
use crate::proto::client::ChangeKind;

use follow::Follower;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoints: Endpoints,
    /// Begin with the first entry after this LSN
    #[arg(long, value_name = "LSN", conflicts_with_all = ["from_now", "from_oldest"])]
    after: Option<u64>,
    /// Begin with what is applied from now on; so it is when nothing else is said
    #[arg(long, conflicts_with = "from_oldest")]
    from_now: bool,
    /// Begin with the oldest entry whose changes the frontend keeps
    #[arg(long)]
    from_oldest: bool,
    /// Refuse frontends whose history is not that of this cluster id (from a progress line)
    #[arg(long, value_name = "ID", requires = "after")]
    cluster: Option<u64>,
    /// Generation that --after comes from (from a progress line): refuse if a recovery cut it off
    #[arg(long, requires = "after")]
    generation: Option<u64>,
    /// Only these kinds of changes
    #[arg(long = "kind", value_enum, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Only keys and events whose key begins so; \xNN stands for a byte, \\ for a backslash
    #[arg(long, value_parser = prefix, default_value = "")]
    prefix: Prefix,
    /// Form of the output
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Also print how far everything is complete, whenever the frontend tells
    #[arg(long)]
    progress: bool,
    /// End when everything up to this LSN is printed
    #[arg(long, value_name = "LSN")]
    until: Option<u64>,
    /// End after so many changes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Seconds for which a lost connection is tried again, at all frontends in turn
    #[arg(long, default_value_t = 30)]
    retry: u32,
}

/// As on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Keys of modules
    Keys,
    /// Events of modules
    Events,
    /// Frontends, modules, settings, membership
    Cluster,
    /// All of them, also with a prefix
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object a line
    Json,
}

/// Bytes that a key begins with.
#[derive(Clone)]
struct Prefix(Vec<u8>);

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let Format::Json = arguments.format;
    let following = tokio::spawn(Follower::new(arguments).run());
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // On a task of its own: it may hang in a write to a pipe that nobody reads.
    tokio::select! {
        followed = following => followed.map_err(|error| Exit::new(exit::FAILED, error))?,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

fn kinds(chosen: &[Kind]) -> Vec<i32> {
    let all = [ChangeKind::Keys, ChangeKind::Events, ChangeKind::Cluster];
    let kinds = chosen.iter().flat_map(|kind| match kind {
        Kind::Keys => &all[0..1],
        Kind::Events => &all[1..2],
        Kind::Cluster => &all[2..3],
        Kind::All => &all[..],
    });
    kinds.map(|kind| i32::from(*kind)).collect()
}

fn prefix(text: &str) -> Result<Prefix, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        if let Some(after) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
            continue;
        }
        let digits = escape.strip_prefix('x').and_then(|digits| digits.get(..2));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("after a backslash comes xNN, with hexadecimal digits, or another")?);
        rest = &escape[3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(Prefix(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_prefix_may_hold_any_byte_and_no_other_escape() {
        for wrong in ["\\", "a\\n", "\\x", "\\x0", "\\xg0", "\\x\u{e9}0"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
        assert_eq!(prefix("\\x01or\\\\d\\xff/\u{e9}").unwrap().0, b"\x01or\\d\xff/\xc3\xa9");
    }
}
