//! Sequences that cross the border in pages: keys, optional values, pairs and rows.
//!
//! Unlike a list inside a document, a sequence has no count in front: it is written while an
//! iterator runs, and ends where its byte list ends.

use crate::pack::{DecodeError, Reader, Writer};
use crate::value::Value;

/// Packs keys: what `store.get-many` takes.
pub fn pack_keys<K: AsRef<[u8]>>(keys: &[K]) -> Vec<u8> {
    let mut out = Writer::with_capacity(keys.iter().map(|key| key.as_ref().len() + 2).sum());
    for key in keys {
        out.bytes(key.as_ref());
    }
    out.finish()
}

/// Reads packed keys.
///
/// # Errors
/// When the bytes are cut short.
pub fn unpack_keys(bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    sequence(bytes, Reader::bytes)
}

/// Packs optional values: what `store.get-many` gives.
pub fn pack_values<V: AsRef<[u8]>>(values: &[Option<V>]) -> Vec<u8> {
    let size = |value: &Option<V>| value.as_ref().map_or(1, |value| value.as_ref().len() + 4);
    let mut out = Writer::with_capacity(values.iter().map(size).sum());
    for value in values {
        out.optional_bytes(value.as_ref().map(AsRef::as_ref));
    }
    out.finish()
}

/// Reads packed optional values.
///
/// # Errors
/// When the bytes are cut short or an option is neither 0 nor 1.
pub fn unpack_values(bytes: &[u8]) -> Result<Vec<Option<&[u8]>>, DecodeError> {
    sequence(bytes, Reader::optional_bytes)
}

/// Appends one pair of a `store.scan` page.
pub fn pack_pair(out: &mut Writer, key: &[u8], value: &[u8]) {
    out.bytes(key);
    out.bytes(value);
}

/// A key and its value.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Reads the pairs of a `store.scan` page.
///
/// # Errors
/// When the bytes are cut short.
pub fn unpack_pairs(bytes: &[u8]) -> Result<Vec<Pair<'_>>, DecodeError> {
    sequence(bytes, |input| Ok((input.bytes()?, input.bytes()?)))
}

/// Packs the rows of a relation page. All rows have as many values as the relation has columns;
/// that number is not packed.
pub fn pack_rows(rows: &[Vec<Value>]) -> Vec<u8> {
    let mut out = Writer::new();
    for value in rows.iter().flatten() {
        value.encode(&mut out);
    }
    out.finish()
}

/// Reads the rows of a relation page, each of `columns` values.
///
/// # Errors
/// When the bytes are cut short, hold an unknown tag, or `columns` is 0 and they are not empty.
pub fn unpack_rows(bytes: &[u8], columns: usize) -> Result<Vec<Vec<Value>>, DecodeError> {
    if columns == 0 && !bytes.is_empty() {
        return Err(DecodeError::Trailing);
    }
    sequence(bytes, |input| (0..columns).map(|_| Value::decode(input)).collect())
}

fn sequence<'a, T>(
    bytes: &'a [u8],
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut input = Reader::new(bytes);
    let mut items = Vec::new();
    while !input.is_done() {
        items.push(item(&mut input)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sequence_cut_inside_an_item_is_refused() {
        let mut out = Writer::new();
        pack_pair(&mut out, b"k", b"value");
        let pairs = out.finish();
        for length in 1..pairs.len() {
            assert_eq!(unpack_pairs(&pairs[..length]), Err(DecodeError::Short));
        }
        let rows = pack_rows(&[vec![Value::Int(1), Value::Null], vec!["a".into(), Value::Null]]);
        assert_eq!(unpack_rows(&rows[..rows.len() - 1], 2), Err(DecodeError::Short));
        assert_eq!(unpack_rows(&rows, 0), Err(DecodeError::Trailing));
    }

    #[test]
    fn packing_and_unpacking_give_the_same_sequences() {
        let keys: [&[u8]; 3] = [b"a", b"", b"bc"];
        assert_eq!(unpack_keys(&pack_keys(&keys)).unwrap(), keys);
        let values = [Some(&b"v"[..]), None, Some(b"")];
        assert_eq!(unpack_values(&pack_values(&values)).unwrap(), values);
        let mut out = Writer::new();
        pack_pair(&mut out, b"k", b"");
        pack_pair(&mut out, b"", b"v");
        assert_eq!(out.finish(), [1, b'k', 0, 0, 1, b'v']);
        let rows = vec![vec![Value::Int(-1), Value::Null], vec!["a".into(), Value::Bytes(vec![0])]];
        assert_eq!(unpack_rows(&pack_rows(&rows), 2).unwrap(), rows);
    }
}
