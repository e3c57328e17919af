//! The life of modules.

use crate::ast::{
    ActivateModule, ModuleFrom, ModuleGate, ModuleStatement, ModuleTime, ModuleVersion,
    RollbackModule,
};
use crate::parser::{Parser, Result};

/// Longest time that an activation can be put off.
const AFTER_SECONDS_MAX: u64 = 366 * 24 * 3600;

impl Parser<'_> {
    /// A statement with `MODULE` as its second word, other than `SHOW`.
    pub(super) fn module(&mut self) -> Result<ModuleStatement> {
        let verbs = ["INSTALL", "CHECK", "ACTIVATE", "ROLLBACK", "CANCEL", "RETIRE"];
        let verb = self.expect_any(&verbs)?;
        self.expect("MODULE")?;
        Ok(match verb {
            "INSTALL" => {
                self.expect("FROM")?;
                let file = self.string("a file")?;
                let signed = self.accept_words(&["SIGNED", "BY"]);
                let signature = signed.then(|| self.string("a signature file")).transpose()?;
                ModuleStatement::Install { file, signature }
            }
            "CHECK" => {
                let module = self.module_version()?;
                let limit = self.accept("LIMIT").then(|| self.integer("a number")).transpose()?;
                ModuleStatement::Check { module, limit }
            }
            "ACTIVATE" => ModuleStatement::Activate(self.activate_module()?),
            "ROLLBACK" => ModuleStatement::Rollback(self.rollback_module()?),
            "CANCEL" => {
                self.expect("ACTIVATION")?;
                ModuleStatement::Cancel
            }
            _ => ModuleStatement::Retire(self.module_version()?),
        })
    }

    /// What follows `EXPLAIN`, if it is about modules.
    pub(super) fn explain_module(&mut self) -> Result<ModuleStatement> {
        let verb = self.expect_any(&["ACTIVATE", "ROLLBACK"])?;
        self.expect("MODULE")?;
        Ok(match verb {
            "ACTIVATE" => ModuleStatement::ExplainActivate(self.activate_module()?),
            _ => ModuleStatement::ExplainRollback(self.rollback_module()?),
        })
    }

    /// What follows `SHOW`, if it is about modules.
    pub(super) fn show_module(&mut self) -> Result<Option<ModuleStatement>> {
        if self.accept("MODULES") {
            return Ok(Some(ModuleStatement::List));
        }
        if self.accept_words(&["MODULE", "HISTORY"]) {
            return Ok(Some(ModuleStatement::History));
        }
        if self.accept("MODULE") {
            return Ok(Some(ModuleStatement::Show(self.module_version()?)));
        }
        Ok(None)
    }

    fn activate_module(&mut self) -> Result<ActivateModule> {
        let module = self.module_version()?;
        let (from, gate) = (self.module_from()?, self.module_gate());
        let time = if self.accept_words(&["AT", "LSN"]) {
            ModuleTime::AtLsn(self.integer("an LSN")?)
        } else if self.accept("AFTER") {
            let at = self.at;
            let count = self.integer("a number")?;
            let units = ["SECOND", "SECONDS", "MINUTE", "MINUTES", "HOUR", "HOURS"];
            let seconds = match self.expect_any(&units)? {
                "SECOND" | "SECONDS" => 1,
                "MINUTE" | "MINUTES" => 60,
                _ => 3600,
            };
            let seconds =
                count.checked_mul(seconds).filter(|seconds| *seconds <= AFTER_SECONDS_MAX);
            ModuleTime::After(seconds.ok_or_else(|| {
                self.invalid(at, format!("at most {AFTER_SECONDS_MAX} seconds can be waited"))
            })?)
        } else {
            ModuleTime::Now
        };
        let breaking = self.accept("BREAKING").then(|| self.string("a token")).transpose()?;
        Ok(ActivateModule { module, from, gate, time, breaking })
    }

    fn rollback_module(&mut self) -> Result<RollbackModule> {
        Ok(RollbackModule { from: self.module_from()?, gate: self.module_gate() })
    }

    fn module_from(&mut self) -> Result<Option<ModuleFrom>> {
        Ok(match self.accept("FROM") {
            false => None,
            true if self.accept("NONE") => Some(ModuleFrom::Nothing),
            true => Some(ModuleFrom::Module(self.module_version()?)),
        })
    }

    fn module_gate(&mut self) -> ModuleGate {
        match self.accept_any(&["FORCE", "QUORUM"]) {
            Some("FORCE") => ModuleGate::Force,
            Some(_) => ModuleGate::Quorum,
            None => ModuleGate::All,
        }
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
