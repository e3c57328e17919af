//! `ADMIN SHOW FRONTEND CONFIG` and `ADMIN SET FRONTEND CONFIG`.

use quorate_sql::{Property, ShowFilter};
use quorate_wire::{Column, Failure, Rows, Value};

use super::Services;
use super::cluster::refused;
use crate::config::KEYS;
use crate::session::{Answer, StatementContext};

impl Services {
    pub(super) fn show_config(
        context: &StatementContext,
        filter: Option<&ShowFilter>,
    ) -> Result<Answer, Failure> {
        let Rows { columns, rows } = configuration();
        let reply = crate::session::filtered(columns, rows, filter)?;
        Ok(Answer { reply, lsn: context.token })
    }

    pub(super) fn set_config(properties: &[Property]) -> Result<Answer, Failure> {
        let keys: Vec<_> = properties.iter().map(|property| property.key.as_str()).collect();
        Err(refused(format!(
            "no configuration key can be changed while the frontend runs: {}; set it in fe.conf",
            keys.join(", ")
        )))
    }
}

fn configuration() -> Rows {
    let names = ["Key", "AliasNames", "Value", "Type", "IsMutable", "Comment"];
    let rows = KEYS.iter().map(|key| {
        [key.name, "[]", key.default, "string", "false", key.help].map(Value::from).to_vec()
    });
    Rows { columns: names.map(Column::text).to_vec(), rows: rows.collect() }
}
