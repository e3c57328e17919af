//! Frontends and their configuration.

use crate::ast::{ClusterStatement, FrontendKind};
use crate::parser::{Parser, Result};

impl Parser<'_> {
    /// `ALTER SYSTEM ..` or `ADMIN .. FRONTEND CONFIG ..`.
    pub(super) fn cluster(&mut self) -> Result<ClusterStatement> {
        if self.accept("ALTER") {
            self.expect("SYSTEM")?;
            return self.alter_system();
        }
        self.expect("ADMIN")?;
        match self.expect_any(&["SHOW", "SET"])? {
            "SHOW" => {
                self.expect_words(&["FRONTEND", "CONFIG"])?;
                Ok(ClusterStatement::ShowConfig(self.show_filter()?))
            }
            _ => {
                self.expect_words(&["FRONTEND", "CONFIG"])?;
                Ok(ClusterStatement::SetConfig(self.properties()?))
            }
        }
    }

    fn alter_system(&mut self) -> Result<ClusterStatement> {
        let at = self.at;
        if let Some(change) = self.accept_any(&["ADD", "DROP"])
            && let Some(kind) = self.frontend_kind()
        {
            let addresses = self.list(|p| p.string("host:port"))?;
            let force = self.accept("FORCE");
            return Ok(match change {
                "ADD" => ClusterStatement::AddFrontends { kind, addresses, force },
                _ => ClusterStatement::DropFrontends { kind, addresses, force },
            });
        }
        if self.accept_words(&["MODIFY", "FRONTEND"]) {
            if !self.accept("HOST") {
                return self.frontend_turn();
            }
            let from = self.string("a host")?;
            self.expect("TO")?;
            return Ok(ClusterStatement::ModifyFrontendHost { from, to: self.string("a host")? });
        }
        if self.accept("TRANSFER") {
            self.expect_words(&["LEADER", "TO"])?;
            let to = self.string("host:port")?;
            return Ok(ClusterStatement::TransferLeader { to, force: self.accept("FORCE") });
        }
        if self.accept_words(&["CREATE", "IMAGE"]) {
            return Ok(ClusterStatement::CreateImage);
        }
        if self.accept_words(&["SET", "ENGINE", "EPOCH"]) {
            return Ok(ClusterStatement::SetEngineEpoch(self.integer32("an epoch")?));
        }
        self.at = at;
        if self.is_end() {
            return Err(
                self.expected("ADD, DROP, MODIFY, TRANSFER, CREATE IMAGE or SET ENGINE EPOCH")
            );
        }
        Err(self.unsupported("this form of ALTER SYSTEM"))
    }

    /// `"host:port" TO FOLLOWER | OBSERVER [FORCE]`, after `MODIFY FRONTEND`.
    fn frontend_turn(&mut self) -> Result<ClusterStatement> {
        let address = self.string("HOST or host:port")?;
        self.expect("TO")?;
        let kind = match self.expect_any(&["FOLLOWER", "OBSERVER"])? {
            "FOLLOWER" => FrontendKind::Follower,
            _ => FrontendKind::Observer,
        };
        Ok(ClusterStatement::ModifyFrontendKind { address, kind, force: self.accept("FORCE") })
    }

    fn frontend_kind(&mut self) -> Option<FrontendKind> {
        let kinds = [FrontendKind::Follower, FrontendKind::Observer];
        kinds.into_iter().find(|kind| self.accept(kind.keyword()))
    }

    /// What follows `SHOW`, if it is about the cluster.
    pub(super) fn show_cluster(&mut self) -> Result<Option<ClusterStatement>> {
        if self.accept("FRONTENDS") {
            return Ok(Some(ClusterStatement::ShowFrontends));
        }
        match self.accept("PROC") {
            true => Ok(Some(ClusterStatement::ShowProc(self.string("a path")?))),
            false => Ok(None),
        }
    }
}
