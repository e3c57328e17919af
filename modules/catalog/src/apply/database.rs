//! Databases.

use quorate_guest::{Failure, Reply};
use quorate_sql::Property;

use super::{Change, Event, Subject, checked, noted};
use crate::command::Ref;
use crate::keys::{self, DATABASE_NAMES, DATABASES, OBJECT_NAMES, OBJECTS, PARTITIONS};
use crate::model::{self, Database};
use crate::query::is_system;
use crate::refusal;

impl Change<'_> {
    pub(super) fn create_database(
        &mut self,
        name: String,
        if_not_exists: bool,
        properties: &[Property],
    ) -> Result<Reply, Failure> {
        if let Some(failure) = self.taken(&name) {
            return if if_not_exists { Ok(noted(failure)) } else { Err(failure) };
        }
        let properties = checked(properties)?;
        let (id, created) = (self.origin.id(), self.origin.stamp);
        let database = Database { id, name, properties, created };
        self.put_database(&database);
        self.put_database_name(&database);
        self.emit(Event::Created, Subject::Database, id, &database.name);
        Ok(Reply::done())
    }

    pub(super) fn drop_database(&mut self, wanted: &Ref, if_exists: bool) -> Result<Reply, Failure> {
        if if_exists && keys::database(self.store, &wanted.name).is_none() {
            return Ok(noted(refusal::no_database_to_drop(&wanted.name)));
        }
        let Database { id, name, .. } = self.database(wanted)?;
        DATABASES.delete(self.store, &id);
        self.delete_database_name(&name);
        OBJECTS.delete_prefix(self.store, &id);
        OBJECT_NAMES.delete_prefix(self.store, &id);
        PARTITIONS.delete_prefix(self.store, &id);
        self.emit(Event::Dropped, Subject::Database, id, &name);
        Ok(Reply::done())
    }

    pub(super) fn rename_database(&mut self, wanted: &Ref, to: String) -> Result<Reply, Failure> {
        let mut database = self.database(wanted)?;
        if let Some(failure) = self.taken(&to) {
            return Err(failure);
        }
        self.delete_database_name(&database.name);
        database.name = to;
        self.put_database(&database);
        self.put_database_name(&database);
        self.emit(Event::Altered, Subject::Database, database.id, &database.name);
        Ok(Reply::done())
    }

    pub(super) fn set_database_properties(
        &mut self,
        wanted: &Ref,
        properties: &[Property],
    ) -> Result<Reply, Failure> {
        let mut database = self.database(wanted)?;
        model::set_properties(&mut database.properties, &checked(properties)?);
        self.put_database(&database);
        self.emit(Event::Altered, Subject::Database, database.id, &database.name);
        Ok(Reply::done())
    }

    /// Why a new database cannot have this name.
    fn taken(&self, name: &str) -> Option<Failure> {
        let taken = is_system(name) || keys::database(self.store, name).is_some();
        taken.then(|| refusal::database_exists(name))
    }

    fn put_database_name(&mut self, database: &Database) {
        let key = (keys::fold(&database.name), database.name.clone());
        DATABASE_NAMES.put(self.store, &key, &database.id);
    }

    fn delete_database_name(&mut self, name: &str) {
        DATABASE_NAMES.delete(self.store, &(keys::fold(name), name.to_owned()));
    }
}
