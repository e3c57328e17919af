//! `SET`, in the forms MySQL has for it.

use crate::ast::{
    Account, Assignment, Password, Scope, SessionStatement, SetValue, TransactionMode,
};
use crate::lexer::unquote;
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

/// The host part of an account that has none.
const ANY_HOST: &str = "%";

impl Parser<'_> {
    /// What follows `SET`.
    pub(super) fn set(&mut self) -> Result<SessionStatement> {
        if self.is_word(0, "PASSWORD") && !self.is_symbol(1, ".") {
            return self.set_password();
        }
        if let Some(statement) = self.set_transaction()? {
            return Ok(statement);
        }
        for other in [&["ROLE"][..], &["DEFAULT", "ROLE"], &["PROPERTY"]] {
            if self.are_words(other) && !self.is_assignment(other.len()) {
                return Err(self.unsupported(&format!("SET {}", other.join(" "))));
            }
        }
        Ok(SessionStatement::Set(self.list(Self::assignment)?))
    }

    fn is_assignment(&self, ahead: usize) -> bool {
        self.is_symbol(ahead, "=") || self.is_symbol(ahead, ":=")
    }

    fn expect_assignment(&mut self) -> Result<()> {
        match self.accept_symbol("=") || self.accept_symbol(":=") {
            true => Ok(()),
            false => Err(self.expected("'='")),
        }
    }

    fn set_password(&mut self) -> Result<SessionStatement> {
        self.expect("PASSWORD")?;
        let account = match self.accept("FOR") {
            true => Some(self.account()?),
            false => None,
        };
        self.expect_assignment()?;
        let password = if self.accept("PASSWORD") {
            self.expect_symbol("(")?;
            let clear = self.string("a password")?;
            self.expect_symbol(")")?;
            Password::Clear(clear)
        } else {
            Password::Text(self.string("a password")?)
        };
        Ok(SessionStatement::SetPassword { account, password })
    }

    /// `name[@host]`.
    fn account(&mut self) -> Result<Account> {
        let name = self.identifier_or_string("a user")?;
        let host = match self.accept_symbol("@") {
            true => self.identifier_or_string("a host")?,
            false => ANY_HOST.to_owned(),
        };
        Ok(Account { name, host })
    }

    /// `[scope] TRANSACTION modes`, if it is there.
    fn set_transaction(&mut self) -> Result<Option<SessionStatement>> {
        let at = self.at;
        let scope = self.scope();
        // The standard's way to say it.
        self.accept_words(&["CHARACTERISTICS", "AS"]);
        if self.is_assignment(1) || !self.accept("TRANSACTION") {
            self.at = at;
            return Ok(None);
        }
        let modes = self.list(Self::transaction_mode)?;
        Ok(Some(SessionStatement::SetTransaction { scope, modes }))
    }

    fn transaction_mode(&mut self) -> Result<TransactionMode> {
        if let Some(mode) = self.access_mode() {
            return Ok(mode);
        }
        self.expect_words(&["ISOLATION", "LEVEL"])?;
        let levels: [(&[&str], TransactionMode); 4] = [
            (&["READ", "UNCOMMITTED"], TransactionMode::ReadUncommitted),
            (&["READ", "COMMITTED"], TransactionMode::ReadCommitted),
            (&["REPEATABLE", "READ"], TransactionMode::RepeatableRead),
            (&["SERIALIZABLE"], TransactionMode::Serializable),
        ];
        match levels.into_iter().find(|(words, _)| self.accept_words(words)) {
            Some((_, mode)) => Ok(mode),
            None => Err(self.expected("an isolation level")),
        }
    }

    /// `GLOBAL | SESSION | LOCAL | PERSIST | PERSIST_ONLY`, if it is there and not itself assigned.
    pub(super) fn scope(&mut self) -> Option<Scope> {
        if self.is_assignment(1) {
            return None;
        }
        let word = self.accept_any(&["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"])?;
        Some(match word {
            "GLOBAL" => Scope::Global,
            "PERSIST" => Scope::Persist,
            "PERSIST_ONLY" => Scope::PersistOnly,
            _ => Scope::Session,
        })
    }

    fn assignment(&mut self) -> Result<Assignment> {
        if self.accept_symbol("@") {
            let name = self.user_variable()?;
            self.expect_assignment()?;
            return Ok(Assignment::User { name, value: self.set_value()? });
        }
        if !self.is_assignment(1) && self.accept("NAMES") {
            return self.set_names();
        }
        if self.accept_words(&["CHARACTER", "SET"])
            || (!self.is_assignment(1) && self.accept("CHARSET"))
        {
            return Ok(Assignment::CharacterSet(self.charset_or_default()?));
        }
        let (scope, name) = match self.accept_symbol("@@") {
            true => self.system_variable()?,
            false => {
                let scope = self.scope().unwrap_or(Scope::Session);
                (scope, self.variable_name()?)
            }
        };
        self.expect_assignment()?;
        Ok(Assignment::Variable { scope, name, value: self.set_value()? })
    }

    fn set_names(&mut self) -> Result<Assignment> {
        let charset = self.charset_or_default()?;
        let collation = match charset.is_some() && self.accept("COLLATE") {
            true => Some(self.identifier_or_string("a collation")?),
            false => None,
        };
        Ok(Assignment::Names { charset, collation })
    }

    fn charset_or_default(&mut self) -> Result<Option<String>> {
        match self.accept("DEFAULT") {
            true => Ok(None),
            false => self.identifier_or_string("a character set").map(Some),
        }
    }

    /// `[scope.]name`, behind `@@`.
    fn system_variable(&mut self) -> Result<(Scope, String)> {
        let mut scope = Scope::Session;
        if self.is_symbol(1, ".")
            && let Some(found) = self.scope()
        {
            scope = found;
            self.expect_symbol(".")?;
        }
        Ok((scope, self.marked_name()?))
    }

    /// `name[.name ..]`.
    fn variable_name(&mut self) -> Result<String> {
        let first = self.identifier("a variable")?;
        self.more_of_name(first)
    }

    /// `name[.name ..]` behind `@`, where reserved words do.
    fn marked_name(&mut self) -> Result<String> {
        let first = self.identifier_after_dot("a variable")?;
        self.more_of_name(first)
    }

    fn more_of_name(&mut self, mut name: String) -> Result<String> {
        // Bounded by the tokens.
        while self.accept_symbol(".") {
            name.push('.');
            name.push_str(&self.identifier_after_dot("a variable")?);
        }
        Ok(name)
    }

    /// The name behind `@`, which may be a string.
    fn user_variable(&mut self) -> Result<String> {
        match self.accept_string() {
            Some(name) => Ok(name),
            None => self.marked_name(),
        }
    }

    /// One plain value, or else all the text up to the next assignment.
    fn set_value(&mut self) -> Result<SetValue> {
        let at = self.at;
        if let Some(value) = self.simple_value()?
            && (self.is_end() || self.is_symbol(0, ","))
        {
            return Ok(value);
        }
        self.at = at;
        Ok(SetValue::Expression(self.raw("a value", &[])?))
    }

    /// A value of one part. `None`: something else begins here, and the place may have moved.
    fn simple_value(&mut self) -> Result<Option<SetValue>> {
        if self.accept_symbol("@@") {
            let (scope, name) = self.system_variable()?;
            return Ok(Some(SetValue::Variable { scope, name }));
        }
        if self.accept_symbol("@") {
            return Ok(Some(SetValue::User(self.user_variable()?)));
        }
        let minus = self.accept_symbol("-");
        let token = self.peek(0);
        let source = self.source(token);
        let value = match token.kind {
            TokenKind::Number if minus => SetValue::Number(format!("-{source}")),
            _ if minus => return Ok(None),
            TokenKind::Number => SetValue::Number(source.to_owned()),
            TokenKind::String => SetValue::String(unquote(source)),
            TokenKind::Quoted => SetValue::Word(unquote(source)),
            TokenKind::Word if self.is_word(0, "DEFAULT") => SetValue::Default,
            TokenKind::Word if self.is_word(0, "NULL") => SetValue::Null,
            TokenKind::Word => SetValue::Word(source.to_owned()),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(value))
    }
}
