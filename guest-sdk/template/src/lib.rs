//! my-module: a replicated state machine for Quorate.
//!
//! | statement | answer |
//! |---|---|
//! | `SET name text` | 1 row affected |
//! | `GET name` | `text`, `changed_lsn`; no row when absent |
//!
//! SELECT reads the relation `my_module.entries`.

use quorate_guest::*;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Rows in a page of the relation.
const PAGE_ROWS: u32 = 256;

/// The entries, by name.
const ENTRIES: Table<String, Entry> = Table::new(1);

/// What is stored of a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub text: String,
    /// Position in the log of the last change.
    pub changed_lsn: u64,
}
versioned!(struct Entry { 1 = { text, changed_lsn } });

/// What is logged. A tag, once used, is never given to another variant.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Set { name: String, text: String },
}
codec!(enum Command { 0 = Set { name, text } });

pub struct Module;

impl Machine for Module {
    type Command = Command;

    fn describe() -> Description {
        let mut description = Description::new("my-module", env!("CARGO_PKG_VERSION"), 1);
        description.statements =
            vec![StatementKind::writes("SET name text"), StatementKind::reads("GET name")];
        description.relations = vec![Relation {
            schema: "my_module".into(),
            name: "entries".into(),
            columns: vec![
                RelationColumn::new("name", ColumnType::Text),
                RelationColumn::new("text", ColumnType::Text),
                RelationColumn::new("changed_lsn", ColumnType::UInt),
            ],
        }];
        description
    }

    /// Answers what reads, proposes what writes. Runs on one frontend, on a state that may be old.
    fn evaluate(
        _: &Session,
        _: &Context,
        store: &dyn ReadStore,
        request: Request<'_>,
    ) -> Result<Evaluation<Command>, Failure> {
        let Request::Text(text) = request else {
            return Err(refusal::MALFORMED.because("expected text"));
        };
        let mut words = text.trim_end_matches(';').trim().splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("SET"), Some(name), Some(text)) => {
                let (name, text) = (name.to_owned(), text.to_owned());
                Ok(Evaluation::Command(Command::Set { name, text }))
            }
            (Some("GET"), Some(name), None) => {
                let mut result = ResultSet::new().text("text").uint("changed_lsn");
                if let Some(entry) = ENTRIES.get(store, &name.to_owned()) {
                    result.push(row![entry.text, entry.changed_lsn]);
                }
                Ok(Evaluation::Reply(result.reply()))
            }
            _ => Err(refusal::SYNTAX.because("expected SET name text, or GET name")),
        }
    }

    /// Runs a command at its place in the log, on every frontend alike.
    fn apply(
        context: &Context,
        store: &mut dyn WriteStore,
        command: Command,
    ) -> Result<Reply, Failure> {
        match command {
            Command::Set { name, text } => {
                if name.len() > NAME_BYTES_MAX {
                    return Err(refusal::TOO_LONG.because(format!(
                        "the name has {} bytes, at most {NAME_BYTES_MAX}",
                        name.len()
                    )));
                }
                ENTRIES.put(store, &name, &Entry { text, changed_lsn: context.lsn });
                Ok(Reply::affected(1))
            }
        }
    }

    fn scan(
        _: &Context,
        store: &dyn ReadStore,
        _: &str,
        _: &[Constraint],
        cursor: Option<&[u8]>,
    ) -> Result<RelationPage, Failure> {
        let page = ENTRIES.page(store, cursor, PAGE_ROWS);
        let rows = page
            .entries
            .into_iter()
            .map(|(name, entry)| row![name, entry.text, entry.changed_lsn])
            .collect();
        Ok(RelationPage { rows, next: page.next })
    }
}

quorate_guest::export!(Module);

#[cfg(test)]
mod tests;
