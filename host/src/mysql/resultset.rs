//! Encoding rows, as text and in binary.

use mysql_common::constants::CapabilityFlags;
use mysql_common::io::BufMutExt;
use mysql_common::packets::NullBitmap;
use mysql_common::value::ServerSide;
use quorate_wire::{Column, ColumnType, Rows, Value};

use crate::mysql::channel::{Broken, Channel};
use crate::mysql::column::{put_binary, put_definition, put_text, settle};
use crate::mysql::reply::Tail;

/// How rows are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// For COM_QUERY.
    Text,
    /// For COM_STMT_EXECUTE.
    Binary,
}

/// Puts columns, rows and what ends them, sending as it goes.
pub(super) async fn put_rows(
    channel: &mut Channel,
    rows: &Rows,
    encoding: Encoding,
    tail: &Tail,
) -> Result<(), Broken> {
    let kinds: Vec<ColumnType> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| settle(column.column_type, index, &rows.rows))
        .collect();
    channel.put(|out| out.put_lenenc_int(rows.columns.len() as u64));
    let columns = rows.columns.iter().map(|column| column.name.as_str()).zip(kinds.iter().copied());
    put_definitions(channel, columns, tail).await?;
    for row in &rows.rows {
        channel.put(|out| match encoding {
            Encoding::Text => row.iter().for_each(|value| put_text(out, value)),
            Encoding::Binary => put_binary_row(out, &kinds, row),
        });
        channel.flush_if_full().await?;
    }
    channel.put(|out| tail.end(out));
    Ok(())
}

/// Puts the columns that a prepared statement will answer with, or its parameters.
pub(super) async fn put_columns(
    channel: &mut Channel,
    columns: &[Column],
    tail: &Tail,
) -> Result<(), Broken> {
    let columns = columns.iter().map(|column| (column.name.as_str(), column.column_type));
    put_definitions(channel, columns, tail).await
}

async fn put_definitions<'a>(
    channel: &mut Channel,
    columns: impl Iterator<Item = (&'a str, ColumnType)>,
    tail: &Tail,
) -> Result<(), Broken> {
    for (name, kind) in columns {
        channel.put(|out| put_definition(out, name, kind));
        channel.flush_if_full().await?;
    }
    if !tail.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
        channel.put(|out| tail.eof(out));
    }
    Ok(())
}

fn put_binary_row(out: &mut Vec<u8>, kinds: &[ColumnType], row: &[Value]) {
    let mut nulls = NullBitmap::<ServerSide>::new(kinds.len());
    for (index, value) in row.iter().enumerate().take(kinds.len()) {
        nulls.set(index, *value == Value::Null);
    }
    out.push(0);
    out.extend_from_slice(nulls.as_ref());
    for (kind, value) in kinds.iter().zip(row) {
        if *value != Value::Null {
            put_binary(out, *kind, value);
        }
    }
}
