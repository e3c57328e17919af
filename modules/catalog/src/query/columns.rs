//! `DESC`, `SHOW COLUMNS` and `SHOW INDEX`.

use quorate_guest::{Failure, Reply, Value};
use quorate_sql::{AggregateType, DefaultValue, Describe, ObjectName, ShowColumns, ShowFilter};

use super::answer::Answer;
use super::relations::{self, Relation};
use super::is_information_schema;
use crate::evaluate::Scope;
use crate::keys;
use crate::model::{self, Object, Table, View};
use crate::refusal;

/// A table, a view or a relation of information_schema.
pub(super) enum Found {
    Object(Object),
    Relation(&'static Relation),
}

/// The table, view or relation of that name.
pub(super) fn find(scope: &Scope<'_>, name: &ObjectName) -> Result<Found, Failure> {
    let database = scope.database_of(name)?;
    let missing = || refusal::no_table(&format!("{database}.{}", name.name));
    if is_information_schema(&database) {
        return relations::find(&name.name).map(Found::Relation).ok_or_else(missing);
    }
    let found = keys::database(scope.store, &database)
        .ok_or_else(|| refusal::unknown_database(&database))?;
    keys::object(scope.store, found.id, &name.name).map(Found::Object).ok_or_else(missing)
}

/// What is said of a column, whatever it belongs to.
struct Line {
    name: String,
    data_type: String,
    nullable: bool,
    key: bool,
    default: Value,
    extra: String,
    comment: String,
}

fn lines(found: &Found) -> Vec<Line> {
    match found {
        Found::Object(Object::Table(table)) => table.columns.iter().map(column_line).collect(),
        Found::Object(Object::View(view)) => view_lines(view),
        Found::Relation(relation) => relation
            .columns
            .iter()
            .map(|(name, column_type)| Line {
                data_type: relations::data_type(*column_type).to_string(),
                ..plain_line(name)
            })
            .collect(),
    }
}

fn plain_line(name: &str) -> Line {
    Line {
        name: name.to_owned(),
        data_type: String::new(),
        nullable: true,
        key: false,
        default: Value::Null,
        extra: String::new(),
        comment: String::new(),
    }
}

fn column_line(column: &model::Column) -> Line {
    Line {
        data_type: column.data_type.to_string(),
        nullable: column.nullable,
        key: column.key,
        default: default_value(column),
        extra: extra(column),
        comment: column.comment.clone(),
        ..plain_line(&column.name)
    }
}

/// The columns that the view itself names. The types are the query's, which is not analysed here.
fn view_lines(view: &View) -> Vec<Line> {
    let line = |column: &quorate_sql::ViewColumn| Line {
        data_type: relations::UNKNOWN_TYPE.to_owned(),
        comment: column.comment.clone().unwrap_or_default(),
        ..plain_line(&column.name)
    };
    view.columns.iter().map(line).collect()
}

/// The default of a column as `DESC` and information_schema show it.
pub(super) fn default_value(column: &model::Column) -> Value {
    match &column.default {
        None => Value::Null,
        Some(DefaultValue::Literal(literal)) => literal.text().map(str::to_owned).into(),
        Some(default) => default.to_string().into(),
    }
}

/// Aggregation and generation, as `DESC` and information_schema show them.
pub(super) fn extra(column: &model::Column) -> String {
    match (&column.generated, column.aggregate) {
        (Some(expression), _) => format!("AS {expression}"),
        (None, Some(aggregate)) => AggregateType::keyword(aggregate).to_owned(),
        (None, None) if column.auto_increment => "auto_increment".to_owned(),
        (None, None) => String::new(),
    }
}

pub(super) fn yes(value: bool) -> Value {
    if value { "YES".into() } else { "NO".into() }
}

pub(super) fn describe(scope: &Scope<'_>, describe: &Describe) -> Result<Reply, Failure> {
    let found = find(scope, &describe.table)?;
    let mut lines = lines(&found);
    if let Some(pattern) = &describe.column {
        lines.retain(|line| quorate_sql::like_match(pattern, &line.name, true));
    }
    let row = |line: &Line| {
        vec![
            line.name.as_str().into(),
            line.data_type.as_str().into(),
            yes(line.nullable),
            if line.key { "true".into() } else { "false".into() },
            line.default.clone(),
            line.extra.as_str().into(),
        ]
    };
    if !describe.all {
        let mut answer = Answer::new(&["Field", "Type", "Null", "Key", "Default", "Extra"]);
        lines.iter().for_each(|line| answer.push(row(line)));
        return answer.reply(None);
    }
    let mut answer = Answer::new(&[
        "IndexName", "IndexKeysType", "Field", "Type", "Null", "Key", "Default", "Extra",
    ]);
    let mut push = |index: &str, model: &str, line: &Line| {
        let mut cells = vec![index.into(), model.into()];
        cells.extend(row(line));
        answer.push(cells);
    };
    let model = match &found {
        Found::Object(Object::Table(table)) => table.key.table_model(),
        _ => "",
    };
    lines.iter().for_each(|line| push(&describe.table.name, model, line));
    if let Found::Object(Object::Table(table)) = &found {
        for rollup in &table.rollups {
            let columns = rollup.columns.iter().filter_map(|name| table.column(name));
            columns.for_each(|column| push(&rollup.name, model, &column_line(column)));
        }
    }
    answer.reply(None)
}

pub(super) fn show(scope: &Scope<'_>, show: &ShowColumns) -> Result<Reply, Failure> {
    let found = find(scope, &show.table)?;
    let full = [
        "Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment",
    ];
    let plain = ["Field", "Type", "Null", "Key", "Default", "Extra"];
    let mut answer = Answer::new(if show.full { &full } else { &plain });
    for line in lines(&found) {
        let (nullable, key) = (yes(line.nullable), yes(line.key));
        let (name, data_type) = (line.name.into(), line.data_type.into());
        answer.push(match show.full {
            true => vec![
                name,
                data_type,
                "".into(),
                nullable,
                key,
                line.default,
                line.extra.into(),
                "".into(),
                line.comment.into(),
            ],
            false => vec![name, data_type, nullable, key, line.default, line.extra.into()],
        });
    }
    answer.reply(show.filter.as_ref())
}

/// The indexes of a table, a row for each column. Keys are not among them, as in StarRocks.
pub(super) fn index(
    scope: &Scope<'_>,
    name: &ObjectName,
    filter: Option<&ShowFilter>,
) -> Result<Reply, Failure> {
    let mut answer = Answer::new(&[
        "Table", "Non_unique", "Key_name", "Seq_in_index", "Column_name", "Collation",
        "Cardinality", "Sub_part", "Packed", "Null", "Index_type", "Comment",
    ])
    .integers(&["Non_unique", "Seq_in_index", "Cardinality", "Sub_part"]);
    if let Found::Object(Object::Table(table)) = find(scope, name)? {
        index_rows(&table).into_iter().for_each(|row| answer.push(row));
    }
    answer.reply(filter)
}

fn index_rows(table: &Table) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for index in &table.indexes {
        for (at, column) in index.columns.iter().enumerate() {
            let nullable = table.column(column).is_some_and(|column| column.nullable);
            rows.push(vec![
                table.name.as_str().into(),
                Value::Int(1),
                index.name.as_str().into(),
                Value::Int(at as i64 + 1),
                column.as_str().into(),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Null,
                if nullable { "YES".into() } else { "".into() },
                index.using.clone().into(),
                index.comment.clone().unwrap_or_default().into(),
            ]);
        }
    }
    rows
}
