//! The state machine.

use quorate_guest::store::{PAGE_ROWS_MAX, Pair};
use quorate_guest::{
    CheckPage, Codec, Column, ColumnType, Constraint, Context, DecodeError, Description,
    Evaluation, Failure, Finding, Machine, ReadStore, Reader, Relation, RelationColumn,
    RelationPage, Reply, Session, Severity, StatementKind, Value, WriteStore, Writer,
};

use crate::pairs::{self, Stored};
use crate::protocol::{Entry, KEY_BYTES_MAX, RANGE_MAX, Request, Response, VALUE_BYTES_MAX};
use crate::statement;

/// Of the version.
const PATCH: u32 = if cfg!(feature = "twin") { 1 } else { 0 };
/// Rows in a page of `kv.pairs`.
const SCAN_ROWS: u32 = 256;
/// Rows that one step of a migration looks at: a millisecond's work or so.
const MIGRATED_ROWS: u32 = 256;

/// The module, of schema 1 or 2.
pub struct Kv<const SCHEMA: u32>;

/// A packed request that writes, and the form of answer that its client expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    form: Form,
    request: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Packed,
    Text,
}

impl Codec for Command {
    fn encode(&self, out: &mut Writer) {
        out.flag(self.form == Form::Text);
        out.raw(&self.request);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let form = if input.flag()? { Form::Text } else { Form::Packed };
        Ok(Self { form, request: input.raw(input.rest().len())?.to_vec() })
    }
}

impl<const SCHEMA: u32> Machine for Kv<SCHEMA> {
    type Command = Command;

    fn describe() -> Description {
        let mut description = Description::new("kv", &format!("{SCHEMA}.0.{PATCH}"), SCHEMA);
        description.relations.push(Relation {
            schema: "kv".into(),
            name: "pairs".into(),
            columns: vec![
                RelationColumn::constrainable("key", ColumnType::Bytes),
                RelationColumn::new("value", ColumnType::Bytes),
                RelationColumn::new("version", ColumnType::UInt),
            ],
        });
        if SCHEMA == 2 {
            description.relations[0].columns.push(RelationColumn::new("created", ColumnType::UInt));
            description.migrates_from.push(1);
            description.serves.push(1);
        }
        description.statements = vec![
            StatementKind::writes("PUT key value"),
            StatementKind::reads("GET key"),
            StatementKind::writes("DELETE key"),
            StatementKind::reads("RANGE low high LIMIT n"),
            StatementKind::writes("CAS key old new"),
        ];
        description
    }

    fn evaluate(
        _: &Session,
        _: &Context,
        store: &dyn ReadStore,
        request: quorate_guest::Request<'_>,
    ) -> Result<Evaluation<Command>, Failure> {
        match request {
            quorate_guest::Request::Bytes(bytes) => {
                let request = Request::unpack(bytes).map_err(malformed)?;
                decide(store, request, Form::Packed, || bytes.to_vec())
            }
            quorate_guest::Request::Text(text) => statement::parse(text, |request| {
                decide(store, request, Form::Text, || request.pack())
            })?,
        }
    }

    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        Command { form, request }: Command,
    ) -> Result<Reply, Failure> {
        let response = match Request::unpack(&request).map_err(malformed)? {
            Request::Put { key, value } => {
                put::<SCHEMA>(store, context, &pairs::stored_key(key), value);
                Response::Put { version: context.lsn }
            }
            Request::Delete { key } => {
                let key = pairs::stored_key(key);
                let found = store.get(&key).is_some();
                if found {
                    store.delete(&key);
                }
                Response::Delete(found)
            }
            Request::Swap { key, old, new } => {
                let key = pairs::stored_key(key);
                let stored = store.get(&key);
                let expected = stored.as_deref().map(|stored| Stored::of(stored).value) == old;
                match new {
                    _ if !expected => {}
                    Some(value) => put::<SCHEMA>(store, context, &key, value),
                    None => store.delete(&key),
                }
                Response::Swap(expected)
            }
            Request::Get { .. } | Request::Range { .. } => {
                return Err(malformed(DecodeError::Range));
            }
        };
        Ok(reply(form, &response))
    }

    fn scan(
        _: &Context,
        store: &dyn ReadStore,
        _: &str,
        constraints: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        let (low, high) = pairs::bounds(constraints, 0);
        let page = store.scan(cursor.unwrap_or(&low), &high, false, SCAN_ROWS);
        let pairs = page.pairs.iter().map(|(key, stored)| {
            let stored = Stored::of(stored);
            let mut cells =
                vec![bytes(pairs::key(key)), bytes(stored.value), stored.version.into()];
            if SCHEMA == 2 {
                cells.push(stored.created().into());
            }
            cells
        });
        Ok(RelationPage { rows: pairs.collect(), next: page.next })
    }

    fn migrate(
        store: &mut dyn WriteStore,
        from_schema: u32,
        cursor: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        if (from_schema, SCHEMA) != (1, 2) {
            let message = format!("kv of schema {SCHEMA} does not migrate schema {from_schema}");
            return Err(Failure::new(1105, "HY000", message));
        }
        let (low, high) = pairs::bounds(&[], 0);
        let page = store.scan(cursor.unwrap_or(&low), &high, false, MIGRATED_ROWS);
        for (key, stored) in &page.pairs {
            let stored = Stored::of(stored);
            if stored.created.is_none() {
                store.put(key, &Stored { created: Some(stored.created()), ..stored }.pack());
            }
        }
        Ok(page.next)
    }

    fn check(store: &dyn ReadStore, cursor: Option<&[u8]>) -> Result<CheckPage, Failure> {
        let (low, high) = pairs::bounds(&[], 0);
        let page = store.scan(cursor.unwrap_or(&low), &high, false, PAGE_ROWS_MAX);
        let corrupt = page.pairs.into_iter().filter(|(_, value)| Stored::unpack(value).is_none());
        let finding = |(key, _)| Finding {
            severity: Severity::Error,
            key,
            note: "the stored value has no version".into(),
        };
        Ok(CheckPage { findings: corrupt.map(finding).collect(), next: page.next })
    }
}

/// Answers what reads; proposes what writes.
fn decide(
    store: &dyn ReadStore,
    request: Request<'_>,
    form: Form,
    packed: impl FnOnce() -> Vec<u8>,
) -> Result<Evaluation<Command>, Failure> {
    let (keys, values) = request.operands();
    // The end of a range, such as the `next` of the range before, may be longer than any key.
    let key_bytes_max = KEY_BYTES_MAX + usize::from(matches!(request, Request::Range { .. }));
    if keys.iter().any(|key| key.len() > key_bytes_max) {
        return Err(too_long("key", key_bytes_max));
    }
    if values.iter().any(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(too_long("value", VALUE_BYTES_MAX));
    }
    Ok(match request {
        Request::Get { key } => {
            let stored = store.get(&pairs::stored_key(key));
            let found = stored.as_deref().map(Stored::of);
            let found = found.map(|stored| (stored.value, stored.version));
            Evaluation::Reply(reply(form, &Response::Get(found)))
        }
        Request::Range { low, high, limit } => {
            let (low, high) = (pairs::stored_key(low), pairs::stored_key(high));
            let page = store.scan(&low, &high, false, limit.clamp(1, RANGE_MAX));
            let response = Response::Range {
                entries: entries(&page.pairs).collect(),
                next: page.next.as_deref().map(pairs::key),
            };
            Evaluation::Reply(reply(form, &response))
        }
        Request::Put { .. } | Request::Delete { .. } | Request::Swap { .. } => {
            Evaluation::Command(Command { form, request: packed() })
        }
    })
}

fn put<const SCHEMA: u32>(
    store: &mut dyn WriteStore,
    context: &Context,
    stored_key: &[u8],
    value: &[u8],
) {
    let version = context.lsn;
    let created = (SCHEMA == 2).then(|| {
        let before = store.get(stored_key);
        before.as_deref().map_or(version, |before| Stored::of(before).created())
    });
    store.put(stored_key, &Stored { version, created, value }.pack());
}

fn entries(stored: &[Pair]) -> impl Iterator<Item = Entry<'_>> {
    stored.iter().map(|(key, stored)| {
        let Stored { value, version, .. } = Stored::of(stored);
        Entry { key: pairs::key(key), value, version }
    })
}

/// The answer in the form of the request.
fn reply(form: Form, response: &Response<'_>) -> Reply {
    if form == Form::Packed {
        return Reply::bytes(response.pack());
    }
    let value = || Column::new("value", ColumnType::Bytes);
    let version = || Column::new("version", ColumnType::UInt);
    match response {
        Response::Put { .. } => Reply::affected(1),
        Response::Delete(done) | Response::Swap(done) => Reply::affected(u64::from(*done)),
        Response::Get(found) => {
            let row = |(value, version): &(&[u8], u64)| vec![bytes(value), (*version).into()];
            Reply::rows(vec![value(), version()], found.iter().map(row).collect())
        }
        Response::Range { entries, next } => {
            let columns = vec![Column::new("key", ColumnType::Bytes), value(), version()];
            let reply = Reply::rows(columns, entries.iter().map(row).collect());
            match (next, entries.last()) {
                (Some(_), Some(last)) => {
                    let last = String::from_utf8_lossy(last.key);
                    reply.with_warning(1105, format!("the range goes on after '{last}'"))
                }
                _ => reply,
            }
        }
    }
}

fn row(entry: &Entry<'_>) -> Vec<Value> {
    vec![bytes(entry.key), bytes(entry.value), entry.version.into()]
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn malformed(error: DecodeError) -> Failure {
    Failure::new(1835, "HY000", format!("malformed kv request: {error}"))
}

fn too_long(what: &str, limit_bytes: usize) -> Failure {
    Failure::new(1406, "22001", format!("the {what} is longer than {limit_bytes} bytes"))
}
