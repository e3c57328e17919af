//! Views.

use std::collections::BTreeSet;

use quorate_guest::{Failure, Reply};
use quorate_sql::{CreateView, ViewColumn};

use super::{Change, Event, full_name, noted};
use crate::command::{Ref, Target};
use crate::keys::{self, fold};
use crate::model::{Object, View};
use crate::refusal;

impl Change<'_> {
    pub(super) fn create_view(
        &mut self,
        database: &Ref,
        statement: CreateView,
    ) -> Result<Reply, Failure> {
        let database = self.database(database)?;
        let CreateView { name, or_replace, if_not_exists, columns, comment, query } = statement;
        check_columns(&columns)?;
        let old = keys::object(self.store, database.id, &name.name);
        let (id, created) = match &old {
            Some(Object::View(old)) if or_replace => (old.id, old.created),
            Some(Object::View(_)) if if_not_exists => {
                return Ok(noted(refusal::table_exists(&name.name)));
            }
            Some(_) => return Err(refusal::table_exists(&name.name)),
            None => (self.origin.id(), self.origin.stamp),
        };
        let object = Object::View(Box::new(View {
            id,
            name: name.name,
            created,
            changed: self.origin.stamp,
            columns,
            comment: comment.unwrap_or_default(),
            query,
        }));
        self.put_object(database.id, &object)?;
        self.put_name(database.id, &object);
        let event = if old.is_some() { Event::Altered } else { Event::Created };
        self.emit_object(event, &database, &object);
        Ok(Reply::done())
    }

    pub(super) fn alter_view(
        &mut self,
        target: &Target,
        columns: Vec<ViewColumn>,
        query: String,
    ) -> Result<Reply, Failure> {
        check_columns(&columns)?;
        let (database, mut view) = match self.find(target)? {
            Some((database, Object::View(view))) => (database, view),
            Some(_) => return Err(refusal::wrong_object(&full_name(target), "VIEW")),
            None => return Err(refusal::no_table(&full_name(target))),
        };
        view.columns = columns;
        view.query = query;
        view.changed = self.origin.stamp;
        let object = Object::View(view);
        self.put_object(database.id, &object)?;
        self.emit_object(Event::Altered, &database, &object);
        Ok(Reply::done())
    }
}

fn check_columns(columns: &[ViewColumn]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match columns.iter().find(|column| !seen.insert(fold(&column.name))) {
        Some(twice) => Err(refusal::duplicate_column(&twice.name)),
        None => Ok(()),
    }
}
