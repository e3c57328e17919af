//! What the lexer cuts a text into.
//!
//! A token is a kind and a byte range. Its text stays in the source, so a token is small and
//! nothing is copied until a parser asks for a value.

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Byte offset of its first character.
    pub start: usize,
    /// Byte offset behind its last character.
    pub end: usize,
}

/// The kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or an unquoted identifier.
    Word,
    /// An identifier in backticks.
    Quoted,
    /// A string in single or double quotes.
    String,
    /// Digits, with a fraction or an exponent, or `0x..`. Never signed.
    Number,
    /// Punctuation of [`SYMBOLS`].
    Symbol(&'static str),
    /// A character no statement uses. The lexer lets it pass, the parser refuses it.
    Other,
    /// Behind the last token.
    End,
}

/// All punctuation, longer ones first so that the first match is the longest.
pub(crate) const SYMBOLS: &[&str] = &[
    "<=>", "<=", ">=", "<>", "!=", ":=", "@@", "||", "&&", "->", "(", ")", "[", "]", "{", "}", ",",
    ";", ".", "=", "<", ">", "@", "?", "*", "+", "-", "/", "%", ":", "!", "|", "&", "^", "~",
];

/// Words that are never an identifier unless quoted.
///
/// Fewer than StarRocks reserves: only those that would make our own grammar ambiguous or hide a
/// mistake. Sorted, because [`is_reserved`] searches by halving.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CHARACTER",
    "CHECK",
    "COLLATE",
    "COLUMN",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DATABASES",
    "DEFAULT",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FOR",
    "FORCE",
    "FROM",
    "FULL",
    "GRANT",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "KEYS",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MAXVALUE",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "PARTITION",
    "PRIMARY",
    "RANGE",
    "RENAME",
    "REVOKE",
    "RIGHT",
    "SCHEMA",
    "SCHEMAS",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "THEN",
    "TO",
    "TRUE",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Whether `word` must be quoted to be an identifier.
pub(crate) fn is_reserved(word: &str) -> bool {
    let upper = word.to_ascii_uppercase();
    RESERVED.binary_search(&upper.as_str()).is_ok()
}

/// Whether `c` may stand in an unquoted word: letters, digits, `_`, `$` and all non-ASCII.
pub(crate) fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || (!c.is_ascii() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_and_found_in_any_case() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("sElEcT"));
        assert!(!is_reserved("comment"));
    }

    #[test]
    fn longer_symbols_come_first() {
        assert!(SYMBOLS.is_sorted_by(|a, b| a.len() >= b.len()));
    }
}
