//! What each command does.

use std::collections::btree_map::Entry;

use mysql_common::constants::{CapabilityFlags, StatusFlags};
use quorate_sql::{KillTarget, split};
use quorate_wire::{Body, Column, ColumnType, Failure, Reply, Rows, Value};

use crate::mysql::channel::Broken;
use crate::mysql::command::Command;
use crate::mysql::connection::{Connection, End};
use crate::mysql::handshake;
use crate::mysql::reply::{OK, Tail};
use crate::mysql::resultset::{Encoding, put_columns, put_rows};
use crate::mysql::statement::Binding;
use crate::session::{Description, unknown_statement};

impl Connection {
    /// Does what a client asks, and puts the answer.
    pub async fn obey(&mut self, command: Command<'_>) -> Result<(), End> {
        match command {
            Command::Query(text) => self.query(text).await?,
            Command::Prepare(text) => self.prepare(text).await?,
            Command::Execute(id, payload) => self.execute(id, payload).await?,
            Command::SendLongData(id, parameter, piece) => {
                // Has no answer, not even for an unknown statement.
                if let Some(binding) = self.bindings.get_mut(&id) {
                    binding.append(parameter, piece);
                }
            }
            Command::Close(id) => {
                self.bindings.remove(&id);
                self.session.close_prepared(id);
            }
            Command::ResetStatement(id) => match self.bindings.get_mut(&id) {
                Some(binding) => {
                    binding.reset();
                    self.put_ok(0);
                }
                None => self.put_error(&unknown_statement(id, "mysql_stmt_reset")),
            },
            Command::Ping => self.put_ok(0),
            Command::Quit => return Err(End::Silent),
            Command::InitDb(name) => {
                let Self { session, channel, .. } = self;
                let result = tokio::select! {
                    biased;
                    result = session.use_database(name) => result,
                    () = channel.gone() => return Err(End::Silent),
                };
                self.answer(result, Encoding::Text, StatusFlags::empty()).await?;
            }
            Command::FieldList => self.put_end(),
            Command::Statistics => {
                let line = self.session.statistics();
                self.channel.put(|out| out.extend_from_slice(line.as_bytes()));
            }
            Command::ProcessKill(id) => match self.session.kill(id, KillTarget::Connection) {
                Ok(()) => self.put_ok(0),
                Err(failure) => self.put_error(&failure),
            },
            Command::ChangeUser(payload) => {
                let credentials = handshake::change_user(payload, self.capabilities);
                self.authenticate(credentials.map_err(End::Farewell)?).await?;
                self.put_ok(0);
            }
            Command::ResetConnection => {
                self.session.reset();
                self.bindings.clear();
                self.put_ok(0);
            }
            Command::SetMultiStatements(on) => {
                self.capabilities.set(CapabilityFlags::CLIENT_MULTI_STATEMENTS, on);
                self.put_end();
            }
        }
        Ok(())
    }

    /// Answers the statements of a text one after the other, up to the first that fails.
    async fn query(&mut self, text: &str) -> Result<(), Broken> {
        let several = self.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        // A text that cannot be cut is one statement: whose it is decides what is wrong with it.
        let statements = match split(text) {
            Ok(statements) if several && !statements.is_empty() => statements,
            _ => vec![text],
        };
        let last = statements.len() - 1;
        for (index, statement) in statements.into_iter().enumerate() {
            let result = match is_local_load(statement) {
                true => Err(Failure::new(3948, "42000", "Loading local data is disabled")),
                false => self.run(statement).await?,
            };
            let more = match index < last {
                true => StatusFlags::SERVER_MORE_RESULTS_EXISTS,
                false => StatusFlags::empty(),
            };
            let failed = result.is_err();
            self.answer(result, Encoding::Text, more).await?;
            if failed || self.session.killed().is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Runs a statement as long as there is a client to answer.
    async fn run(&mut self, sql: &str) -> Result<Result<Reply, Failure>, Broken> {
        let Self { session, channel, .. } = self;
        tokio::select! {
            biased;
            result = session.execute(sql) => Ok(result),
            () = channel.gone() => Err(Broken::Closed),
        }
    }

    async fn prepare(&mut self, text: &str) -> Result<(), Broken> {
        let Self { session, channel, .. } = self;
        let described = tokio::select! {
            biased;
            described = session.prepare(text) => described,
            () = channel.gone() => return Err(Broken::Closed),
        };
        let Description { id, parameters, columns } = match described {
            Ok(description) => description,
            Err(failure) => {
                self.put_error(&failure);
                return Ok(());
            }
        };
        self.bindings.insert(id, Binding::new(parameters));
        let tail = self.tail();
        self.channel.put(|out| {
            out.push(OK);
            out.extend_from_slice(&id.to_le_bytes());
            // A query has far fewer columns than that.
            let count = u16::try_from(columns.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&count.to_le_bytes());
            out.extend_from_slice(&parameters.to_le_bytes());
            out.push(0);
            out.extend_from_slice(&tail.warnings.to_le_bytes());
        });
        let parameters = vec![Column::new("?", ColumnType::Text); usize::from(parameters)];
        for columns in [parameters, columns] {
            if !columns.is_empty() {
                put_columns(&mut self.channel, &columns, &tail).await?;
            }
        }
        Ok(())
    }

    async fn execute(&mut self, id: u32, payload: &[u8]) -> Result<(), Broken> {
        let values = match self.bindings.entry(id) {
            Entry::Occupied(mut binding) => binding.get_mut().values(payload),
            Entry::Vacant(_) => Err(unknown_statement(id, "mysqld_stmt_execute")),
        };
        let Self { session, channel, .. } = self;
        let result = match values {
            Ok(values) => tokio::select! {
                biased;
                result = session.execute_prepared(id, &values) => result,
                () = channel.gone() => return Err(Broken::Closed),
            },
            Err(failure) => Err(failure),
        };
        self.answer(result, Encoding::Binary, StatusFlags::empty()).await
    }

    /// Puts what came of a statement.
    async fn answer(
        &mut self,
        result: Result<Reply, Failure>,
        encoding: Encoding,
        more: StatusFlags,
    ) -> Result<(), Broken> {
        let rows = match result.map(|reply| reply.body) {
            Err(failure) => {
                self.put_error(&failure);
                return Ok(());
            }
            Ok(Body::Done { affected }) => {
                let tail = self.tail_with(more);
                self.channel.put(|out| tail.ok(out, affected));
                return Ok(());
            }
            Ok(Body::Rows(rows)) => rows,
            Ok(Body::Bytes(bytes)) => Rows {
                columns: vec![Column::new("reply", ColumnType::Bytes)],
                rows: vec![vec![Value::Bytes(bytes)]],
            },
        };
        let tail = self.tail_with(more);
        put_rows(&mut self.channel, &rows, encoding, &tail).await
    }

    fn tail_with(&mut self, more: StatusFlags) -> Tail {
        let mut tail = self.tail();
        tail.status |= more;
        tail
    }

    fn put_end(&mut self) {
        let tail = self.tail();
        self.channel.put(|out| tail.end(out));
    }
}

/// Whether a statement would have the client send one of its files.
fn is_local_load(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace();
    let mut is = |names: &[&str]| {
        words.next().is_some_and(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
    };
    is(&["LOAD"]) && is(&["DATA", "XML"]) && is(&["LOCAL"])
}
