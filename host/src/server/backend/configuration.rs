//! `ADMIN SHOW FRONTEND CONFIG` and `ADMIN SET FRONTEND CONFIG`.
//!
//! A value that is set so is a replicated setting with the name of its key: it survives restarts
//! and reaches frontends that were down or join later.

use std::collections::BTreeSet;

use quorate_sql::{Property, ShowFilter};
use quorate_wire::{Column, Failure, Reply, Rows, Value};

use super::Services;
use crate::config::{Config, KEYS, Reach, SetError};
use crate::machine::MachineView;
use crate::server::tuning;
use crate::session::{Answer, StatementContext};
use crate::types::HostCommand;

/// Most keys in one statement.
const KEYS_MAX: usize = 64;

impl Services {
    /// The values in force on this frontend.
    pub(super) async fn show_config(
        &self,
        context: &StatementContext,
        filter: Option<&ShowFilter>,
    ) -> Result<Answer, Failure> {
        self.barrier.wait(context).await?;
        let view = self.cluster.machine().view();
        tuning::overlay(self.cluster.config(), &view);
        let Rows { columns, rows } = configuration(&self.cluster.config().get(), &view);
        let reply = crate::session::filtered(columns, rows, filter)?;
        Ok(Answer { reply, lsn: view.lsn().0 })
    }

    /// Sets keys on all frontends, by one entry of the log: all of them or none.
    pub(super) async fn set_config(
        &self,
        context: &StatementContext,
        properties: Vec<Property>,
    ) -> Result<Answer, Failure> {
        if properties.len() > KEYS_MAX {
            return Err(failed(format!("at most {KEYS_MAX} keys in one statement")));
        }
        let config = self.cluster.config().get();
        let check = |property: Property| {
            let key = config.check_set(&property.key, &property.value).map_err(refused)?;
            Ok((key.name.to_owned(), property.value))
        };
        let checked = properties.into_iter().map(check).collect::<Result<Vec<_>, Failure>>()?;
        let mut names = BTreeSet::new();
        if let Some((twice, _)) = checked.iter().find(|(key, _)| !names.insert(key)) {
            return Err(failed(format!("'{twice}' is there twice")));
        }
        let command = match <[_; 1]>::try_from(checked) {
            Ok([(key, value)]) => HostCommand::Set { key, value },
            Err(several) => HostCommand::SetAll(several),
        };
        let lsn = self.cluster.run(&context.user, command, context.deadline).await?;
        tuning::overlay(self.cluster.config(), &self.cluster.machine().view());
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }
}

fn configuration(config: &Config, view: &MachineView) -> Rows {
    let names = ["Key", "AliasNames", "Value", "Type", "IsMutable", "Comment"];
    let rows = KEYS.iter().map(|key| {
        let value = match key.reach {
            Reach::Cluster => view.setting(key.name).unwrap_or(key.default).to_owned(),
            Reach::Running | Reach::Start => config.shown(key),
        };
        let aliases = format!("[{}]", key.aliases.join(", "));
        let mutable = if key.is_mutable() { "true" } else { "false" };
        [key.name, &aliases, &value, key.kind.name(), mutable, key.help].map(Value::from).to_vec()
    });
    Rows { columns: names.map(Column::text).to_vec(), rows: rows.collect() }
}

/// With StarRocks' codes.
fn refused(error: SetError) -> Failure {
    let code = match error {
        SetError::Unknown(_) | SetError::Fixed(_) => 5102,
        SetError::Wrong(_) => 5101,
    };
    Failure::new(code, "F0000", error.to_string())
}

fn failed(message: String) -> Failure {
    Failure::new(5101, "F0000", format!("Set config failed: {message}"))
}
