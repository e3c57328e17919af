//! `quorate verify`: the log of a stopped frontend applied again, and every digest compared.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::anyhow;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::recover::refusal;
use super::{Exit, exit, table};
use crate::config::ModuleEngine;
use crate::rescue::{
    Base, Disagreement, Progress, ReplayOptions, RescueError, Verified, key_name, verify,
};
use crate::types::{Lsn, Outcome};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// First LSN to verify; without it, all after the newest snapshot
    #[arg(long, value_name = "LSN")]
    from: Option<u64>,
    /// Last LSN to verify; without it, the last one that was applied
    #[arg(long, value_name = "LSN")]
    to: Option<u64>,
}

/// What is replayed, and how.
#[derive(Args)]
pub(super) struct Source {
    /// Data directory of the frontend, which must be stopped; it is copied and left as it is
    #[arg(long)]
    meta_dir: PathBuf,
    /// Folder for the copy; without it, beside the data directory, where most of it takes no room
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// How modules are run; none of it may make a difference
    #[arg(long, value_enum, default_value_t)]
    engine: ModuleEngine,
}

impl Source {
    /// What to replay. It ends early when the person at the terminal wants it to.
    pub fn options(self) -> ReplayOptions {
        let Self { meta_dir, work_dir, engine } = self;
        let options = ReplayOptions {
            meta_dir,
            work_dir,
            codegen: engine.into(),
            ..ReplayOptions::default()
        };
        let stop = options.stop.clone();
        tokio::spawn(async move {
            // Without the signal it cannot be asked to end, and is killed.
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.store(true, Ordering::Relaxed);
            }
        });
        options
    }
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let Arguments { source, from, to } = arguments;
    let options = source.options();
    tokio::task::spawn_blocking(move || {
        let bar = ProgressBar::new(0);
        let style = "{bar:40} {pos}/{len} {msg} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        let progress = |at| match at {
            Progress::Replayed(done, total) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_message("entries replayed");
            }
            Progress::Compared(rows) => {
                bar.set_length(rows);
                bar.set_position(rows);
                bar.set_message("rows compared");
            }
        };
        let verified = verify(&options, (from.map(Lsn), to.map(Lsn)), &progress);
        bar.finish_and_clear();
        let verified = verified.map_err(failure)?;
        tell(&verified)?;
        let differs = "what is stored is not what the log comes to, or it is damaged";
        let equal = verified.is_equal();
        if equal { Ok(()) } else { Err(Exit::new(exit::DAMAGE, anyhow!(differs))) }
    })
    .await?
}

fn tell(verified: &Verified) -> Result<(), Exit> {
    for damaged in &verified.damaged {
        table::complain(&format!("damaged: {damaged}"));
    }
    table::print(&base(&verified.base))?;
    let Verified { entries, digests, traces, last, digest, .. } = verified;
    let compared = match traces {
        0 => format!("{digests} digests compared"),
        _ => format!(
            "{digests} digests compared, and of {traces} entries, whose digest is not kept, what \
             is remembered of them"
        ),
    };
    match verified.base.next() + entries {
        next if *entries > 0 => {
            let first = next - entries;
            table::print(&format!(
                "replayed LSN {first} to {last}: {entries} entries, {compared}"
            ))?;
        }
        _ => table::print(&format!("nothing was applied after it: {compared}"))?,
    }
    if let Some(disagreement) = &verified.disagreement {
        return differs(disagreement);
    }
    if let Some(rows) = &verified.rows {
        table::print(&format!("compared {} rows of the state", rows.equal + rows.different))?;
        for row in &rows.first {
            let show = |value: &Option<bytes::Bytes>| {
                value.as_ref().map_or_else(|| "nothing".to_owned(), |value| escaped(value))
            };
            table::print(&format!(
                "row {} differs: stored {}, replayed {}",
                key_name(&row.key),
                show(&row.one),
                show(&row.other)
            ))?;
        }
        if rows.different > 0 {
            table::print(&format!("{} rows differ", rows.different))?;
            return Ok(());
        }
    }
    table::print(&format!("equal up to LSN {last}, digest {digest}"))?;
    Ok(())
}

/// The exit code of a replay that came to nothing.
pub(super) fn failure(error: RescueError) -> Exit {
    match error {
        // Nothing that naming another directory or LSN would mend.
        RescueError::Interrupted
        | RescueError::Apply(_)
        | RescueError::Runtime(_)
        | RescueError::Thread(_) => Exit::new(exit::FAILED, error),
        other => refusal(other),
    }
}

/// What a replay began with.
pub(super) fn base(base: &Base) -> String {
    match base {
        Base::Empty => "base: the empty state before the first entry".to_owned(),
        Base::Snapshot(last, digest) => {
            format!("base: the snapshot at LSN {}, digest {digest}", last.index)
        }
    }
}

fn differs(disagreement: &Disagreement) -> Result<(), Exit> {
    let Disagreement { lsn, stored, replayed, commands, changes } = disagreement;
    let stored = stored.map_or_else(|| "not kept".to_owned(), |digest| digest.to_string());
    table::print(&format!("LSN {lsn} differs, the first that does"))?;
    table::print(&format!("  digest stored    {stored}"))?;
    table::print(&format!("  digest replayed  {replayed}"))?;
    for both in commands {
        let request = both.request.map_or_else(String::new, |request| format!(", {request}"));
        let then = both.stored.as_ref().map_or_else(|| "not kept".to_owned(), Outcome::to_string);
        table::print(&format!("  command {}{request}", both.index))?;
        table::print(&format!("    outcome stored    {then}"))?;
        table::print(&format!("    outcome replayed  {}", both.replayed))?;
    }
    for change in changes {
        table::print(&format!("  {change}"))?;
    }
    Ok(())
}

/// Bytes of a value that are printed.
const VALUE_BYTES_MAX: usize = 200;

fn escaped(value: &[u8]) -> String {
    let shown = value[..value.len().min(VALUE_BYTES_MAX)].escape_ascii();
    let more = value.len().saturating_sub(VALUE_BYTES_MAX);
    if more == 0 { format!("\"{shown}\"") } else { format!("\"{shown}\" and {more} bytes") }
}
