//! `SHOW PARTITIONS` and `SHOW ALTER TABLE`.

use quorate_guest::{Failure, Reply, Value};
use quorate_sql::{
    AlterJob, DatabaseName, DistributionMethod, Literal, ObjectName, PartitionTerm, PartitionValue,
    Tail, quote_ident,
};

use super::answer::Answer;
use super::columns::{Found, find};
use super::is_information_schema;
use crate::calendar::timestamp_text;
use crate::define::key_type;
use crate::evaluate::Scope;
use crate::keys;
use crate::model::{Extent, Object, Partition, Table};
use crate::refusal;
use crate::scalar::Edge;

/// What StarRocks shows for a partition on disks that never cool down.
pub(super) const NO_COOLDOWN: &str = "9999-12-31 23:59:59";

pub(super) fn show(
    scope: &Scope<'_>,
    name: &ObjectName,
    temporary: bool,
    tail: &Tail,
) -> Result<Reply, Failure> {
    let full = format!("{}.{}", scope.database_of(name)?, name.name);
    let Found::Object(Object::Table(table)) = find(scope, name)? else {
        return Err(refusal::wrong_object(&full, "BASE TABLE"));
    };
    let database = keys::database(scope.store, &scope.database_of(name)?);
    let place = (database.map_or(0, |database| database.id), table.id);
    let partitions = in_order(&table, keys::partitions(scope.store, place, temporary));
    let listed = partitions.iter().any(|partition| matches!(partition.extent, Extent::In(_)));
    let mut answer = Answer::new(&[
        "PartitionId", "PartitionName", "VisibleVersion", "VisibleVersionTime",
        "VisibleVersionHash", "State", "PartitionKey", if listed { "List" } else { "Range" },
        "DistributionKey", "Buckets", "ReplicationNum", "StorageMedium", "CooldownTime",
        "LastConsistencyCheckTime", "DataSize", "StorageSize", "IsInMemory", "RowCount",
    ])
    .integers(&["PartitionId", "VisibleVersion", "VisibleVersionHash", "Buckets", "RowCount"]);
    for partition in &partitions {
        answer.push(row(&table, partition));
    }
    answer.reply_tail(tail)
}

fn row(table: &Table, partition: &Partition) -> Vec<Value> {
    let created = timestamp_text(partition.created.time_us);
    let medium = partition.properties.iter().find(|p| p.key == "storage_medium");
    vec![
        partition.id.cast_signed().into(),
        partition.name.as_str().into(),
        Value::Int(1),
        created.into(),
        Value::Int(0),
        "NORMAL".into(),
        partition_key(table).into(),
        extent_text(table, partition).into(),
        distribution_key(table).into(),
        buckets(table, partition).into(),
        replication_num(table, partition).into(),
        medium.map_or("HDD", |property| property.value.as_str()).into(),
        NO_COOLDOWN.into(),
        Value::Null,
        "0B".into(),
        "0B".into(),
        "false".into(),
        Value::Int(0),
    ]
}

/// The partition key as StarRocks prints it: names, or expressions.
pub(super) fn partition_key(table: &Table) -> String {
    let keys = table.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
    let texts: Vec<String> = keys
        .map(|key| match key {
            PartitionTerm::Column(name) => name.clone(),
            other => other.to_string(),
        })
        .collect();
    texts.join(", ")
}

/// The columns of a hash, in StarRocks' spelling; `ALL KEY` for rows that go anywhere.
pub(super) fn distribution_key(table: &Table) -> String {
    match &table.distribution.method {
        DistributionMethod::Random => "ALL KEY".to_owned(),
        DistributionMethod::Hash(names) => {
            names.iter().map(|name| quote_ident(name)).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Buckets of a partition; 0 when the system is to choose.
pub(super) fn buckets(table: &Table, partition: &Partition) -> i64 {
    partition.buckets.or(table.distribution.buckets).map_or(0, i64::from)
}

pub(super) fn replication_num(table: &Table, partition: &Partition) -> String {
    let own = partition.properties.iter().find(|property| property.key == "replication_num");
    let own = own.map(|property| property.value.as_str());
    own.or_else(|| table.property("replication_num")).unwrap_or_default().to_owned()
}

/// Which rows a partition holds, as StarRocks prints it.
pub(super) fn extent_text(table: &Table, partition: &Partition) -> String {
    match &partition.extent {
        Extent::All => String::new(),
        Extent::Range { lower, upper } => {
            format!("[{}; ..{}; )", bound_text(table, lower), bound_text(table, upper))
        }
        Extent::In(rows) => {
            let text = |literal: &Literal| match literal.text() {
                Some(text) => format!("'{}'", text.replace('\'', "\\'")),
                None => "NULL".to_owned(),
            };
            let row = |row: &Vec<Literal>| match &row[..] {
                [only] => text(only),
                many => format!("({})", many.iter().map(text).collect::<Vec<_>>().join(", ")),
            };
            format!("({})", rows.iter().map(row).collect::<Vec<_>>().join(", "))
        }
    }
}

fn bound_text(table: &Table, bound: &[PartitionValue]) -> String {
    let keys = table.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
    let types: Vec<String> = keys
        .map(|key| key_type(key, table).data_type().to_ascii_uppercase())
        .take(bound.len())
        .collect();
    let values: Vec<&str> = bound
        .iter()
        .map(|value| match value {
            PartitionValue::Literal(literal) => literal.text().unwrap_or("NULL"),
            PartitionValue::MaxValue => "MAXVALUE",
        })
        .collect();
    format!("types: [{}]; keys: [{}]", types.join(", "), values.join(", "))
}

/// Ranges by their lower bound, others as they were made.
pub(super) fn in_order(table: &Table, mut partitions: Vec<Partition>) -> Vec<Partition> {
    let keys = table.partitioning.iter().flat_map(|partitioning| &partitioning.keys);
    let types: Vec<_> = keys.map(|key| key_type(key, table)).collect();
    partitions.sort_by_cached_key(|partition| {
        let lower = match &partition.extent {
            Extent::Range { lower, .. } => &lower[..],
            Extent::All | Extent::In(_) => &[],
        };
        let lower = lower.iter().zip(&types);
        (lower.map(|(value, t)| Edge::parse(value, t)).collect::<Vec<_>>(), partition.id)
    });
    partitions
}

/// The jobs of one kind: none, because every change of a table is done at once.
pub(super) fn alter_jobs(
    scope: &Scope<'_>,
    job: AlterJob,
    database: Option<&DatabaseName>,
    tail: &Tail,
) -> Result<Reply, Failure> {
    let database = scope.database_name(database)?;
    if !is_information_schema(&database) && keys::database(scope.store, &database).is_none() {
        return Err(refusal::unknown_database(&database));
    }
    let columns: &[&str] = match job {
        AlterJob::Column => &[
            "JobId", "TableName", "CreateTime", "FinishTime", "IndexName", "IndexId",
            "OriginIndexId", "SchemaVersion", "TransactionId", "State", "Msg", "Progress",
            "Timeout", "Warehouse",
        ],
        AlterJob::Rollup => &[
            "JobId", "TableName", "CreateTime", "FinishedTime", "BaseIndexName",
            "RollupIndexName", "RollupId", "TransactionId", "State", "Msg", "Progress",
            "Timeout", "Warehouse",
        ],
        AlterJob::Optimize => &[
            "JobId", "TableName", "CreateTime", "FinishTime", "Operation", "TransactionId",
            "State", "Msg", "Progress", "Timeout", "Warehouse",
        ],
    };
    Answer::new(columns).reply_tail(tail)
}
