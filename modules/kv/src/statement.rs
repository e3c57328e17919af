//! The text form of requests.

use std::borrow::Cow;

use quorate_guest::Failure;

use crate::protocol::{RANGE_MAX, Request};

/// Reads one statement and hands the request on: its operands live no longer than the call.
///
/// # Errors
/// 1064, when the text is no statement.
pub fn parse<T>(text: &str, then: impl FnOnce(Request<'_>) -> T) -> Result<T, Failure> {
    let words = words(text)?;
    let operand = |at: usize| words[at].text.as_bytes();
    let optional = |at: usize| (!words[at].is("NULL")).then(|| operand(at));
    let verb = words.first().filter(|word| !word.quoted).map(|word| word.text.to_uppercase());
    let request = match (verb.as_deref(), words.len()) {
        (Some("PUT"), 3) => Request::Put { key: operand(1), value: operand(2) },
        (Some("GET"), 2) => Request::Get { key: operand(1) },
        (Some("DELETE"), 2) => Request::Delete { key: operand(1) },
        (Some("RANGE"), 3) => {
            Request::Range { low: operand(1), high: operand(2), limit: RANGE_MAX }
        }
        (Some("RANGE"), 5) if words[3].is("LIMIT") => {
            let limit = words[4].text.parse().map_err(|_| syntax("LIMIT takes a number"))?;
            Request::Range { low: operand(1), high: operand(2), limit }
        }
        (Some("CAS"), 4) => Request::Swap { key: operand(1), old: optional(2), new: optional(3) },
        _ => {
            return Err(syntax(
                "expected PUT key value, GET key, DELETE key, RANGE low high [LIMIT n] \
                 or CAS key old new",
            ));
        }
    };
    Ok(then(request))
}

fn syntax(what: &str) -> Failure {
    Failure::new(1064, "42000", format!("you have an error in your syntax: {what}"))
}

struct Word<'a> {
    text: Cow<'a, str>,
    quoted: bool,
}

impl Word<'_> {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }
}

/// Splits at spaces, quotes removed; a final semicolon is dropped.
fn words(text: &str) -> Result<Vec<Word<'_>>, Failure> {
    let mut rest = text.trim().trim_end_matches(';').trim_end();
    let mut words = Vec::new();
    while !rest.is_empty() {
        let (word, tail) = match rest.strip_prefix('\'') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (bare, tail) = rest.split_at(end);
                (Word { text: bare.into(), quoted: false }, tail)
            }
        };
        if !tail.is_empty() && !tail.starts_with(char::is_whitespace) {
            return Err(syntax("a space must follow a quoted word"));
        }
        words.push(word);
        rest = tail.trim_start();
    }
    Ok(words)
}

/// The word whose opening quote was taken off, and what follows it.
fn unquote(text: &str) -> Result<(Word<'_>, &str), Failure> {
    let mut quotes = text.match_indices('\'').map(|(at, _)| at);
    while let Some(at) = quotes.next() {
        if !text[at + 1..].starts_with('\'') {
            let (inner, tail) = (&text[..at], &text[at + 1..]);
            let unescaped =
                if inner.contains('\'') { inner.replace("''", "'").into() } else { inner.into() };
            return Ok((Word { text: unescaped, quoted: true }, tail));
        }
        quotes.next();
    }
    Err(syntax("a quote is not closed"))
}
