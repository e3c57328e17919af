//! Replies as messages.

use quorate_wire::{Body, ColumnType};

use crate::proto::client::{
    Column, Consistency as Wanted, ExecuteResponse, Row, Rows, Value, Warning, execute_response,
    value,
};
use crate::session::{Answer, Consistency};

pub fn consistency(wanted: Wanted) -> Consistency {
    match wanted {
        Wanted::Session => Consistency::Session,
        Wanted::Linearizable => Consistency::Linearizable,
        Wanted::Any => Consistency::Any,
    }
}

pub fn response(answer: Answer) -> ExecuteResponse {
    let body = match answer.reply.body {
        Body::Done { affected } => execute_response::Body::Affected(affected),
        Body::Rows(rows) => execute_response::Body::Rows(self::rows(rows)),
        Body::Bytes(bytes) => execute_response::Body::Payload(bytes.into()),
    };
    let warnings = answer
        .reply
        .warnings
        .into_iter()
        .map(|warning| Warning { code: u32::from(warning.code), message: warning.message });
    ExecuteResponse { lsn: answer.lsn, body: Some(body), warnings: warnings.collect() }
}

fn rows(rows: quorate_wire::Rows) -> Rows {
    let columns = rows.columns.into_iter().map(|column| Column {
        name: column.name,
        r#type: type_name(column.column_type).to_owned(),
    });
    let columns = columns.collect();
    let rows = rows.rows.into_iter().map(|row| Row { values: row.into_iter().map(cell).collect() });
    Rows { columns, rows: rows.collect() }
}

fn cell(cell: quorate_wire::Value) -> Value {
    use quorate_wire::Value as Cell;
    let value = match cell {
        Cell::Null => None,
        Cell::Int(v) => Some(value::Value::Int(v)),
        Cell::UInt(v) => Some(value::Value::Uint(v)),
        Cell::Double(v) => Some(value::Value::Double(v)),
        Cell::Text(v) => Some(value::Value::Text(v)),
        Cell::Bytes(v) => Some(value::Value::Bytes(v.into())),
    };
    Value { value }
}

fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Int => "INT",
        ColumnType::UInt => "UINT",
        ColumnType::Double => "DOUBLE",
        ColumnType::Decimal => "DECIMAL",
        ColumnType::Text => "TEXT",
        ColumnType::Bytes => "BYTES",
        ColumnType::Date => "DATE",
        ColumnType::DateTime => "DATETIME",
        ColumnType::Json => "JSON",
    }
}
