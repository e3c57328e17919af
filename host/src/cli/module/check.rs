//! `quorate module check`: what would become of activating a module.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use crate::cli::client::{Endpoints, rows};
use crate::cli::{Exit, exit, table};

/// What speaks against activating the module.
const ERROR: &str = "ERROR";

#[derive(Args)]
pub struct Arguments {
    /// The module, as name@version
    module: String,
    /// Replay at most so many of the newest entries of the log
    #[arg(long, value_name = "ENTRIES")]
    limit: Option<u64>,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

pub async fn run(endpoints: &Endpoints, arguments: &Arguments) -> Result<(), Exit> {
    let Arguments { module, limit, timeout } = arguments;
    let limit = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
    let statement = format!("CHECK MODULE {}{limit}", quorate_sql::quote_string(module));
    let mut client = endpoints.connect().await?;
    let found = rows(&mut client, &statement, Duration::from_secs(*timeout)).await?;
    let mut errors = 0;
    for row in &found.rows {
        let cells: Vec<String> = row.values.iter().map(table::text).collect();
        let [severity, subject, finding] = cells.as_slice() else {
            return Err(anyhow!("this program does not understand the answer").into());
        };
        errors += usize::from(severity == ERROR);
        table::print(&format!("{severity:<6} {subject}: {finding}"))?;
    }
    match errors {
        0 => Ok(()),
        1 => Err(Exit::new(exit::FAILED, anyhow!("1 finding speaks against activating {module}"))),
        _ => {
            let message = format!("{errors} findings speak against activating {module}");
            Err(Exit::new(exit::FAILED, anyhow!(message)))
        }
    }
}
