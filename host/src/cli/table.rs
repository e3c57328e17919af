//! What people read: tables on standard output, remarks on standard error.

use std::io::{Write, stderr, stdout};

use comfy_table::{Table, presets};

use crate::proto::client::{Rows, Value, value};

/// Prints a result set.
///
/// # Errors
/// When standard output is closed.
pub fn print_rows(rows: &Rows) -> std::io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(rows.columns.iter().map(|column| column.name.as_str()));
    for row in &rows.rows {
        table.add_row(row.values.iter().map(text));
    }
    writeln!(stdout(), "{table}")
}

/// Prints a line.
///
/// # Errors
/// When standard output is closed.
pub fn print(line: &str) -> std::io::Result<()> {
    writeln!(stdout(), "{line}")
}

/// Tells the person at the terminal something. A closed standard error is no reason to stop.
pub fn complain(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// A cell as text; bytes that are not UTF-8 as hexadecimal.
pub fn text(cell: &Value) -> String {
    match &cell.value {
        None => "NULL".to_owned(),
        Some(value::Value::Int(v)) => v.to_string(),
        Some(value::Value::Uint(v)) => v.to_string(),
        Some(value::Value::Double(v)) => v.to_string(),
        Some(value::Value::Text(v)) => v.clone(),
        Some(value::Value::Bytes(v)) => std::str::from_utf8(v)
            .map_or_else(|_| v.iter().map(|byte| format!("{byte:02x}")).collect(), str::to_owned),
    }
}
