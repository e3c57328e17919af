//! What a module can import, and nothing else: the store, the entry's facts, events, a local trace.
//!
//! Bytes are read where they lie in the guest's memory and checked against the limits before the
//! host keeps any of them. The engine does not charge fuel for what crosses the border, so the
//! imports do, by constants. A limit and a breach end the call with a marker that
//! [`Ending`](super::ending::Ending) tells from a fault.

use bytes::Bytes;
use quorate_wire::{Writer, pack_pair, unpack_keys};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, WasmList, WasmStr};
use wasmtime::{Engine, StoreContextMut, Trap};

use super::abi::{Context, Level, StorePage};
use super::call::{Call, Event};
use super::ending::Halt;
use super::overlay::successor;
use super::witness::{Data, Datum, SHOWN_PAIRS_MAX};
use crate::types::{Pairs, Range, Scan};

// All of these are *outcomes*: beyond them the call ends as `Rejection::Limit`.

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4 << 10;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most rows that a scan may ask for.
pub const PAGE_ROWS_MAX: u32 = 1024;
/// Keys and values in one page of a scan; a page ends before it, unless its first pair is larger.
const PAGE_BYTES: usize = 256 << 10;
/// Bytes of keys that `get-many` takes, and of values that it gives.
const MANY_BYTES_MAX: usize = 4 << 20;
/// Most events of one command.
const EVENTS_MAX: usize = 1024;
/// Bytes of all events of one command.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// Bytes that one command, or one step of a migration, may write: it is held in memory.
const WRITTEN_BYTES_MAX: u64 = 64 << 20;

/// Lines that one call may trace, and bytes of each; the rest is dropped. Changes no outcome.
const TRACE_LINES_MAX: u32 = 64;
const TRACE_LINE_BYTES_MAX: usize = 1 << 10;

/// Fuel for an import, for a row that it touches, and for a byte that it moves. *Outcome*.
const CALL_FUEL: u64 = 200;
const ROW_FUEL: u64 = 200;
const BYTE_FUEL: u64 = 1;

/// The interfaces and their functions.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("quorate:machine/store@0.1.0", &["get", "get-many", "put", "delete", "delete-range", "scan"]),
    ("quorate:machine/context@0.1.0", &["current", "seed"]),
    ("quorate:machine/events@0.1.0", &["emit"]),
    ("quorate:machine/trace@0.1.0", &["line"]),
    // Only the names of types.
    ("quorate:machine/types@0.1.0", &[]),
];

type Cx<'a> = StoreContextMut<'a, Call>;
type List = WasmList<u8>;

/// The imports that a component has and may not have, each by its name.
pub(super) fn forbidden(component: &Component) -> Vec<String> {
    let named = imported(component).into_iter();
    named.filter(|(_, allowed)| !allowed).map(|(name, _)| name).collect()
}

/// All imports of a component, functions by interface and name, and whether it may have them.
pub(super) fn imported(component: &Component) -> Vec<(String, bool)> {
    let engine = component.engine();
    let mut imported = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let allowed = ALLOWED.iter().find(|(interface, _)| *interface == name);
        let ComponentItem::ComponentInstance(instance) = &import.ty else {
            imported.push((name.to_owned(), false));
            continue;
        };
        let items = instance.exports(engine);
        let functions: Vec<_> = items
            .filter(|(_, export)| !matches!(export.ty, ComponentItem::Type(_)))
            .map(|(item, _)| item)
            .collect();
        match allowed {
            Some((_, known)) => imported.extend(
                functions.into_iter().map(|item| (format!("{name}#{item}"), known.contains(&item))),
            ),
            // What of it hardly matters.
            None => imported.push((name.to_owned(), false)),
        }
    }
    imported
}

/// All imports.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    let [(store, _), (context, _), (events, _), (trace, _), _] = ALLOWED;
    link_store(&mut linker.instance(store)?)?;
    let mut to = linker.instance(context)?;
    to.func_wrap("current", current)?;
    to.func_wrap("seed", seed)?;
    linker.instance(events)?.func_wrap("emit", emit)?;
    linker.instance(trace)?.func_wrap("line", line)?;
    Ok(linker)
}

fn link_store(to: &mut LinkerInstance<'_, Call>) -> wasmtime::Result<()> {
    to.func_wrap("get", get)?;
    to.func_wrap("get-many", get_many)?;
    to.func_wrap("put", put)?;
    to.func_wrap("delete", delete)?;
    to.func_wrap("delete-range", delete_range)?;
    to.func_wrap("scan", scan)
}

fn get(mut cx: Cx<'_>, (key,): (List,)) -> wasmtime::Result<(Option<Vec<u8>>,)> {
    asked(&cx, "get", |cx| vec![("key", shown(cx, &key))]);
    cx.data().may_read()?;
    let mut full = std::mem::take(&mut cx.data_mut().scratch);
    full.clear();
    full.extend_from_slice(&cx.data().prefix);
    full.extend_from_slice(bounded(&cx, &key, KEY_BYTES_MAX, "a key")?);
    let value = cx.data().space.get(&full).map_err(Halt::from)?;
    cx.data_mut().scratch = full;
    charge(&mut cx, 0, key.len() + value.as_ref().map_or(0, Bytes::len))?;
    given(&cx, || vec![("value", Datum::optional(value.as_deref()))]);
    // Moves the bytes if they are in nobody else's hands, as those from storage are.
    Ok((value.map(Vec::from),))
}

fn get_many(mut cx: Cx<'_>, (keys,): (List,)) -> wasmtime::Result<(Vec<u8>,)> {
    asked(&cx, "get-many", |cx| vec![("keys", shown(cx, &keys))]);
    cx.data().may_read()?;
    let keys = bounded(&cx, &keys, MANY_BYTES_MAX, "the keys of a get-many")?.to_vec();
    let asked =
        unpack_keys(&keys).map_err(|_| Halt::Breach("the keys of a get-many are not packed"))?;
    // Paid before the work is done.
    charge(&mut cx, asked.len(), keys.len())?;
    let mut out = Writer::new();
    for key in &asked {
        if key.len() > KEY_BYTES_MAX {
            return Err(Halt::Limit("a key").into());
        }
        let full = [&cx.data().prefix[..], key].concat();
        let value = cx.data().space.get(&full).map_err(Halt::from)?;
        out.optional_bytes(value.as_deref());
        if out.len() > MANY_BYTES_MAX {
            return Err(Halt::Limit("the values of a get-many").into());
        }
    }
    charge(&mut cx, 0, out.len())?;
    let values = out.finish();
    given(&cx, || vec![("values", Datum::bytes(&values))]);
    Ok((values,))
}

fn put(mut cx: Cx<'_>, (key, value): (List, List)) -> wasmtime::Result<()> {
    asked(&cx, "put", |cx| vec![("key", shown(cx, &key)), ("value", shown(cx, &value))]);
    cx.data().may_write()?;
    let key = full_key(&cx, &key, KEY_BYTES_MAX)?;
    let value = Bytes::copy_from_slice(bounded(&cx, &value, VALUE_BYTES_MAX, "a value")?);
    charge(&mut cx, 0, key.len() + value.len())?;
    cx.data_mut().space.put(key, value);
    check_written(&cx)?;
    given(&cx, Vec::new);
    Ok(())
}

fn delete(mut cx: Cx<'_>, (key,): (List,)) -> wasmtime::Result<()> {
    asked(&cx, "delete", |cx| vec![("key", shown(cx, &key))]);
    cx.data().may_write()?;
    let key = full_key(&cx, &key, KEY_BYTES_MAX)?;
    charge(&mut cx, 0, key.len())?;
    cx.data_mut().space.delete(key);
    check_written(&cx)?;
    given(&cx, Vec::new);
    Ok(())
}

fn delete_range(mut cx: Cx<'_>, (low, high): (List, List)) -> wasmtime::Result<(u64,)> {
    asked(&cx, "delete-range", |cx| vec![("low", shown(cx, &low)), ("high", shown(cx, &high))]);
    cx.data().may_write()?;
    let (low, high) = bounds(&cx, &low, &high)?;
    charge(&mut cx, 0, low.len() + high.len())?;
    let mut deleted = 0;
    let mut next = Some(low);
    while let Some(low) = next {
        let step;
        (step, next) = cx.data_mut().space.delete_step(&low, &high).map_err(Halt::from)?;
        deleted += step;
        charge(&mut cx, step as usize, 0)?;
        check_written(&cx)?;
    }
    given(&cx, || vec![("deleted", Datum::Number(deleted))]);
    Ok((deleted,))
}

fn scan(
    mut cx: Cx<'_>,
    (low, high, reverse, max_rows): (List, List, bool, u32),
) -> wasmtime::Result<(StorePage,)> {
    asked(&cx, "scan", |cx| {
        let (low, high) = (shown(cx, &low), shown(cx, &high));
        let (reverse, rows) = (Datum::Flag(reverse), Datum::Number(max_rows.into()));
        vec![("low", low), ("high", high), ("reverse", reverse), ("max-rows", rows)]
    });
    cx.data().may_read()?;
    if !(1..=PAGE_ROWS_MAX).contains(&max_rows) {
        return Err(Halt::Limit("the rows of a page").into());
    }
    let (low, high) = bounds(&cx, &low, &high)?;
    let range = Range { low: &low, high: &high, reverse };
    let Call { space, prefix, .. } = cx.data();
    let scanned = space.scan(range, max_rows as usize, PAGE_BYTES);
    let Scan { pairs, done } = scanned.map_err(Halt::from)?;

    let own = prefix.len();
    let size = pairs.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
    let mut out = Writer::with_capacity(size);
    for (key, value) in &pairs {
        pack_pair(&mut out, &key[own..], value);
    }
    let last = pairs.last().filter(|_| !done).map(|(key, _)| &key[own..]);
    let next = last.map(|key| if reverse { key.to_vec() } else { successor(key).into() });
    charge(&mut cx, pairs.len(), low.len() + high.len() + out.len())?;
    given(&cx, || page(&pairs, own, next.as_deref()));
    Ok((StorePage { pairs: out.finish(), next },))
}

fn current(mut cx: Cx<'_>, (): ()) -> wasmtime::Result<(Context,)> {
    asked(&cx, "current", |_| Vec::new());
    let context = cx.data().context();
    charge(&mut cx, 0, context.caller.len())?;
    given(&cx, || vec![("lsn", Datum::Number(context.lsn))]);
    Ok((context,))
}

fn seed(mut cx: Cx<'_>, (): ()) -> wasmtime::Result<(Vec<u8>,)> {
    asked(&cx, "seed", |_| Vec::new());
    let seed = cx.data().facts.seed.to_vec();
    charge(&mut cx, 0, seed.len())?;
    given(&cx, || vec![("seed", Datum::bytes(&seed))]);
    Ok((seed,))
}

fn emit(mut cx: Cx<'_>, (topic, key, body): (WasmStr, List, List)) -> wasmtime::Result<()> {
    asked(&cx, "emit", |cx| {
        let topic = topic.to_str(cx).map_or(Datum::Absent, |text| Datum::bytes(text.as_bytes()));
        vec![("topic", topic), ("key", shown(cx, &key)), ("body", shown(cx, &body))]
    });
    cx.data().may_emit()?;
    let topic = topic.to_str(&cx)?;
    let bytes = topic.len() + key.len() + body.len();
    let call = cx.data();
    if call.events.len() >= EVENTS_MAX || call.event_bytes + bytes > EVENT_BYTES_MAX {
        return Err(Halt::Limit("a command's events").into());
    }
    let event = Event {
        topic: topic.into_owned(),
        key: Bytes::copy_from_slice(key.as_le_slice(&cx)),
        body: Bytes::copy_from_slice(body.as_le_slice(&cx)),
    };
    charge(&mut cx, 1, bytes)?;
    let call = cx.data_mut();
    call.event_bytes += bytes;
    call.events.push(event);
    given(&cx, Vec::new);
    Ok(())
}

fn line(mut cx: Cx<'_>, (level, text): (Level, WasmStr)) -> wasmtime::Result<()> {
    macro_rules! log {
        ($level:ident, $text:expr) => {{
            let Call { module, facts, .. } = cx.data();
            tracing::$level!(target: "quorate::module", %module, lsn = facts.lsn.0, "{}", $text)
        }};
    }
    asked(&cx, "line", |cx| {
        let text = text.to_str(cx).map_or(Datum::Absent, |text| Datum::bytes(text.as_bytes()));
        vec![("text", text)]
    });
    charge(&mut cx, 0, TRACE_LINE_BYTES_MAX)?;
    given(&cx, Vec::new);
    let lines = &mut cx.data_mut().trace_lines;
    *lines = lines.saturating_add(1);
    if *lines > TRACE_LINES_MAX {
        return Ok(());
    }
    let text = text.to_str(&cx)?;
    let text = &text[..text.floor_char_boundary(TRACE_LINE_BYTES_MAX)];
    match level {
        Level::Debug => log!(debug, text),
        Level::Info => log!(info, text),
        Level::Warn => log!(warn, text),
        Level::Error => log!(error, text),
    }
    Ok(())
}

/// Lets the witness of the call, if it has one, see what an import is asked.
fn asked(cx: &Cx<'_>, name: &'static str, data: impl FnOnce(&Cx<'_>) -> Data) {
    if let Some(witness) = &cx.data().witness {
        witness.asked(name, cx.get_fuel().unwrap_or_default(), data(cx));
    }
}

/// Lets the witness see what an import gives.
fn given(cx: &Cx<'_>, data: impl FnOnce() -> Data) {
    if let Some(witness) = &cx.data().witness {
        witness.given(cx.get_fuel().unwrap_or_default(), data());
    }
}

fn shown(cx: &Cx<'_>, list: &List) -> Datum {
    Datum::bytes(list.as_le_slice(cx))
}

/// What is shown of a page: its first pairs, without the module's prefix.
fn page(pairs: &Pairs, own: usize, next: Option<&[u8]>) -> Data {
    let mut data = vec![("pairs", Datum::Number(pairs.len() as u64))];
    for (key, value) in pairs.iter().take(SHOWN_PAIRS_MAX) {
        data.extend([("key", Datum::bytes(&key[own..])), ("value", Datum::bytes(value))]);
    }
    data.push(("next", Datum::optional(next)));
    data
}

/// The bytes of a list, in the guest's memory.
fn bounded<'a>(
    cx: &'a Cx<'_>,
    list: &'a List,
    bytes_max: usize,
    what: &'static str,
) -> Result<&'a [u8], Halt> {
    if list.len() > bytes_max { Err(Halt::Limit(what)) } else { Ok(list.as_le_slice(cx)) }
}

/// A key of the module as the store knows it.
fn full_key(cx: &Cx<'_>, key: &List, bytes_max: usize) -> Result<Bytes, Halt> {
    let key = bounded(cx, key, bytes_max, "a key")?;
    Ok([&cx.data().prefix, key].concat().into())
}

/// Ends of a range. One may be a byte longer than a key: so is the successor of the longest.
fn bounds(cx: &Cx<'_>, low: &List, high: &List) -> Result<(Bytes, Bytes), Halt> {
    Ok((full_key(cx, low, KEY_BYTES_MAX + 1)?, full_key(cx, high, KEY_BYTES_MAX + 1)?))
}

fn check_written(cx: &Cx<'_>) -> wasmtime::Result<()> {
    if cx.data().space.written_bytes() > WRITTEN_BYTES_MAX {
        return Err(Halt::Limit("a command's writes").into());
    }
    Ok(())
}

/// Takes the fuel for one import.
fn charge(cx: &mut Cx<'_>, rows: usize, bytes: usize) -> wasmtime::Result<()> {
    if !cx.data().metered {
        return Ok(());
    }
    let price = CALL_FUEL + rows as u64 * ROW_FUEL + bytes as u64 * BYTE_FUEL;
    match cx.get_fuel()?.checked_sub(price) {
        Some(left) => cx.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}
