//! The statements that a session answers itself.

use quorate_sql::{Completion, SessionStatement, TransactionMode};
use quorate_wire::{Column, ColumnType, Failure, Reply, Value};

use crate::session::running::Running;
use crate::session::set::read_only_warning;
use crate::session::show;
use crate::session::{Session, unsupported};

/// Warning: `ROLLBACK` found changes that stay.
const NOT_ROLLED_BACK: u16 = 1196;

impl Session {
    pub(super) async fn answer(
        &mut self,
        statement: SessionStatement,
        running: &Running,
    ) -> Result<Reply, Failure> {
        match statement {
            SessionStatement::Set(assignments) => self.set(assignments, running).await,
            SessionStatement::SetTransaction { scope, modes } => {
                self.set_transaction(scope, &modes)
            }
            SessionStatement::SetPassword { .. } => Err(unsupported("SET PASSWORD")),
            SessionStatement::Begin(modes) => Ok(self.begin_transaction(&modes)),
            SessionStatement::Commit(completion) => Ok(self.commit_transaction(completion)),
            SessionStatement::Rollback(completion) => Ok(self.roll_back(completion)),
            SessionStatement::ShowVariables { scope, filter } => {
                let globals = self.sessions.globals();
                show::variables(scope, &self.values, &globals, filter.as_ref())
            }
            SessionStatement::ShowStatus { filter, .. } => {
                show::status(self.sessions.status(), filter.as_ref())
            }
            SessionStatement::ShowWarnings(limit) => Ok(self.diagnostics.warnings(limit.as_ref())),
            SessionStatement::ShowErrors(limit) => Ok(self.diagnostics.errors(limit.as_ref())),
            SessionStatement::CountWarnings => {
                Ok(counted("@@session.warning_count", self.diagnostics.count()))
            }
            SessionStatement::CountErrors => {
                Ok(counted("@@session.error_count", self.diagnostics.error_count()))
            }
            SessionStatement::ShowProcesslist { full } => {
                let rows = self.sessions.processlist(full);
                Ok(Reply::rows(rows.columns, rows.rows))
            }
            SessionStatement::ShowEngines => Ok(show::engines()),
            SessionStatement::ShowCollation(filter) => show::collations(filter.as_ref()),
            SessionStatement::ShowCharacterSet(filter) => show::charsets(filter.as_ref()),
            SessionStatement::ShowPlugins => Ok(show::plugins()),
            SessionStatement::ShowPrivileges => Err(unsupported("SHOW PRIVILEGES")),
            SessionStatement::Kill { target, id } => self.kill(id, target).map(|()| Reply::done()),
        }
    }

    fn begin_transaction(&mut self, modes: &[TransactionMode]) -> Reply {
        self.transaction.begin();
        let mut reply = Reply::done();
        if modes.contains(&TransactionMode::ReadOnly) {
            reply.warnings.push(read_only_warning());
        }
        reply
    }

    fn commit_transaction(&mut self, completion: Completion) -> Reply {
        self.transaction.end();
        self.complete(completion);
        Reply::done()
    }

    fn roll_back(&mut self, completion: Completion) -> Reply {
        let undoable = self.transaction.is_open() || !self.autocommit();
        let written = self.transaction.end();
        self.complete(completion);
        match undoable && written {
            true => Reply::done().with_warning(
                NOT_ROLLED_BACK,
                "each statement takes effect at once; earlier changes could not be rolled back",
            ),
            false => Reply::done(),
        }
    }

    fn complete(&mut self, completion: Completion) {
        if completion.chain {
            self.transaction.begin();
        }
        self.released |= completion.release;
    }
}

fn counted(name: &str, count: usize) -> Reply {
    let count = Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    Reply::rows(vec![Column::new(name, ColumnType::Int)], vec![vec![count]])
}
