//! Every kind of damage is found, and nothing else.

use quorate_guest::WriteStore;
use quorate_guest::testing::Harness;

use super::*;
use crate::Catalog;
use crate::keys::{self, PARTITIONS};
use crate::model::Stamp;

fn harness() -> Harness<Catalog> {
    let mut harness = Harness::new();
    for statement in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (a INT, b INT) DUPLICATE KEY (a) PARTITION BY RANGE(a) (PARTITION p VALUES \
         LESS THAN (5), PARTITION q VALUES LESS THAN (9)) DISTRIBUTED BY HASH(a)",
        "CREATE TABLE d.u (a INT)",
        "CREATE VIEW d.v AS SELECT 1",
    ] {
        harness.text(statement).unwrap();
    }
    harness
}

/// What is found after some damage.
fn found(damage: impl FnOnce(&mut dyn WriteStore)) -> Vec<String> {
    let mut harness = harness();
    damage(&mut harness.store);
    let findings = harness.check().unwrap();
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error));
    findings.into_iter().map(|finding| finding.note).collect()
}

/// Stores a changed copy of the table `d.t`.
fn change_table(store: &mut dyn WriteStore, change: impl FnOnce(&mut Table)) {
    let database = keys::database(store, "d").unwrap();
    let Some(Object::Table(mut table)) = keys::object(store, database.id, "t") else { panic!() };
    let key = (database.id, table.id);
    change(&mut table);
    OBJECTS.put(store, &key, &Object::Table(table));
}

#[test]
fn damage_is_found() {
    let database = FIRST_ID;
    let table = FIRST_ID + 1;
    let notes = |damage: fn(&mut dyn WriteStore)| found(damage).join("; ");
    for (expected, note) in [
        ("a corrupt value: ", notes(|store| store.put(&DATABASES.stored_key(&FIRST_ID), b"\x09"))),
        ("a corrupt key: ", notes(|store| store.put(&[4, 1], b""))),
        ("unknown tag 9", notes(|store| store.put(&[9], b""))),
        ("was never given", notes(|store| NEXT_ID.put(store, &0, &FIRST_ID))),
        ("does not lead to it", notes(|store| {
            DATABASE_NAMES.delete(store, &("d".into(), "d".into()));
        })),
        ("leads to no database", notes(|store| DATABASES.delete(store, &FIRST_ID))),
        ("is filed under 'x'", notes(|store| {
            DATABASE_NAMES.put(store, &("x".into(), "d".into()), &FIRST_ID);
        })),
        ("there is no database 7", notes(|store| {
            let object = keys::object(store, FIRST_ID, "v").unwrap();
            OBJECTS.put(store, &(7, object.id()), &object);
        })),
        ("leads to no object", notes(|store| OBJECTS.delete(store, &(FIRST_ID, FIRST_ID + 1)))),
        ("of 'v' does not lead to it", notes(|store| {
            OBJECT_NAMES.delete(store, &(FIRST_ID, "v".into(), "v".into()));
        })),
        ("belongs to no table", notes(|store| OBJECTS.delete(store, &(FIRST_ID, FIRST_ID + 1)))),
        ("has no columns", notes(|store| change_table(store, |table| table.columns.clear()))),
        ("behind a value column", notes(|store| {
            change_table(store, |table| table.columns.reverse());
        })),
        ("two columns of one name", notes(|store| {
            change_table(store, |table| table.columns[1].name = "A".into());
        })),
        ("is distributed by", notes(|store| {
            change_table(store, |table| table.columns[0].name = "c".into());
        })),
        ("is not partitioned and has 2", notes(|store| {
            change_table(store, |table| table.partitioning = None);
        })),
        ("two partitions overlap", notes(|store| {
            let key = (FIRST_ID, FIRST_ID + 1, 0, "p".to_owned());
            let mut partition = PARTITIONS.get(store, &key).unwrap();
            partition.name = "r".into();
            PARTITIONS.put(store, &(key.0, key.1, 0, "r".into()), &partition);
        })),
    ] {
        assert!(note.contains(expected), "{expected}: {note}");
    }
    let stray = found(|store| {
        let created = Stamp { lsn: 1, time_us: 1 };
        let extent = crate::model::Extent::All;
        let name = "x".to_owned();
        let partition =
            Partition { id: table, name, extent, buckets: None, properties: Vec::new(), created };
        PARTITIONS.put(store, &(database, table + 1_000, 0, "x".into()), &partition);
    });
    assert_eq!(stray, ["partition 'x' belongs to no table"]);
}

#[test]
fn a_sound_state_gives_no_findings_on_any_page() {
    let mut harness = harness();
    for number in 0..300 {
        harness.text(&format!("CREATE TABLE d.n{number} (a INT)")).unwrap();
    }
    assert_eq!(harness.check().unwrap(), []);
}
