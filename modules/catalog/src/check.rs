//! Contradictions in the stored state: names without records, records without names, ids that
//! were never given, tables that break the rules of `CREATE TABLE`, bytes that do not decode.
//!
//! The check reads raw pairs, because it must survive what it looks for.

use quorate_guest::{CheckPage, Codec, Finding, Key, ReadStore, Severity};

use crate::define::{self, Extents};
use crate::keys::{DATABASE_NAMES, DATABASES, FIRST_ID, NEXT_ID, OBJECT_NAMES, OBJECTS, fold, tag};
use crate::model::{Database, Entry, Object, Partition, Table};

/// Pairs looked at for one page.
const PAGE_ROWS: u32 = 256;

/// One page of findings.
pub fn check(store: &dyn ReadStore, cursor: Option<&[u8]>) -> CheckPage {
    let page = store.scan(cursor.unwrap_or_default(), &[u8::MAX], false, PAGE_ROWS);
    let next_id = NEXT_ID.stored_key(&0);
    let next_id = store.get(&next_id).map_or(Ok(FIRST_ID), |bytes| u64::from_bytes(&bytes));
    let check = Check { store, next_id: next_id.unwrap_or_default() };
    let mut findings = Vec::new();
    for (key, value) in page.pairs {
        if let Err(note) = check.pair(&key, &value) {
            findings.push(Finding { severity: Severity::Error, key, note });
        }
    }
    CheckPage { findings, next: page.next }
}

struct Check<'a> {
    store: &'a dyn ReadStore,
    next_id: u64,
}

type Verdict = Result<(), String>;

impl Check<'_> {
    fn pair(&self, key: &[u8], value: &[u8]) -> Verdict {
        let Some((tag, rest)) = key.split_first() else {
            return Err("an empty key".to_owned());
        };
        match *tag {
            tag::NEXT_ID => self.counter(part(rest)?, part_value(value)?),
            tag::DATABASES => self.database(part(rest)?, part_value(value)?),
            tag::DATABASE_NAMES => self.database_name(part(rest)?, part_value(value)?),
            tag::OBJECTS => self.object(part(rest)?, part_value(value)?),
            tag::OBJECT_NAMES => self.object_name(part(rest)?, part_value(value)?),
            tag::PARTITIONS => self.partition(part(rest)?, part_value(value)?),
            tag => Err(format!("a key with unknown tag {tag}")),
        }
    }

    fn counter(&self, number: u8, next_id: u64) -> Verdict {
        ensure(number == 0, || format!("unknown counter {number}"))?;
        ensure(next_id >= FIRST_ID, || format!("the next id {next_id} is below {FIRST_ID}"))
    }

    fn id(&self, id: u64) -> Verdict {
        let given = (FIRST_ID..self.next_id).contains(&id);
        ensure(given, || format!("id {id} was never given; the next is {}", self.next_id))
    }

    fn database(&self, id: u64, database: Database) -> Verdict {
        self.id(id)?;
        let name = &database.name;
        ensure(database.id == id, || {
            format!("database '{name}' has id {}, key {id}", database.id)
        })?;
        let named: Option<u64> =
            self.read(&DATABASE_NAMES.stored_key(&(fold(name), name.clone())))?;
        ensure(named == Some(id), || format!("the name of database '{name}' does not lead to it"))
    }

    fn database_name(&self, (folded, name): (String, String), id: u64) -> Verdict {
        ensure(folded == fold(&name), || format!("name '{name}' is filed under '{folded}'"))?;
        let database: Option<Database> = self.read(&DATABASES.stored_key(&id))?;
        let matches = database.is_some_and(|database| database.name == name);
        ensure(matches, || format!("database name '{name}' leads to no database of that name"))
    }

    fn object(&self, (database, id): (u64, u64), object: Object) -> Verdict {
        self.id(id)?;
        self.has_database(database)?;
        let name = object.name();
        ensure(object.id() == id, || format!("object '{name}' has id {}, key {id}", object.id()))?;
        let key = OBJECT_NAMES.stored_key(&(database, fold(name), name.to_owned()));
        let entry: Option<Entry> = self.read(&key)?;
        let wanted = Entry { id, kind: object.kind() };
        ensure(entry == Some(wanted), || format!("the name of '{name}' does not lead to it"))?;
        match object {
            Object::Table(table) => self.table(database, &table),
            Object::View(_) => Ok(()),
        }
    }

    fn object_name(
        &self,
        (database, folded, name): (u64, String, String),
        entry: Entry,
    ) -> Verdict {
        ensure(folded == fold(&name), || format!("name '{name}' is filed under '{folded}'"))?;
        let object: Option<Object> = self.read(&OBJECTS.stored_key(&(database, entry.id)))?;
        let matches = object.is_some_and(|o| o.name() == name && o.kind() == entry.kind);
        ensure(matches, || format!("name '{name}' leads to no object of that name and kind"))
    }

    fn partition(
        &self,
        (database, table, temporary, folded): (u64, u64, u8, String),
        partition: Partition,
    ) -> Verdict {
        let name = &partition.name;
        self.id(partition.id)?;
        ensure(temporary <= 1, || format!("partition '{name}' is of kind {temporary}"))?;
        ensure(folded == fold(name), || format!("partition '{name}' is filed under '{folded}'"))?;
        let object: Option<Object> = self.read(&OBJECTS.stored_key(&(database, table)))?;
        let owned = matches!(object, Some(Object::Table(_)));
        ensure(owned, || format!("partition '{name}' belongs to no table"))
    }

    fn table(&self, database: u64, table: &Table) -> Verdict {
        let name = &table.name;
        ensure(!table.columns.is_empty(), || format!("table '{name}' has no columns"))?;
        let sorted = table.columns.is_sorted_by_key(|column| !column.key);
        ensure(sorted, || format!("table '{name}' has a key column behind a value column"))?;
        let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let distinct = define::resolve_all(table, &names).is_ok();
        ensure(distinct, || format!("table '{name}' has two columns of one name"))?;
        let distribution = define::distribution(table, Some(&table.distribution)).is_ok();
        ensure(distribution, || format!("table '{name}' is distributed by what it does not have"))?;
        for temporary in [0, 1] {
            let prefix = [
                &[tag::PARTITIONS][..],
                &database.to_be_bytes(),
                &table.id.to_be_bytes(),
                &[temporary],
            ];
            let mut partitions = Vec::new();
            for (_, value) in quorate_guest::store::prefix(self.store, &prefix.concat()) {
                partitions.push(part_value::<Partition>(&value)?);
            }
            match (&table.partitioning, temporary, partitions.len()) {
                (Some(_), _, _) => Extents::check(table, &partitions)
                    .map_err(|failure| format!("table '{name}': {}", failure.message))?,
                (None, 0, 1) | (None, 1, 0) => {}
                (None, _, count) => {
                    return Err(format!("table '{name}' is not partitioned and has {count}"));
                }
            }
        }
        Ok(())
    }

    fn has_database(&self, id: u64) -> Verdict {
        let database: Option<Database> = self.read(&DATABASES.stored_key(&id))?;
        ensure(database.is_some(), || format!("there is no database {id}"))
    }

    fn read<V: Codec>(&self, key: &[u8]) -> Result<Option<V>, String> {
        self.store.get(key).map(|bytes| part_value(&bytes)).transpose()
    }
}

fn ensure(holds: bool, note: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(note()) }
}

fn part<K: Key>(mut bytes: &[u8]) -> Result<K, String> {
    let key = K::decode_key(&mut bytes).map_err(|error| format!("a corrupt key: {error}"))?;
    if bytes.is_empty() { Ok(key) } else { Err("a key with bytes left over".to_owned()) }
}

fn part_value<V: Codec>(bytes: &[u8]) -> Result<V, String> {
    V::from_bytes(bytes).map_err(|error| format!("a corrupt value: {error}"))
}

#[cfg(test)]
mod tests;
