//! Text. Positions are in characters and count from 1, as in MySQL.

use quorate_wire::ColumnType::{Int, Text};
use quorate_wire::Value;

use super::Returns::Fixed;
use super::{Answer, Function, MANY, VALUE_BYTES_MAX, integer, string, text};
use crate::query::failure;
use crate::query::regexp::Pattern;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::strict("concat", (1, MANY), Text, concat),
    Function::loose("concat_ws", (2, MANY), Fixed(Text), concat_ws),
    Function::strict("upper", (1, 1), Text, |a| Ok(string(&a[0]).to_uppercase().into())),
    Function::strict("ucase", (1, 1), Text, |a| Ok(string(&a[0]).to_uppercase().into())),
    Function::strict("lower", (1, 1), Text, |a| Ok(string(&a[0]).to_lowercase().into())),
    Function::strict("lcase", (1, 1), Text, |a| Ok(string(&a[0]).to_lowercase().into())),
    Function::strict("length", (1, 1), Int, length),
    Function::strict("octet_length", (1, 1), Int, length),
    Function::strict("char_length", (1, 1), Int, |a| count(string(&a[0]).chars().count())),
    Function::strict("character_length", (1, 1), Int, |a| count(string(&a[0]).chars().count())),
    Function::strict("left", (2, 2), Text, |a| part(&a[0], 1, Some(integer(&a[1])))),
    Function::strict("right", (2, 2), Text, right),
    Function::strict("substring", (2, 3), Text, substring),
    Function::strict("substr", (2, 3), Text, substring),
    Function::strict("mid", (2, 3), Text, substring),
    Function::strict("substring_index", (3, 3), Text, substring_index),
    Function::strict("split_part", (3, 3), Text, split_part),
    Function::strict("trim", (1, 2), Text, |a| trim(a, (true, true))),
    Function::strict("ltrim", (1, 2), Text, |a| trim(a, (true, false))),
    Function::strict("rtrim", (1, 2), Text, |a| trim(a, (false, true))),
    Function::strict("replace", (3, 3), Text, replace),
    Function::strict("locate", (2, 3), Int, locate),
    Function::strict("instr", (2, 2), Int, |a| find(&a[1], &a[0], 1)),
    Function::strict("find_in_set", (2, 2), Int, find_in_set),
    Function::strict("starts_with", (2, 2), Int, |a| {
        Ok(string(&a[0]).starts_with(&string(&a[1])).into())
    }),
    Function::strict("ends_with", (2, 2), Int, |a| {
        Ok(string(&a[0]).ends_with(&string(&a[1])).into())
    }),
    Function::strict("strcmp", (2, 2), Int, strcmp),
    Function::strict("reverse", (1, 1), Text, |a| {
        Ok(string(&a[0]).chars().rev().collect::<String>().into())
    }),
    Function::strict("repeat", (2, 2), Text, |a| repeat(&string(&a[0]), integer(&a[1]))),
    Function::strict("space", (1, 1), Text, |a| repeat(" ", integer(&a[0]))),
    Function::strict("lpad", (3, 3), Text, |a| pad(a, true)),
    Function::strict("rpad", (3, 3), Text, |a| pad(a, false)),
    Function::strict("quote", (1, 1), Text, |a| {
        Ok(quorate_sql::quote_string(&string(&a[0])).into())
    }),
    Function::strict("ascii", (1, 1), Int, |a| {
        Ok(Value::Int(string(&a[0]).bytes().next().unwrap_or(0).into()))
    }),
    Function::strict("regexp_like", (2, 2), Int, regexp_like),
];

fn count(characters: usize) -> Answer {
    Ok(Value::Int(characters as i64))
}

fn length(arguments: &[Value]) -> Answer {
    count(match &arguments[0] {
        Value::Bytes(bytes) => bytes.len(),
        other => string(other).len(),
    })
}

/// Refuses a text of more than [`VALUE_BYTES_MAX`] before it is built.
fn fits(bytes: usize) -> Result<(), quorate_wire::Failure> {
    if bytes > VALUE_BYTES_MAX { Err(failure::memory(VALUE_BYTES_MAX)) } else { Ok(()) }
}

fn concat(arguments: &[Value]) -> Answer {
    Ok(arguments.iter().map(string).collect::<String>().into())
}

/// MySQL: NULL if the separator is, other NULLs are left out.
fn concat_ws(arguments: &[Value]) -> Answer {
    let Some(separator) = text(&arguments[0]) else { return Ok(Value::Null) };
    let parts: Vec<String> = arguments[1..].iter().filter_map(text).collect();
    Ok(parts.join(&separator).into())
}

/// `length` characters from position `start`, which counts from the end when negative.
fn part(value: &Value, start: i64, length: Option<i64>) -> Answer {
    let text = string(value);
    let all = text.chars().count() as i64;
    let start = match start {
        0 => return Ok("".into()),
        1.. => start - 1,
        _ if -start > all => return Ok("".into()),
        _ => all + start,
    };
    let length = length.unwrap_or(all).max(0);
    let skip = usize::try_from(start).unwrap_or(usize::MAX);
    let take = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(text.chars().skip(skip).take(take).collect::<String>().into())
}

fn right(arguments: &[Value]) -> Answer {
    let wanted = integer(&arguments[1]);
    let all = string(&arguments[0]).chars().count() as i64;
    if wanted <= 0 { Ok("".into()) } else { part(&arguments[0], (all - wanted).max(0) + 1, None) }
}

fn substring(arguments: &[Value]) -> Answer {
    part(&arguments[0], integer(&arguments[1]), arguments.get(2).map(integer))
}

fn substring_index(arguments: &[Value]) -> Answer {
    let (text, delimiter, wanted) =
        (string(&arguments[0]), string(&arguments[1]), integer(&arguments[2]));
    if delimiter.is_empty() || wanted == 0 {
        return Ok("".into());
    }
    let nth = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX) - 1;
    Ok(if wanted > 0 {
        text.match_indices(&delimiter).nth(nth).map_or(text.as_str(), |(at, _)| &text[..at]).into()
    } else {
        let found = text.rmatch_indices(&delimiter).nth(nth);
        found.map_or(text.as_str(), |(at, _)| &text[at + delimiter.len()..]).into()
    })
}

/// StarRocks: parts count from 1, or from the end when negative; NULL when there is none.
fn split_part(arguments: &[Value]) -> Answer {
    let (text, delimiter, wanted) =
        (string(&arguments[0]), string(&arguments[1]), integer(&arguments[2]));
    let nth = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX).checked_sub(1);
    let found = match (nth, wanted > 0) {
        (None, _) => None,
        (Some(nth), true) => text.split(&delimiter).nth(nth),
        (Some(nth), false) => text.rsplit(&delimiter).nth(nth),
    };
    Ok(found.map(str::to_owned).into())
}

fn trim(arguments: &[Value], (front, back): (bool, bool)) -> Answer {
    let text = string(&arguments[0]);
    let what = arguments.get(1).map_or_else(|| " ".to_owned(), string);
    let mut rest = text.as_str();
    if what.is_empty() {
        return Ok(rest.into());
    }
    while let Some(shorter) = rest.strip_prefix(&what).filter(|_| front) {
        rest = shorter;
    }
    while let Some(shorter) = rest.strip_suffix(&what).filter(|_| back) {
        rest = shorter;
    }
    Ok(rest.into())
}

fn replace(arguments: &[Value]) -> Answer {
    let (text, from, to) = (string(&arguments[0]), string(&arguments[1]), string(&arguments[2]));
    if from.is_empty() {
        return Ok(text.into());
    }
    fits(text.len().saturating_add(text.matches(&from).count().saturating_mul(to.len())))?;
    Ok(text.replace(&from, &to).into())
}

fn locate(arguments: &[Value]) -> Answer {
    find(&arguments[0], &arguments[1], arguments.get(2).map_or(1, integer))
}

/// The position of `needle` in `hay`, at `start` or behind; 0 when there is none.
fn find(needle: &Value, hay: &Value, start: i64) -> Answer {
    let (needle, hay) = (string(needle).to_lowercase(), string(hay).to_lowercase());
    let Some(skip) = usize::try_from(start).ok().and_then(|start| start.checked_sub(1)) else {
        return Ok(Value::Int(0));
    };
    let Some(from) = hay.char_indices().map(|(at, _)| at).chain([hay.len()]).nth(skip) else {
        return Ok(Value::Int(0));
    };
    let found = hay[from..].find(&needle).map(|at| skip + hay[from..from + at].chars().count() + 1);
    Ok(Value::Int(found.unwrap_or(0) as i64))
}

fn find_in_set(arguments: &[Value]) -> Answer {
    let (wanted, set) = (string(&arguments[0]), string(&arguments[1]));
    let found = set.split(',').position(|item| item.eq_ignore_ascii_case(&wanted));
    Ok(Value::Int(found.filter(|_| !set.is_empty()).map_or(0, |at| at as i64 + 1)))
}

fn strcmp(arguments: &[Value]) -> Answer {
    let (a, b) = (string(&arguments[0]).to_lowercase(), string(&arguments[1]).to_lowercase());
    Ok(Value::Int(a.cmp(&b) as i64))
}

fn repeat(text: &str, times: i64) -> Answer {
    let times = usize::try_from(times).unwrap_or(0);
    fits(text.len().saturating_mul(times))?;
    Ok(text.repeat(times).into())
}

/// MySQL: longer text is cut; nothing to pad with gives an empty text.
fn pad(arguments: &[Value], front: bool) -> Answer {
    let (text, fill) = (string(&arguments[0]), string(&arguments[2]));
    let Ok(wanted) = usize::try_from(integer(&arguments[1])) else { return Ok(Value::Null) };
    fits(wanted.saturating_mul(4))?;
    let has = text.chars().count();
    if has >= wanted {
        return Ok(text.chars().take(wanted).collect::<String>().into());
    }
    if fill.is_empty() {
        return Ok("".into());
    }
    let padding: String = fill.chars().cycle().take(wanted - has).collect();
    Ok(if front { padding + &text } else { text + &padding }.into())
}

fn regexp_like(arguments: &[Value]) -> Answer {
    let pattern = Pattern::new(&string(&arguments[1]))?;
    Ok(pattern.is_match(&string(&arguments[0])).into())
}
