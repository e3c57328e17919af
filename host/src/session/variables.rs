//! System variables: what `SET`, `SHOW VARIABLES` and `@@name` work on.
//!
//! Values live in plain ordered maps, one of the frontend and one per session, shared until they
//! change. A session starts with the frontend's map. What a variable is, and what it accepts, is
//! in `table`; a flag is kept as 0 or 1 and shown as `ON` or `OFF`.

mod charset;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_wire::{Failure, Value, Warning};

pub(super) use charset::{CHARSETS, COLLATIONS, Charset, charset, collation};
pub(super) use table::{Access, Kind, VARIABLES, Variable};

/// Variables by their lower-case names.
pub(crate) type Values = Arc<BTreeMap<String, Value>>;

/// Warning: an integer out of range was moved into it, as in MySQL.
const TRUNCATED_WRONG_VALUE: u16 = 1292;

/// The variable of that name, in any case.
pub(super) fn variable(name: &str) -> Option<&'static Variable> {
    let name = name.to_ascii_lowercase();
    VARIABLES.binary_search_by(|variable| variable.name.cmp(&name)).ok().map(|at| &VARIABLES[at])
}

/// All variables with their defaults.
pub(super) fn defaults() -> BTreeMap<String, Value> {
    VARIABLES.iter().map(|variable| (variable.name.to_owned(), variable.default())).collect()
}

/// The value as an unsigned number, 0 when it is none.
pub(super) fn unsigned(values: &Values, name: &str) -> u64 {
    match values.get(name) {
        Some(Value::Int(value)) => u64::try_from(*value).unwrap_or(0),
        Some(Value::UInt(value)) => *value,
        _ => 0,
    }
}

/// The value as text, empty when it is none.
pub(super) fn text<'a>(values: &'a Values, name: &str) -> &'a str {
    match values.get(name) {
        Some(Value::Text(value)) => value,
        _ => "",
    }
}

/// A value as text: what a client sees in a text result.
pub(super) fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Bytes(value) => String::from_utf8_lossy(value).into_owned(),
    }
}

impl Variable {
    /// The value as `SHOW VARIABLES` has it.
    pub fn shown(&self, value: &Value) -> String {
        match (&self.kind, value) {
            (Kind::Flag, Value::Int(0)) => "OFF".to_owned(),
            (Kind::Flag, Value::Int(_)) => "ON".to_owned(),
            _ => printed(value),
        }
    }

    /// Checks a value and brings it into the variable's form.
    ///
    /// # Errors
    /// 1231 for a value the variable cannot take, 1232 for one of a wrong type, 1115 and 1273 for
    /// an unknown character set or collation.
    pub fn accept(&self, value: &Value) -> Result<(Value, Option<Warning>), Failure> {
        match &self.kind {
            Kind::Flag => self.flag(value).map(|value| (value, None)),
            Kind::Integer { min, max } => self.integer(value, *min, *max),
            Kind::Choice(choices) => self.choice(value, choices).map(|value| (value, None)),
            Kind::Text => match value {
                Value::Null => Err(self.refused(value)),
                value => Ok((Value::Text(printed(value)), None)),
            },
            Kind::Charset => match value {
                // Convert no results: as always here.
                Value::Null if self.name == "character_set_results" => Ok((Value::Null, None)),
                Value::Null => Err(self.refused(value)),
                value => {
                    let charset = charset(&printed(value))?;
                    Ok((charset.name.into(), charset.warning()))
                }
            },
            Kind::Collation => Ok((collation(&printed(value))?.name.into(), None)),
        }
    }

    fn flag(&self, value: &Value) -> Result<Value, Failure> {
        match printed(value).to_ascii_lowercase().as_str() {
            "1" | "on" | "true" => Ok(Value::Int(1)),
            "0" | "off" | "false" => Ok(Value::Int(0)),
            _ => Err(self.refused(value)),
        }
    }

    fn integer(
        &self,
        value: &Value,
        min: u64,
        max: u64,
    ) -> Result<(Value, Option<Warning>), Failure> {
        let asked = match value {
            Value::Int(value) => i128::from(*value),
            Value::UInt(value) => i128::from(*value),
            _ => {
                let reason = format!("Incorrect argument type to variable '{}'", self.name);
                return Err(Failure::new(1232, "42000", reason));
            }
        };
        let given = asked.clamp(i128::from(min), i128::from(max));
        let warning = (given != asked).then(|| Warning {
            code: TRUNCATED_WRONG_VALUE,
            message: format!("Truncated incorrect {} value: '{asked}'", self.name),
        });
        let value = match i64::try_from(given) {
            Ok(value) => Value::Int(value),
            Err(_) => Value::UInt(max),
        };
        Ok((value, warning))
    }

    /// By name, or by number as in MySQL.
    fn choice(&self, value: &Value, choices: &[&str]) -> Result<Value, Failure> {
        let asked = printed(value);
        let numbered = || asked.parse::<usize>().ok().and_then(|at| choices.get(at));
        match choices.iter().find(|choice| choice.eq_ignore_ascii_case(&asked)).or_else(numbered) {
            Some(choice) => Ok((*choice).into()),
            None => Err(self.refused(value)),
        }
    }

    fn refused(&self, value: &Value) -> Failure {
        let shown = if *value == Value::Null { "NULL".to_owned() } else { printed(value) };
        let reason = format!("Variable '{}' can't be set to the value of '{shown}'", self.name);
        Failure::new(1231, "42000", reason)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn accept(name: &str, value: impl Into<Value>) -> Result<Value, u16> {
        let accepted = variable(name).unwrap().accept(&value.into());
        accepted.map(|(value, _)| value).map_err(|failure| failure.code)
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        assert_eq!(accept("autocommit", "maybe"), Err(1231));
        assert_eq!(accept("autocommit", 2), Err(1231));
        assert_eq!(accept("read_consistency", "strict"), Err(1231));
        assert_eq!(accept("read_consistency", 9), Err(1231));
        assert_eq!(accept("wait_timeout", "long"), Err(1232));
        assert_eq!(accept("sql_mode", Value::Null), Err(1231));
        assert_eq!(accept("character_set_client", "klingon"), Err(1115));
        assert_eq!(accept("collation_connection", "klingon_ci"), Err(1273));
    }

    #[test]
    fn integers_out_of_range_are_moved_into_it_with_a_warning() {
        let (value, warning) = variable("wait_timeout").unwrap().accept(&Value::Int(-5)).unwrap();
        assert_eq!(value, Value::Int(1));
        assert_eq!(warning.unwrap().code, TRUNCATED_WRONG_VALUE);
        assert_eq!(accept("group_concat_max_len", u64::MAX), Ok(Value::UInt(u64::MAX)));
    }

    #[test]
    fn flags_take_words_and_numbers_and_show_as_words() {
        let autocommit = variable("AutoCommit").unwrap();
        for (value, shown) in [("ON", "ON"), ("false", "OFF"), ("1", "ON"), ("0", "OFF")] {
            assert_eq!(autocommit.shown(&accept("autocommit", value).unwrap()), shown);
        }
    }

    #[test]
    fn every_default_is_accepted_by_its_own_variable() {
        for variable in VARIABLES {
            let default = variable.default();
            if default != Value::Null {
                assert_eq!(variable.accept(&default), Ok((default, None)), "{}", variable.name);
            }
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(VARIABLES.is_sorted_by(|a, b| a.name < b.name));
    }
}
