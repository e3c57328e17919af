//! Secondary indexes that the SDK keeps in step with their table.

use std::marker::PhantomData;

use quorate_wire::{Finding, Severity};

use crate::codec::Codec;
use crate::key::Key;
use crate::machine::CheckPage;
use crate::store::{self, Range, ReadStore, WriteStore};
use crate::table::{Entries, Table, TablePage};

/// What an entry of a table is found by: an index over `I`, made of key and value.
///
/// Its keys are `(I, K)` under a tag of its own, so equal `I` may occur many times, and a scan is
/// in the order of `I`, then of `K`.
pub struct Index<K, V, I> {
    tag: u8,
    of: fn(&K, &V) -> Option<I>,
}

/// A [`Table`] with indexes. Everything that writes goes through it, so that table and indexes
/// cannot part.
///
/// ```
/// # use quorate_guest::{Index, IndexedTable, codec, testing::MemoryStore};
/// struct Account { owner: String, cents: i64 }
/// codec!(struct Account { owner, cents });
///
/// const BY_OWNER: Index<u64, Account, String> =
///     Index::new(2, |_, account| Some(account.owner.clone()));
/// const ACCOUNTS: IndexedTable<u64, Account> = IndexedTable::new(1, &[&BY_OWNER]);
///
/// let mut store = MemoryStore::default();
/// ACCOUNTS.put(&mut store, &7, &Account { owner: "ann".into(), cents: 5 });
/// ACCOUNTS.put(&mut store, &8, &Account { owner: "bob".into(), cents: 6 });
/// let found: Vec<u64> = BY_OWNER.keys(&store, &String::from("ann")).collect();
/// assert_eq!(found, [7]);
/// ACCOUNTS.put(&mut store, &7, &Account { owner: "bob".into(), cents: 5 });
/// assert_eq!(BY_OWNER.keys(&store, &String::from("bob")).count(), 2);
/// ```
pub struct IndexedTable<K: 'static, V: 'static> {
    table: Table<K, V>,
    indexes: &'static [&'static dyn Indexing<K, V>],
}

/// An index, whatever it is over. Implemented by [`Index`].
pub trait Indexing<K, V>: Sync {
    /// The stored key for an entry, if the index has it.
    fn stored(&self, key: &K, value: &V) -> Option<Vec<u8>>;

    /// The range of all its stored keys.
    fn range(&self) -> (Vec<u8>, Vec<u8>);

    /// The table's key in a stored key; absent when the bytes are none.
    fn key(&self, stored: &[u8]) -> Option<K>;
}

impl<K: Key, V, I: Key> Index<K, V, I> {
    /// The index of a tag, which may be anything but 255 and must be the tag of no other table or
    /// index. Entries for which `of` gives nothing are left out. What `of` gives must not change
    /// while the schema stays the same.
    pub const fn new(tag: u8, of: fn(&K, &V) -> Option<I>) -> Self {
        assert!(tag < u8::MAX, "tag 255 has no end key");
        Self { tag, of }
    }

    /// The keys of the entries found by `by`, in order.
    pub fn keys<'s>(&self, store: &'s dyn ReadStore, by: &I) -> IndexKeys<'s, K, I> {
        self.found(store::prefix(store, &self.prefix(by)))
    }

    /// The first of them: the only one, where a module keeps the index unique.
    pub fn first(&self, store: &dyn ReadStore, by: &I) -> Option<K> {
        self.keys(store, by).next()
    }

    /// The keys of the entries whose index parts begin with `prefix`, in the order of the index.
    pub fn keys_prefix<'s, P: Key>(
        &self,
        store: &'s dyn ReadStore,
        prefix: &P,
    ) -> IndexKeys<'s, K, I> {
        self.found(store::prefix(store, &self.prefix(prefix)))
    }

    /// The keys of all entries, in the order of the index.
    pub fn all<'s>(&self, store: &'s dyn ReadStore) -> IndexKeys<'s, K, I> {
        self.found(store::prefix(store, &[self.tag]))
    }

    fn found<'s>(&self, range: Range<'s>) -> IndexKeys<'s, K, I> {
        IndexKeys { tag: self.tag, range, types: PhantomData }
    }

    fn prefix<P: Key>(&self, prefix: &P) -> Vec<u8> {
        let mut bytes = vec![self.tag];
        prefix.encode_key(&mut bytes);
        bytes
    }
}

fn decode<K: Key, I: Key>(stored: &[u8]) -> Option<K> {
    let mut rest = stored.get(1..)?;
    let key = I::decode_key(&mut rest).and_then(|_| K::decode_key(&mut rest)).ok()?;
    rest.is_empty().then_some(key)
}

impl<K: Key, V, I: Key> Indexing<K, V> for Index<K, V, I> {
    fn stored(&self, key: &K, value: &V) -> Option<Vec<u8>> {
        let mut bytes = self.prefix(&(self.of)(key, value)?);
        key.encode_key(&mut bytes);
        Some(bytes)
    }

    fn range(&self) -> (Vec<u8>, Vec<u8>) {
        (vec![self.tag], store::prefix_end(&[self.tag]))
    }

    fn key(&self, stored: &[u8]) -> Option<K> {
        decode::<K, I>(stored)
    }
}

/// An iterator over keys found by an [`Index`].
///
/// # Panics
/// When a stored key of the index does not decode: see [`Table`].
pub struct IndexKeys<'s, K, I> {
    tag: u8,
    range: Range<'s>,
    types: PhantomData<fn() -> (K, I)>,
}

impl<K: Key, I: Key> Iterator for IndexKeys<'_, K, I> {
    type Item = K;

    fn next(&mut self) -> Option<K> {
        let (stored, _) = self.range.next()?;
        match decode::<K, I>(&stored) {
            Some(key) => Some(key),
            None => panic!("a stored key of index {} is corrupt", self.tag),
        }
    }
}

impl<K: Key, V: Codec> IndexedTable<K, V> {
    /// The table of a tag, with its indexes.
    pub const fn new(tag: u8, indexes: &'static [&'static dyn Indexing<K, V>]) -> Self {
        Self { table: Table::new(tag), indexes }
    }

    /// The value of a key.
    pub fn get(&self, store: &dyn ReadStore, key: &K) -> Option<V> {
        self.table.get(store, key)
    }

    /// Whether a key has a value, without decoding it.
    pub fn contains(&self, store: &dyn ReadStore, key: &K) -> bool {
        self.table.contains(store, key)
    }

    /// Sets the value of a key. Reads the old one, to know what the indexes hold of it.
    pub fn put(&self, store: &mut dyn WriteStore, key: &K, value: &V) {
        let old = self.table.get(store, key);
        for index in self.indexes {
            let before = old.as_ref().and_then(|old| index.stored(key, old));
            let after = index.stored(key, value);
            if before == after {
                continue;
            }
            if let Some(stored) = before {
                store.delete(&stored);
            }
            if let Some(stored) = after {
                store.put(&stored, &[]);
            }
        }
        self.table.put(store, key, value);
    }

    /// Removes a key and gives what it had.
    pub fn delete(&self, store: &mut dyn WriteStore, key: &K) -> Option<V> {
        let old = self.table.get(store, key)?;
        for stored in self.indexes.iter().filter_map(|index| index.stored(key, &old)) {
            store.delete(&stored);
        }
        self.table.delete(store, key);
        Some(old)
    }

    /// All entries in key order.
    pub fn iter<'s>(&self, store: &'s dyn ReadStore) -> Entries<'s, K, V> {
        self.table.iter(store)
    }

    /// The entries whose key's first parts are `prefix`, in key order.
    pub fn scan_prefix<'s, P: Key>(
        &self,
        store: &'s dyn ReadStore,
        prefix: &P,
    ) -> Entries<'s, K, V> {
        self.table.scan_prefix(store, prefix)
    }

    /// One page of all entries: see [`Table::page`].
    pub fn page(
        &self,
        store: &dyn ReadStore,
        cursor: Option<&[u8]>,
        max_rows: u32,
    ) -> TablePage<K, V> {
        self.table.page(store, cursor, max_rows)
    }

    /// Makes the indexes anew for one page of entries, for a migration to a schema that has
    /// others. Gives the cursor of the next page. What an index held before is not looked at.
    pub fn reindex(
        &self,
        store: &mut dyn WriteStore,
        cursor: Option<&[u8]>,
        max_rows: u32,
    ) -> Option<Vec<u8>> {
        let page = self.table.page(store, cursor, max_rows);
        for (key, value) in &page.entries {
            for stored in self.indexes.iter().filter_map(|index| index.stored(key, value)) {
                store.put(&stored, &[]);
            }
        }
        page.next
    }

    /// One page of contradictions between table and indexes, for a module's `check`: entries that
    /// an index lacks, and keys in an index without an entry that they belong to.
    ///
    /// # Panics
    /// When `cursor` is none that this gave.
    pub fn check(&self, store: &dyn ReadStore, cursor: Option<&[u8]>, max_rows: u32) -> CheckPage {
        // A cursor is the part that is checked, 0 for the table and then one for each index, and
        // where in it.
        let (part, at) = match cursor.map(<[u8]>::split_first) {
            None => (0, None),
            Some(Some((part, []))) => (usize::from(*part), None),
            Some(Some((part, at))) => (usize::from(*part), Some(at)),
            Some(None) => panic!("an empty cursor was never given"),
        };
        let (findings, next) = match part.checked_sub(1).map(|index| self.indexes[index]) {
            None => self.check_table(store, at, max_rows),
            Some(index) => self.check_index(index, store, at, max_rows),
        };
        let tagged = |part: usize, at: &[u8]| {
            let part = u8::try_from(part).expect("tags are bytes, so there are few indexes");
            [&[part], at].concat()
        };
        let next = match next {
            Some(at) => Some(tagged(part, &at)),
            None => (part < self.indexes.len()).then(|| tagged(part + 1, &[])),
        };
        CheckPage { findings, next }
    }

    fn check_table(&self, store: &dyn ReadStore, at: Option<&[u8]>, max_rows: u32) -> Checked {
        let page = self.table.page(store, at, max_rows);
        let mut findings = Vec::new();
        for (key, value) in &page.entries {
            for stored in self.indexes.iter().filter_map(|index| index.stored(key, value)) {
                if store.get(&stored).is_none() {
                    let tag = stored[0];
                    let note = format!("index {tag} lacks an entry of its table");
                    findings.push(finding(self.table.stored_key(key), note));
                }
            }
        }
        (findings, page.next)
    }

    fn check_index(
        &self,
        index: &dyn Indexing<K, V>,
        store: &dyn ReadStore,
        at: Option<&[u8]>,
        max_rows: u32,
    ) -> Checked {
        let (low, high) = index.range();
        let page = store.scan(at.unwrap_or(&low), &high, false, max_rows);
        let mut findings = Vec::new();
        for (stored, _) in page.pairs {
            let key = index.key(&stored);
            let entry = key.and_then(|key| self.table.get(store, &key).map(|value| (key, value)));
            let own = entry.and_then(|(key, value)| index.stored(&key, &value));
            if own.as_ref() != Some(&stored) {
                let note = format!("index {} has a key that belongs to no entry", stored[0]);
                findings.push(finding(stored, note));
            }
        }
        (findings, page.next)
    }
}

/// Findings, and where the part goes on.
type Checked = (Vec<Finding>, Option<Vec<u8>>);

fn finding(key: Vec<u8>, note: String) -> Finding {
    Finding { severity: Severity::Error, key, note }
}

#[cfg(test)]
mod tests;
