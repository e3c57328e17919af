//! Rows about partitions.

use quorate_guest::Value;

use super::super::partitions::{
    NO_COOLDOWN, buckets, distribution_key, extent_text, in_order, partition_key, replication_num,
};
use super::{Item, Row, Subject};
use crate::calendar::timestamp_text;
use crate::keys;
use crate::model::Object;

pub(super) fn partitions_meta(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Item::Object(database, Object::Table(table)) = subject.item else { return };
    for temporary in [false, true] {
        let partitions = keys::partitions(subject.store, (database.id, table.id), temporary);
        for partition in in_order(table, partitions) {
            let replicas = replication_num(table, &partition).parse::<i64>().ok();
            let medium = partition.properties.iter().find(|p| p.key == "storage_medium");
            rows.push(vec![
                subject.schema.into(),
                table.name.as_str().into(),
                partition.name.as_str().into(),
                partition.id.cast_signed().into(),
                Value::Int(0),
                Value::Int(1),
                timestamp_text(partition.created.time_us).into(),
                Value::Int(2),
                partition_key(table).into(),
                extent_text(table, &partition).into(),
                distribution_key(table).into(),
                buckets(table, &partition).into(),
                replicas.into(),
                medium.map_or("HDD", |property| property.value.as_str()).into(),
                NO_COOLDOWN.into(),
                Value::Null,
                Value::Int(0),
                temporary.into(),
                "0B".into(),
                Value::Int(0),
            ]);
        }
    }
}
