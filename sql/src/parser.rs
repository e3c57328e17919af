//! The cursor over the tokens of one statement, and the productions every family uses.
//!
//! Productions are methods: `accept_*` takes a token if it is there, `expect_*` insists on it, a
//! noun (`identifier`, `list`) parses that thing. A production that calls itself goes through
//! [`Parser::nested`], and one that repeats goes through [`Parser::list`].

mod alter;
mod catalog;
mod cluster;
mod column;
mod condition;
mod database;
mod host;
mod module;
mod name;
mod partition;
mod session;
mod set;
mod show;
mod table;
mod types;
mod view;

use crate::error::{ErrorKind, ParseError};
use crate::lexer::{Lexer, unquote};
use crate::limits::{DEPTH_MAX, LIST_ITEMS_MAX, NEAR_CHARS_MAX};
use crate::token::{Token, TokenKind};

pub use catalog::catalog_statement;
pub use host::host_statement;

type Result<T> = std::result::Result<T, ParseError>;

/// A position in the tokens of one statement.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Executable comments are in the text, so a slice of it may hold half of one.
    executables: bool,
}

impl<'a> Parser<'a> {
    /// Reads all tokens of `text`.
    pub fn new(text: &'a str) -> Result<Self> {
        let (tokens, executables) = Lexer::tokens(text)?;
        Ok(Self { text, tokens, at: 0, depth: 0, executables })
    }

    /// The token `ahead` of the current one; the end token when there is none.
    fn peek(&self, ahead: usize) -> Token {
        let end = Token { kind: TokenKind::End, start: self.text.len(), end: self.text.len() };
        self.tokens.get(self.at.saturating_add(ahead)).copied().unwrap_or(end)
    }

    fn source(&self, token: Token) -> &'a str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn advance(&mut self) {
        if self.at < self.tokens.len() {
            self.at += 1;
        }
    }

    /// Whether the token `ahead` is the keyword `word`.
    fn is_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek(ahead);
        token.kind == TokenKind::Word && self.source(token).eq_ignore_ascii_case(word)
    }

    /// Whether the tokens from here on are these keywords.
    fn are_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.is_word(ahead, word))
    }

    fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek(ahead).kind, TokenKind::Symbol(found) if found == symbol)
    }

    /// Whether the statement is over, but for semicolons.
    fn is_end(&self) -> bool {
        self.peek(0).kind == TokenKind::End || self.is_symbol(0, ";")
    }

    fn accept(&mut self, word: &str) -> bool {
        self.accept_words(&[word])
    }

    /// Takes all of these keywords or none.
    fn accept_words(&mut self, words: &[&str]) -> bool {
        let found = self.are_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Takes one of these keywords.
    fn accept_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.accept(word))
    }

    fn accept_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(0, symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        match self.accept(word) {
            true => Ok(()),
            false => Err(self.expected(word)),
        }
    }

    fn expect_words(&mut self, words: &[&str]) -> Result<()> {
        words.iter().try_for_each(|word| self.expect(word))
    }

    /// One of these keywords, or an error that names them all.
    fn expect_any(&mut self, words: &[&'static str]) -> Result<&'static str> {
        match self.accept_any(words) {
            Some(word) => Ok(word),
            None => Err(self.expected(&words.join(", "))),
        }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        match self.accept_symbol(symbol) {
            true => Ok(()),
            false => Err(self.expected(&format!("'{symbol}'"))),
        }
    }

    /// Insists that nothing but semicolons is left.
    fn finish(&mut self, expected: &str) -> Result<()> {
        // As many as there are tokens.
        while self.accept_symbol(";") {}
        match self.peek(0).kind {
            TokenKind::End => Ok(()),
            _ => Err(self.expected(expected)),
        }
    }

    /// `item [, item ..]`, at least one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept_symbol(",") {
            if items.len() >= LIST_ITEMS_MAX {
                let reason = format!("a list has at most {LIST_ITEMS_MAX} items");
                return Err(self.error(ErrorKind::Limit, reason));
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(item [, item ..])`, at least one.
    fn parenthesised<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_symbol("(")?;
        let items = self.list(item)?;
        self.expect_symbol(")")?;
        Ok(items)
    }

    /// Runs a production that may come back to itself.
    fn nested<T>(&mut self, production: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEPTH_MAX {
            let reason = format!("nested more than {DEPTH_MAX} deep");
            return Err(self.error(ErrorKind::Limit, reason));
        }
        self.depth += 1;
        let result = production(self);
        self.depth -= 1;
        result
    }

    /// A string in quotes, escapes resolved.
    fn string(&mut self, what: &str) -> Result<String> {
        match self.accept_string() {
            Some(value) => Ok(value),
            None => Err(self.expected(&format!("{what} in quotes"))),
        }
    }

    fn accept_string(&mut self) -> Option<String> {
        let token = self.peek(0);
        (token.kind == TokenKind::String).then(|| {
            self.advance();
            unquote(self.source(token))
        })
    }

    /// A whole number without a sign.
    fn integer(&mut self, what: &str) -> Result<u64> {
        let token = self.peek(0);
        match (token.kind, self.source(token).parse()) {
            (TokenKind::Number, Ok(value)) => {
                self.advance();
                Ok(value)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// `integer`, at most `u32::MAX`.
    fn integer32(&mut self, what: &str) -> Result<u32> {
        let at = self.at;
        let value = self.integer(what)?;
        u32::try_from(value).map_err(|_| self.invalid(at, format!("{what} {value} is too large")))
    }

    /// Takes the tokens up to a comma, a closing parenthesis, one of `stops` or the end, as long
    /// as it is not inside parentheses, and returns their text.
    fn raw(&mut self, what: &str, stops: &[&str]) -> Result<String> {
        let from = self.at;
        let mut open = 0_usize;
        // Ends at the end token.
        loop {
            match self.peek(0).kind {
                TokenKind::Symbol("(" | "[" | "{") => open += 1,
                TokenKind::Symbol(")" | "]" | "}") if open > 0 => open -= 1,
                TokenKind::Symbol(")" | "]" | "}" | ",") if open == 0 => break,
                TokenKind::Symbol(";") | TokenKind::End if open > 0 => {
                    return Err(self.expected("')'"));
                }
                TokenKind::Symbol(";") | TokenKind::End => break,
                TokenKind::Word if open == 0 && stops.iter().any(|stop| self.is_word(0, stop)) => {
                    break;
                }
                _ => {}
            }
            self.advance();
        }
        self.text_since(from, what)
    }

    /// The text of the tokens from number `from` up to the current one, as it was written.
    ///
    /// With executable comments in the text, which could be cut in half, comments are left out.
    fn text_since(&self, from: usize, what: &str) -> Result<String> {
        let tokens = self.tokens.get(from..self.at).unwrap_or_default();
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
            return Err(self.expected(what));
        };
        if !self.executables {
            return Ok(self.text.get(first.start..last.end).unwrap_or_default().to_owned());
        }
        let mut text = String::with_capacity(last.end - first.start);
        let mut end = first.start;
        for token in tokens {
            if token.start > end {
                text.push(' ');
            }
            text.push_str(self.source(*token));
            end = token.end;
        }
        Ok(text)
    }

    /// A syntax error at the current token, which is not what the grammar wants.
    fn expected(&self, what: &str) -> ParseError {
        let token = self.peek(0);
        let reason = match token.kind {
            TokenKind::End => format!("expected {what}, found the end of the statement"),
            _ => {
                let found: String = self.source(token).chars().take(NEAR_CHARS_MAX).collect();
                format!("expected {what}, found '{found}'")
            }
        };
        self.error(ErrorKind::Syntax, reason)
    }

    fn error(&self, kind: ErrorKind, reason: String) -> ParseError {
        ParseError::at(kind, self.text, self.peek(0).start, reason)
    }

    /// An error about a value that started at token number `at`.
    fn invalid(&self, at: usize, reason: String) -> ParseError {
        let start = self.tokens.get(at).map_or(self.text.len(), |token| token.start);
        ParseError::at(ErrorKind::Invalid, self.text, start, reason)
    }

    fn unsupported(&self, what: &str) -> ParseError {
        self.error(ErrorKind::Unsupported, format!("{what} is not supported"))
    }
}
