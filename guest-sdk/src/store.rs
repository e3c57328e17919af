//! The module's ordered key/value space.
//!
//! Keys are compared byte by byte. Reads see the writes made earlier in the same call. A module
//! that works with [`Table`](crate::Table) seldom needs the raw methods; those that page through a
//! range are best reached through [`range`] and [`prefix`], which fetch pages as they go.

use std::collections::VecDeque;

/// Longest key, in bytes; a longer one traps. The ends of a range may be one byte longer.
pub const KEY_BYTES_MAX: usize = 4 << 10;
/// Longest value, in bytes; a longer one traps.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most rows that one page may ask for; more trap.
pub const PAGE_ROWS_MAX: u32 = 1024;
/// About this many bytes of keys and values end a page early.
pub const PAGE_BYTES: usize = 256 << 10;
/// Rows in the first page of a [`Range`]; each further page doubles up to [`PAGE_ROWS_MAX`].
const FIRST_PAGE_ROWS: u32 = 16;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// One page of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The pairs, in the order of the scan.
    pub pairs: Vec<Pair>,
    /// Where to go on; absent when the range is done. Forward: pass it as `low`. Reverse: pass it
    /// as `high`.
    pub next: Option<Vec<u8>>,
}

/// What every call may do.
pub trait ReadStore {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// The values of many keys, in the same order, in one crossing of the border.
    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>>;

    /// The pairs in `low <= key < high`, at most `max_rows` (1 to [`PAGE_ROWS_MAX`]) and about
    /// [`PAGE_BYTES`] a page. With `reverse` the highest key comes first.
    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page;
}

/// What `apply` and `migrate` may do.
pub trait WriteStore: ReadStore {
    /// Sets a key.
    fn put(&mut self, key: &[u8], value: &[u8]);

    /// Removes a key, whether it is there or not.
    fn delete(&mut self, key: &[u8]);

    /// Removes all keys in `low <= key < high` and tells how many there were.
    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64;

    /// Notifies consumers of the feed; dropped with the writes when the command fails. At most
    /// 1024 events and 1 MiB per command; more trap.
    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]);
}

/// The pairs in `low <= key < high`, lowest key first, fetched page by page.
pub fn range<'s>(store: &'s dyn ReadStore, low: &[u8], high: &[u8]) -> Range<'s> {
    Range {
        store,
        next: Some(low.to_vec()),
        high: high.to_vec(),
        rows: FIRST_PAGE_ROWS,
        pairs: VecDeque::new(),
    }
}

/// The pairs whose key begins with `prefix`, lowest key first, fetched page by page.
pub fn prefix<'s>(store: &'s dyn ReadStore, prefix: &[u8]) -> Range<'s> {
    range(store, prefix, &prefix_end(prefix))
}

/// The end of the range of keys that begin with `prefix`: the lowest key above them or, above a
/// prefix of 0xff bytes alone, an end longer than any key.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; KEY_BYTES_MAX + 1]
}

/// An iterator over a range; made by [`range`] and [`prefix`].
pub struct Range<'s> {
    store: &'s dyn ReadStore,
    /// Low end of the next page; absent when the last page was fetched.
    next: Option<Vec<u8>>,
    high: Vec<u8>,
    /// Rows to ask for in the next page: a short range costs little, a long one few crossings.
    rows: u32,
    pairs: VecDeque<Pair>,
}

impl Iterator for Range<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        while self.pairs.is_empty() {
            let low = self.next.take()?;
            let page = self.store.scan(&low, &self.high, false, self.rows);
            self.rows = (self.rows * 2).min(PAGE_ROWS_MAX);
            self.pairs = page.pairs.into();
            self.next = page.next;
        }
        self.pairs.pop_front()
    }
}
