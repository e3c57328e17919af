//! `quorate module activate` and `rollback`: the plan, the switch, and what follows it.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use tonic::transport::Channel;

use super::TIMEOUT;
use crate::cli::client::{Endpoints, execute, rows};
use crate::cli::{Exit, table};
use crate::proto::client::Rows;
use crate::proto::client::client_client::ClientClient;

/// Between two looks at a migration.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Who must have acknowledged the module.
#[derive(Args)]
#[group(multiple = false)]
pub struct GateArguments {
    /// A majority of the voters suffices; the others wait at its LSN until they can run it
    #[arg(long)]
    quorum: bool,
    /// Any one frontend suffices; all others wait at its LSN until they can run it
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub struct Arguments {
    /// The module, as name@version
    module: String,
    #[command(flatten)]
    gate: GateArguments,
    /// Before the entry at this LSN
    #[arg(long, value_name = "LSN", conflicts_with = "after")]
    at_lsn: Option<u64>,
    /// In so long: 90s, 15m or 2h
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// The token that the plan shows when clients will miss something
    #[arg(long, value_name = "TOKEN")]
    breaking: Option<String>,
    #[command(flatten)]
    show: ShowArguments,
}

#[derive(Args)]
pub struct RollbackArguments {
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    show: ShowArguments,
}

#[derive(Args)]
pub struct ShowArguments {
    /// Print the plan and change nothing
    #[arg(long)]
    plan: bool,
}

pub async fn activate(endpoints: &Endpoints, arguments: &Arguments) -> Result<(), Exit> {
    let Arguments { module, gate, at_lsn, after, breaking, show } = arguments;
    let statement = format!("ACTIVATE MODULE {}", quorate_sql::quote_string(module));
    let mut how = gate.words().to_owned();
    if let Some(lsn) = at_lsn {
        let _ = write!(how, " AT LSN {lsn}");
    }
    if let Some(time) = after {
        let _ = write!(how, " AFTER {}", interval(time)?);
    }
    if let Some(token) = breaking {
        let _ = write!(how, " BREAKING {}", quorate_sql::quote_string(token));
    }
    let later = at_lsn.is_some() || after.is_some();
    run(endpoints, (&statement, &how), show, later).await
}

pub async fn rollback(endpoints: &Endpoints, arguments: &RollbackArguments) -> Result<(), Exit> {
    let statement = ("ROLLBACK MODULE", arguments.gate.words());
    run(endpoints, statement, &arguments.show, false).await
}

/// Shows the plan of a statement, which has two parts, and carries it out: from the module that the
/// plan names, between the parts, so that what was shown is what is done.
async fn run(
    endpoints: &Endpoints,
    (what, how): (&str, &str),
    show: &ShowArguments,
    later: bool,
) -> Result<(), Exit> {
    let mut client = endpoints.connect().await?;
    let plan = rows(&mut client, &format!("EXPLAIN {what}{how}"), TIMEOUT).await?;
    table::print_rows(&plan)?;
    if show.plan {
        return Ok(());
    }
    let statement = format!("{what} FROM {}{how}", from(&plan));
    let lsn = execute(&mut client, &statement, TIMEOUT).await?.lsn;
    if later {
        table::print(&format!("scheduled by LSN {lsn}; CANCEL MODULE ACTIVATION forgets it"))?;
        return Ok(());
    }
    table::print(&format!("activated at LSN {lsn}"))?;
    watch_migration(&mut client).await
}

/// The module that a plan begins with, as SQL writes it.
fn from(plan: &Rows) -> String {
    let row = plan.rows.iter().map(|row| &row.values[..]).find_map(|cells| match cells {
        [property, value] if table::text(property) == "From" => Some(table::text(value)),
        _ => None,
    });
    let module = row.as_deref().and_then(|told| told.rsplit_once(", schema "));
    module.map_or_else(|| "NONE".to_owned(), |(module, _)| quorate_sql::quote_string(module))
}

/// Tells how far a stepped migration is, until it has ended.
async fn watch_migration(client: &mut ClientClient<Channel>) -> Result<(), Exit> {
    let mut shown = None;
    loop {
        let modules = rows(client, "SHOW MODULES", TIMEOUT).await?;
        match (migration(&modules), &shown) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                table::print("the migration is done")?;
                return Ok(());
            }
            (Some(progress), _) if progress.contains("stopped") => {
                return Err(anyhow!("the migration {progress}").into());
            }
            (progress, _) if progress == shown => {}
            (Some(progress), _) => {
                table::complain(&format!("migrating {progress}"));
                shown = Some(progress);
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// The cell that says how far the migration is, if one is under way.
fn migration(modules: &Rows) -> Option<String> {
    let at = modules.columns.iter().position(|column| column.name == "Migration")?;
    let cells = modules.rows.iter().filter_map(|row| row.values.get(at));
    cells.filter(|cell| cell.value.is_some()).map(table::text).next()
}

impl GateArguments {
    fn words(&self) -> &'static str {
        match (self.force, self.quorum) {
            (true, _) => " FORCE",
            (_, true) => " QUORUM",
            _ => "",
        }
    }
}

/// A time such as `15m`, as SQL writes it.
fn interval(time: &str) -> anyhow::Result<String> {
    let wrong = || anyhow!("'{time}' is no time: a number and s, m or h, such as 15m");
    let unit = match time.chars().next_back() {
        Some('s') => "SECONDS",
        Some('m') => "MINUTES",
        Some('h') => "HOURS",
        _ => return Err(wrong()),
    };
    let count: u64 = time[..time.len() - 1].parse().map_err(|_| wrong())?;
    Ok(format!("{count} {unit}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_needs_a_number_and_a_unit() {
        for (time, written) in [("90s", "90 SECONDS"), ("15m", "15 MINUTES"), ("2h", "2 HOURS")] {
            assert_eq!(interval(time).unwrap(), written);
        }
        for wrong in ["", "m", "15", "-1s", "1.5h", "15 m", "3d", "5é"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
