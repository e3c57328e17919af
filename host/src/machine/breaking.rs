//! What one description promised and another does not.

use quorate_wire::{Description, Relation, StatementKind};

/// One of the ways in which clients could notice that a module gave way to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// Whether something is missing that was there; else it is worth a look.
    pub breaks: bool,
    /// What it is about.
    pub subject: &'static str,
    /// What it is.
    pub text: String,
}

/// What clients of `active` would notice of `tried`. `stored` is the schema of the rows.
pub fn noticed(active: &Description, tried: &Description, stored: Option<u32>) -> Vec<Noticed> {
    let mut found = Vec::new();
    if active.name != tried.name {
        let text = format!(
            "it is another module, '{}' and not '{}', whose rows stay but are not seen",
            tried.name, active.name
        );
        found.push(Noticed { breaks: true, subject: "name", text });
        return found;
    }
    let mut add = |breaks, subject, text| found.push(Noticed { breaks, subject, text });
    for statement in &active.statements {
        match kept(statement, &tried.statements) {
            Kept::AsItWas => {}
            Kept::As(other) => {
                let text = format!("'{}' is described as '{}' now", told(statement), told(other));
                add(false, "statements", text);
            }
            Kept::Not => {
                let text = format!("'{}' is not understood any more", told(statement));
                add(true, "statements", text);
            }
        }
    }
    for relation in &active.relations {
        let name = format!("{}.{}", relation.schema, relation.name);
        let same =
            |other: &&Relation| (&other.schema, &other.name) == (&relation.schema, &relation.name);
        let Some(other) = tried.relations.iter().find(same) else {
            add(true, "relations", format!("{name} is gone"));
            continue;
        };
        for column in &relation.columns {
            let kept = other.columns.iter().find(|other| other.name == column.name);
            let (breaks, what) = match kept {
                None => (true, "is gone"),
                Some(kept) if kept.column_type != column.column_type => (true, "has another type"),
                Some(kept) if column.constrainable && !kept.constrainable => {
                    (false, "does not narrow a scan any more")
                }
                Some(_) => continue,
            };
            add(breaks, "relations", format!("column {} of {name} {what}", column.name));
        }
    }
    if let Some(stored) = stored.filter(|stored| tried.schema < *stored) {
        add(false, "schema", format!("it is lowered from {stored} to {}", tried.schema));
    }
    let lowered = [
        ("fuel of a command", active.limits.fuel, tried.limits.fuel),
        ("memory in bytes", active.limits.memory_bytes, tried.limits.memory_bytes),
    ];
    for (what, before, now) in lowered.into_iter().filter(|(_, before, now)| now < before) {
        add(false, "limits", format!("{what}: {now}, until now {before}"));
    }
    found
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

    fn found(active: &Description, tried: &Description) -> Vec<(bool, String)> {
        let all = noticed(active, tried, Some(active.schema)).into_iter();
        all.map(|one| (one.breaks, one.text)).collect()
    }

    #[test]
    fn what_clients_would_miss_is_an_error_and_what_is_new_is_nothing() {
        let columns = [("a", ColumnType::Text), ("b", ColumnType::Int)];
        let active = described(&["GET key", "LIST"], &columns);
        let added = [columns[0], columns[1], ("c", ColumnType::Int)];
        assert_eq!(found(&active, &described(&["LIST", "GET key", "NEW x"], &added)), []);
        let lacking = described(&["GET name"], &[("a", ColumnType::Int)]);
        let error = |text: &str| (true, text.to_owned());
        let notice = |text: &str| (false, text.to_owned());
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

    #[test]
    fn another_module_is_a_break_whatever_it_describes() {
        let columns = [("a", ColumnType::Text)];
        let active = described(&["GET key"], &columns);
        let mut other = active.clone();
        other.name = "other".into();
        let text = "it is another module, 'other' and not 'm', whose rows stay but are not seen";
        assert_eq!(found(&active, &other), [(true, text.to_owned())]);
    }
}
