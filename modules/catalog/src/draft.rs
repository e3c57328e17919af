//! A store whose writes go nowhere.
//!
//! `evaluate` runs the command it is about to propose on a draft. So a statement that would fail
//! is refused before it is logged, one that changes nothing is answered at once, and there is no
//! second copy of the rules that could disagree with `apply`.

use std::collections::BTreeMap;

use quorate_guest::{Page, ReadStore, WriteStore};

/// A store seen through writes that are kept in memory.
pub struct Draft<'a> {
    base: &'a dyn ReadStore,
    /// Ranges removed from `base`; later writes are in `writes`.
    gone: Vec<(Vec<u8>, Vec<u8>)>,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> Draft<'a> {
    /// `base`, unchanged.
    pub fn new(base: &'a dyn ReadStore) -> Self {
        Self { base, gone: Vec::new(), writes: BTreeMap::new() }
    }

    /// Whether nothing was written.
    pub fn is_unchanged(&self) -> bool {
        self.gone.is_empty() && self.writes.is_empty()
    }

    fn is_gone(&self, key: &[u8]) -> bool {
        self.gone.iter().any(|(low, high)| low.as_slice() <= key && key < high.as_slice())
    }
}

impl ReadStore for Draft<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some(written) => written.clone(),
            None if self.is_gone(key) => None,
            None => self.base.get(key),
        }
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Like the scan of the base, with the writes in between, which may be more than `max_rows`.
    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page {
        let page = self.base.scan(low, high, reverse, max_rows);
        let (low, high) = match (&page.next, reverse) {
            (None, _) => (low, high),
            (Some(next), false) => (low, next.as_slice()),
            (Some(next), true) => (next.as_slice(), high),
        };
        let kept = page.pairs.into_iter().filter(|(key, _)| !self.is_gone(key));
        let mut merged: BTreeMap<_, _> = kept.map(|(key, value)| (key, Some(value))).collect();
        if low < high {
            let writes = self.writes.range(low.to_vec()..high.to_vec());
            merged.extend(writes.map(|(key, value)| (key.clone(), value.clone())));
        }
        let pairs = merged.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
        let mut pairs: Vec<_> = pairs.collect();
        if reverse {
            pairs.reverse();
        }
        Page { pairs, next: page.next }
    }
}

impl WriteStore for Draft<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.writes.insert(key.to_vec(), Some(value.to_vec()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.writes.insert(key.to_vec(), None);
    }

    /// Does not count: nothing in the catalog depends on how many keys there were.
    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        self.writes.retain(|key, _| key.as_slice() < low || high <= key.as_slice());
        self.gone.push((low.to_vec(), high.to_vec()));
        0
    }

    fn emit(&mut self, _topic: &str, _key: &[u8], _body: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use quorate_guest::testing::MemoryStore;

    use super::*;

    #[test]
    fn a_draft_reads_as_if_it_had_been_written() {
        let mut base = MemoryStore::default();
        for key in 0..100u8 {
            base.put(&[key], b"old");
        }
        let mut written = base.clone();
        let mut draft = Draft::new(&base);
        assert!(draft.is_unchanged());
        fn write(store: &mut dyn WriteStore) {
            store.put(&[5, 5], b"new");
            store.delete(&[7]);
            store.put(&[30], b"lost");
            store.delete_range(&[20], &[60]);
            store.put(&[40], b"new");
        }
        write(&mut written);
        write(&mut draft);
        assert!(!draft.is_unchanged());
        for key in 0..110u8 {
            assert_eq!(draft.get(&[key]), written.get(&[key]), "{key}");
        }
        for reverse in [false, true] {
            let (mut low, mut high, mut pairs) = (vec![0], vec![200], Vec::new());
            while let Page { pairs: more, next: Some(next) } = draft.scan(&low, &high, reverse, 7) {
                pairs.extend(more);
                if reverse { high = next } else { low = next }
            }
            pairs.extend(draft.scan(&low, &high, reverse, 7).pairs);
            assert_eq!(pairs, written.scan(&[0], &[200], reverse, 1000).pairs);
        }
    }
}
