//! The life of modules.

use crate::ast::{ModuleStatement, ModuleVersion};
use crate::parser::{Parser, Result};

impl Parser<'_> {
    /// A statement with `MODULE` as its second word, other than `SHOW`.
    pub(super) fn module(&mut self) -> Result<ModuleStatement> {
        let verb = self.expect_any(&["INSTALL", "CHECK", "ACTIVATE", "ROLLBACK"])?;
        self.expect("MODULE")?;
        match verb {
            "INSTALL" => {
                self.expect("FROM")?;
                Ok(ModuleStatement::Install { file: self.string("a file")? })
            }
            "CHECK" => {
                let module = self.module_version()?;
                let limit = self.accept("LIMIT").then(|| self.integer("a number")).transpose()?;
                Ok(ModuleStatement::Check { module, limit })
            }
            "ACTIVATE" => Ok(ModuleStatement::Activate {
                module: self.module_version()?,
                force: self.accept("FORCE"),
            }),
            _ => Ok(ModuleStatement::Rollback),
        }
    }

    /// What follows `SHOW`, if it is about modules.
    pub(super) fn show_module(&mut self) -> Result<Option<ModuleStatement>> {
        if self.accept("MODULES") {
            return Ok(Some(ModuleStatement::Show));
        }
        Ok(self.accept_words(&["MODULE", "HISTORY"]).then_some(ModuleStatement::History))
    }

    /// `'name@version'`.
    fn module_version(&mut self) -> Result<ModuleVersion> {
        let at = self.at;
        let text = self.string("a module and its version")?;
        match text.split_once('@') {
            Some((name, version)) if !name.is_empty() && !version.is_empty() => {
                Ok(ModuleVersion { name: name.to_owned(), version: version.to_owned() })
            }
            _ => Err(self.invalid(at, format!("expected name@version, found '{text}'"))),
        }
    }
}
