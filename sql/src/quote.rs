//! Values and names as SQL text.

use crate::token::{is_reserved, is_word_char};

/// `text` as a string literal in single quotes, read back unchanged by this crate and by MySQL.
pub fn quote_string(text: &str) -> String {
    quoted(text, '\'')
}

/// `text` as a string literal in double quotes, the way StarRocks prints properties and comments.
pub(crate) fn quote_double(text: &str) -> String {
    quoted(text, '"')
}

/// `name` in backticks.
pub fn quote_ident(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `name` as it is if that reads back as the same name, else in backticks.
pub(crate) fn plain_or_quoted(name: &str) -> String {
    let starts_like_a_name = name.starts_with(|c: char| is_word_char(c) && !c.is_ascii_digit());
    match starts_like_a_name && name.chars().all(is_word_char) && !is_reserved(name) {
        true => name.to_owned(),
        false => quote_ident(name),
    }
}

fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1a}' => out.push_str("\\Z"),
            '\\' => out.push_str("\\\\"),
            _ if c == quote => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::unquote;

    #[test]
    fn quotes_and_escapes_read_back_unchanged() {
        for text in ["", "it's \"so\"", "\\", "\\%", "a\0b\nc\rd\u{1a}e\tf", "`", "größe", "''\\'"]
        {
            assert_eq!(unquote(&quote_string(text)), text);
            assert_eq!(unquote(&quote_double(text)), text);
            assert_eq!(unquote(&quote_ident(text)), text);
        }
    }

    #[test]
    fn names_are_left_plain_only_when_they_read_back() {
        for name in ["select", "a b", "1", "0x1f", "", "a`b"] {
            assert_eq!(plain_or_quoted(name), quote_ident(name));
        }
        assert_eq!(plain_or_quoted("event_day"), "event_day");
    }
}
