//! Two states of the same LSN, compared row by row.
//!
//! Digests are a chain over what was written; they say nothing of what became of it on a disk
//! since. This reads everything that is there.

use bytes::Bytes;

use super::keys;
use crate::types::{Range, Scan, View, ViewError};

/// Rows and bytes that are read at once of each state.
const PAGE_ROWS: usize = 4096;
const PAGE_BYTES: usize = 4 << 20;

/// Differences that are told; more are counted.
pub const DIFFERENCES_MAX: usize = 16;

/// How two states compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows that are in both and the same.
    pub equal: u64,
    /// Rows that are not.
    pub different: u64,
    /// The first of those.
    pub first: Vec<Difference>,
}

/// A row that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its key.
    pub key: Bytes,
    /// Its value in the one state.
    pub one: Option<Bytes>,
    /// Its value in the other.
    pub other: Option<Bytes>,
}

/// Compares all rows but those that are a frontend's own: what it keeps for subscribers. `progress`
/// is told how many rows have been compared.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare(
    one: &dyn View,
    other: &dyn View,
    mut progress: impl FnMut(u64),
) -> Result<Compared, ViewError> {
    let mut compared = Compared::default();
    // The first keys of all areas; what is kept for subscribers lies in between.
    let own = Bytes::copy_from_slice(&keys::CHANGES_BEGIN[..1]);
    let ranges = [(Bytes::new(), own.clone()), (keys::end(&own), Bytes::from_static(&[0xff]))];
    for (low, high) in ranges {
        let (mut one, mut other) = (Rows::new(one, &low, &high), Rows::new(other, &low, &high));
        loop {
            let difference = match (one.head()?, other.head()?) {
                (None, None) => break,
                (Some(a), Some(b)) if a == b => None,
                (Some((key, a)), Some((same, b))) if key == same => {
                    Some(Difference { key, one: Some(a), other: Some(b) })
                }
                (Some((key, a)), b) if b.as_ref().is_none_or(|(behind, _)| key < *behind) => {
                    Some(Difference { key, one: Some(a), other: None })
                }
                (_, Some((key, b))) => Some(Difference { key, one: None, other: Some(b) }),
                (Some((key, a)), None) => Some(Difference { key, one: Some(a), other: None }),
            };
            match difference {
                None => {
                    compared.equal += 1;
                    one.pass();
                    other.pass();
                }
                Some(difference) => {
                    compared.different += 1;
                    if difference.one.is_some() {
                        one.pass();
                    }
                    if difference.other.is_some() {
                        other.pass();
                    }
                    if compared.first.len() < DIFFERENCES_MAX {
                        compared.first.push(difference);
                    }
                }
            }
            progress(compared.equal + compared.different);
        }
    }
    Ok(compared)
}

/// The rows of a range, read page by page.
struct Rows<'a> {
    view: &'a dyn View,
    low: Bytes,
    high: Bytes,
    page: std::vec::IntoIter<(Bytes, Bytes)>,
    head: Option<(Bytes, Bytes)>,
    done: bool,
}

impl<'a> Rows<'a> {
    fn new(view: &'a dyn View, low: &Bytes, high: &Bytes) -> Self {
        let page = Vec::new().into_iter();
        Self { view, low: low.clone(), high: high.clone(), page, head: None, done: false }
    }

    fn head(&mut self) -> Result<Option<(Bytes, Bytes)>, ViewError> {
        while self.head.is_none() {
            self.head = self.page.next();
            if self.head.is_some() || self.done {
                break;
            }
            let range = Range { low: &self.low, high: &self.high, reverse: false };
            let Scan { pairs, done } = self.view.scan(range, PAGE_ROWS, PAGE_BYTES)?;
            match pairs.last() {
                Some((last, _)) => self.low = [&last[..], &[0]].concat().into(),
                None if done => {}
                None => return Err(ViewError("a page of an unfinished range is empty".into())),
            }
            self.done = done;
            self.page = pairs.into_iter();
        }
        Ok(self.head.clone())
    }

    fn pass(&mut self) {
        self.head = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::storage::state::{MemoryState, StateStore};

    fn state(rows: impl Iterator<Item = (Vec<u8>, u8)>) -> Arc<dyn View> {
        let state = MemoryState::new();
        let rows = rows.map(|(key, value)| (Bytes::from(key), Some(Bytes::from(vec![value]))));
        state.commit(rows.collect()).unwrap();
        state.view()
    }

    /// More rows than a page has, on both sides of a frontend's own.
    fn rows() -> impl Iterator<Item = (Vec<u8>, u8)> {
        let areas = [4u8, 0x0c, 0x10];
        let row =
            |area: u8| (0..5000u32).map(move |n| ([&[area][..], &n.to_be_bytes()].concat(), 7));
        areas.into_iter().flat_map(row)
    }

    #[test]
    fn rows_that_are_missing_on_either_side_or_differ_are_found_and_a_frontends_own_are_not() {
        let key = |area: u8, n: u32| [&[area][..], &n.to_be_bytes()].concat();
        let one = state(rows().filter(|(found, _)| *found != key(4, 4999)));
        let spoilt = rows().map(|(found, value)| {
            let differs = found == key(0x10, 3) || found == key(0x0c, 8);
            (found, if differs { 8 } else { value })
        });
        let other = state(spoilt.filter(|(found, _)| *found != key(4, 0)));
        let compared = compare(&*one, &*other, |_| {}).unwrap();
        assert_eq!((compared.equal, compared.different), (9_997, 3));
        let value = |value: u8| Some(Bytes::from(vec![value]));
        let difference = |key: Vec<u8>, one, other| Difference { key: key.into(), one, other };
        let expected = [
            difference(key(4, 0), value(7), None),
            difference(key(4, 4999), None, value(7)),
            difference(key(0x10, 3), value(7), value(8)),
        ];
        assert_eq!(compared.first, expected);
        let same = compare(&*one, &*one, |_| {}).unwrap();
        assert_eq!((same.equal, same.different), (9_999, 0));
    }

    #[test]
    fn no_more_differences_are_told_than_a_person_reads() {
        let compared = compare(&*state(rows()), &*state(std::iter::empty()), |_| {}).unwrap();
        assert_eq!((compared.different, compared.first.len()), (10_000, DIFFERENCES_MAX));
    }
}
