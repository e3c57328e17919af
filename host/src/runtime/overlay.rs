//! Writes that are not in the state yet, over a view of the state.
//!
//! A stack of layers: the lowest belongs to the whole run of entries, each savepoint puts one on
//! top. Reads see the topmost write of a key, then the view. Committing a savepoint merges its
//! layer into the one below, rolling back drops it, so what a failed command wrote was never
//! anywhere else. Maps are ordered: what comes out, and so what is digested, never depends on a
//! hash seed.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::types::{Pairs, Range, Scan, View, ViewError};

/// Keys that [`Overlay::delete_range`] takes in one step, which bounds what it holds in memory.
pub(super) const DELETE_STEP_ROWS: usize = 1024;
const DELETE_STEP_BYTES: usize = 1 << 20;

/// Pending writes by key; `None` is a deletion.
pub type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// Pending writes over a view. The default one lies over nothing.
#[derive(Default)]
pub struct Overlay {
    base: Option<Arc<dyn View>>,
    lowest: Layer,
    saved: Vec<Layer>,
}

#[derive(Default)]
struct Layer {
    writes: Writes,
    bytes: u64,
}

impl Overlay {
    /// No writes over `base`.
    pub fn new(base: Arc<dyn View>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the view could not be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        if let Some(written) = self.layers().find_map(|layer| layer.writes.get(key)) {
            return Ok(written.clone());
        }
        self.base.as_ref().map_or(Ok(None), |base| base.get(key))
    }

    /// The value that a key had at the last savepoint.
    ///
    /// # Errors
    /// When the view could not be read.
    pub fn below(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let mut layers = self.layers().skip(1);
        if let Some(written) = layers.find_map(|layer| layer.writes.get(key)) {
            return Ok(written.clone());
        }
        self.base.as_ref().map_or(Ok(None), |base| base.get(key))
    }

    /// Sets a key.
    pub fn put(&mut self, key: Bytes, value: Bytes) {
        self.write(key, Some(value));
    }

    /// Removes a key, whether it is there or not.
    pub fn delete(&mut self, key: Bytes) {
        self.write(key, None);
    }

    /// Removes all keys in `low <= key < high` and tells how many there were.
    ///
    /// # Errors
    /// When the view could not be read; some keys may be removed by then, so roll back.
    pub fn delete_range(&mut self, low: &[u8], high: &[u8]) -> Result<u64, ViewError> {
        let mut deleted = 0;
        let mut next = Some(Bytes::copy_from_slice(low));
        while let Some(low) = next {
            let step;
            (step, next) = self.delete_step(&low, high)?;
            deleted += step;
        }
        Ok(deleted)
    }

    /// Removes the first keys of a range: how many, and where the rest begins.
    pub(super) fn delete_step(
        &mut self,
        low: &[u8],
        high: &[u8],
    ) -> Result<(u64, Option<Bytes>), ViewError> {
        let range = Range { low, high, reverse: false };
        let Scan { pairs, done } = self.scan(range, DELETE_STEP_ROWS, DELETE_STEP_BYTES)?;
        let next = pairs.last().filter(|_| !done).map(|(key, _)| successor(key));
        let deleted = pairs.len() as u64;
        for (key, _) in pairs {
            self.delete(key);
        }
        Ok((deleted, next))
    }

    /// The pairs in a range, in its order: at most `rows_max`, and at most `bytes_max` bytes of
    /// keys and values unless the first pair alone exceeds that. Ends early for no other reason,
    /// and says `done` exactly when the range holds no more, however the view pages: what a module
    /// is given here must be the same on every frontend.
    ///
    /// # Errors
    /// When the view could not be read.
    pub fn scan(
        &self,
        range: Range<'_>,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Scan, ViewError> {
        let mut pairs = Pairs::new();
        if range.low >= range.high {
            return Ok(Scan { pairs, done: true });
        }
        let mut merged = Merge::new(self, range, rows_max, bytes_max);
        let mut bytes = 0;
        while let Some((key, value)) = merged.next()? {
            bytes += key.len() + value.len();
            if pairs.len() >= rows_max || (bytes > bytes_max && !pairs.is_empty()) {
                return Ok(Scan { pairs, done: false });
            }
            pairs.push((key, value));
        }
        Ok(Scan { pairs, done: true })
    }

    /// Begins a part that can be dropped by itself.
    pub fn savepoint(&mut self) {
        self.saved.push(Layer::default());
    }

    /// Ends the part begun last and keeps its writes.
    pub fn commit(&mut self) {
        let Some(layer) = self.saved.pop() else {
            debug_assert!(false, "commit without a savepoint");
            return;
        };
        let below = self.top_layer();
        below.bytes += layer.bytes;
        if below.writes.is_empty() {
            below.writes = layer.writes;
        } else {
            // Not `append`: that walks the whole lower map, and this one is short.
            below.writes.extend(layer.writes);
        }
    }

    /// Ends the part begun last and drops its writes.
    pub fn rollback(&mut self) {
        let dropped = self.saved.pop();
        debug_assert!(dropped.is_some(), "rollback without a savepoint");
    }

    /// The writes since the last savepoint.
    pub fn top(&self) -> &Writes {
        &self.saved.last().unwrap_or(&self.lowest).writes
    }

    /// Bytes of keys and values written since the last savepoint, a key written twice counted
    /// twice.
    pub fn written_bytes(&self) -> u64 {
        self.saved.last().unwrap_or(&self.lowest).bytes
    }

    /// All writes; open savepoints are committed.
    pub fn into_writes(mut self) -> Writes {
        while !self.saved.is_empty() {
            self.commit();
        }
        self.lowest.writes
    }

    fn write(&mut self, key: Bytes, value: Option<Bytes>) {
        let top = self.top_layer();
        top.bytes += (key.len() + value.as_ref().map_or(0, Bytes::len)) as u64;
        top.writes.insert(key, value);
    }

    fn top_layer(&mut self) -> &mut Layer {
        self.saved.last_mut().unwrap_or(&mut self.lowest)
    }

    /// From the top down.
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.saved.iter().rev().chain([&self.lowest])
    }
}

/// The lowest key above `key`.
pub(super) fn successor(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}

/// The pairs of a range, layers and view merged.
struct Merge<'a> {
    /// From the top down; empty ones are left out.
    layers: Vec<Cursor<'a>>,
    base: Base<'a>,
    reverse: bool,
}

/// Position in one layer.
struct Cursor<'a> {
    head: (&'a Bytes, &'a Option<Bytes>),
    rest: btree_map::Range<'a, Bytes, Option<Bytes>>,
}

/// Position in the view, which is read page by page.
struct Base<'a> {
    view: Option<&'a dyn View>,
    low: Bytes,
    high: Bytes,
    rows: usize,
    bytes: usize,
    page: std::vec::IntoIter<(Bytes, Bytes)>,
    head: Option<(Bytes, Bytes)>,
}

impl<'a> Merge<'a> {
    fn new(overlay: &'a Overlay, range: Range<'_>, rows: usize, bytes: usize) -> Self {
        let Range { low, high, reverse } = range;
        let bounds = (Bound::Included(low), Bound::Excluded(high));
        let layers = overlay.layers().filter_map(|layer| {
            let mut rest = layer.writes.range::<[u8], _>(bounds);
            Some(Cursor { head: step(&mut rest, reverse)?, rest })
        });
        let base = Base {
            view: overlay.base.as_deref(),
            low: Bytes::copy_from_slice(low),
            high: Bytes::copy_from_slice(high),
            // One more than is wanted tells whether there is more.
            rows: rows.saturating_add(1),
            bytes,
            page: Vec::new().into_iter(),
            head: None,
        };
        Self { layers: layers.collect(), base, reverse }
    }

    fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, ViewError> {
        loop {
            self.base.fill(self.reverse)?;
            let heads = self.layers.iter().map(|cursor| cursor.head.0);
            let heads = heads.chain(self.base.head.as_ref().map(|(key, _)| key));
            let next = if self.reverse { heads.max() } else { heads.min() };
            let Some(key) = next.cloned() else { return Ok(None) };

            let below = self.base.head.take_if(|(head, _)| *head == key);
            let mut value = below.map(|(_, value)| Some(value));
            let reverse = self.reverse;
            // From the bottom up, so the topmost write is what stays.
            for at in (0..self.layers.len()).rev() {
                let cursor = &mut self.layers[at];
                if *cursor.head.0 == key {
                    value = Some(cursor.head.1.clone());
                    match step(&mut cursor.rest, reverse) {
                        Some(head) => cursor.head = head,
                        None => drop(self.layers.remove(at)),
                    }
                }
            }
            if let Some(Some(value)) = value {
                return Ok(Some((key, value)));
            }
        }
    }
}

impl Base<'_> {
    /// Makes `head` the next pair, if the view has one.
    fn fill(&mut self, reverse: bool) -> Result<(), ViewError> {
        while self.head.is_none() {
            self.head = self.page.next();
            let (None, Some(view)) = (&self.head, self.view) else { break };
            let range = Range { low: &self.low, high: &self.high, reverse };
            let Scan { pairs, done } = view.scan(range, self.rows, self.bytes)?;
            match pairs.last() {
                Some((last, _)) if reverse => self.high = last.clone(),
                Some((last, _)) => self.low = successor(last),
                None if done => {}
                None => return Err(ViewError("a page of an unfinished range is empty".into())),
            }
            if done {
                self.view = None;
            }
            self.page = pairs.into_iter();
        }
        Ok(())
    }
}

fn step<'a>(
    range: &mut btree_map::Range<'a, Bytes, Option<Bytes>>,
    reverse: bool,
) -> Option<(&'a Bytes, &'a Option<Bytes>)> {
    if reverse { range.next_back() } else { range.next() }
}

#[cfg(test)]
mod tests;
