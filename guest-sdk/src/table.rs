//! Typed views of the store.

use std::marker::PhantomData;

use quorate_wire::DecodeError;

use crate::codec::Codec;
use crate::key::Key;
use crate::store::{self, Range, ReadStore, WriteStore};

/// The keys of the store that begin with one tag byte, seen as a map from `K` to `V` in the order
/// of `K`.
///
/// A module declares its tables as constants, each with a tag of its own:
///
/// ```
/// # use quorate_guest::{Table, testing::MemoryStore};
/// const CENTS: Table<(String, u32), i64> = Table::new(1); // by owner and account
///
/// let mut store = MemoryStore::default();
/// CENTS.put(&mut store, &("ann".into(), 7), &1250);
/// assert_eq!(CENTS.get(&store, &("ann".into(), 7)), Some(1250));
/// assert_eq!(CENTS.scan_prefix(&store, &String::from("ann")).count(), 1);
/// ```
///
/// # Panics
/// Every reading method panics when a stored key or value does not decode as `K` or `V`. That is
/// corruption or a missing migration: in the host it is a trap, the same on every frontend, and
/// the command is refused instead of working on half-understood state.
pub struct Table<K, V> {
    tag: u8,
    types: PhantomData<fn() -> (K, V)>,
}

/// One page of a [`Table`].
pub struct TablePage<K, V> {
    /// The entries, in key order.
    pub entries: Vec<(K, V)>,
    /// The cursor of the next page; absent after the last.
    pub next: Option<Vec<u8>>,
}

impl<K: Key, V: Codec> Table<K, V> {
    /// The table of a tag, which may be anything but 255 and must be the tag of no other table.
    pub const fn new(tag: u8) -> Self {
        assert!(tag < u8::MAX, "tag 255 has no end key");
        Self { tag, types: PhantomData }
    }

    /// The key in the store that stands for `key`.
    pub fn stored_key(&self, key: &K) -> Vec<u8> {
        self.prefix(key)
    }

    /// The value of a key.
    pub fn get(&self, store: &dyn ReadStore, key: &K) -> Option<V> {
        store.get(&self.stored_key(key)).map(|bytes| self.value(&bytes))
    }

    /// Whether a key has a value, without decoding it.
    pub fn contains(&self, store: &dyn ReadStore, key: &K) -> bool {
        store.get(&self.stored_key(key)).is_some()
    }

    /// Sets the value of a key.
    pub fn put(&self, store: &mut dyn WriteStore, key: &K, value: &V) {
        store.put(&self.stored_key(key), &value.to_bytes());
    }

    /// Removes a key, whether it is there or not.
    pub fn delete(&self, store: &mut dyn WriteStore, key: &K) {
        store.delete(&self.stored_key(key));
    }

    /// Removes all keys whose first parts are `prefix` and tells how many there were.
    pub fn delete_prefix<P: Key>(&self, store: &mut dyn WriteStore, prefix: &P) -> u64 {
        let low = self.prefix(prefix);
        store.delete_range(&low, &store::prefix_end(&low))
    }

    /// All entries in key order.
    pub fn iter<'s>(&self, store: &'s dyn ReadStore) -> Entries<'s, K, V> {
        self.entries(store::prefix(store, &[self.tag]))
    }

    /// The entries whose key's first parts are `prefix`, in key order.
    pub fn scan_prefix<'s, P: Key>(
        &self,
        store: &'s dyn ReadStore,
        prefix: &P,
    ) -> Entries<'s, K, V> {
        self.entries(store::prefix(store, &self.prefix(prefix)))
    }

    /// One page of all entries, for `scan`, `check` and `migrate`: `cursor` is the `next` of the
    /// page before.
    pub fn page(
        &self,
        store: &dyn ReadStore,
        cursor: Option<&[u8]>,
        max_rows: u32,
    ) -> TablePage<K, V> {
        self.page_from(store, &[self.tag], cursor, max_rows)
    }

    /// One page of the entries whose key's first parts are `prefix`.
    pub fn page_prefix<P: Key>(
        &self,
        store: &dyn ReadStore,
        prefix: &P,
        cursor: Option<&[u8]>,
        max_rows: u32,
    ) -> TablePage<K, V> {
        self.page_from(store, &self.prefix(prefix), cursor, max_rows)
    }

    fn page_from(
        &self,
        store: &dyn ReadStore,
        prefix: &[u8],
        cursor: Option<&[u8]>,
        max_rows: u32,
    ) -> TablePage<K, V> {
        let low = cursor.unwrap_or(prefix);
        let page = store.scan(low, &store::prefix_end(prefix), false, max_rows);
        let entries = page.pairs.iter().map(|(key, value)| self.entry(key, value)).collect();
        TablePage { entries, next: page.next }
    }

    fn entries<'s>(&self, range: Range<'s>) -> Entries<'s, K, V> {
        Entries { table: Self::new(self.tag), range }
    }

    fn prefix<P: Key>(&self, prefix: &P) -> Vec<u8> {
        let mut bytes = vec![self.tag];
        prefix.encode_key(&mut bytes);
        bytes
    }

    fn entry(&self, key: &[u8], value: &[u8]) -> (K, V) {
        let mut rest = &key[1..];
        let decoded = K::decode_key(&mut rest).and_then(|key| match rest {
            [] => Ok(key),
            _ => Err(DecodeError::Trailing),
        });
        match decoded {
            Ok(key) => (key, self.value(value)),
            Err(error) => panic!("a stored key of table {} is corrupt: {error}", self.tag),
        }
    }

    fn value(&self, bytes: &[u8]) -> V {
        match V::from_bytes(bytes) {
            Ok(value) => value,
            Err(error) => panic!("a stored value of table {} is corrupt: {error}", self.tag),
        }
    }
}

/// An iterator over entries of a [`Table`].
pub struct Entries<'s, K, V> {
    table: Table<K, V>,
    range: Range<'s>,
}

impl<K: Key, V: Codec> Iterator for Entries<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        self.range.next().map(|(key, value)| self.table.entry(&key, &value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemoryStore;

    const WORDS: Table<(u32, String), u64> = Table::new(3);
    const NEIGHBOUR: Table<u32, u64> = Table::new(4);

    fn filled() -> MemoryStore {
        let mut store = MemoryStore::default();
        for number in 0..100u64 {
            let group = if number < 90 { 1 } else { 2 };
            WORDS.put(&mut store, &(group, format!("w{number:02}")), &number);
        }
        NEIGHBOUR.put(&mut store, &1, &1000);
        store
    }

    #[test]
    fn iteration_crosses_pages_and_stays_in_its_table() {
        let store = filled();
        let values: Vec<u64> = WORDS.iter(&store).map(|(_, value)| value).collect();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
        assert_eq!(WORDS.scan_prefix(&store, &2u32).count(), 10);
        assert_eq!(WORDS.scan_prefix(&store, &3u32).count(), 0);
    }

    #[test]
    fn pages_join_without_gap_or_overlap() {
        let store = filled();
        let mut words = Vec::new();
        let mut cursor = None;
        loop {
            let page = WORDS.page_prefix(&store, &1u32, cursor.as_deref(), 7);
            assert!(page.entries.len() <= 7);
            words.extend(page.entries.into_iter().map(|((_, word), _)| word));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(words, (0..90).map(|number| format!("w{number:02}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_deleted_prefix_leaves_the_rest() {
        let mut store = filled();
        assert_eq!(WORDS.delete_prefix(&mut store, &1u32), 90);
        assert_eq!(WORDS.iter(&store).count(), 10);
        assert!(NEIGHBOUR.contains(&store, &1));
        NEIGHBOUR.delete(&mut store, &1);
        assert_eq!(NEIGHBOUR.get(&store, &1), None);
    }

    #[test]
    #[should_panic(expected = "a stored value of table 3 is corrupt")]
    fn a_value_that_does_not_decode_panics() {
        let mut store = MemoryStore::default();
        let key = (1, String::from("w"));
        store.put(&WORDS.stored_key(&key), &[0x80]);
        WORDS.get(&store, &key);
    }

    #[test]
    #[should_panic(expected = "a stored key of table 3 is corrupt")]
    fn a_key_that_does_not_decode_panics() {
        let mut store = MemoryStore::default();
        store.put(&[3, 1], &[0]);
        WORDS.iter(&store).count();
    }
}
