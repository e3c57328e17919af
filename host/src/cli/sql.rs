//! `quorate sql`: statements over gRPC, where no MySQL client is at hand.

use std::time::Duration;

use clap::Args;

use super::client::{Endpoints, execute};
use super::{Exit, table};
use crate::proto::client::execute_response::Body;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    endpoints: Endpoints,
    /// Seconds until a statement is given up
    #[arg(long, default_value_t = 300)]
    timeout: u32,
    /// The statements, each in an argument of its own
    #[arg(required = true)]
    statements: Vec<String>,
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    let mut client = arguments.endpoints.connect().await?;
    let timeout = Duration::from_secs(arguments.timeout.into());
    for statement in &arguments.statements {
        let response = execute(&mut client, statement, timeout).await?;
        match response.body {
            Some(Body::Rows(rows)) => table::print_rows(&rows)?,
            Some(Body::Payload(payload)) => table::print(&String::from_utf8_lossy(&payload))?,
            Some(Body::Affected(_)) | None => {
                table::print(&format!("OK at LSN {}", response.lsn))?;
            }
        }
        for warning in response.warnings {
            table::complain(&format!("warning {}: {}", warning.code, warning.message));
        }
    }
    Ok(())
}
