//! `ALTER TABLE`: actions one after the other on a table held in memory, stored at the end.
//!
//! Partitions and names are written as the actions come to them; later actions see that, and a
//! refusal drops it. StarRocks runs some of these as jobs in the background. A catalog has no data
//! to move, so all are done when the statement returns, and `SHOW ALTER TABLE` is always empty.

use quorate_guest::{Failure, Reply};
use quorate_sql::{AlterAction, Distribution, PartitionItem};

use super::{Change, Event, checked, columns};
use crate::command::Target;
use crate::define::{self, Extents};
use crate::keys::{self, PARTITIONS, fold};
use crate::model::{self, Database, Object, Partition, Table};
use crate::refusal;

impl Change<'_> {
    pub(super) fn alter_table(
        &mut self,
        target: &Target,
        actions: &[AlterAction],
    ) -> Result<Reply, Failure> {
        let (database, mut table) = self.table(target)?;
        for action in actions {
            self.alter(&database, &mut table, action)?;
        }
        table.changed = self.origin.stamp;
        let object = Object::Table(Box::new(table));
        self.put_object(database.id, &object)?;
        self.emit_object(Event::Altered, &database, &object);
        Ok(Reply::done())
    }

    fn alter(
        &mut self,
        database: &Database,
        table: &mut Table,
        action: &AlterAction,
    ) -> Result<(), Failure> {
        match action {
            AlterAction::AddColumn { column, position } => {
                columns::add(table, column, position.as_ref())?;
            }
            AlterAction::AddColumns(added) => {
                added.iter().try_for_each(|column| columns::add(table, column, None))?;
            }
            AlterAction::DropColumn(name) => columns::drop(table, name)?,
            AlterAction::ModifyColumn { column, position } => {
                columns::modify(table, column, position.as_ref())?;
            }
            AlterAction::ModifyColumnComment { name, comment } => {
                columns::find(table, name)?.comment.clone_from(comment);
            }
            AlterAction::RenameColumn { from, to } => columns::rename(table, from, to)?,
            AlterAction::OrderBy(names) => columns::order(table, names)?,
            AlterAction::Rename(to) => self.rename_table(database, table, to)?,
            AlterAction::SwapWith(other) => self.swap_tables(database, table, other)?,
            AlterAction::SetProperties(properties) => {
                model::set_properties(&mut table.properties, &checked(properties)?);
            }
            AlterAction::SetComment(comment) => table.comment.clone_from(comment),
            AlterAction::SetDistribution(distribution) => {
                table.distribution = define::distribution(table, Some(distribution))?;
            }
            AlterAction::AddPartition { temporary, partition, distribution, properties } => {
                let mut item = partition.clone();
                if let PartitionItem::One(partition) = &mut item {
                    partition.properties.extend_from_slice(properties);
                }
                let place = (database.id, table.id);
                self.add_partition(place, table, *temporary, &item, distribution.as_ref())?;
            }
            AlterAction::DropPartition { temporary, if_exists, name, force: _ } => {
                self.drop_partition((database.id, table.id), table, *temporary, name, *if_exists)?;
            }
            AlterAction::RenamePartition { from, to } => {
                self.rename_partition((database.id, table.id), table, from, to)?;
            }
            AlterAction::AddIndex(index) => {
                let index = define::index(table, index)?;
                table.indexes.push(index);
            }
            AlterAction::DropIndex(name) => {
                let at = table.indexes.iter().position(|i| i.name.eq_ignore_ascii_case(name));
                table.indexes.remove(at.ok_or_else(|| refusal::nothing_to_drop(name))?);
            }
            AlterAction::AddRollup(rollup) => {
                let rollup = define::rollup(table, rollup)?;
                table.rollups.push(rollup);
            }
            AlterAction::DropRollup(name) => {
                let at = table.rollups.iter().position(|r| r.name.eq_ignore_ascii_case(name));
                table.rollups.remove(at.ok_or_else(|| refusal::nothing_to_drop(name))?);
            }
        }
        Ok(())
    }

    fn rename_table(
        &mut self,
        database: &Database,
        table: &mut Table,
        to: &str,
    ) -> Result<(), Failure> {
        let taken = keys::entry(self.store, database.id, to).is_some();
        if taken || table.rollups.iter().any(|rollup| rollup.name == to) {
            return Err(refusal::table_exists(to));
        }
        self.delete_name(database.id, &table.name);
        self.name_table(database, table, to)
    }

    /// Both records take the other's name.
    fn swap_tables(
        &mut self,
        database: &Database,
        table: &mut Table,
        other: &str,
    ) -> Result<(), Failure> {
        let full = format!("{}.{other}", database.name);
        let mut swapped = match keys::object(self.store, database.id, other) {
            Some(Object::Table(swapped)) => *swapped,
            Some(Object::View(_)) => return Err(refusal::wrong_object(&full, "BASE TABLE")),
            None => return Err(refusal::no_table(&full)),
        };
        if swapped.id == table.id {
            return Err(refusal::table_exists(other));
        }
        let mine = table.name.clone();
        self.name_table(database, table, other)?;
        self.name_table(database, &mut swapped, &mine)?;
        swapped.changed = self.origin.stamp;
        let object = Object::Table(Box::new(swapped));
        self.put_object(database.id, &object)?;
        self.emit_object(Event::Altered, database, &object);
        Ok(())
    }

    /// Gives a table a name, and its only partition too when it is not partitioned.
    fn name_table(
        &mut self,
        database: &Database,
        table: &mut Table,
        name: &str,
    ) -> Result<(), Failure> {
        let place = (database.id, table.id);
        if table.partitioning.is_none() {
            for mut partition in keys::partitions(self.store, place, false) {
                self.delete_partition(place, false, &partition.name);
                name.clone_into(&mut partition.name);
                self.put_partition(place, false, &partition)?;
            }
        }
        name.clone_into(&mut table.name);
        let object = Object::Table(Box::new(table.clone()));
        self.put_name(database.id, &object);
        Ok(())
    }

    fn add_partition(
        &mut self,
        place: (u64, u64),
        table: &Table,
        temporary: bool,
        item: &PartitionItem,
        distribution: Option<&Distribution>,
    ) -> Result<(), Failure> {
        if let Some(distribution) = distribution {
            // Buckets may differ from partition to partition, the way rows find them may not.
            if define::distribution(table, Some(distribution))?.method != table.distribution.method {
                return Err(refusal::invalid("Cannot assign different distribution columns"));
            }
        }
        let mut extents = Extents::new(table, &keys::partitions(self.store, place, temporary))?;
        for partition in extents.add(item, distribution, &mut self.origin)? {
            self.put_partition(place, temporary, &partition)?;
        }
        Ok(())
    }

    fn drop_partition(
        &mut self,
        place: (u64, u64),
        table: &Table,
        temporary: bool,
        name: &str,
        if_exists: bool,
    ) -> Result<(), Failure> {
        if table.partitioning.is_none() {
            return Err(refusal::not_partitioned(&table.name));
        }
        match self.partition(place, temporary, name) {
            Some(_) => self.delete_partition(place, temporary, name),
            None if if_exists => {}
            None => {
                let message = format!("Error in list of partitions to DROP: {name}");
                return Err(Failure::new(1507, "HY000", message));
            }
        }
        Ok(())
    }

    fn rename_partition(
        &mut self,
        place: (u64, u64),
        table: &Table,
        from: &str,
        to: &str,
    ) -> Result<(), Failure> {
        if table.partitioning.is_none() {
            return Err(refusal::not_partitioned(&table.name));
        }
        let unknown = || refusal::unknown_partition(from, &table.name);
        let mut partition = self.partition(place, false, from).ok_or_else(unknown)?;
        if fold(from) != fold(to) && self.partition(place, false, to).is_some() {
            return Err(refusal::duplicate_partition(to));
        }
        self.delete_partition(place, false, from);
        to.clone_into(&mut partition.name);
        self.put_partition(place, false, &partition)
    }

    fn partition(&self, place: (u64, u64), temporary: bool, name: &str) -> Option<Partition> {
        PARTITIONS.get(self.store, &(place.0, place.1, u8::from(temporary), fold(name)))
    }

    fn delete_partition(&mut self, place: (u64, u64), temporary: bool, name: &str) {
        let key = (place.0, place.1, u8::from(temporary), fold(name));
        PARTITIONS.delete(self.store, &key);
    }
}
