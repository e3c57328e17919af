//! Why a text is not a statement: what was expected, what was found, and where.

use std::fmt;

use crate::limits::NEAR_CHARS_MAX;

/// The cause of a [`ParseError`], for the code sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text holds nothing but blanks and comments.
    Empty,
    /// A token stands where the grammar wants another one.
    Syntax,
    /// The grammar is kept, a value is not: a precision, a length, a contradiction.
    Invalid,
    /// A name has more characters than [`crate::limits::IDENTIFIER_CHARS_MAX`].
    NameTooLong,
    /// One of [`crate::limits`] is exceeded.
    Limit,
    /// The statement is understood and belongs to StarRocks or MySQL, but is not offered here.
    Unsupported,
}

/// A text that could not be parsed. Its `Display` is the message for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The cause.
    pub kind: ErrorKind,
    /// What is wrong, without the position: `expected a table name, found '('`.
    pub reason: String,
    /// The text from the offending place on, cut to a readable length. Empty at the end of text.
    pub near: String,
    /// Line of the offending place, the first being 1.
    pub line: usize,
    /// Column of the offending place in characters, the first being 1.
    pub column: usize,
    /// Byte offset of the offending place in the text.
    pub offset: usize,
}

impl ParseError {
    /// Describes `reason` at byte `offset` of `text`. An offset off a character boundary or past
    /// the end is moved back to the nearest one.
    pub(crate) fn at(kind: ErrorKind, text: &str, offset: usize, reason: String) -> Self {
        let offset = text.floor_char_boundary(offset);
        let (before, after) = text.split_at(offset);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            kind,
            reason,
            near: after.chars().take(NEAR_CHARS_MAX).collect(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            offset,
        }
    }

    /// The MySQL error number that fits the cause.
    pub fn errno(&self) -> u16 {
        match self.kind {
            ErrorKind::Empty => 1065,
            ErrorKind::NameTooLong => 1059,
            ErrorKind::Unsupported => 1235,
            ErrorKind::Syntax | ErrorKind::Invalid | ErrorKind::Limit => 1064,
        }
    }

    /// The SQLSTATE that goes with [`errno`](Self::errno).
    pub fn sqlstate(&self) -> &'static str {
        "42000"
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Empty => return f.write_str("Query was empty"),
            ErrorKind::Syntax => f.write_str("You have an error in your SQL syntax; ")?,
            _ => {}
        }
        write!(f, "{} near '{}' at line {}", self.reason, self.near, self.line)
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_lines_characters_and_bytes() {
        let text = "SHOW\n  größe x";
        let error = ParseError::at(ErrorKind::Syntax, text, 15, "expected y".into());
        assert_eq!((error.line, error.column, error.offset), (2, 9, 15));
        assert_eq!(
            error.to_string(),
            "You have an error in your SQL syntax; expected y near 'x' at line 2"
        );
    }

    #[test]
    fn offset_inside_a_character_or_past_the_end_is_moved_back() {
        assert_eq!(ParseError::at(ErrorKind::Syntax, "ö", 1, String::new()).offset, 0);
        assert_eq!(ParseError::at(ErrorKind::Syntax, "ö", 99, String::new()).offset, 2);
    }
}
