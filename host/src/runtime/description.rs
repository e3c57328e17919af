//! Whether what a module says of itself is usable.

use std::collections::BTreeSet;

use quorate_wire::{Description, Limits, Relation, StatementKind};

use super::engine::{FUEL_MAX, MEMORY_BYTES_MAX};

/// Longest name of a module, relation or column, and longest version.
const NAME_BYTES_MAX: usize = 64;
/// Most relations of a module, and most columns of a relation.
const RELATIONS_MAX: usize = 256;
const COLUMNS_MAX: usize = 1024;
/// Most kinds of statements, and the longest.
const STATEMENTS_MAX: usize = 256;
const SYNTAX_BYTES_MAX: usize = 256;
/// Least fuel that can be asked for: less does not reach through any `apply`.
const FUEL_MIN: u64 = 10_000;
/// Least memory that can be asked for: one page.
const MEMORY_BYTES_MIN: u64 = 64 << 10;

/// Says what is wrong with a description, if anything.
pub(super) fn check(description: &Description) -> Result<(), String> {
    let Description { name, version, schema, migrates_from, serves, .. } = description;
    let letters = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(letters) {
        return Err(format!(
            "name {name:?} is not 1 to {NAME_BYTES_MAX} lower-case letters, digits, '-' and '_'"
        ));
    }
    if version.len() > NAME_BYTES_MAX || !is_semantic(version) {
        return Err(format!("version {version:?} is not a semantic version such as 1.0.0"));
    }
    if migrates_from.contains(schema) {
        return Err(format!("schema {schema} is its own and needs no migration"));
    }
    if let Some(served) = serves.iter().find(|served| !migrates_from.contains(served)) {
        return Err(format!("schema {served} is served, but never migrated"));
    }
    check_limits(&description.limits)?;
    check_statements(&description.statements)?;
    check_relations(&description.relations)
}

fn check_statements(statements: &[StatementKind]) -> Result<(), String> {
    if statements.len() > STATEMENTS_MAX {
        return Err(format!("{} statements are more than {STATEMENTS_MAX}", statements.len()));
    }
    for StatementKind { syntax, .. } in statements {
        let printable = !syntax.is_empty() && !syntax.chars().any(char::is_control);
        if !printable || syntax.len() > SYNTAX_BYTES_MAX {
            return Err(format!(
                "statement {syntax:?} is not 1 to {SYNTAX_BYTES_MAX} bytes of text"
            ));
        }
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), String> {
    let Limits { fuel, memory_bytes } = *limits;
    if !(FUEL_MIN..=FUEL_MAX).contains(&fuel) {
        return Err(format!("fuel {fuel} is not between {FUEL_MIN} and {FUEL_MAX}"));
    }
    if !(MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX).contains(&memory_bytes) {
        return Err(format!(
            "memory of {memory_bytes} bytes is not between {MEMORY_BYTES_MIN} and {MEMORY_BYTES_MAX}"
        ));
    }
    Ok(())
}

/// `scan` is given a relation's name without its schema, so names must differ across schemas.
fn check_relations(relations: &[Relation]) -> Result<(), String> {
    if relations.len() > RELATIONS_MAX {
        return Err(format!("{} relations are more than {RELATIONS_MAX}", relations.len()));
    }
    let mut names = BTreeSet::new();
    for Relation { schema, name, columns } in relations {
        for part in [schema, name] {
            check_identifier(part)?;
        }
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("there are two relations {name:?}"));
        }
        if !(1..=COLUMNS_MAX).contains(&columns.len()) {
            return Err(format!("relation {name:?} has {} columns", columns.len()));
        }
        let mut names = BTreeSet::new();
        for column in columns {
            check_identifier(&column.name)?;
            if !names.insert(column.name.to_ascii_lowercase()) {
                return Err(format!("relation {name:?} has two columns {:?}", column.name));
            }
        }
    }
    Ok(())
}

fn check_identifier(name: &str) -> Result<(), String> {
    let usable = |c: char| !c.is_control() && c != '`';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(usable) {
        return Err(format!("{name:?} cannot name a relation or column"));
    }
    Ok(())
}

/// Semantic Versioning 2.0.0, section 2, 9 and 10.
fn is_semantic(version: &str) -> bool {
    let (version, build) = match version.split_once('+') {
        Some((version, build)) => (version, Some(build)),
        None => (version, None),
    };
    let (core, pre) = match version.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (version, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str| digits(part) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| {
            pre.split('.').all(|part| word(part) && (!digits(part) || number(part)))
        })
        && build.is_none_or(|build| build.split('.').all(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use quorate_wire::{ColumnType, RelationColumn};

    use super::*;

    fn relation(name: &str, columns: &[&str]) -> Relation {
        let column = |name: &&str| RelationColumn::new(name, ColumnType::Text);
        let columns = columns.iter().map(column).collect();
        Relation { schema: "s".into(), name: name.into(), columns }
    }

    fn description() -> Description {
        Description {
            name: "kv".into(),
            version: "1.2.3".into(),
            schema: 2,
            migrates_from: vec![1],
            serves: vec![1],
            relations: vec![relation("pairs", &["key", "value"])],
            statements: vec![StatementKind::reads("GET key")],
            limits: Limits::default(),
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        type Change = fn(&mut Description);
        let refused: [(&str, Change); 13] = [
            ("name", |d| d.name = "Kv".into()),
            ("name", |d| d.name = String::new()),
            ("version", |d| d.version = "1.0".into()),
            ("schema", |d| d.migrates_from = vec![2]),
            ("never migrated", |d| d.serves = vec![3]),
            ("fuel", |d| d.limits.fuel = FUEL_MAX + 1),
            ("memory", |d| d.limits.memory_bytes = MEMORY_BYTES_MAX + 1),
            ("statement", |d| d.statements.push(StatementKind::reads("GET\nkey"))),
            ("statements", |d| d.statements = vec![StatementKind::reads("GET key"); 257]),
            ("two relations", |d| d.relations.push(relation("PAIRS", &["a"]))),
            ("two columns", |d| d.relations.push(relation("other", &["a", "A"]))),
            ("columns", |d| d.relations.push(relation("other", &[]))),
            ("cannot name", |d| d.relations.push(relation("a`b", &["a"]))),
        ];
        for (word, spoil) in refused {
            let mut description = description();
            spoil(&mut description);
            let error = check(&description).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        check(&description()).unwrap();
    }

    #[test]
    fn versions_are_semantic() {
        for good in ["0.0.0", "1.10.2", "1.0.0-rc.1", "1.0.0+build.007", "1.0.0--1-x.0a+1"] {
            assert!(is_semantic(good), "{good}");
        }
        for bad in ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "v1.0.0"] {
            assert!(!is_semantic(bad), "{bad}");
        }
    }
}
