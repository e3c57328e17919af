//! Placeholders of prepared statements.

use crate::error::{ErrorKind, ParseError};
use crate::lexer::Lexer;
use crate::limits::TEXT_BYTES_MAX;
use crate::token::TokenKind;

/// The byte offset of each `?` that is not in a string, a name or a comment.
///
/// # Errors
///
/// An unterminated string, name or comment, and a text of too many bytes.
pub fn placeholders(text: &str) -> Result<Vec<usize>, ParseError> {
    let mut lexer = Lexer::bounded(text)?;
    let mut offsets = Vec::new();
    // Every round takes a token.
    loop {
        let token = lexer.next_token()?;
        match token.kind {
            TokenKind::Symbol("?") => offsets.push(token.start),
            TokenKind::End => return Ok(offsets),
            _ => {}
        }
    }
}

/// `text` with its placeholders replaced by `literals` in order. A literal is SQL text: strings
/// go through [`crate::quote_string`] first.
///
/// # Errors
///
/// As [`placeholders`]; when there are more or fewer literals than placeholders; when the result
/// is longer than [`crate::limits::TEXT_BYTES_MAX`].
pub fn bind(text: &str, literals: &[String]) -> Result<String, ParseError> {
    let offsets = placeholders(text)?;
    if offsets.len() != literals.len() {
        let reason = format!("expected {} parameters, found {}", offsets.len(), literals.len());
        return Err(ParseError::at(ErrorKind::Invalid, text, 0, reason));
    }
    let length = literals.iter().fold(text.len(), |sum, literal| sum.saturating_add(literal.len()));
    if length - offsets.len() > TEXT_BYTES_MAX {
        let reason = format!("a statement has at most {TEXT_BYTES_MAX} bytes");
        return Err(ParseError::at(ErrorKind::Limit, text, 0, reason));
    }
    let mut bound = String::with_capacity(length);
    let mut at = 0;
    for (offset, literal) in offsets.into_iter().zip(literals) {
        bound.push_str(text.get(at..offset).unwrap_or_default());
        bound.push_str(literal);
        at = offset + 1;
    }
    bound.push_str(text.get(at..).unwrap_or_default());
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_number_of_literals_is_refused() {
        let error = bind("SELECT ?, ?", &["1".into()]).unwrap_err();
        assert_eq!(error.reason, "expected 2 parameters, found 1");
        assert!(bind("SELECT 1", &["1".into()]).is_err());
    }

    #[test]
    fn too_long_a_result_is_refused() {
        let error = bind("?", &["x".repeat(TEXT_BYTES_MAX + 1)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit);
        assert!(bind("?", &["x".repeat(TEXT_BYTES_MAX)]).is_ok());
    }

    #[test]
    fn question_marks_in_quotes_and_comments_are_no_placeholders() {
        let text = "SELECT '?', \"?\", `?`, ? /* ? */ -- ?\n, ? # ?";
        assert_eq!(placeholders(text).unwrap(), [22, 39]);
        let bound = bind(text, &["'a?b'".into(), "2".into()]).unwrap();
        assert_eq!(bound, "SELECT '?', \"?\", `?`, 'a?b' /* ? */ -- ?\n, 2 # ?");
    }
}
