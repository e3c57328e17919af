//! A store in memory, with the host's limits and savepoints.

use std::collections::BTreeMap;

use crate::store::{
    KEY_BYTES_MAX, PAGE_BYTES, PAGE_ROWS_MAX, Page, Pair, ReadStore, VALUE_BYTES_MAX, WriteStore,
};

/// Most events of one command.
const EVENTS_MAX: usize = 1024;
/// Most bytes in the events of one command.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// What a command emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub topic: String,
    /// Which thing it is about.
    pub key: Vec<u8>,
    /// The content.
    pub body: Vec<u8>,
}

/// An ordered store in memory.
///
/// # Panics
/// Where the host traps: a key, value or page size over its limit, too many events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryStore {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Events since the last savepoint.
    events: Vec<Event>,
    /// What writes since the last savepoint replaced, oldest first.
    undo: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What a call did to a store: the last value it gave each key, and its events.
pub(super) type Effects = (BTreeMap<Vec<u8>, Option<Vec<u8>>>, Vec<Event>);

impl MemoryStore {
    /// All pairs, lowest key first.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, value)| (&key[..], &value[..]))
    }

    /// Keeps what was written since the last savepoint, and starts the next.
    pub(super) fn savepoint(&mut self) -> Vec<Event> {
        self.undo.clear();
        std::mem::take(&mut self.events)
    }

    /// Drops what was written since the last savepoint.
    pub(super) fn roll_back(&mut self) {
        self.events.clear();
        for (key, old) in std::mem::take(&mut self.undo).into_iter().rev() {
            match old {
                Some(value) => self.pairs.insert(key, value),
                None => self.pairs.remove(&key),
            };
        }
    }

    /// What was done since the last savepoint.
    pub(super) fn effects(&self) -> Effects {
        let last = |key: &Vec<u8>| (key.clone(), self.pairs.get(key).cloned());
        (self.undo.iter().map(|(key, _)| last(key)).collect(), self.events.clone())
    }

    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        check_key(key);
        let old = match value {
            Some(value) => self.pairs.insert(key.to_vec(), value.to_vec()),
            None => self.pairs.remove(key),
        };
        self.undo.push((key.to_vec(), old));
    }
}

fn check_key(key: &[u8]) {
    assert!(key.len() <= KEY_BYTES_MAX, "a key of {} bytes traps", key.len());
}

fn check_ends(low: &[u8], high: &[u8]) {
    let length = low.len().max(high.len());
    assert!(length <= KEY_BYTES_MAX + 1, "a range that ends at {length} bytes traps");
}

impl ReadStore for MemoryStore {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        check_key(key);
        self.pairs.get(key).cloned()
    }

    fn get_many(&self, keys: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    fn scan(&self, low: &[u8], high: &[u8], reverse: bool, max_rows: u32) -> Page {
        check_ends(low, high);
        assert!((1..=PAGE_ROWS_MAX).contains(&max_rows), "a page of {max_rows} rows traps");
        if low >= high {
            return Page::default();
        }
        let mut range = self.pairs.range(low.to_vec()..high.to_vec());
        let mut step = || if reverse { range.next_back() } else { range.next() };
        let mut pairs: Vec<Pair> = Vec::new();
        let mut bytes = 0;
        while let Some((key, value)) = step() {
            if pairs.len() == max_rows as usize || bytes >= PAGE_BYTES {
                let next = pairs.last().map(|(last, _)| match reverse {
                    true => last.clone(),
                    // The lowest key above the last: longer by a zero.
                    false => [&last[..], &[0]].concat(),
                });
                return Page { pairs, next };
            }
            bytes += key.len() + value.len();
            pairs.push((key.clone(), value.clone()));
        }
        Page { pairs, next: None }
    }
}

impl WriteStore for MemoryStore {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        assert!(value.len() <= VALUE_BYTES_MAX, "a value of {} bytes traps", value.len());
        self.set(key, Some(value));
    }

    fn delete(&mut self, key: &[u8]) {
        self.set(key, None);
    }

    fn delete_range(&mut self, low: &[u8], high: &[u8]) -> u64 {
        check_ends(low, high);
        if low >= high {
            return 0;
        }
        let range = self.pairs.range(low.to_vec()..high.to_vec());
        let keys: Vec<_> = range.map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.set(key, None);
        }
        keys.len() as u64
    }

    fn emit(&mut self, topic: &str, key: &[u8], body: &[u8]) {
        let event = Event { topic: topic.to_owned(), key: key.to_vec(), body: body.to_vec() };
        self.events.push(event);
        let size = |event: &Event| event.topic.len() + event.key.len() + event.body.len();
        let bytes: usize = self.events.iter().map(size).sum();
        assert!(
            self.events.len() <= EVENTS_MAX && bytes <= EVENT_BYTES_MAX,
            "{} events of {bytes} bytes in one command trap",
            self.events.len()
        );
    }
}
