//! Reading and writing the host's own rows. A row that cannot be read is damage, never an absence.

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use super::keys;
use crate::types::{Range, View, ViewError};

/// Rows and bytes of a scan's page; more are read with the next page.
const PAGE_ROWS: usize = 1024;
const PAGE_BYTES: usize = 1 << 20;
/// Rows of a page that is read backwards: what is looked for is near the end.
const BACK_ROWS: usize = 16;

/// Packs a row.
pub fn pack(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut out = Writer::new();
    write(&mut out);
    out.finish().into()
}

/// Unpacks a row, all of it.
pub fn unpack<T>(
    key: &[u8],
    value: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<T, ViewError> {
    let mut input = Reader::new(value);
    read(&mut input).and_then(|row| input.finish().map(|()| row)).map_err(|e| damaged(key, e))
}

/// Reads a row, if it is there.
pub fn find<T>(
    view: &dyn View,
    key: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, ViewError> {
    view.get(key)?.map(|value| unpack(key, &value, read)).transpose()
}

/// Reads all rows whose keys begin with `prefix`, in key order. `read` is given a reader of the
/// rest of the key and one of the value, and must read all of the value.
pub fn each(
    view: &dyn View,
    prefix: &[u8],
    mut read: impl FnMut(&mut Reader<'_>, &mut Reader<'_>) -> Result<(), DecodeError>,
) -> Result<(), ViewError> {
    let high = keys::end(prefix);
    let mut low = Bytes::copy_from_slice(prefix);
    loop {
        let range = Range { low: &low, high: &high, reverse: false };
        let page = view.scan(range, PAGE_ROWS, PAGE_BYTES)?;
        for (key, value) in &page.pairs {
            let mut rest = Reader::new(&key[prefix.len()..]);
            unpack(key, value, |value| read(&mut rest, value))?;
        }
        match page.pairs.last() {
            Some((last, _)) if !page.done => low = [&last[..], &[0]].concat().into(),
            _ if page.done => return Ok(()),
            _ => return Err(ViewError("a page of an unfinished range is empty".into())),
        }
    }
}

/// Reads rows whose keys begin with `prefix`, the last one first, until `read` finds something.
pub fn find_back<T>(
    view: &dyn View,
    prefix: &[u8],
    mut read: impl FnMut(&mut Reader<'_>, &mut Reader<'_>) -> Result<Option<T>, DecodeError>,
) -> Result<Option<T>, ViewError> {
    let mut high = keys::end(prefix);
    loop {
        let range = Range { low: prefix, high: &high, reverse: true };
        let page = view.scan(range, BACK_ROWS, PAGE_BYTES)?;
        for (key, value) in &page.pairs {
            let mut rest = Reader::new(&key[prefix.len()..]);
            let found = unpack(key, value, |value| read(&mut rest, value))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        match page.pairs.last() {
            Some((last, _)) if !page.done => high = last.clone(),
            _ => return Ok(None),
        }
    }
}

/// A number in a key.
pub fn number(key: &mut Reader<'_>) -> Result<u64, DecodeError> {
    key.array().map(u64::from_be_bytes)
}

/// Row `key` cannot be what was written.
pub fn damaged(key: &[u8], why: impl std::fmt::Display) -> ViewError {
    let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    ViewError(format!("row {name} is damaged: {why}"))
}
