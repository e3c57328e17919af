//! Lists of catalogs, databases and tables.

use quorate_guest::{Failure, Reply, Value};
use quorate_sql::{DatabaseName, ShowFilter, ShowTables};

use super::answer::Answer;
use super::{CATALOG, COLLATION, INFORMATION_SCHEMA, is_information_schema, relations};
use crate::calendar::timestamp_text;
use crate::evaluate::{Scope, check_catalog};
use crate::keys::{self, DATABASE_NAMES, OBJECT_NAMES, OBJECTS};
use crate::model::{Object, ObjectKind};
use crate::refusal;

const CATALOG_COMMENT: &str = "An internal catalog contains this cluster's self-managed tables.";

pub(super) fn catalogs(filter: Option<&ShowFilter>) -> Result<Reply, Failure> {
    let mut answer = Answer::new(&["Catalog", "Type", "Comment"]);
    answer.push(vec![CATALOG.into(), "Internal".into(), CATALOG_COMMENT.into()]);
    answer.reply(filter)
}

pub(super) fn databases(
    scope: &Scope<'_>,
    catalog: Option<&str>,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    check_catalog(catalog)?;
    let mut names: Vec<String> =
        DATABASE_NAMES.iter(scope.store).map(|((_, name), _)| name).collect();
    let at = names.partition_point(|name| keys::fold(name).as_str() < INFORMATION_SCHEMA);
    names.insert(at, INFORMATION_SCHEMA.to_owned());
    let mut answer = Answer::new(&["Database"]);
    for name in names {
        answer.push(vec![name.into()]);
    }
    answer.reply(filter)
}

pub(super) fn tables(scope: &Scope<'_>, show: &ShowTables) -> Result<Reply, Failure> {
    let database = scope.database_name(show.database.as_ref())?;
    let title = format!("Tables_in_{database}");
    let columns = [title.as_str(), "Table_type"];
    let mut answer = Answer::new(if show.full { &columns } else { &columns[..1] });
    let mut push = |name: &str, table_type: &str| {
        let mut row = vec![name.into()];
        if show.full {
            row.push(table_type.into());
        }
        answer.push(row);
    };
    if is_information_schema(&database) {
        for relation in relations::RELATIONS {
            push(relation.name, relations::SYSTEM_VIEW);
        }
    } else {
        for ((_, _, name), entry) in OBJECT_NAMES.scan_prefix(scope.store, &id(scope, &database)?) {
            push(&name, entry.kind.table_type());
        }
    }
    answer.reply(show.filter.as_ref())
}

pub(super) fn table_status(
    scope: &Scope<'_>,
    database: Option<&DatabaseName>,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    let database = scope.database_name(database)?;
    let numbers = [
        "Version", "Rows", "Avg_row_length", "Data_length", "Max_data_length", "Index_length",
        "Data_free", "Auto_increment", "Checksum",
    ];
    let mut answer = Answer::new(&[
        "Name", "Engine", "Version", "Row_format", "Rows", "Avg_row_length", "Data_length",
        "Max_data_length", "Index_length", "Data_free", "Auto_increment", "Create_time",
        "Update_time", "Check_time", "Collation", "Checksum", "Create_options", "Comment",
    ])
    .integers(&numbers);
    if is_information_schema(&database) {
        return answer.reply(filter);
    }
    let id = id(scope, &database)?;
    for (_, entry) in OBJECT_NAMES.scan_prefix(scope.store, &id) {
        let Some(object) = OBJECTS.get(scope.store, &(id, entry.id)) else { continue };
        answer.push(status(&object));
    }
    answer.reply(filter)
}

fn status(object: &Object) -> Vec<Value> {
    let (created, changed) = object.stamps();
    let table = object.kind() == ObjectKind::Table;
    let number = |value: i64| if table { Value::Int(value) } else { Value::Null };
    let text = |value: &str| if table { Value::from(value) } else { Value::Null };
    vec![
        object.name().into(),
        text("StarRocks"),
        Value::Null,
        text(""),
        number(0),
        number(0),
        number(0),
        number(0),
        Value::Null,
        Value::Null,
        Value::Null,
        timestamp_text(created.time_us).into(),
        timestamp_text(changed.time_us).into(),
        Value::Null,
        text(COLLATION),
        Value::Null,
        Value::Null,
        if table { object.comment().into() } else { "VIEW".into() },
    ]
}

/// The id of a database that is no system database.
fn id(scope: &Scope<'_>, name: &str) -> Result<u64, Failure> {
    let database = keys::database(scope.store, name);
    database.map(|database| database.id).ok_or_else(|| refusal::unknown_database(name))
}
