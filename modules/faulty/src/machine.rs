//! The state machine around the scripts.

use quorate_guest::store::prefix_end;
use quorate_guest::{
    CheckPage, ColumnType, Constraint, Context, Description, Evaluation, Failure, Finding, Machine,
    ReadStore, Relation, RelationColumn, RelationPage, Reply, Request, Session, Severity, Value,
    WriteStore,
};

use crate::fault::Forced;
use crate::script::{self, Step};

const VERSION: &str = if cfg!(feature = "schema2") { "2.0.0" } else { "1.0.0" };
pub(crate) const SCHEMA: u32 = if cfg!(feature = "schema2") { 2 } else { 1 };
const OTHER_SCHEMA: u32 = 3 - SCHEMA;
/// What ends a value in schema 2.
const MARK: u8 = b'+';
/// Few, so that tests see cursors.
const SCAN_ROWS: u32 = 2;

/// The module.
pub struct Faulty;

impl Machine for Faulty {
    type Command = Vec<Step>;

    fn describe() -> Description {
        let mut description = Description::new("faulty", VERSION, SCHEMA);
        description.migrates_from.push(OTHER_SCHEMA);
        description.relations.push(Relation {
            schema: "faulty".into(),
            name: "pairs".into(),
            columns: vec![
                RelationColumn::new("key", ColumnType::Bytes),
                RelationColumn::new("value", ColumnType::Bytes),
            ],
        });
        description
    }

    fn evaluate(
        _: &Session,
        context: &Context,
        store: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<Vec<Step>>, Failure> {
        let Request::Text(text) = request else {
            return Err(Failure::new(1064, "42000", "expected a script"));
        };
        match text.strip_prefix("EVALUATE ") {
            Some(text) => {
                let steps = script::parse(text)?;
                let reply = script::run(&steps, Some(context), &mut Forced(store))?;
                Ok(Evaluation::Reply(reply))
            }
            None => script::parse(text).map(Evaluation::Command),
        }
    }

    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        steps: Vec<Step>,
    ) -> Result<Reply, Failure> {
        script::run(&steps, Some(context), store)
    }

    fn scan(
        context: &Context,
        store: &dyn ReadStore,
        _: &str,
        _: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        run_stored("scan", Some(context), &mut Forced(store))?;
        let low = cursor.unwrap_or_default();
        let page = store.scan(low, &prefix_end(b""), false, SCAN_ROWS);
        let row = |(key, value)| vec![Value::Bytes(key), Value::Bytes(value)];
        Ok(RelationPage { rows: page.pairs.into_iter().map(row).collect(), next: page.next })
    }

    fn migrate(
        store: &mut dyn WriteStore,
        _: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if cursor.is_none() {
            run_stored("migrate", None, store)?;
        }
        let low = cursor.unwrap_or_default();
        let page = store.scan(low, &prefix_end(b""), false, 1);
        for (key, mut value) in page.pairs {
            let own = [b"migrate@", &key[..]].concat();
            run_stored(&String::from_utf8_lossy(&own), None, store)?;
            if SCHEMA == 2 {
                value.push(MARK);
            } else if value.last() == Some(&MARK) {
                value.pop();
            }
            store.put(&key, &value);
        }
        let endless = store.get(b"migrate-endless").map(|_| low.to_vec());
        Ok(endless.or(page.next))
    }

    fn check(store: &dyn ReadStore, _: Option<&[u8]>) -> Result<CheckPage, Failure> {
        run_stored("check", None, &mut Forced(store))?;
        let wrong = store.get(b"wrong").map(|note| Finding {
            severity: Severity::Error,
            key: b"wrong".to_vec(),
            note: String::from_utf8_lossy(&note).into_owned(),
        });
        let next = store.get(b"check-endless").map(|_| Vec::new());
        Ok(CheckPage { findings: wrong.into_iter().collect(), next })
    }
}

/// Runs the script that is stored under a key, if there is one.
fn run_stored(
    key: &str,
    context: Option<&Context>,
    store: &mut dyn WriteStore,
) -> Result<(), Failure> {
    let Some(text) = store.get(key.as_bytes()) else { return Ok(()) };
    let text = String::from_utf8_lossy(&text);
    // In schema 2 the stored script carries the mark of that schema.
    let steps = script::parse(text.trim_end_matches(char::from(MARK)))?;
    script::run(&steps, context, store).map(drop)
}
