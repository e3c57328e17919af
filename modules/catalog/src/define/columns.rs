//! Columns and the key.

use std::collections::BTreeSet;

use quorate_guest::Failure;
use quorate_sql::{
    AggregateType, ColumnDef, DataType, DefaultValue, KeyKind, Literal, TableKey,
};

use crate::keys::fold;
use crate::model::Column;
use crate::refusal;
use crate::scalar::is_default;

/// Most columns of a table. More are refused, as in StarRocks.
pub const COLUMNS_MAX: usize = 10_000;

/// A key that nobody wrote has at most this many columns and bytes, as in StarRocks.
const SHORT_KEY_COLUMNS_MAX: usize = 3;
const SHORT_KEY_BYTES_MAX: u32 = 36;

/// The model and the columns that a statement describes.
pub(super) fn columns(
    definitions: &[ColumnDef],
    key: Option<&TableKey>,
) -> Result<(KeyKind, Vec<Column>), Failure> {
    if definitions.len() > COLUMNS_MAX {
        return Err(refusal::invalid(format!("a table has at most {COLUMNS_MAX} columns")));
    }
    let mut seen = BTreeSet::new();
    for definition in definitions {
        if !seen.insert(fold(&definition.name)) {
            return Err(refusal::duplicate_column(&definition.name));
        }
    }
    let (kind, keys) = match key {
        Some(key) => (key.kind, written_key(definitions, key)?),
        None => default_key(definitions)?,
    };
    let columns = definitions
        .iter()
        .enumerate()
        .map(|(at, definition)| column(definition, kind, at < keys))
        .collect::<Result<Vec<_>, _>>()?;
    if columns.iter().filter(|column| column.auto_increment).count() > 1 {
        return Err(refusal::invalid("More than one AUTO_INCREMENT column defined"));
    }
    Ok((kind, columns))
}

/// How many columns the written key has. They must be the first ones, in order.
fn written_key(definitions: &[ColumnDef], key: &TableKey) -> Result<usize, Failure> {
    let exists =
        |name: &String| definitions.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    if let Some(missing) = key.columns.iter().find(|name| !exists(name)) {
        return Err(refusal::unknown_key_column(missing));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = key.columns.iter().find(|name| !seen.insert(fold(name))) {
        return Err(refusal::duplicate_column(twice));
    }
    let mut pairs = key.columns.iter().zip(definitions);
    if !pairs.all(|(name, column)| column.name.eq_ignore_ascii_case(name)) {
        return Err(refusal::invalid(
            "Key columns must be the first few columns of the schema and the order of the key \
             columns must be consistent with the order of the schema",
        ));
    }
    Ok(key.columns.len())
}

/// The key when the statement has no key clause: the columns marked `KEY`, else those before the
/// first aggregated one, else the short key of a duplicate table.
fn default_key(definitions: &[ColumnDef]) -> Result<(KeyKind, usize), Failure> {
    let aggregated = definitions.iter().any(|column| column.aggregate.is_some());
    let kind = if aggregated { KeyKind::Aggregate } else { KeyKind::Duplicate };
    let marked = definitions.iter().take_while(|column| column.key).count();
    if definitions[marked..].iter().any(|column| column.key) {
        return Err(refusal::invalid("Key columns should be a ordered prefix of the schema"));
    }
    if marked > 0 {
        return Ok((kind, marked));
    }
    if aggregated {
        let keys = definitions.iter().take_while(|column| column.aggregate.is_none()).count();
        return Ok((kind, keys));
    }
    let mut bytes = 0;
    let mut keys = 0;
    for definition in definitions.iter().take(SHORT_KEY_COLUMNS_MAX) {
        bytes += super::key_bytes(&definition.data_type);
        let fits = definition.data_type.may_be_key() && definition.generated.is_none();
        if !fits || (keys > 0 && bytes > SHORT_KEY_BYTES_MAX) {
            break;
        }
        keys += 1;
        if matches!(definition.data_type, DataType::Varchar(_)) {
            break;
        }
    }
    match keys {
        0 => Err(refusal::invalid(
            "The olap table first column could not be float, double, complex type; use decimal \
             instead",
        )),
        keys => Ok((kind, keys)),
    }
}

/// One column of a table of model `kind`.
///
/// # Errors
/// What StarRocks would refuse of a column by itself.
pub fn column(definition: &ColumnDef, kind: KeyKind, key: bool) -> Result<Column, Failure> {
    let name = &definition.name;
    check_aggregate(definition, kind, key)?;
    if key && !definition.data_type.may_be_key() {
        let data_type = definition.data_type.data_type();
        let message = format!("Invalid data type of key column '{name}': '{data_type}'");
        return Err(refusal::invalid(message));
    }
    let primary = key && kind == KeyKind::Primary;
    if (primary || definition.auto_increment) && definition.nullable == Some(true) {
        let what = if primary { "primary key" } else { "AUTO_INCREMENT" };
        return Err(refusal::invalid(format!("{what} column[{name}] cannot be nullable")));
    }
    if definition.auto_increment && definition.data_type != DataType::BigInt {
        return Err(refusal::invalid(format!("The AUTO_INCREMENT column {name} must be BIGINT")));
    }
    let given = definition.default.is_some() || definition.auto_increment;
    if definition.generated.is_some() && (key || given || definition.aggregate.is_some()) {
        return Err(refusal::invalid(format!(
            "Generated column {name} can be neither key nor aggregated nor have a default value"
        )));
    }
    let nullable = !primary && !definition.auto_increment && definition.nullable.unwrap_or(true);
    Ok(Column {
        name: name.clone(),
        data_type: definition.data_type.clone(),
        key,
        aggregate: definition.aggregate,
        nullable,
        auto_increment: definition.auto_increment,
        default: default_value(definition, nullable)?,
        generated: definition.generated.clone(),
        comment: definition.comment.clone().unwrap_or_default(),
    })
}

fn check_aggregate(definition: &ColumnDef, kind: KeyKind, key: bool) -> Result<(), Failure> {
    let name = &definition.name;
    let model = kind.table_model();
    let Some(aggregate) = definition.aggregate else {
        return match kind == KeyKind::Aggregate && !key && definition.generated.is_none() {
            true => Err(refusal::invalid(format!(
                "{model} table should specify aggregate type for non-key column[{name}]"
            ))),
            false => Ok(()),
        };
    };
    let word = aggregate.keyword();
    if key {
        let message = format!("Cannot specify aggregate function '{word}' for key column '{name}'");
        return Err(refusal::invalid(message));
    }
    if kind != KeyKind::Aggregate {
        return Err(refusal::invalid(format!(
            "{model} table should not specify aggregate type for non-key column[{name}]"
        )));
    }
    let data_type = &definition.data_type;
    let sketch = matches!(data_type, DataType::Hll | DataType::Bitmap | DataType::Percentile);
    let fits = match aggregate {
        AggregateType::Sum => data_type.numeric_precision().is_some(),
        AggregateType::Max | AggregateType::Min => {
            data_type.may_be_key() || data_type.numeric_precision().is_some()
        }
        AggregateType::Replace | AggregateType::ReplaceIfNotNull => !sketch,
        AggregateType::HllUnion => *data_type == DataType::Hll,
        AggregateType::BitmapUnion => *data_type == DataType::Bitmap,
        AggregateType::PercentileUnion => *data_type == DataType::Percentile,
    };
    match fits {
        true => Ok(()),
        false => Err(refusal::invalid(format!(
            "Invalid aggregate function '{word}' for '{name}' of type '{}'",
            data_type.data_type()
        ))),
    }
}

/// The default in normal form: literals as text, null as none.
fn default_value(
    definition: &ColumnDef,
    nullable: bool,
) -> Result<Option<DefaultValue>, Failure> {
    let refuse = || refusal::bad_default(&definition.name);
    let data_type = &definition.data_type;
    match &definition.default {
        None => Ok(None),
        Some(_) if definition.auto_increment => Err(refuse()),
        Some(DefaultValue::Literal(Literal::Null)) if nullable => Ok(None),
        Some(DefaultValue::Literal(literal)) => {
            let text = literal.text().filter(|text| is_default(text, data_type));
            let text = text.ok_or_else(refuse)?.to_owned();
            Ok(Some(DefaultValue::Literal(Literal::String(text))))
        }
        Some(DefaultValue::CurrentTimestamp(_)) if *data_type != DataType::Datetime => {
            Err(refuse())
        }
        Some(other) => Ok(Some(other.clone())),
    }
}
