//! Whether a statement is the host's, by its first words, and which.
//!
//! The active module may speak any language. So ownership is decided on the first words alone,
//! and a text that cannot even be cut into tokens is the module's, unless it begins like ours.

use crate::ast::HostStatement;
use crate::error::ParseError;
use crate::lexer::Lexer;
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

/// How many words decide who owns a statement.
const LEADING_WORDS_MAX: usize = 3;

/// Parses a statement of the host. `None`: it is not the host's, hand it to the active module.
///
/// # Errors
///
/// When it begins like a statement of the host and does not go on like one.
pub fn host_statement(text: &str) -> std::result::Result<Option<HostStatement>, ParseError> {
    let leading = leading_words(text);
    let leading: Vec<&str> = leading.iter().map(String::as_str).collect();
    if !is_host_owned(&leading) {
        return Ok(None);
    }
    let mut parser = Parser::new(text)?;
    let statement = parser.host()?;
    parser.finish("the end of the statement")?;
    Ok(Some(statement))
}

/// The first words in upper case and symbols, as many as can be read.
fn leading_words(text: &str) -> Vec<String> {
    let mut lexer = Lexer::new(text);
    let mut words = Vec::with_capacity(LEADING_WORDS_MAX);
    while words.len() < LEADING_WORDS_MAX {
        match lexer.next_token() {
            Ok(token) if matches!(token.kind, TokenKind::Word | TokenKind::Symbol(_)) => {
                let source = text.get(token.start..token.end).unwrap_or_default();
                words.push(source.to_ascii_uppercase());
            }
            _ => break,
        }
    }
    words
}

fn is_host_owned(leading: &[&str]) -> bool {
    match leading {
        // Also a variable: `SET catalog = 'x'`.
        ["SET", "CATALOG", rest @ ..] => matches!(rest, ["=" | ":=", ..]),
        ["SET" | "BEGIN" | "COMMIT" | "ROLLBACK" | "KILL", ..] => true,
        ["START", "TRANSACTION", ..] => true,
        ["SHOW", rest @ ..] => is_host_show(rest),
        ["ALTER", "SYSTEM", ..] => true,
        ["ADMIN", "SHOW" | "SET", "FRONTEND", ..] => true,
        ["INSTALL" | "CHECK" | "ACTIVATE" | "CANCEL" | "RETIRE", "MODULE", ..] => true,
        ["EXPLAIN", "ACTIVATE" | "ROLLBACK", "MODULE"] => true,
        _ => false,
    }
}

fn is_host_show(after_show: &[&str]) -> bool {
    matches!(
        after_show,
        ["GLOBAL" | "SESSION" | "LOCAL", "VARIABLES" | "STATUS", ..]
            | ["VARIABLES" | "STATUS" | "WARNINGS" | "ERRORS" | "PROCESSLIST" | "ENGINES", ..]
            | ["COLLATION" | "CHARSET" | "PLUGINS" | "PRIVILEGES", ..]
            | ["COUNT", "(", ..]
            | ["FULL", "PROCESSLIST", ..]
            | ["STORAGE", "ENGINES", ..]
            | ["CHARACTER", "SET", ..]
            | ["FRONTENDS" | "PROC" | "MODULES", ..]
            | ["MODULE"]
            | ["MODULE", "HISTORY", ..]
    )
}

impl Parser<'_> {
    fn host(&mut self) -> Result<HostStatement> {
        if self.accept("SET") {
            return self.set().map(HostStatement::Session);
        }
        if self.accept("SHOW") {
            return self.host_show();
        }
        if self.is_word(0, "ALTER") || self.is_word(0, "ADMIN") {
            return self.cluster().map(HostStatement::Cluster);
        }
        if self.accept("EXPLAIN") {
            return self.explain_module().map(HostStatement::Module);
        }
        if self.is_word(1, "MODULE") {
            return self.module().map(HostStatement::Module);
        }
        self.transaction_or_kill().map(HostStatement::Session)
    }

    fn host_show(&mut self) -> Result<HostStatement> {
        if let Some(statement) = self.show_cluster()? {
            return Ok(HostStatement::Cluster(statement));
        }
        if let Some(statement) = self.show_module()? {
            return Ok(HostStatement::Module(statement));
        }
        self.show_session().map(HostStatement::Session)
    }
}
