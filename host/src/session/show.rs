//! The rows of `SHOW` about sessions, and `LIKE` and `WHERE` on them.

use std::borrow::Cow;

use quorate_sql::{Scope, ShowFilter, like_match};
use quorate_wire::{Column, ColumnType, Failure, Reply, Value};

use crate::session::variables::{self, CHARSETS, COLLATIONS, VARIABLES, Values, charset, printed};

type Rows = Vec<Vec<Value>>;

/// `SHOW VARIABLES`.
pub(super) fn variables(
    scope: Scope,
    session: &Values,
    globals: &Values,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    let values = if scope == Scope::Session { session } else { globals };
    let shown = |variable: &variables::Variable| {
        let session_only = variable.access == variables::Access::Session;
        let value =
            values.get(variable.name).filter(|_| scope == Scope::Session || !session_only)?;
        Some(vec![variable.name.into(), variable.shown(value).into()])
    };
    let rows = VARIABLES.iter().filter_map(shown).collect();
    filtered(vec![Column::text("Variable_name"), Column::text("Value")], rows, filter)
}

/// `SHOW STATUS`.
pub(super) fn status(
    counters: Vec<(&'static str, String)>,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    let rows = counters.into_iter().map(|(name, value)| vec![name.into(), value.into()]).collect();
    filtered(vec![Column::text("Variable_name"), Column::text("Value")], rows, filter)
}

/// `SHOW CHARACTER SET`.
pub(super) fn charsets(filter: Option<&ShowFilter>) -> Result<Reply, Failure> {
    let columns = vec![
        Column::text("Charset"),
        Column::text("Description"),
        Column::text("Default collation"),
        Column::new("Maxlen", ColumnType::Int),
    ];
    let row = |set: &variables::Charset| {
        vec![set.name.into(), set.description.into(), set.collation.into(), set.bytes_max.into()]
    };
    filtered(columns, CHARSETS.iter().map(row).collect(), filter)
}

/// `SHOW COLLATION`.
pub(super) fn collations(filter: Option<&ShowFilter>) -> Result<Reply, Failure> {
    let columns = vec![
        Column::text("Collation"),
        Column::text("Charset"),
        Column::new("Id", ColumnType::Int),
        Column::text("Default"),
        Column::text("Compiled"),
        Column::new("Sortlen", ColumnType::Int),
        Column::text("Pad_attribute"),
    ];
    let mut rows = Rows::new();
    for collation in COLLATIONS {
        let default = charset(collation.charset)?.collation == collation.name;
        rows.push(vec![
            collation.name.into(),
            collation.charset.into(),
            collation.id.into(),
            (if default { "Yes" } else { "" }).into(),
            "Yes".into(),
            Value::Int(1),
            (if collation.name.contains("_0900_") { "NO PAD" } else { "PAD SPACE" }).into(),
        ]);
    }
    filtered(columns, rows, filter)
}

/// `SHOW ENGINES`.
pub(super) fn engines() -> Reply {
    let names = ["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"];
    let row = ["OLAP", "DEFAULT", "Tables of the catalog module", "NO", "NO", "NO"];
    Reply::rows(
        names.into_iter().map(Column::text).collect(),
        vec![row.into_iter().map(Value::from).collect()],
    )
}

/// `SHOW PLUGINS`.
pub(super) fn plugins() -> Reply {
    let names = ["Name", "Status", "Type", "Library", "License"];
    let plugin = |name: &str| {
        let row = [name, "ACTIVE", "AUTHENTICATION"].into_iter().map(Value::from);
        row.chain([Value::Null, "Apache-2.0".into()]).collect()
    };
    Reply::rows(
        names.into_iter().map(Column::text).collect(),
        vec![plugin("caching_sha2_password"), plugin("mysql_native_password")],
    )
}

/// A `SHOW` answer without the rows that do not pass. `LIKE` is about the first column.
///
/// # Errors
/// 1054 for a column in the condition that the answer does not have.
pub fn filtered(
    columns: Vec<Column>,
    mut rows: Rows,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    let position =
        |name: &str| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    match filter {
        None => {}
        Some(ShowFilter::Like(pattern)) => {
            rows.retain(|row| row.first().is_some_and(|v| like_match(pattern, &printed(v), true)));
        }
        Some(ShowFilter::Where(condition)) => {
            if let Some(name) = condition.columns().into_iter().find(|n| position(n).is_none()) {
                let reason = format!("Unknown column '{name}' in 'where clause'");
                return Err(Failure::new(1054, "42S22", reason));
            }
            rows.retain(|row| {
                condition.matches(&|name| match row.get(position(name)?)? {
                    Value::Null => None,
                    value => Some(Cow::Owned(printed(value))),
                })
            });
        }
    }
    Ok(Reply::rows(columns, rows))
}
