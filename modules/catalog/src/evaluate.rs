//! Statements: what is read is answered, what is written becomes a command.
//!
//! Names are looked up here, in the database of the session where none is written. The command is
//! then run on a [`Draft`]: see there why.

use quorate_guest::{Context, Evaluation, Failure, ReadStore, Reply, Session, SessionChange};
use quorate_sql::{
    AlterDatabase, CatalogStatement, CreateDatabase, CreateTableLike, DatabaseAction, DatabaseName,
    ObjectName, catalog_statement,
};

use crate::apply;
use crate::command::{Command, Ref, Target};
use crate::draft::Draft;
use crate::keys;
use crate::query::{self, CATALOG, is_system};
use crate::refusal;

/// Who asks, and what is there.
pub struct Scope<'a> {
    /// Who asks.
    pub session: &'a Session,
    /// The last applied entry.
    pub context: &'a Context,
    /// The state.
    pub store: &'a dyn ReadStore,
}

/// Turns a statement into a reply or a command.
///
/// # Errors
/// Texts that are no statement of the catalog's, names that are not there, and what `apply` would
/// refuse.
pub fn text(scope: &Scope<'_>, text: &str) -> Result<Evaluation<Command>, Failure> {
    let statement = catalog_statement(text)
        .map_err(|error| Failure::new(error.errno(), error.sqlstate(), error.to_string()))?;
    match statement {
        CatalogStatement::Use(name) => scope.use_database(&name).map(Evaluation::Reply),
        CatalogStatement::SetCatalog(name) => {
            check_catalog(Some(&name))?;
            Ok(Evaluation::Reply(Reply::done()))
        }
        CatalogStatement::Show(show) => query::show(scope, &show).map(Evaluation::Reply),
        CatalogStatement::Describe(describe) => {
            query::describe(scope, &describe).map(Evaluation::Reply)
        }
        write => match scope.command(write)? {
            Evaluation::Command(command) => scope.propose(command),
            reply => Ok(reply),
        },
    }
}

/// Refuses every catalog but the internal one.
///
/// # Errors
/// The catalog is unknown.
pub fn check_catalog(name: Option<&str>) -> Result<(), Failure> {
    match name {
        Some(name) if !name.eq_ignore_ascii_case(CATALOG) => Err(refusal::unknown_catalog(name)),
        _ => Ok(()),
    }
}

impl Scope<'_> {
    /// Runs the command on a draft. What fails there is refused, what changes nothing is answered.
    fn propose(&self, command: Command) -> Result<Evaluation<Command>, Failure> {
        let mut draft = Draft::new(self.store);
        let reply = apply::run(self.context, &mut draft, command.clone())?;
        Ok(match draft.is_unchanged() {
            true => Evaluation::Reply(reply),
            false => Evaluation::Command(command),
        })
    }

    fn command(&self, statement: CatalogStatement) -> Result<Evaluation<Command>, Failure> {
        let command = match statement {
            CatalogStatement::CreateDatabase(create) => return self.create_database(create),
            CatalogStatement::DropDatabase(drop) => {
                let name = self.writable_database(&drop.name)?;
                match keys::database(self.store, &name) {
                    None if drop.if_exists => return missing(refusal::no_database_to_drop(&name)),
                    None => return Err(refusal::no_database_to_drop(&name)),
                    Some(database) => Command::DropDatabase {
                        database: Ref { id: database.id, name },
                        if_exists: drop.if_exists,
                    },
                }
            }
            CatalogStatement::AlterDatabase(alter) => self.alter_database(alter)?,
            CatalogStatement::CreateTable(mut table) => {
                let database = self.place(&table.name)?;
                (table.name.catalog, table.name.database) = (None, None);
                Command::CreateTable { database, table }
            }
            CatalogStatement::CreateTableLike(like) => self.create_table_like(*like)?,
            CatalogStatement::AlterTable(alter) => {
                Command::AlterTable { target: self.existing(&alter.name)?, actions: alter.actions }
            }
            CatalogStatement::TruncateTable(truncate) => Command::TruncateTable {
                target: self.existing(&truncate.name)?,
                partitions: truncate.partitions,
            },
            CatalogStatement::DropTable(drop) => match self.to_drop(&drop.name, drop.if_exists)? {
                Err(reply) => return Ok(Evaluation::Reply(reply)),
                Ok(target) => Command::DropTable { target, if_exists: drop.if_exists },
            },
            CatalogStatement::CreateView(mut view) => {
                let database = self.place(&view.name)?;
                (view.name.catalog, view.name.database) = (None, None);
                Command::CreateView { database, view }
            }
            CatalogStatement::AlterView(alter) => Command::AlterView {
                target: self.existing(&alter.name)?,
                columns: alter.columns,
                query: alter.query,
            },
            CatalogStatement::DropView(drop) => match self.to_drop(&drop.name, drop.if_exists)? {
                Err(reply) => return Ok(Evaluation::Reply(reply)),
                Ok(target) => Command::DropView { target, if_exists: drop.if_exists },
            },
            CatalogStatement::Use(_)
            | CatalogStatement::SetCatalog(_)
            | CatalogStatement::Show(_)
            | CatalogStatement::Describe(_) => {
                return Err(refusal::invalid("the statement changes nothing"));
            }
        };
        Ok(Evaluation::Command(command))
    }

    fn create_database(&self, create: CreateDatabase) -> Result<Evaluation<Command>, Failure> {
        check_catalog(create.name.catalog.as_deref())?;
        Ok(Evaluation::Command(Command::CreateDatabase {
            name: create.name.name,
            if_not_exists: create.if_not_exists,
            properties: create.properties,
        }))
    }

    fn alter_database(&self, alter: AlterDatabase) -> Result<Command, Failure> {
        let name = self.writable_database(&alter.name)?;
        let database = self.reference(name)?;
        Ok(match alter.action {
            DatabaseAction::Rename(to) => Command::RenameDatabase { database, to },
            DatabaseAction::SetProperties(properties) => {
                Command::SetDatabaseProperties { database, properties }
            }
        })
    }

    fn create_table_like(&self, like: CreateTableLike) -> Result<Command, Failure> {
        if like.external {
            return Err(refusal::unsupported("CREATE EXTERNAL TABLE"));
        }
        Ok(Command::CreateTableLike {
            database: self.place(&like.name)?,
            source: self.existing(&like.source)?,
            name: like.name.name,
            if_not_exists: like.if_not_exists,
        })
    }

    fn use_database(&self, name: &DatabaseName) -> Result<Reply, Failure> {
        let name = self.database_name(Some(name))?;
        let name = match is_system(&name) {
            true => name.to_ascii_lowercase(),
            false => self.reference(name)?.name,
        };
        Ok(Reply::done().with_session(SessionChange::Database(name)))
    }

    /// The database that is named, else the session's.
    pub fn database_name(&self, name: Option<&DatabaseName>) -> Result<String, Failure> {
        if let Some(name) = name {
            check_catalog(name.catalog.as_deref())?;
            return Ok(name.name.clone());
        }
        let current = self.session.database.as_deref().filter(|name| !name.is_empty());
        let current = current.ok_or_else(refusal::no_database)?;
        // A handshake may carry the catalog with it.
        let unqualified = current.split_once('.').filter(|(catalog, _)| *catalog == CATALOG);
        Ok(unqualified.map_or(current, |(_, name)| name).to_owned())
    }

    /// The database of a table or view.
    pub fn database_of(&self, name: &ObjectName) -> Result<String, Failure> {
        check_catalog(name.catalog.as_deref())?;
        match &name.database {
            Some(database) => Ok(database.clone()),
            None => self.database_name(None),
        }
    }

    fn reference(&self, name: String) -> Result<Ref, Failure> {
        match keys::database(self.store, &name) {
            Some(database) => Ok(Ref { id: database.id, name }),
            None => Err(refusal::unknown_database(&name)),
        }
    }

    fn check_writable(&self, name: String) -> Result<String, Failure> {
        match is_system(&name) {
            true => Err(refusal::read_only(&self.session.user, &name)),
            false => Ok(name),
        }
    }

    fn writable_database(&self, name: &DatabaseName) -> Result<String, Failure> {
        self.database_name(Some(name)).and_then(|name| self.check_writable(name))
    }

    /// The database where something of that name is to be created.
    fn place(&self, name: &ObjectName) -> Result<Ref, Failure> {
        let database = self.database_of(name).and_then(|name| self.check_writable(name))?;
        self.reference(database)
    }

    /// A table or view that must exist.
    fn existing(&self, name: &ObjectName) -> Result<Target, Failure> {
        let database = self.place(name)?;
        match keys::entry(self.store, database.id, &name.name) {
            Some(entry) => {
                let object = Ref { id: entry.id, name: name.name.clone() };
                Ok(Target { database, object })
            }
            None => Err(refusal::no_table(&format!("{}.{}", database.name, name.name))),
        }
    }

    /// A table or view that goes; the reply when it is not there and need not be.
    fn to_drop(&self, name: &ObjectName, if_exists: bool) -> Result<Result<Target, Reply>, Failure> {
        let database = self.place(name)?;
        match keys::entry(self.store, database.id, &name.name) {
            Some(entry) => {
                let object = Ref { id: entry.id, name: name.name.clone() };
                Ok(Ok(Target { database, object }))
            }
            None => {
                let failure = refusal::unknown_table(&format!("{}.{}", database.name, name.name));
                if if_exists { Ok(Err(apply::noted(failure))) } else { Err(failure) }
            }
        }
    }
}

fn missing(failure: Failure) -> Result<Evaluation<Command>, Failure> {
    Ok(Evaluation::Reply(apply::noted(failure)))
}
