//! Tables as a whole: their creation and their end.

use quorate_guest::{Failure, Reply};
use quorate_sql::CreateTable;

use super::{Change, Event, full_name, noted};
use crate::command::{Ref, Target};
use crate::define;
use crate::keys::{self, OBJECTS, PARTITIONS};
use crate::model::{Database, Object, ObjectKind, Partition, Table};
use crate::refusal;

impl Change<'_> {
    pub(super) fn create_table(
        &mut self,
        database: &Ref,
        statement: &CreateTable,
    ) -> Result<Reply, Failure> {
        let database = self.database(database)?;
        let name = &statement.name.name;
        if keys::entry(self.store, database.id, name).is_some() {
            let failure = refusal::table_exists(name);
            return if statement.if_not_exists { Ok(noted(failure)) } else { Err(failure) };
        }
        let (table, partitions) = define::table(statement, &mut self.origin)?;
        self.insert_table(&database, table, &partitions)
    }

    /// The new table has the columns, the partitions and everything else of the source, but for
    /// its temporary partitions.
    pub(super) fn create_table_like(
        &mut self,
        database: &Ref,
        name: String,
        if_not_exists: bool,
        source: &Target,
    ) -> Result<Reply, Failure> {
        let database = self.database(database)?;
        if keys::entry(self.store, database.id, &name).is_some() {
            let failure = refusal::table_exists(&name);
            return if if_not_exists { Ok(noted(failure)) } else { Err(failure) };
        }
        let (source_database, mut table) = self.table(source)?;
        let mut partitions = keys::partitions(self.store, (source_database.id, table.id), false);
        table.id = self.origin.id();
        table.name = name;
        table.created = self.origin.stamp;
        table.changed = self.origin.stamp;
        for partition in &mut partitions {
            partition.id = self.origin.id();
            partition.created = self.origin.stamp;
            if table.partitioning.is_none() {
                partition.name.clone_from(&table.name);
            }
        }
        self.insert_table(&database, table, &partitions)
    }

    fn insert_table(
        &mut self,
        database: &Database,
        table: Table,
        partitions: &[Partition],
    ) -> Result<Reply, Failure> {
        for partition in partitions {
            self.put_partition((database.id, table.id), false, partition)?;
        }
        let object = Object::Table(Box::new(table));
        self.put_object(database.id, &object)?;
        self.put_name(database.id, &object);
        self.emit_object(Event::Created, database, &object);
        Ok(Reply::done())
    }

    /// A truncated partition gets a new id, as in StarRocks: whoever holds data for the old id
    /// knows that it is gone.
    pub(super) fn truncate_table(
        &mut self,
        target: &Target,
        names: &[String],
    ) -> Result<Reply, Failure> {
        let (database, table) = self.table(target)?;
        let place = (database.id, table.id);
        let truncated = match names {
            [] => keys::partitions(self.store, place, false),
            names => names
                .iter()
                .map(|name| {
                    let key = (place.0, place.1, 0, keys::fold(name));
                    let found = PARTITIONS.get(self.store, &key);
                    found.ok_or_else(|| refusal::unknown_partition(name, &table.name))
                })
                .collect::<Result<_, _>>()?,
        };
        for mut partition in truncated {
            partition.id = self.origin.id();
            partition.created = self.origin.stamp;
            self.put_partition(place, false, &partition)?;
        }
        self.emit_object(Event::Altered, &database, &Object::Table(Box::new(table)));
        Ok(Reply::done())
    }

    pub(super) fn drop_object(
        &mut self,
        target: &Target,
        kind: ObjectKind,
        if_exists: bool,
    ) -> Result<Reply, Failure> {
        let Some((database, object)) = self.find(target)? else {
            let failure = refusal::unknown_table(&full_name(target));
            return if if_exists { Ok(noted(failure)) } else { Err(failure) };
        };
        if object.kind() != kind {
            let wanted = match kind {
                ObjectKind::Table => "BASE TABLE",
                ObjectKind::View => "VIEW",
            };
            return Err(refusal::wrong_object(&full_name(target), wanted));
        }
        let place = (database.id, object.id());
        self.delete_name(database.id, object.name());
        OBJECTS.delete(self.store, &place);
        if kind == ObjectKind::Table {
            PARTITIONS.delete_prefix(self.store, &place);
        }
        self.emit_object(Event::Dropped, &database, &object);
        Ok(Reply::done())
    }
}
