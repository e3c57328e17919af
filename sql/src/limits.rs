//! The bounds every parse works within. Nothing in this crate loops or recurses past them.

/// Longest accepted text, in bytes. A longer one is refused before it is read.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Most tokens of one statement. At the limit the statement is refused, so that a text of
/// punctuation cannot cost many times its size in memory.
pub const TOKENS_MAX: usize = 256 * 1024;

/// Deepest nesting of parentheses, types and conditions. Deeper is refused: the stack inside a
/// wasm module is small.
pub const DEPTH_MAX: usize = 64;

/// Longest name of a database, table, column or partition, in characters, as in MySQL.
pub const IDENTIFIER_CHARS_MAX: usize = 64;

/// Most items of one list: columns, partitions, properties, values.
pub const LIST_ITEMS_MAX: usize = 10_000;

/// Most statements of one multi-statement text.
pub const STATEMENTS_MAX: usize = 1_000;

/// How much of the offending text an error quotes, in characters, as MySQL does.
pub const NEAR_CHARS_MAX: usize = 80;
