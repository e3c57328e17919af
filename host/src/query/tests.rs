//! Queries against relations that live in memory and note what they were asked.

#![allow(clippy::unwrap_used)]

mod bounds;
mod clients;
mod dialect;
mod pushdown;

use parking_lot::Mutex;
use quorate_wire::{ColumnType, Operator, RelationColumn};

use super::*;

/// Rows of a page, so that small relations have several.
const PAGE_ROWS: usize = 3;

type Scan = (String, Vec<Constraint>);

/// Relations in memory. They heed no constraint, so that SQLite has to.
struct Fake {
    relations: Arc<[Relation]>,
    rows: BTreeMap<String, Vec<Vec<Value>>>,
    scans: Mutex<Vec<Scan>>,
    pages: Mutex<usize>,
}

impl Relations for Fake {
    fn relations(&self) -> Arc<[Relation]> {
        self.relations.clone()
    }

    fn scan(
        &self,
        schema: &str,
        name: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<Page, Failure> {
        *self.pages.lock() += 1;
        let key = format!("{schema}.{name}");
        if key == "test.broken" {
            return Err(Failure::new(1105, "HY000", "the relation is broken"));
        }
        if cursor.is_none() {
            self.scans.lock().push((key.clone(), constraints.to_vec()));
        }
        let start = cursor.map_or(0, |cursor| usize::from(cursor[0]) << 8 | usize::from(cursor[1]));
        let all = &self.rows[&key];
        let end = (start + PAGE_ROWS).min(all.len());
        let next = (end < all.len()).then(|| vec![(end >> 8) as u8, end as u8]);
        Ok(Page { rows: all[start..end].to_vec(), next })
    }
}

fn column(name: &str) -> RelationColumn {
    RelationColumn::new(name, ColumnType::Text)
}

fn key(name: &str) -> RelationColumn {
    RelationColumn::constrainable(name, ColumnType::Text)
}

fn typed(name: &str, column_type: ColumnType) -> RelationColumn {
    RelationColumn::constrainable(name, column_type)
}

fn fake() -> Arc<Fake> {
    let text = |values: &[&str]| values.iter().map(|v| Value::from(*v)).collect::<Vec<_>>();
    let contents = [
        (
            "information_schema",
            "tables",
            vec![key("TABLE_SCHEMA"), key("TABLE_NAME"), column("TABLE_TYPE")],
            vec![
                text(&["d1", "t1", "BASE TABLE"]),
                text(&["d1", "v1", "VIEW"]),
                text(&["d2", "T2", "BASE TABLE"]),
                text(&["information_schema", "tables", "SYSTEM VIEW"]),
            ],
        ),
        (
            "information_schema",
            "columns",
            vec![
                key("TABLE_SCHEMA"),
                key("TABLE_NAME"),
                column("COLUMN_NAME"),
                RelationColumn::new("ORDINAL_POSITION", ColumnType::UInt),
            ],
            ["id", "name", "price"]
                .into_iter()
                .enumerate()
                .map(|(at, name)| {
                    let mut row = text(&["d1", "t1", name]);
                    row.push(Value::UInt(at as u64 + 1));
                    row
                })
                .collect(),
        ),
        (
            "information_schema",
            "views",
            vec![key("TABLE_SCHEMA"), key("TABLE_NAME")],
            vec![text(&["d1", "v1"])],
        ),
        ("sys", "tables", vec![column("owner")], vec![text(&["root"])]),
        (
            "kv",
            "pairs",
            vec![typed("key", ColumnType::Bytes), typed("value", ColumnType::Bytes)],
            vec![
                vec![Value::Bytes(b"a".to_vec()), Value::Bytes(vec![0xff, 0x00])],
                vec![Value::Bytes(b"b".to_vec()), Value::Bytes(b"two".to_vec())],
                vec![Value::Bytes(vec![0xfe]), Value::Bytes(Vec::new())],
            ],
        ),
        (
            "test",
            "numbers",
            vec![
                typed("n", ColumnType::Int),
                typed("u", ColumnType::UInt),
                RelationColumn::new("ratio", ColumnType::Double),
                typed("day", ColumnType::Date),
            ],
            (0..10)
                .map(|n: i64| {
                    vec![
                        Value::Int(n - 5),
                        Value::UInt(u64::MAX - n as u64),
                        Value::Double(n as f64 / 4.0),
                        Value::Text(format!("2024-01-{:02}", n + 1)),
                    ]
                })
                .collect(),
        ),
        (
            "test",
            "many",
            vec![RelationColumn::new("i", ColumnType::Int), column("filler")],
            (0..1000).map(|i| vec![Value::Int(i), Value::Text(format!("{i:0100}"))]).collect(),
        ),
        ("test", "broken", vec![column("x")], Vec::new()),
    ];
    let mut rows = BTreeMap::new();
    let mut relations = Vec::new();
    for (schema, name, columns, content) in contents {
        rows.insert(format!("{schema}.{name}"), content);
        relations.push(Relation { schema: schema.into(), name: name.into(), columns });
    }
    Arc::new(Fake {
        relations: relations.into(),
        rows,
        scans: Mutex::default(),
        pages: Mutex::default(),
    })
}

fn scope() -> Scope {
    let variables = |pairs: &[(&str, Value)]| {
        Arc::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    Scope {
        connection_id: 7,
        user: "root".into(),
        host: "127.0.0.1".into(),
        database: Some("d1".into()),
        catalog: "default_catalog".into(),
        system_variables: variables(&[
            ("version_comment", "StarRocks".into()),
            ("autocommit", Value::Int(1)),
            ("max_allowed_packet", Value::Int(33_554_432)),
            ("tx_isolation", "REPEATABLE-READ".into()),
            ("sql_mode", "ONLY_FULL_GROUP_BY".into()),
        ]),
        global_variables: variables(&[("autocommit", Value::Int(0))]),
        user_variables: variables(&[("u", "it's".into())]),
        // 2024-02-29 12:30:45
        now_us: 1_709_209_845_000_000,
        version: "8.0.33".into(),
        current_version: "3.3.0 quorate".into(),
        last_query_id: "q-1".into(),
    }
}

fn run(sql: &str) -> Result<Rows, Failure> {
    select(sql, &scope(), fake(), &Limits::default(), &Cancel::new())
}

fn run_on(fake: &Arc<Fake>, sql: &str) -> Rows {
    select(sql, &scope(), fake.clone(), &Limits::default(), &Cancel::new()).unwrap()
}

/// The rows as text, values joined by `|`, NULL written out.
fn shown(rows: &Rows) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(v) => v.to_string(),
        Value::UInt(v) => v.to_string(),
        Value::Double(v) => v.to_string(),
        Value::Text(v) => v.clone(),
        Value::Bytes(v) => format!("{v:02x?}"),
    };
    rows.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
}

fn answer(sql: &str) -> Vec<String> {
    match run(sql) {
        Ok(rows) => shown(&rows),
        Err(failure) => panic!("{sql}: {failure}"),
    }
}

/// The only value of a query.
fn value(sql: &str) -> String {
    let rows = answer(sql);
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.into_iter().next().unwrap()
}

fn labels(sql: &str) -> Vec<String> {
    run(sql).unwrap().columns.into_iter().map(|column| column.name).collect()
}

fn code(sql: &str) -> u16 {
    match run(sql) {
        Ok(rows) => panic!("{sql} gave {rows:?}"),
        Err(failure) => failure.code,
    }
}
