//! Prepared statements: texts with `?`, kept by number.
//!
//! Executing one writes the parameters into the text as literals and answers that text. So a
//! prepared statement works in any language that has MySQL's quotes and comments.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_sql::{bind, is_query, placeholders, quote_string};
use quorate_wire::{Column, Failure, Reply, Value};

use crate::session::Session;
use crate::session::execute::syntax;
use crate::session::running::Effect;

/// Most prepared statements of one session; one more is refused with error 1461.
pub(super) const STATEMENTS_MAX: usize = 1024;

/// Most bytes of all their texts together; more are refused with error 1461.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// Most parameters of one statement: the protocol counts them in 16 bits. More: error 1390.
const PARAMETERS_MAX: usize = u16::MAX as usize;

/// What a client is told of a statement that it prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// By which it is executed.
    pub id: u32,
    /// How many values it takes.
    pub parameters: u16,
    /// What it answers with; empty for everything but queries.
    pub columns: Vec<Column>,
}

#[derive(Debug, Default)]
pub(super) struct Prepared {
    texts: BTreeMap<u32, Arc<str>>,
    text_bytes: usize,
    last_id: u32,
}

impl Prepared {
    fn check_room(&self, text: &str) -> Result<(), Failure> {
        let full = self.texts.len() >= STATEMENTS_MAX;
        if full || self.text_bytes.saturating_add(text.len()) > TEXT_BYTES_MAX {
            let reason = format!(
                "Can't create more than max_prepared_stmt_count statements \
                 (current value: {STATEMENTS_MAX}) of {TEXT_BYTES_MAX} bytes together"
            );
            return Err(Failure::new(1461, "42000", reason));
        }
        Ok(())
    }

    fn insert(&mut self, text: &str) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        // Numbers are given again after four billion; those in use are passed over.
        while self.last_id == 0 || self.texts.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1);
        }
        self.text_bytes += text.len();
        self.texts.insert(self.last_id, text.into());
        self.last_id
    }
}

impl Session {
    /// Keeps a statement and finds out what it takes and gives.
    ///
    /// # Errors
    /// 1064 for a text that cannot be read, 1390 for too many parameters, 1461 when too much is
    /// prepared already, and what the backend says of a query that it cannot answer.
    pub async fn prepare(&mut self, sql: &str) -> Result<Description, Failure> {
        let result = self.describe(sql).await;
        self.record(&result.as_ref().map(|_| Reply::done()).map_err(Clone::clone));
        let (parameters, columns) = result?;
        Ok(Description { id: self.prepared.insert(sql), parameters, columns })
    }

    async fn describe(&mut self, sql: &str) -> Result<(u16, Vec<Column>), Failure> {
        self.prepared.check_room(sql)?;
        let count = placeholders(sql).map_err(syntax)?.len();
        let parameters = u16::try_from(count).map_err(|_| {
            let reason = "Prepared statement contains too many placeholders";
            Failure::new(1390, "HY000", format!("{reason}, {count} of {PARAMETERS_MAX}"))
        })?;
        if !is_query(sql) {
            return Ok((parameters, Vec::new()));
        }
        let nulls = vec!["NULL".to_owned(); count];
        let text = bind(sql, &nulls).map_err(syntax)?;
        let running = self.begin_query(sql);
        let backend = self.sessions.backend();
        let scope = self.scope(&self.values, &self.user_values);
        let columns = backend.describe_select(self.context(&running), scope, text);
        Ok((parameters, running.wait(Effect::None, columns).await?))
    }

    /// Answers a prepared statement.
    ///
    /// # Errors
    /// 1243 for an unknown id, 1210 for a wrong number of values or one that has no literal, and
    /// as [`execute`](Self::execute).
    pub async fn execute_prepared(&mut self, id: u32, values: &[Value]) -> Result<Reply, Failure> {
        match self.bound(id, values) {
            Ok(sql) => self.execute(&sql).await,
            Err(failure) => {
                let result = Err(failure);
                self.record(&result);
                result
            }
        }
    }

    fn bound(&self, id: u32, values: &[Value]) -> Result<String, Failure> {
        let Some(text) = self.prepared.texts.get(&id) else {
            return Err(unknown(id, "EXECUTE"));
        };
        let literals = values.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
        bind(text, &literals).map_err(syntax)
    }

    /// Forgets a prepared statement; an unknown id is no error.
    pub fn close_prepared(&mut self, id: u32) {
        if let Some(text) = self.prepared.texts.remove(&id) {
            self.prepared.text_bytes -= text.len();
        }
    }
}

/// There is no prepared statement of that number.
pub(crate) fn unknown(id: u32, by: &str) -> Failure {
    let reason = format!("Unknown prepared statement handler ({id}) given to {by}");
    Failure::new(1243, "HY000", reason)
}

/// A value as SQL text. Numbers below zero get a blank before the sign: behind another minus they
/// would begin a comment.
fn literal(value: &Value) -> Result<String, Failure> {
    Ok(match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(value) if *value < 0 => format!(" {value}"),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Double(value) if value.is_finite() => {
            format!("{}{value:?}", if value.is_sign_negative() { " " } else { "" })
        }
        Value::Double(value) => {
            return Err(Failure::new(1210, "HY000", format!("{value} cannot be a parameter")));
        }
        Value::Text(value) => quote_string(value),
        Value::Bytes(value) => {
            let hex: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("X'{hex}'")
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_without_a_literal_are_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(literal(&Value::Double(value)).unwrap_err().code, 1210);
        }
    }

    #[test]
    fn values_become_literals_that_cannot_join_with_their_surroundings() {
        for (value, text) in [
            (Value::Null, "NULL"),
            (Value::Int(-1), " -1"),
            (Value::UInt(u64::MAX), "18446744073709551615"),
            (Value::Double(-1.5), " -1.5"),
            (Value::Double(2.0), "2.0"),
            (Value::from("it's\\"), "'it\\'s\\\\'"),
            (Value::Bytes(vec![0, 255]), "X'00FF'"),
        ] {
            assert_eq!(literal(&value).unwrap(), text);
        }
    }
}
