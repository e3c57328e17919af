//! Databases and tables, as the active module's information_schema has them.

use std::collections::BTreeMap;

use quorate_wire::{Constraint, Failure, Operator, Rows, Value};

use super::super::relations::Snapshot;
use super::rows;
use crate::query::Relations;

const INFORMATION_SCHEMA: &str = "information_schema";
/// What every module must describe for its databases to be shown.
const NEEDED: [&str; 2] = ["schemata", "tables"];
/// Rows that are read of one relation at most; a larger listing is refused.
const ROWS_MAX: usize = 1_000_000;

const DATABASES: &[&str] =
    &["DbId", "DbName", "TableNum", "Quota", "LastConsistencyCheckTime", "ReplicaQuota"];
const TABLES: &[&str] = &[
    "TableId",
    "TableName",
    "IndexNum",
    "PartitionColumnName",
    "PartitionNum",
    "State",
    "Type",
    "LastConsistencyCheckTime",
    "ReplicaCount",
    "PartitionType",
    "StoragePath",
];
const INDEXES: &[&str] = &[
    "IndexId",
    "IndexName",
    "SchemaVersion",
    "SchemaHash",
    "ShortKeyColumnCount",
    "StorageType",
    "Keys",
];
/// StarRocks' id of an index where there is none apart from the table.
pub(super) const NO_INDEX: i64 = -1;
/// StarRocks' quotas of a database for which none is set; there are no others here.
const QUOTA: &str = "8388608.000 TB";
const REPLICA_QUOTA: i64 = i64::MAX;

/// One consistent view of information_schema. Its methods block.
pub(super) struct Schema {
    snapshot: Snapshot,
}

/// A row by the names of its relation's columns, in upper case.
struct Named(BTreeMap<String, Value>);

impl Named {
    fn get(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }

    fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Int(number)) => number.to_string(),
            Some(Value::UInt(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn number(&self, name: &str) -> i64 {
        match self.0.get(name) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }
}

impl Schema {
    /// None when the active module describes no databases, or there is no module.
    pub fn new(snapshot: Snapshot) -> Option<Self> {
        let schema = Self { snapshot };
        NEEDED.iter().all(|name| schema.position(name).is_some()).then_some(schema)
    }

    /// The LSN of the view.
    pub fn lsn(&self) -> u64 {
        self.snapshot.lsn()
    }

    /// `/dbs`.
    pub fn databases(&self) -> Result<Rows, Failure> {
        let mut counts = BTreeMap::<String, i64>::new();
        for table in self.read("tables", None)? {
            *counts.entry(table.text("TABLE_SCHEMA")).or_default() += 1;
        }
        let found = self.read("schemata", None)?.into_iter().map(|database| {
            let name = database.text("SCHEMA_NAME");
            let count = counts.get(&name).copied().unwrap_or_default();
            vec![
                Value::Null,
                name.into(),
                count.to_string().into(),
                QUOTA.into(),
                Value::Null,
                REPLICA_QUOTA.to_string().into(),
            ]
        });
        Ok(rows(DATABASES, found.collect()))
    }

    /// `/dbs/<database>`. None when there is no such database.
    pub fn tables(&self, database: &str) -> Result<Option<Rows>, Failure> {
        if !self.has(database)? {
            return Ok(None);
        }
        let by_name = |named: Named| (named.text("TABLE_NAME"), named);
        let configs: BTreeMap<_, _> = self
            .read("tables_config", Some(("TABLE_SCHEMA", database)))?
            .into_iter()
            .map(by_name)
            .collect();
        // Partitions and replicas, by table.
        let mut counts = BTreeMap::<String, (i64, i64)>::new();
        for partition in self.read("partitions_meta", Some(("DB_NAME", database)))? {
            if partition.number("IS_TEMP") == 0 {
                let (partitions, replicas) =
                    counts.entry(partition.text("TABLE_NAME")).or_default();
                *partitions += 1;
                *replicas +=
                    partition.number("BUCKETS").saturating_mul(partition.number("REPLICATION_NUM"));
            }
        }
        let tables = self.read("tables", Some(("TABLE_SCHEMA", database)))?.into_iter();
        let found = tables.map(|table| {
            let name = table.text("TABLE_NAME");
            let config = configs.get(&name);
            let (partitions, replicas) = counts.get(&name).copied().unwrap_or_default();
            let key = config.map(|config| config.text("PARTITION_KEY"));
            let stored = |text: String| config.map_or(Value::Null, |_| text.into());
            vec![
                stored(config.map(|config| config.text("TABLE_ID")).unwrap_or_default()),
                name.into(),
                stored("1".to_owned()),
                key.clone().into(),
                stored(partitions.to_string()),
                stored("NORMAL".to_owned()),
                kind(&table, config).into(),
                Value::Null,
                stored(replicas.to_string()),
                match key.as_deref() {
                    Some("") => "UNPARTITIONED".into(),
                    // Which of its kinds it is, no relation tells.
                    _ => Value::Null,
                },
                Value::Null,
            ]
        });
        Ok(Some(rows(TABLES, found.collect())))
    }

    /// The name of a table that has partitions, by its name or id. None when there is no such one.
    pub fn table(&self, database: &str, table: &str) -> Result<Option<String>, Failure> {
        let configs = self.read("tables_config", Some(("TABLE_SCHEMA", database)))?;
        let named = configs.iter().find(|config| config.text("TABLE_NAME") == table);
        let found = named.or_else(|| configs.iter().find(|one| one.text("TABLE_ID") == table));
        Ok(found.map(|config| config.text("TABLE_NAME")))
    }

    /// `/dbs/<database>/<table>/index_schema`: the table itself, and its key. What an index has
    /// beyond that is of how it is stored, and nothing is stored here.
    pub fn indexes(&self, database: &str, table: &str) -> Result<Rows, Failure> {
        let of_table = |found: &Named| found.text("TABLE_NAME") == table;
        let within = Some(("TABLE_SCHEMA", database));
        let config = self.read("tables_config", within)?.into_iter().find(of_table);
        let model = config.map(|config| config.text("TABLE_MODEL")).unwrap_or_default();
        // StarRocks spells two of them out here and not there.
        let model = match model.as_str() {
            "PRI_KEYS" => "PRIMARY_KEYS",
            "UNQ_KEYS" => "UNIQUE_KEYS",
            other => other,
        };
        let mut keys: Vec<_> = self.read("columns", within)?;
        keys.retain(|column| of_table(column) && !column.text("COLUMN_KEY").is_empty());
        keys.sort_by_key(|column| column.number("ORDINAL_POSITION"));
        let keys: Vec<_> = keys.iter().map(|column| column.text("COLUMN_NAME")).collect();
        let mut row = vec![Value::from(NO_INDEX.to_string()), table.into()];
        row.resize(INDEXES.len() - 1, "".into());
        row.push(format!("{model}({})", keys.join(", ")).into());
        Ok(rows(INDEXES, vec![row]))
    }

    fn has(&self, database: &str) -> Result<bool, Failure> {
        let schemata = self.read("schemata", Some(("SCHEMA_NAME", database)))?;
        Ok(!schemata.is_empty())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.snapshot.relations().iter().position(|relation| {
            relation.schema.eq_ignore_ascii_case(INFORMATION_SCHEMA) && relation.name == name
        })
    }

    /// All rows of a relation whose column has a value. Nothing of one that the module has not.
    fn read(&self, name: &str, narrow: Option<(&str, &str)>) -> Result<Vec<Named>, Failure> {
        let Some(position) = self.position(name) else { return Ok(Vec::new()) };
        let relations = self.snapshot.relations();
        let columns = &relations[position].columns;
        let names: Vec<_> = columns.iter().map(|column| column.name.to_ascii_uppercase()).collect();
        let constraint = narrow.and_then(|(column, value)| {
            let at = names.iter().position(|name| name == column)?;
            let column = u32::try_from(at).ok().filter(|_| columns[at].constrainable)?;
            Some(Constraint { column, operator: Operator::Eq, value: value.into() })
        });
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.snapshot.scan(
                INFORMATION_SCHEMA,
                name,
                constraint.as_slice(),
                cursor.as_deref(),
            )?;
            for row in page.rows {
                let named = Named(names.iter().cloned().zip(row).collect());
                if narrow.is_none_or(|(column, value)| named.get(column) == Value::from(value)) {
                    found.push(named);
                }
            }
            if found.len() > ROWS_MAX {
                let message = format!("information_schema.{name} has more than {ROWS_MAX} rows");
                return Err(Failure::new(1104, "42000", message));
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }
}

/// StarRocks' type of a table: a stored one has a configuration.
fn kind(table: &Named, config: Option<&Named>) -> &'static str {
    match (config, table.text("TABLE_TYPE").as_str()) {
        (Some(_), _) => "OLAP",
        (None, "VIEW") => "VIEW",
        (None, _) => "SCHEMA",
    }
}
