//! Just enough of a lexer to cut a query into the items it selects.

/// A piece of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// As written, quotes included.
    pub text: &'a str,
    /// Where it begins.
    pub start: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or a name.
    Word,
    /// A name in backticks.
    Quoted,
    /// A number or a string.
    Literal,
    /// One character of anything else.
    Symbol,
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these keywords.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is this character.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name it stands for, if it may be one.
    pub fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Quoted => {
                let inner = self.text.strip_prefix('`')?.strip_suffix('`')?;
                Some(inner.replace("``", "`"))
            }
            Kind::Literal | Kind::Symbol => None,
        }
    }
}

/// The pieces of a query, without blanks and comments.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    // Every turn takes at least one character.
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let until = |end: Option<usize>| end.unwrap_or(rest.len());
        let (kind, length) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '#' => (None, until(rest.find('\n'))),
            '-' if rest.starts_with("-- ") => (None, until(rest.find('\n'))),
            '/' if rest.starts_with("/*") => (None, until(rest[2..].find("*/").map(|end| end + 4))),
            '`' => (Some(Kind::Quoted), quoted(rest, '`')),
            '\'' | '"' => (Some(Kind::Literal), quoted(rest, first)),
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !is_word(c) && c != '.');
                (Some(Kind::Literal), until(end))
            }
            c if is_word(c) => (Some(Kind::Word), until(rest.find(|c: char| !is_word(c)))),
            c => (Some(Kind::Symbol), c.len_utf8()),
        };
        if let Some(kind) = kind {
            tokens.push(Token { text: &rest[..length], start: at, kind });
        }
        at += length;
    }
    tokens
}

/// The length of what is in quotes: they are doubled, or escaped outside of names.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}
