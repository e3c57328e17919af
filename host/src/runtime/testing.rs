//! What the tests of this layer share: views, and a module written by hand.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_wire::{ColumnType, Description, Limits, Relation, RelationColumn};

use super::{Facts, Module, ReadCall, Runtime, RuntimeOptions};
use crate::types::{Lsn, Pairs, Range, Scan, View, ViewError};

/// A view of a map, in pages of at most `page_rows`.
#[derive(Default)]
pub(super) struct MapView {
    pub pairs: BTreeMap<Bytes, Bytes>,
    pub page_rows: usize,
}

impl MapView {
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, page_rows: usize) -> Self {
        let own = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let pairs = pairs.into_iter().map(|(key, value)| (own(key), own(value))).collect();
        Self { pairs, page_rows }
    }
}

impl View for MapView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Ok(self.pairs.get(key).cloned())
    }

    fn scan(&self, range: Range<'_>, rows_max: usize, _: usize) -> Result<Scan, ViewError> {
        let bounds = (Bound::Included(range.low), Bound::Excluded(range.high));
        let mut rest = self.pairs.range::<[u8], _>(bounds);
        let mut pairs = Pairs::new();
        while pairs.len() < rows_max.min(self.page_rows) {
            let next = if range.reverse { rest.next_back() } else { rest.next() };
            let Some((key, value)) = next else { return Ok(Scan { pairs, done: true }) };
            pairs.push((key.clone(), value.clone()));
        }
        Ok(Scan { pairs, done: false })
    }
}

/// A view whose storage is gone.
pub(super) struct BrokenView;

impl View for BrokenView {
    fn get(&self, _: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Err(ViewError("no disk".into()))
    }

    fn scan(&self, _: Range<'_>, _: usize, _: usize) -> Result<Scan, ViewError> {
        Err(ViewError("no disk".into()))
    }
}

/// What the module written by hand says of itself.
pub(super) fn description() -> Description {
    let names = Relation {
        schema: "test".into(),
        name: "names".into(),
        columns: vec![RelationColumn::new("name", ColumnType::Text)],
    };
    Description {
        name: "guest".into(),
        version: "1.0.0".into(),
        schema: 5,
        migrates_from: vec![1, 2, 3, 4],
        serves: Vec::new(),
        relations: vec![names],
        statements: Vec::new(),
        limits: Limits { fuel: 100_000_000, memory_bytes: 16 << 20 },
    }
}

/// The module written by hand.
pub(super) fn guest() -> Vec<u8> {
    guest_with(&description(), |text| text)
}

/// The module written by hand, with another description and its text changed.
pub(super) fn guest_with(
    description: &Description,
    change: impl FnOnce(String) -> String,
) -> Vec<u8> {
    let packed = description.pack();
    let mut escaped = String::new();
    for byte in &packed {
        write!(escaped, "\\{byte:02x}").unwrap();
    }
    let text = include_str!("tests/guest.wat")
        .replace("DESCRIPTION_BYTES", &packed.len().to_string())
        .replace("\"DESCRIPTION\"", &format!("\"{escaped}\""));
    wat::parse_str(change(text)).unwrap()
}

pub(super) fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions { read_slots: 2 }).unwrap()
}

/// The module written by hand, loaded once per test process.
pub(super) fn module() -> Arc<Module> {
    static MODULE: OnceLock<Arc<Module>> = OnceLock::new();
    Arc::clone(MODULE.get_or_init(|| runtime().load(&guest()).unwrap()))
}

/// Keys of the module in a view begin with it.
pub(super) const PREFIX: &str = "m/";

pub(super) fn facts() -> Facts {
    Facts { lsn: Lsn(7), index: 2, time_us: 3, schema: 5, caller: "root".into(), seed: [9; 32] }
}

pub(super) fn read_call(view: Arc<dyn View>) -> ReadCall {
    let deadline = Instant::now() + Duration::from_secs(30);
    ReadCall { view, prefix: PREFIX.into(), facts: facts(), deadline }
}
