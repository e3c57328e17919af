//! Commands at their place in the log.
//!
//! Everything that evaluation assumed is checked again here: that names exist and still stand for
//! the same ids, that new names are free, that columns and partitions are what the statement
//! needs. A refusal drops all writes of the command, so an `ALTER TABLE` of several actions is
//! done as a whole or not at all.
//!
//! Ids come from a counter in the state, times from the entry. Each change emits one event.

use quorate_guest::{Codec, Context, Failure, Reply, WriteStore, Writer};
use quorate_sql::Property;

use crate::command::{Command, Ref, Target};
use crate::define::{self, Origin};
use crate::keys::{self, DATABASES, FIRST_ID, NEXT_ID, OBJECT_NAMES, OBJECTS, PARTITIONS};
use crate::model::{Database, Entry, Object, ObjectKind, Partition, Stamp, Table};
use crate::refusal;

mod alter;
mod columns;
mod database;
mod table;
mod view;

/// Largest record, in bytes; a table that would exceed it is refused. The host's limit for values
/// is 1 MiB.
const RECORD_BYTES_MAX: usize = 1_000_000;

/// What happened to an object, for the feed. Tags are append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Created = 0,
    Altered = 1,
    Dropped = 2,
}

/// What an event is about. Tags are append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Database = 0,
    Table = 1,
    View = 2,
}

/// Runs one command.
///
/// # Errors
/// What cannot be done on the state as it is now.
pub fn run(
    context: &Context,
    store: &mut dyn WriteStore,
    command: Command,
) -> Result<Reply, Failure> {
    let first_id = NEXT_ID.get(store, &0).unwrap_or(FIRST_ID);
    let stamp = Stamp { lsn: context.lsn, time_us: context.time_us };
    let mut change = Change { store, origin: Origin { next_id: first_id, stamp } };
    let reply = change.run(command)?;
    if change.origin.next_id != first_id {
        NEXT_ID.put(change.store, &0, &change.origin.next_id);
    }
    Ok(reply)
}

/// One command being applied.
struct Change<'a> {
    store: &'a mut dyn WriteStore,
    origin: Origin,
}

impl Change<'_> {
    fn run(&mut self, command: Command) -> Result<Reply, Failure> {
        match command {
            Command::CreateDatabase { name, if_not_exists, properties } => {
                self.create_database(name, if_not_exists, &properties)
            }
            Command::DropDatabase { database, if_exists } => {
                self.drop_database(&database, if_exists)
            }
            Command::RenameDatabase { database, to } => self.rename_database(&database, to),
            Command::SetDatabaseProperties { database, properties } => {
                self.set_database_properties(&database, &properties)
            }
            Command::CreateTable { database, table } => self.create_table(&database, &table),
            Command::CreateTableLike { database, name, if_not_exists, source } => {
                self.create_table_like(&database, name, if_not_exists, &source)
            }
            Command::AlterTable { target, actions } => self.alter_table(&target, &actions),
            Command::TruncateTable { target, partitions } => {
                self.truncate_table(&target, &partitions)
            }
            Command::DropTable { target, if_exists } => {
                self.drop_object(&target, ObjectKind::Table, if_exists)
            }
            Command::CreateView { database, view } => self.create_view(&database, *view),
            Command::AlterView { target, columns, query } => {
                self.alter_view(&target, columns, query)
            }
            Command::DropView { target, if_exists } => {
                self.drop_object(&target, ObjectKind::View, if_exists)
            }
        }
    }

    /// The database that the statement meant, if it is still there and the same.
    fn database(&self, wanted: &Ref) -> Result<Database, Failure> {
        match keys::database(self.store, &wanted.name) {
            None => Err(refusal::unknown_database(&wanted.name)),
            Some(database) if database.id != wanted.id => Err(refusal::stale(&wanted.name)),
            Some(database) => Ok(database),
        }
    }

    /// The table or view that the statement meant, `None` if it is gone.
    fn find(&self, target: &Target) -> Result<Option<(Database, Object)>, Failure> {
        let database = self.database(&target.database)?;
        match keys::object(self.store, database.id, &target.object.name) {
            Some(object) if object.id() != target.object.id => {
                Err(refusal::stale(&target.object.name))
            }
            Some(object) => Ok(Some((database, object))),
            None => Ok(None),
        }
    }

    fn table(&self, target: &Target) -> Result<(Database, Table), Failure> {
        match self.find(target)? {
            Some((database, Object::Table(table))) => Ok((database, *table)),
            Some((_, Object::View(_))) => {
                Err(refusal::wrong_object(&full_name(target), "BASE TABLE"))
            }
            None => Err(refusal::no_table(&full_name(target))),
        }
    }

    /// Stores a record under its id.
    fn put_object(&mut self, database: u64, object: &Object) -> Result<(), Failure> {
        let bytes = object.to_bytes();
        if bytes.len() > RECORD_BYTES_MAX {
            let message = format!(
                "the definition of '{}' takes {} bytes, at most {RECORD_BYTES_MAX} can be stored",
                object.name(),
                bytes.len()
            );
            return Err(refusal::invalid(message));
        }
        self.store.put(&OBJECTS.stored_key(&(database, object.id())), &bytes);
        Ok(())
    }

    /// Makes a name stand for an object.
    fn put_name(&mut self, database: u64, object: &Object) {
        let entry = Entry { id: object.id(), kind: object.kind() };
        OBJECT_NAMES.put(self.store, &name_key(database, object.name()), &entry);
    }

    fn delete_name(&mut self, database: u64, name: &str) {
        OBJECT_NAMES.delete(self.store, &name_key(database, name));
    }

    fn put_partition(
        &mut self,
        (database, table): (u64, u64),
        temporary: bool,
        partition: &Partition,
    ) -> Result<(), Failure> {
        let bytes = partition.to_bytes();
        if bytes.len() > RECORD_BYTES_MAX {
            let message = format!("the definition of partition '{}' is too long", partition.name);
            return Err(refusal::invalid(message));
        }
        let key = (database, table, u8::from(temporary), keys::fold(&partition.name));
        self.store.put(&PARTITIONS.stored_key(&key), &bytes);
        Ok(())
    }

    fn put_database(&mut self, database: &Database) {
        DATABASES.put(self.store, &database.id, database);
    }

    /// Tells the feed: topic `catalog`, key `database` or `database.object`, and a body of version,
    /// event, subject and id.
    fn emit(&mut self, event: Event, subject: Subject, id: u64, key: &str) {
        let mut body = Writer::new();
        body.byte(1);
        body.byte(event as u8);
        body.byte(subject as u8);
        body.unsigned(id);
        self.store.emit("catalog", key.as_bytes(), &body.finish());
    }

    fn emit_object(&mut self, event: Event, database: &Database, object: &Object) {
        let subject = match object.kind() {
            ObjectKind::Table => Subject::Table,
            ObjectKind::View => Subject::View,
        };
        let key = format!("{}.{}", database.name, object.name());
        self.emit(event, subject, object.id(), &key);
    }
}

/// `database.object`, for messages.
fn full_name(target: &Target) -> String {
    format!("{}.{}", target.database.name, target.object.name)
}

fn name_key(database: u64, name: &str) -> (u64, String, String) {
    (database, keys::fold(name), name.to_owned())
}

/// Done, with the failure that `IF [NOT] EXISTS` turned into a warning.
pub fn noted(failure: Failure) -> Reply {
    Reply::done().with_warning(failure.code, failure.message)
}

fn checked(properties: &[Property]) -> Result<Vec<Property>, Failure> {
    define::check_properties(properties)?;
    Ok(define::sorted(properties))
}
