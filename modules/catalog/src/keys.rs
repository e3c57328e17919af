//! The key layout, and the ways in.
//!
//! | tag | key | value |
//! |---|---|---|
//! | 1 | `0` | the next id |
//! | 2 | database id | [`Database`] |
//! | 3 | folded name, name | database id |
//! | 4 | database id, object id | [`Object`] |
//! | 5 | database id, folded name, name | [`Entry`]: object id and kind |
//! | 6 | database id, table id, temporary, folded name | [`Partition`] |
//!
//! Names of databases, tables and views are told apart by case, as in StarRocks; the conditions of
//! queries on information_schema are not. So the indexes sort by the folded name first: an exact
//! name is one read, a name in any case is one short scan, and lists come out as people sort.
//! Everything of a database or of a table is one range of each tag, so a drop is a few
//! range deletions, however much there is.

use quorate_guest::store::{prefix_end, range};
use quorate_guest::{Codec, Key, ReadStore, Table};

use crate::model::{Database, Entry, Object, Partition};

/// The id that the first object gets. StarRocks keeps the ids below for itself, and so do we.
pub const FIRST_ID: u64 = 10_001;

/// The next id, under key 0; absent before the first object.
pub const NEXT_ID: Table<u8, u64> = Table::new(1);
/// Databases by id.
pub const DATABASES: Table<u64, Database> = Table::new(2);
/// Database ids by name.
pub const DATABASE_NAMES: Table<(String, String), u64> = Table::new(3);
/// Tables and views by database and id.
pub const OBJECTS: Table<(u64, u64), Object> = Table::new(4);
/// Tables and views by database and name.
pub const OBJECT_NAMES: Table<(u64, String, String), Entry> = Table::new(5);
/// Partitions by database, table, whether they are temporary (1) or not (0), and name.
pub const PARTITIONS: Table<(u64, u64, u8, String), Partition> = Table::new(6);

/// A name without its case.
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The database of exactly that name.
pub fn database(store: &dyn ReadStore, name: &str) -> Option<Database> {
    let id = DATABASE_NAMES.get(store, &(fold(name), name.to_owned()))?;
    DATABASES.get(store, &id)
}

/// The index entry of exactly that name.
pub fn entry(store: &dyn ReadStore, database: u64, name: &str) -> Option<Entry> {
    OBJECT_NAMES.get(store, &(database, fold(name), name.to_owned()))
}

/// The table or view of exactly that name.
pub fn object(store: &dyn ReadStore, database: u64, name: &str) -> Option<Object> {
    OBJECTS.get(store, &(database, entry(store, database, name)?.id))
}

/// The partitions of a table, by folded name.
pub fn partitions(
    store: &dyn ReadStore,
    (database, table): (u64, u64),
    temporary: bool,
) -> Vec<Partition> {
    let entries = PARTITIONS.scan_prefix(store, &(database, table, u8::from(temporary)));
    entries.map(|(_, partition)| partition).collect()
}

/// The entries of a table from `low` on, as long as the key behind the tag begins with `prefix`.
pub fn from<'s, K: Key, V: Codec>(
    table: &Table<K, V>,
    store: &'s dyn ReadStore,
    low: &K,
    prefix: &[u8],
) -> impl Iterator<Item = (K, V)> + use<'s, K, V> {
    let low = table.stored_key(low);
    let high = prefix_end(&[&low[..1], prefix].concat());
    range(store, &low, &high).map(|(key, value)| {
        // As in `Table`: state that does not decode is a trap, the same everywhere.
        let key = K::decode_key(&mut &key[1..]).expect("stored keys decode");
        (key, V::from_bytes(&value).expect("stored values decode"))
    })
}
