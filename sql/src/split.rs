//! Cutting a text of several statements, and telling queries from the rest.
//!
//! Works on any dialect that has MySQL's quotes and comments: nothing is parsed.

use crate::error::{ErrorKind, ParseError};
use crate::lexer::Lexer;
use crate::limits::STATEMENTS_MAX;
use crate::token::TokenKind;

/// How a query begins.
const QUERY_STARTS: &[&str] = &["SELECT", "WITH", "VALUES", "TABLE"];

/// Cuts `text` at each `;` that is not in a string, a name or a comment.
///
/// The pieces are trimmed and have no `;` at their end. Pieces of nothing but blanks and comments
/// are dropped; an executable comment is content.
///
/// # Errors
///
/// An unterminated string, name or comment, and a text of too many bytes or statements.
pub fn split(text: &str) -> Result<Vec<&str>, ParseError> {
    let mut lexer = Lexer::bounded(text)?;
    let mut statements = Vec::new();
    let mut start = 0;
    let mut empty = true;
    // Every round takes a token.
    loop {
        let token = lexer.next_token()?;
        let end = token.kind == TokenKind::End;
        if !end && (token.kind != TokenKind::Symbol(";") || lexer.in_executable()) {
            empty = false;
            continue;
        }
        if !empty {
            if statements.len() >= STATEMENTS_MAX {
                let reason = format!("a text has at most {STATEMENTS_MAX} statements");
                return Err(ParseError::at(ErrorKind::Limit, text, start, reason));
            }
            statements.push(text.get(start..token.start).unwrap_or_default().trim());
        }
        if end {
            return Ok(statements);
        }
        start = token.end;
        empty = true;
    }
}

/// Whether `text` begins like a query: `SELECT`, `WITH`, `VALUES`, `TABLE`, also in parentheses.
pub fn is_query(text: &str) -> bool {
    let mut lexer = Lexer::new(text);
    // Every round takes a token.
    loop {
        match lexer.next_token() {
            Ok(token) if token.kind == TokenKind::Symbol("(") => {}
            Ok(token) if token.kind == TokenKind::Word => {
                let word = text.get(token.start..token.end).unwrap_or_default();
                return QUERY_STARTS.iter().any(|start| start.eq_ignore_ascii_case(word));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unterminated_text_cannot_be_split() {
        assert!(split("SELECT 1; SELECT 'x").is_err());
        assert!(split("SELECT 1; /* SELECT 2").is_err());
    }

    #[test]
    fn too_many_statements_are_refused() {
        assert_eq!(split(&"a;".repeat(STATEMENTS_MAX)).unwrap().len(), STATEMENTS_MAX);
        let error = split(&"a;".repeat(STATEMENTS_MAX + 1)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit);
    }

    #[test]
    fn statements_are_cut_outside_of_quotes_and_comments() {
        assert_eq!(split("a; b ;\nc").unwrap(), ["a", "b", "c"]);
        assert_eq!(split("a ';' \";\" `;` /* ; */ -- ;\n; b").unwrap().len(), 2);
        assert_eq!(split("a # ;\n").unwrap(), ["a # ;"]);
    }

    #[test]
    fn empty_statements_are_dropped() {
        assert_eq!(split("").unwrap(), [""; 0]);
        assert_eq!(split(" ; -- x\n ; /* y */ ;;").unwrap(), [""; 0]);
        assert_eq!(split("/*!40101 SET x=1 */;").unwrap(), ["/*!40101 SET x=1 */"]);
        assert_eq!(split("/*! a; b */; c").unwrap(), ["/*! a; b */", "c"]);
    }

    #[test]
    fn queries_are_told_from_other_statements() {
        for text in ["", "SHOW TABLES", "get x", "'SELECT'", "(", "/* SELECT", "selected"] {
            assert!(!is_query(text), "{text}");
        }
        for text in ["select 1", "/* x */ WITH a AS (SELECT 1) TABLE a", "((SELECT 1))", "VALUES 1"]
        {
            assert!(is_query(text), "{text}");
        }
    }
}
