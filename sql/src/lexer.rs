//! Text to tokens, by MySQL's rules for quotes and comments.
//!
//! - `-- ` needs a blank behind it, `#` does not; `/* */` does not nest.
//! - `/*!40101 SET x */` is an executable comment: its content counts when its version is not
//!   newer than the one this server claims, otherwise all of it is a comment.
//! - `'..'` and `".."` are strings, with doubled quotes and backslash escapes; `` `..` `` is an
//!   identifier, with doubled backticks.
//!
//! The lexer fails on an unterminated quote or comment and on a text that is too long. Everything
//! else is left to the parser, so that [`crate::split`] and [`crate::placeholders`] work on any
//! dialect.

use crate::error::{ErrorKind, ParseError};
use crate::limits::{TEXT_BYTES_MAX, TOKENS_MAX};
use crate::token::{SYMBOLS, Token, TokenKind, is_word_char};

/// Executable comments of a newer version are skipped. 8.0.33 is what StarRocks claims to be.
const MYSQL_VERSION: u32 = 80_033;

/// How many digits may follow `/*!` as a version: at least and at most.
const VERSION_DIGITS: std::ops::RangeInclusive<usize> = 5..=6;

/// Cuts one text into tokens, one at a time.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the executable comment we are in started.
    executable: Option<usize>,
    executables_seen: bool,
    /// Where a name ended, to read the point of `d.5t` as the one between names.
    name_end: Option<usize>,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a text that may be read to its end.
    pub fn bounded(text: &'a str) -> Result<Self, ParseError> {
        if text.len() > TEXT_BYTES_MAX {
            let reason = format!("a statement has at most {TEXT_BYTES_MAX} bytes");
            return Err(ParseError::at(ErrorKind::Limit, text, 0, reason));
        }
        Ok(Self::new(text))
    }

    /// Starts at the beginning of a text of any length, to look at its first words.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, executable: None, executables_seen: false, name_end: None }
    }

    /// All tokens of `text` and its end token, and whether it has executable comments.
    pub fn tokens(text: &'a str) -> Result<(Vec<Token>, bool), ParseError> {
        let mut lexer = Self::bounded(text)?;
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next_token()?;
            if tokens.len() >= TOKENS_MAX {
                let reason = format!("a statement has at most {TOKENS_MAX} tokens");
                return Err(ParseError::at(ErrorKind::Limit, text, token.start, reason));
            }
            tokens.push(token);
            if token.kind == TokenKind::End {
                return Ok((tokens, lexer.executables_seen));
            }
        }
    }

    /// Whether the token just returned stands inside an executable comment.
    pub fn in_executable(&self) -> bool {
        self.executable.is_some()
    }

    /// The next token; the end token again and again once the text is used up.
    pub fn next_token(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks()?;
        let start = self.at;
        let kind = self.scan(start)?;
        let is_name = matches!(kind, TokenKind::Word | TokenKind::Quoted);
        self.name_end = is_name.then_some(self.at);
        Ok(Token { kind, start, end: self.at })
    }

    fn scan(&mut self, start: usize) -> Result<TokenKind, ParseError> {
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(TokenKind::End);
        };
        if matches!(first, '\'' | '"' | '`') {
            return self.quoted(start, first);
        }
        let fraction = first == '.'
            && rest[1..].starts_with(|c: char| c.is_ascii_digit())
            && self.name_end != Some(start);
        if first.is_ascii_digit() || fraction {
            return Ok(self.number_or_word(rest));
        }
        if is_word_char(first) {
            self.at += rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
            return Ok(TokenKind::Word);
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(TokenKind::Symbol(symbol));
        }
        self.at += first.len_utf8();
        Ok(TokenKind::Other)
    }

    /// `1`, `1.5`, `.5`, `1e-9`, `0x1F`; a word when letters follow, as in `2024_sales`.
    fn number_or_word(&mut self, rest: &str) -> TokenKind {
        let word = rest.find(|c| !is_word_char(c)).unwrap_or(rest.len());
        let hex = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"));
        if hex.is_some_and(|hex| word > 2 && hex[..word - 2].chars().all(|c| c.is_ascii_hexdigit()))
        {
            self.at += word;
            return TokenKind::Number;
        }
        let bytes = rest.as_bytes();
        let mut end = digits(bytes, 0);
        if bytes.get(end) == Some(&b'.') {
            end = digits(bytes, end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(bytes, end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        if end < word {
            self.at += word;
            return TokenKind::Word;
        }
        self.at += end;
        TokenKind::Number
    }

    fn quoted(&mut self, start: usize, quote: char) -> Result<TokenKind, ParseError> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            if *byte == b'\\' && quote != '`' {
                at += 2;
            } else if *byte == quote as u8 {
                if bytes.get(at + 1) != Some(byte) {
                    self.at = at + 1;
                    return Ok(match quote {
                        '`' => TokenKind::Quoted,
                        _ => TokenKind::String,
                    });
                }
                at += 2;
            } else {
                at += 1;
            }
        }
        let what = if quote == '`' { "identifier" } else { "string" };
        Err(self.unterminated(what, start))
    }

    /// Skips blanks and comments, and the marks that open and close executable comments.
    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || is_dash_comment(trimmed) {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("*/") && self.executable.is_some() {
                self.executable = None;
                self.at += 2;
            } else if trimmed.starts_with("/*") {
                self.open_comment(trimmed)?;
            } else if let (true, Some(start)) = (trimmed.is_empty(), self.executable) {
                return Err(self.unterminated("comment", start));
            } else {
                return Ok(());
            }
        }
    }

    fn open_comment(&mut self, rest: &str) -> Result<(), ParseError> {
        if let Some(content) = rest.strip_prefix("/*!")
            && self.executable.is_none()
        {
            let length = digits(content.as_bytes(), 0).min(*VERSION_DIGITS.end());
            let version = match VERSION_DIGITS.contains(&length) {
                true => &content[..length],
                false => "",
            };
            if version.parse().unwrap_or(0) <= MYSQL_VERSION {
                self.executable = Some(self.at);
                self.executables_seen = true;
                self.at += "/*!".len() + version.len();
                return Ok(());
            }
        }
        match rest[2..].find("*/") {
            Some(length) => self.at += 2 + length + 2,
            None => return Err(self.unterminated("comment", self.at)),
        }
        Ok(())
    }

    fn unterminated(&self, what: &str, start: usize) -> ParseError {
        ParseError::at(ErrorKind::Syntax, self.text, start, format!("unterminated {what}"))
    }
}

/// The first offset from `at` on that holds no digit.
fn digits(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// `--` starts a comment only before a blank or the end of the text, so that `5--1` stays a sum.
fn is_dash_comment(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|after| {
        after.chars().next().is_none_or(|c| c.is_whitespace() || c.is_control())
    })
}

/// The value of a quoted token: quotes off, escapes resolved.
pub(crate) fn unquote(source: &str) -> String {
    let mut chars = source.chars();
    let Some(quote) = chars.next() else {
        return String::new();
    };
    chars.next_back();
    let mut value = String::with_capacity(source.len());
    while let Some(c) = chars.next() {
        if c == '\\' && quote != '`' {
            match chars.next() {
                Some('0') => value.push('\0'),
                Some('b') => value.push('\u{8}'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('Z') => value.push('\u{1a}'),
                // Kept escaped: they matter to LIKE, which resolves them itself.
                Some(wildcard @ ('%' | '_')) => value.extend(['\\', wildcard]),
                Some(other) => value.push(other),
                None => value.push('\\'),
            }
        } else {
            if c == quote {
                chars.next();
            }
            value.push(c);
        }
    }
    value
}

#[cfg(test)]
mod tests;
