//! Scripts: parsed once, run anywhere.

use quorate_guest::{Column, ColumnType, Context, Failure, Reply, Value, WriteStore, codec, trace};

use crate::fault;
use crate::machine::SCHEMA;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Put(String, String),
    Delete(String),
    Get(String),
    Context,
    Count,
    Emit(String, u32),
    Log(u32),
    Fail(u32, String),
    Trap,
    Loop,
    Allocate,
    Recurse,
    Oversize,
    Floats(String),
    Hash(String),
    Reply(u32),
    Fill(u32),
    Deep(u32),
    TrapIn(u32),
}

codec!(enum Step {
    0 = Put(key, value),
    1 = Delete(key),
    2 = Get(key),
    3 = Context,
    4 = Count,
    5 = Emit(topic, events),
    6 = Log(lines),
    7 = Fail(code, message),
    8 = Trap,
    9 = Loop,
    10 = Allocate,
    11 = Recurse,
    12 = Oversize,
    13 = Floats(key),
    14 = Hash(key),
    15 = Reply(bytes),
    16 = Fill(values),
    17 = Deep(levels),
    18 = TrapIn(schema),
});

/// Reads a script.
///
/// # Errors
/// 1064, naming the step that is none.
pub(crate) fn parse(text: &str) -> Result<Vec<Step>, Failure> {
    text.split(';').map(str::trim).filter(|step| !step.is_empty()).map(step).collect()
}

fn step(text: &str) -> Result<Step, Failure> {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next();
    let step = match (word().unwrap_or_default(), word(), word()) {
        ("PUT", Some(key), Some(value)) => Some(Step::Put(key.into(), value.into())),
        ("DELETE", Some(key), None) => Some(Step::Delete(key.into())),
        ("GET", Some(key), None) => Some(Step::Get(key.into())),
        ("CONTEXT", None, None) => Some(Step::Context),
        ("COUNT", None, None) => Some(Step::Count),
        ("EMIT", Some(topic), Some(n)) => n.parse().ok().map(|n| Step::Emit(topic.into(), n)),
        ("LOG", Some(n), None) => n.parse().ok().map(Step::Log),
        ("FAIL", Some(code), Some(message)) => {
            code.parse::<u16>().ok().map(|code| Step::Fail(code.into(), message.into()))
        }
        ("TRAP", None, None) => Some(Step::Trap),
        ("TRAP", Some(schema), None) => schema.parse().ok().map(Step::TrapIn),
        ("LOOP", None, None) => Some(Step::Loop),
        ("ALLOCATE", None, None) => Some(Step::Allocate),
        ("RECURSE", None, None) => Some(Step::Recurse),
        ("OVERSIZE", None, None) => Some(Step::Oversize),
        ("FLOATS", Some(key), None) => Some(Step::Floats(key.into())),
        ("HASH", Some(key), None) => Some(Step::Hash(key.into())),
        ("REPLY", Some(n), None) => n.parse().ok().map(Step::Reply),
        ("FILL", Some(n), None) => n.parse().ok().map(Step::Fill),
        ("DEEP", Some(n), None) => n.parse().ok().map(Step::Deep),
        _ => None,
    };
    step.ok_or_else(|| Failure::new(1064, "42000", format!("'{text}' is no step of a script")))
}

/// Runs a script; the answer is that of its last step. A call without a context has none to show.
///
/// # Errors
/// What a `FAIL` says.
pub(crate) fn run(
    steps: &[Step],
    context: Option<&Context>,
    store: &mut dyn WriteStore,
) -> Result<Reply, Failure> {
    let mut reply = Reply::done();
    for step in steps {
        reply = run_step(step, context, store)?;
    }
    Ok(reply)
}

fn run_step(
    step: &Step,
    context: Option<&Context>,
    store: &mut dyn WriteStore,
) -> Result<Reply, Failure> {
    match step {
        Step::Put(key, value) => store.put(key.as_bytes(), value.as_bytes()),
        Step::Delete(key) => store.delete(key.as_bytes()),
        Step::Get(key) => {
            let value = store.get(key.as_bytes()).map(Value::Bytes);
            let columns = vec![Column::new("value", ColumnType::Bytes)];
            return Ok(Reply::rows(columns, value.into_iter().map(|value| vec![value]).collect()));
        }
        Step::Context => return Ok(context.map_or_else(Reply::done, context_row)),
        Step::Count => return Ok(Reply::affected(fault::count())),
        Step::Emit(topic, events) => {
            for event in 0..*events {
                store.emit(topic, event.to_string().as_bytes(), b"body");
            }
        }
        Step::Log(lines) => (0..*lines).for_each(|line| trace::info(&format!("line {line}"))),
        Step::Fail(code, message) => {
            let code = u16::try_from(*code).unwrap_or(u16::MAX);
            return Err(Failure::new(code, "HY000", message.clone()));
        }
        Step::Trap => panic!("asked to trap"),
        Step::TrapIn(schema) => assert_ne!(*schema, SCHEMA, "asked to trap in this schema"),
        Step::Loop => fault::run_forever(),
        Step::Allocate => fault::allocate_forever(),
        Step::Recurse => return Ok(Reply::affected(fault::recurse_forever(0))),
        Step::Oversize => fault::write_oversize(store),
        Step::Floats(key) => store.put(key.as_bytes(), &fault::floats()),
        Step::Hash(key) => store.put(key.as_bytes(), &fault::hash().to_le_bytes()),
        Step::Reply(bytes) => {
            let value = Value::Bytes(vec![b'r'; *bytes as usize]);
            return Ok(Reply::rows(
                vec![Column::new("value", ColumnType::Bytes)],
                vec![vec![value]],
            ));
        }
        Step::Fill(values) => fault::fill(store, *values),
        Step::Deep(levels) => return Ok(Reply::affected(fault::recurse(u64::from(*levels)))),
    }
    Ok(Reply::done())
}

fn context_row(context: &Context) -> Reply {
    let unsigned = |name| Column::new(name, ColumnType::UInt);
    let columns = vec![
        unsigned("lsn"),
        unsigned("index"),
        unsigned("time_us"),
        unsigned("schema"),
        Column::text("caller"),
        Column::new("seed", ColumnType::Bytes),
    ];
    let row = vec![
        context.lsn.into(),
        u64::from(context.index).into(),
        context.time_us.into(),
        u64::from(context.schema).into(),
        context.caller.clone().into(),
        Value::Bytes(context.seed().to_vec()),
    ];
    Reply::rows(columns, vec![row])
}
