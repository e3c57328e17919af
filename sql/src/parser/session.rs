//! Transactions, `KILL`, and `SHOW` of what belongs to a session.

use crate::ast::{Completion, KillTarget, Scope, SessionStatement, TransactionMode};
use crate::parser::{Parser, Result};

impl Parser<'_> {
    /// `BEGIN`, `START TRANSACTION`, `COMMIT`, `ROLLBACK` or `KILL`.
    pub(super) fn transaction_or_kill(&mut self) -> Result<SessionStatement> {
        match self.expect_any(&["BEGIN", "START", "COMMIT", "ROLLBACK", "KILL"])? {
            "BEGIN" => {
                self.accept("WORK");
                Ok(SessionStatement::Begin(Vec::new()))
            }
            "START" => {
                self.expect("TRANSACTION")?;
                let modes = match self.is_end() {
                    true => Vec::new(),
                    false => self.list(Self::start_mode)?,
                };
                Ok(SessionStatement::Begin(modes))
            }
            "COMMIT" => Ok(SessionStatement::Commit(self.completion()?)),
            "ROLLBACK" => Ok(SessionStatement::Rollback(self.completion()?)),
            _ => {
                let target = match self.accept_any(&["QUERY", "CONNECTION"]) {
                    Some("QUERY") => KillTarget::Query,
                    _ => KillTarget::Connection,
                };
                Ok(SessionStatement::Kill { target, id: self.integer("a connection id")? })
            }
        }
    }

    fn start_mode(&mut self) -> Result<TransactionMode> {
        if self.accept_words(&["WITH", "CONSISTENT", "SNAPSHOT"]) {
            return Ok(TransactionMode::ConsistentSnapshot);
        }
        match self.access_mode() {
            Some(mode) => Ok(mode),
            None => Err(self.expected("READ ONLY, READ WRITE or WITH CONSISTENT SNAPSHOT")),
        }
    }

    /// `READ ONLY | READ WRITE`, if it is there.
    pub(super) fn access_mode(&mut self) -> Option<TransactionMode> {
        if self.accept_words(&["READ", "ONLY"]) {
            return Some(TransactionMode::ReadOnly);
        }
        self.accept_words(&["READ", "WRITE"]).then_some(TransactionMode::ReadWrite)
    }

    /// `[WORK] [AND [NO] CHAIN] [[NO] RELEASE]`.
    fn completion(&mut self) -> Result<Completion> {
        self.accept("WORK");
        let mut completion = Completion::default();
        if self.accept("AND") {
            completion.chain = !self.accept("NO");
            self.expect("CHAIN")?;
        }
        if !self.accept_words(&["NO", "RELEASE"]) {
            completion.release = self.accept("RELEASE");
        }
        Ok(completion)
    }

    /// What follows `SHOW`, if it is about the session.
    pub(super) fn show_session(&mut self) -> Result<SessionStatement> {
        if self.accept("COUNT") {
            for symbol in ["(", "*", ")"] {
                self.expect_symbol(symbol)?;
            }
            return Ok(match self.expect_any(&["WARNINGS", "ERRORS"])? {
                "WARNINGS" => SessionStatement::CountWarnings,
                _ => SessionStatement::CountErrors,
            });
        }
        if self.accept("FULL") {
            self.expect("PROCESSLIST")?;
            return Ok(SessionStatement::ShowProcesslist { full: true });
        }
        if let Some(scope) = self.scope() {
            return match self.expect_any(&["VARIABLES", "STATUS"])? {
                "VARIABLES" => self.show_variables(scope),
                _ => self.show_status(scope),
            };
        }
        self.accept("STORAGE");
        match self.expect_any(&[
            "VARIABLES",
            "STATUS",
            "WARNINGS",
            "ERRORS",
            "PROCESSLIST",
            "ENGINES",
            "COLLATION",
            "CHARSET",
            "CHARACTER",
            "PLUGINS",
            "PRIVILEGES",
        ])? {
            "VARIABLES" => self.show_variables(Scope::Session),
            "STATUS" => self.show_status(Scope::Session),
            "WARNINGS" => Ok(SessionStatement::ShowWarnings(self.limit()?)),
            "ERRORS" => Ok(SessionStatement::ShowErrors(self.limit()?)),
            "PROCESSLIST" => Ok(SessionStatement::ShowProcesslist { full: false }),
            "ENGINES" => Ok(SessionStatement::ShowEngines),
            "COLLATION" => Ok(SessionStatement::ShowCollation(self.show_filter()?)),
            "CHARSET" => Ok(SessionStatement::ShowCharacterSet(self.show_filter()?)),
            "CHARACTER" => {
                self.expect("SET")?;
                Ok(SessionStatement::ShowCharacterSet(self.show_filter()?))
            }
            "PLUGINS" => Ok(SessionStatement::ShowPlugins),
            _ => Ok(SessionStatement::ShowPrivileges),
        }
    }

    fn show_variables(&mut self, scope: Scope) -> Result<SessionStatement> {
        Ok(SessionStatement::ShowVariables { scope, filter: self.show_filter()? })
    }

    fn show_status(&mut self, scope: Scope) -> Result<SessionStatement> {
        Ok(SessionStatement::ShowStatus { scope, filter: self.show_filter()? })
    }
}
