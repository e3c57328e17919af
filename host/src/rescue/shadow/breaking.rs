//! What one description promised and another does not.

use quorate_wire::{Description, Relation, StatementKind};

use super::report::{Report, Weight};

/// Tells what clients of `active` would miss with `tried`. `stored` is the schema of the rows.
pub fn compare(active: &Description, tried: &Description, stored: Option<u32>, out: &mut Report) {
    for statement in &active.statements {
        match kept(statement, &tried.statements) {
            Kept::AsItWas => {}
            Kept::As(other) => out.notice(
                "statements",
                format!("'{}' is described as '{}' now", told(statement), told(other)),
            ),
            Kept::Not => {
                out.error(
                    "statements",
                    format!("'{}' is not understood any more", told(statement)),
                );
            }
        }
    }
    for relation in &active.relations {
        let name = format!("{}.{}", relation.schema, relation.name);
        let same =
            |other: &&Relation| (&other.schema, &other.name) == (&relation.schema, &relation.name);
        let Some(other) = tried.relations.iter().find(same) else {
            out.error("relations", format!("{name} is gone"));
            continue;
        };
        for column in &relation.columns {
            let found = other.columns.iter().find(|other| other.name == column.name);
            let (weight, what) = match found {
                None => (Weight::Error, "is gone"),
                Some(found) if found.column_type != column.column_type => {
                    (Weight::Error, "has another type")
                }
                Some(found) if column.constrainable && !found.constrainable => {
                    (Weight::Notice, "does not narrow a scan any more")
                }
                Some(_) => continue,
            };
            out.add(weight, "relations", format!("column {} of {name} {what}", column.name));
        }
    }
    if let Some(stored) = stored.filter(|stored| tried.schema < *stored) {
        let to = tried.schema;
        out.notice("schema", format!("it is lowered from {stored} to {to}"));
    }
    let lowered = [
        ("fuel of a command", active.limits.fuel, tried.limits.fuel),
        ("memory in bytes", active.limits.memory_bytes, tried.limits.memory_bytes),
    ];
    for (what, before, now) in lowered.into_iter().filter(|(_, before, now)| now < before) {
        out.notice("limits", format!("{what}: {now}, until now {before}"));
    }
}

/// What became of a statement.
enum Kept<'a> {
    AsItWas,
    As(&'a StatementKind),
    Not,
}

/// Descriptions are for people: one that begins with the same words is taken for the same.
fn kept<'a>(statement: &StatementKind, others: &'a [StatementKind]) -> Kept<'a> {
    if others.contains(statement) {
        return Kept::AsItWas;
    }
    let other = others.iter().find(|other| words(&other.syntax).eq(words(&statement.syntax)));
    other.map_or(Kept::Not, Kept::As)
}

/// The words that a statement begins with and that stand for themselves.
fn words(syntax: &str) -> impl Iterator<Item = &str> {
    let plain = |word: &&str| !word.bytes().any(|byte| byte.is_ascii_lowercase());
    syntax.split_whitespace().take_while(plain)
}

fn told(StatementKind { syntax, writes }: &StatementKind) -> String {
    format!("{syntax} ({})", if *writes { "writes" } else { "reads" })
}

#[cfg(test)]
mod tests {
    use quorate_wire::{ColumnType, RelationColumn};

    use super::*;

    fn described(statements: &[&str], columns: &[(&str, ColumnType)]) -> Description {
        let mut description = Description::new("m", "1", 2);
        description.statements = statements.iter().map(|text| StatementKind::reads(text)).collect();
        let column = |(name, kind): &(&str, ColumnType)| RelationColumn::constrainable(name, *kind);
        description.relations = vec![Relation {
            schema: "s".into(),
            name: "r".into(),
            columns: columns.iter().map(column).collect(),
        }];
        description
    }

    fn found(active: &Description, tried: &Description) -> Vec<(Weight, String)> {
        let mut report = Report::default();
        compare(active, tried, Some(active.schema), &mut report);
        report.remarks.into_iter().map(|one| (one.weight, one.finding)).collect()
    }

    #[test]
    fn what_clients_would_miss_is_an_error_and_what_is_new_is_nothing() {
        let columns = [("a", ColumnType::Text), ("b", ColumnType::Int)];
        let active = described(&["GET key", "LIST"], &columns);
        let added = [columns[0], columns[1], ("c", ColumnType::Int)];
        assert_eq!(found(&active, &described(&["LIST", "GET key", "NEW x"], &added)), []);
        let lacking = described(&["GET name"], &[("a", ColumnType::Int)]);
        let error = |text: &str| (Weight::Error, text.to_owned());
        let notice = |text: &str| (Weight::Notice, text.to_owned());
        let expected = [
            notice("'GET key (reads)' is described as 'GET name (reads)' now"),
            error("'LIST (reads)' is not understood any more"),
            error("column a of s.r has another type"),
            error("column b of s.r is gone"),
        ];
        assert_eq!(found(&active, &lacking), expected);
        let mut without = described(&["GET key", "LIST"], &columns);
        without.relations.clear();
        without.schema = 1;
        without.limits.fuel -= 1;
        let expected = [
            error("s.r is gone"),
            notice("it is lowered from 2 to 1"),
            notice("fuel of a command: 99999999, until now 100000000"),
        ];
        assert_eq!(found(&active, &without), expected);
    }
}
