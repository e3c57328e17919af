//! Settings of the whole cluster, set by statement: `ADMIN SET FRONTEND CONFIG`.
//!
//! Values are checked here and not when they are applied: what an older version would have accepted
//! must not be refused by a newer one at the same LSN.

use quorate_sql::Property;
use quorate_wire::{Failure, Reply};

use super::Services;
use crate::machine::{CHANGE_FEED, OFF};
use crate::session::{Answer, StatementContext};
use crate::types::HostCommand;

/// Each with the values that it can have.
const REPLICATED: [(&str, [&str; 2]); 1] = [(CHANGE_FEED, ["on", OFF])];

impl Services {
    /// Sets them, if all of them are settings of the cluster.
    pub(super) async fn set_replicated(
        &self,
        context: &StatementContext,
        properties: &[Property],
    ) -> Option<Result<Answer, Failure>> {
        let commands: Option<Vec<_>> = properties.iter().map(command).collect();
        Some(match commands?.into_iter().collect() {
            Ok(commands) => self.set_all(context, commands).await,
            Err(failure) => Err(failure),
        })
    }

    async fn set_all(
        &self,
        context: &StatementContext,
        commands: Vec<HostCommand>,
    ) -> Result<Answer, Failure> {
        let mut lsn = crate::types::Lsn(context.token);
        for command in commands {
            lsn = self.cluster.run(&context.user, command, context.deadline).await?;
        }
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }
}

/// The command that sets it; none for what is no setting of the cluster.
fn command(property: &Property) -> Option<Result<HostCommand, Failure>> {
    let Property { key, value, .. } = property;
    let (name, values) = REPLICATED.iter().find(|(name, _)| *name == key.as_str())?;
    if !values.contains(&value.as_str()) {
        let message = format!("setting '{name}' is {}, not '{value}'", values.join(" or "));
        // MySQL: ER_WRONG_VALUE_FOR_VAR.
        return Some(Err(Failure::new(1231, "42000", message)));
    }
    Some(Ok(HostCommand::Set { key: key.clone(), value: value.clone() }))
}
