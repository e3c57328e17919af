//! `quorate replay`: what one entry of the log of a stopped frontend did.

mod json;
mod text;

use clap::Args;

use super::verify::{Source, failure};
use super::{Exit, table};
use crate::rescue::explain;
use crate::types::Lsn;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The entry
    #[arg(long)]
    lsn: u64,
    /// Show every call that the module made, with keys, values and fuel
    #[arg(long)]
    trace: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let Arguments { source, lsn, trace, json } = arguments;
    let options = source.options();
    tokio::task::spawn_blocking(move || {
        let explanation = explain(&options, Lsn(lsn)).map_err(failure)?;
        if json {
            table::print(&json::explanation(&explanation, trace).to_string())?;
        } else {
            for line in text::explanation(&explanation, trace) {
                table::print(&line)?;
            }
        }
        Ok(())
    })
    .await?
}
