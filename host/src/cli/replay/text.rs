//! An entry told in lines.

use quorate_wire::{Body, Reply};

use crate::cli::verify::base;
use crate::rescue::{ExplainedCommand, Explanation, key_name};
use crate::runtime::{Data, Datum, Imported, Ran};
use crate::types::{Outcome, format_time};

/// Bytes of a key or value that are printed.
const SHOWN_BYTES_MAX: usize = 120;

/// All lines.
pub fn explanation(explanation: &Explanation, trace: bool) -> Vec<String> {
    let Explanation { entry, stored, outcomes, applied, .. } = explanation;
    let id = entry.log_id;
    let mut lines = vec![base(&explanation.base)];
    let leader = id.leader_id;
    lines.push(format!("LSN {}, term {}, leader {}", id.index, leader.term, leader.node_id));
    if let Some(time_us) = entry.time_us {
        let seconds = format_time(time_us.cast_signed());
        lines.push(format!("time {seconds}.{:06}", time_us % 1_000_000));
    }
    if !applied {
        lines.push("this frontend has not applied it; it need not be committed".to_owned());
    }
    match (&entry.membership, entry.commands.is_empty()) {
        (Some(membership), _) => lines.push(format!("membership {membership}")),
        (None, true) => lines.push("no commands".to_owned()),
        (None, false) => {}
    }
    for (command, stored) in entry.commands.iter().zip(outcomes) {
        describe(command, stored.as_ref(), trace, &mut lines);
    }
    lines.push(format!("writes of the entry: {}", entry.writes.len()));
    lines.extend(entry.writes.iter().map(|(key, value)| write(key, value.as_deref(), "  ")));
    lines.push(format!("digest before    {}", entry.before));
    lines.push(format!("digest computed  {}", entry.digest));
    let kept = stored.map_or_else(|| "not kept".to_owned(), |digest| digest.to_string());
    lines.push(format!("digest stored    {kept}"));
    lines.push(match stored {
        Some(stored) if *stored == entry.digest => "the digests are equal".to_owned(),
        Some(_) => "THE DIGESTS DIFFER".to_owned(),
        None => "there is no stored digest to compare with".to_owned(),
    });
    lines
}

fn describe(
    command: &ExplainedCommand,
    stored: Option<&Outcome>,
    trace: bool,
    lines: &mut Vec<String>,
) {
    let ExplainedCommand { index, request, caller, kind, at, outcome, .. } = command;
    let request = request.map_or_else(|| "unreadable".to_owned(), |request| request.to_string());
    lines.push(format!("command {index}: {kind}, request {request}, caller '{caller}'"));
    if let Some((module, payload)) = &command.module {
        lines.push(format!("  module {module}"));
        lines.push(format!("  payload {}", shown(&Datum::bytes(payload))));
    }
    lines.extend(command.details.iter().map(|details| format!("  {details}")));
    if at.0 != 0 && command.runs.is_empty() && command.writes.is_empty() {
        lines.push(format!("  ran at LSN {at}"));
    }
    for ran in &command.runs {
        calls(ran, trace, lines);
    }
    lines.push(format!("  outcome {}", told(outcome)));
    match stored {
        Some(stored) if stored.to_string() != outcome.to_string() => {
            lines.push(format!("  OUTCOME STORED {}", told(stored)));
        }
        Some(_) | None => {}
    }
    for event in &command.events {
        let (key, body) = (Datum::bytes(&event.key), Datum::bytes(&event.body));
        lines.push(format!("  event {} {} {}", event.topic, shown(&key), shown(&body)));
    }
    lines.extend(command.writes.iter().map(|(key, value)| write(key, value.as_deref(), "  ")));
}

fn calls(ran: &Ran, trace: bool, lines: &mut Vec<String>) {
    let Ran { export, granted, used, imports, imports_omitted, ended } = ran;
    let count = imports.len() as u64 + imports_omitted;
    lines.push(format!("  {export}: fuel {used} of {granted}, {count} calls of the host"));
    if trace {
        lines.extend(imports.iter().map(call));
        if *imports_omitted > 0 {
            lines.push(format!("    and {imports_omitted} more"));
        }
    }
    lines.extend(ended.iter().map(|why| format!("  ended: {why}")));
}

fn call(Imported { name, asked, given, fuel_at, fuel }: &Imported) -> String {
    let given = match given {
        Some(given) if given.is_empty() => String::new(),
        Some(given) => format!(" -> {}", list(given)),
        None => " -> ended the call".to_owned(),
    };
    format!("    {fuel_at:>10} +{fuel:<7} {name}({}){given}", list(asked))
}

fn list(data: &Data) -> String {
    let each = data.iter().map(|(name, datum)| format!("{name} {}", shown(datum)));
    each.collect::<Vec<_>>().join(", ")
}

fn shown(datum: &Datum) -> String {
    match datum {
        Datum::Bytes { head, length } => {
            let cut = &head[..head.len().min(SHOWN_BYTES_MAX)];
            let more = length - cut.len();
            let text = cut.escape_ascii();
            if more == 0 { format!("\"{text}\"") } else { format!("\"{text}\"+{more}") }
        }
        Datum::Number(number) => number.to_string(),
        Datum::Flag(flag) => flag.to_string(),
        Datum::Absent => "-".to_owned(),
    }
}

fn write(key: &[u8], value: Option<&[u8]>, indent: &str) -> String {
    let key = key_name(key);
    match value {
        Some(value) => format!("{indent}put {key} = {}", shown(&Datum::bytes(value))),
        None => format!("{indent}delete {key}"),
    }
}

/// An outcome with what a reply comes to.
fn told(outcome: &Outcome) -> String {
    let Outcome::Applied(reply) = outcome else { return outcome.to_string() };
    match Reply::unpack(reply).map(|reply| reply.body) {
        Ok(Body::Done { affected }) => format!("applied, {affected} affected"),
        Ok(Body::Rows(rows)) => format!("applied, {} rows", rows.rows.len()),
        Ok(Body::Bytes(bytes)) => format!("applied, {}", shown(&Datum::bytes(&bytes))),
        Err(error) => format!("applied, with a reply that cannot be read: {error}"),
    }
}
