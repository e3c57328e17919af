//! Names, literals, properties and the `IF EXISTS` phrases.

use crate::ast::{DatabaseName, Literal, ObjectName, Property};
use crate::error::{ErrorKind, ParseError};
use crate::lexer::unquote;
use crate::limits::IDENTIFIER_CHARS_MAX;
use crate::parser::{Parser, Result};
use crate::token::{TokenKind, is_reserved};

/// `catalog.database.table`.
const NAME_PARTS_MAX: usize = 3;

impl Parser<'_> {
    /// A name, quoted or not a reserved word.
    pub(super) fn identifier(&mut self, what: &str) -> Result<String> {
        let token = self.peek(0);
        let source = self.source(token);
        let name = match token.kind {
            TokenKind::Quoted => unquote(source),
            TokenKind::Word if !is_reserved(source) => source.to_owned(),
            _ => return Err(self.expected(what)),
        };
        self.checked(name, what)
    }

    /// Like [`identifier`](Self::identifier), but reserved words do: behind a point or `@` nothing
    /// else can stand.
    pub(super) fn identifier_after_dot(&mut self, what: &str) -> Result<String> {
        let token = self.peek(0);
        match token.kind {
            TokenKind::Word => self.checked(self.source(token).to_owned(), what),
            // `d.1`: a name of digits only.
            TokenKind::Number if self.source(token).bytes().all(|byte| byte.is_ascii_digit()) => {
                self.checked(self.source(token).to_owned(), what)
            }
            _ => self.identifier(what),
        }
    }

    /// Takes the current token as `name` unless the name is empty or too long.
    fn checked(&mut self, name: String, what: &str) -> Result<String> {
        if name.is_empty() {
            return Err(self.expected(what));
        }
        if name.chars().count() > IDENTIFIER_CHARS_MAX {
            let reason = format!("identifier name '{name}' is too long");
            return Err(self.error(ErrorKind::NameTooLong, reason));
        }
        self.advance();
        Ok(name)
    }

    /// A name or a string, where MySQL takes either.
    pub(super) fn identifier_or_string(&mut self, what: &str) -> Result<String> {
        let token = self.peek(0);
        match token.kind {
            TokenKind::String => self.checked(unquote(self.source(token)), what),
            _ => self.identifier(what),
        }
    }

    /// `(name, ..)`.
    pub(super) fn identifiers(&mut self, what: &str) -> Result<Vec<String>> {
        self.parenthesised(|p| p.identifier(what))
    }

    fn parts(&mut self, what: &str, max: usize) -> Result<Vec<String>> {
        let mut parts = vec![self.identifier(what)?];
        while parts.len() < max && self.accept_symbol(".") {
            parts.push(self.identifier_after_dot(what)?);
        }
        Ok(parts)
    }

    /// `[[catalog.]database.]name`.
    pub(super) fn object_name(&mut self, what: &str) -> Result<ObjectName> {
        let mut parts = self.parts(what, NAME_PARTS_MAX)?;
        let name = parts.pop().unwrap_or_default();
        let database = parts.pop();
        Ok(ObjectName { catalog: parts.pop(), database, name })
    }

    /// `[catalog.]name`.
    pub(super) fn database_name(&mut self) -> Result<DatabaseName> {
        let mut parts = self.parts("a database name", NAME_PARTS_MAX - 1)?;
        let name = parts.pop().unwrap_or_default();
        Ok(DatabaseName { catalog: parts.pop(), name })
    }

    /// `FROM | IN [catalog.]name`, if it is there.
    pub(super) fn in_database(&mut self) -> Result<Option<DatabaseName>> {
        match self.accept_any(&["FROM", "IN"]) {
            Some(_) => self.database_name().map(Some),
            None => Ok(None),
        }
    }

    /// `FROM | IN table [FROM | IN database]`.
    pub(super) fn of_table(&mut self) -> Result<ObjectName> {
        self.expect_any(&["FROM", "IN"])?;
        let mut table = self.object_name("a table name")?;
        if let Some(database) = self.in_database()? {
            table.database = Some(database.name);
            table.catalog = database.catalog;
        }
        Ok(table)
    }

    pub(super) fn if_exists(&mut self) -> Result<bool> {
        if !self.accept("IF") {
            return Ok(false);
        }
        self.expect("EXISTS")?;
        Ok(true)
    }

    pub(super) fn if_not_exists(&mut self) -> Result<bool> {
        if !self.accept("IF") {
            return Ok(false);
        }
        self.expect_words(&["NOT", "EXISTS"])?;
        Ok(true)
    }

    /// A constant.
    pub(super) fn literal(&mut self, what: &str) -> Result<Literal> {
        match self.accept_literal()? {
            Some(literal) => Ok(literal),
            None => Err(self.expected(what)),
        }
    }

    /// A constant, if one begins here. A sign must be followed by a number.
    pub(super) fn accept_literal(&mut self) -> Result<Option<Literal>> {
        if let Some(value) = self.accept_string() {
            return Ok(Some(Literal::String(value)));
        }
        if let Some(word) = self.accept_any(&["NULL", "TRUE", "FALSE"]) {
            return Ok(Some(match word {
                "NULL" => Literal::Null,
                word => Literal::Boolean(word == "TRUE"),
            }));
        }
        let minus = self.accept_symbol("-");
        let signed = minus || self.accept_symbol("+");
        let token = self.peek(0);
        match token.kind {
            TokenKind::Number => {
                self.advance();
                let sign = if minus { "-" } else { "" };
                Ok(Some(Literal::Number(format!("{sign}{}", self.source(token)))))
            }
            _ if signed => Err(self.expected("a number")),
            _ => Ok(None),
        }
    }

    /// `("key" = "value", ..)`. Keys and values may also be bare words or numbers.
    pub(super) fn properties(&mut self) -> Result<Vec<Property>> {
        self.parenthesised(|p| {
            let key = p.property_part("a property name")?;
            p.expect_symbol("=")?;
            Ok(Property { key, value: p.property_part("a property value")? })
        })
    }

    fn property_part(&mut self, what: &str) -> Result<String> {
        if let Some(value) = self.accept_string() {
            return Ok(value);
        }
        if let Some(literal) = self.accept_literal()? {
            return Ok(literal.text().unwrap_or("NULL").to_owned());
        }
        let mut part = self.identifier(what)?;
        // Bounded by the tokens: `storage.medium`.
        while self.accept_symbol(".") {
            part.push('.');
            part.push_str(&self.identifier_after_dot(what)?);
        }
        Ok(part)
    }

    /// `PROPERTIES (..)`, if it is there.
    pub(super) fn properties_clause(&mut self) -> Result<Vec<Property>> {
        match self.accept("PROPERTIES") {
            true => self.properties(),
            false => Ok(Vec::new()),
        }
    }

    /// `COMMENT [=] '..'`, if it is there.
    pub(super) fn comment(&mut self) -> Result<Option<String>> {
        if !self.accept("COMMENT") {
            return Ok(None);
        }
        self.accept_symbol("=");
        self.string("a comment").map(Some)
    }

    /// `[DEFAULT] CHARACTER SET [=] name | CHARSET [=] name`, if it is there.
    pub(super) fn charset(&mut self) -> Result<Option<String>> {
        if !self.accept_option("CHARSET") && !self.accept_options(&["CHARACTER", "SET"]) {
            return Ok(None);
        }
        self.accept_symbol("=");
        self.identifier_or_string("a character set").map(Some)
    }

    /// `[DEFAULT] COLLATE [=] name`, if it is there.
    pub(super) fn collation(&mut self) -> Result<Option<String>> {
        if !self.accept_option("COLLATE") {
            return Ok(None);
        }
        self.accept_symbol("=");
        self.identifier_or_string("a collation").map(Some)
    }

    fn accept_option(&mut self, word: &str) -> bool {
        self.accept_words(&["DEFAULT", word]) || self.accept(word)
    }

    fn accept_options(&mut self, words: &[&str; 2]) -> bool {
        self.accept_words(&["DEFAULT", words[0], words[1]]) || self.accept_words(words)
    }

    /// The error for a clause that is there twice.
    pub(super) fn twice(&self, clause: &str) -> ParseError {
        self.error(ErrorKind::Syntax, format!("{clause} is given twice"))
    }
}
