//! `SET`: all of its assignments in order, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_sql::{Assignment, Scope, SetValue, TransactionMode};
use quorate_wire::{Body, Failure, Reply, Value, Warning};

use crate::session::running::{Effect, Running};
use crate::session::variables::{Access, Values, Variable, charset, collation, variable};
use crate::session::{Session, unsupported};

/// Most user variables of one session; one more is refused with error 1041.
const USER_VARIABLES_MAX: usize = 1024;

/// Warning: there is no such variable. MySQL makes it an error; clients set so many that it would
/// keep them out.
const UNKNOWN_SYSTEM_VARIABLE: u16 = 1193;

/// Warning: taken, and without effect here.
const NOT_SUPPORTED_YET: u16 = 1235;

/// Variables with two names.
const ALIASES: &[[&str; 2]] = &[
    ["transaction_isolation", "tx_isolation"],
    ["transaction_read_only", "tx_read_only"],
    ["last_insert_id", "identity"],
];

/// Names of the time zone that this server's times are in, but for offsets such as `+08:00`.
const UTC: &[&str] = &["SYSTEM", "UTC", "Etc/UTC", "GMT"];

/// What the assignments done so far come to.
struct Draft {
    values: Values,
    user_values: Values,
    defaults: Values,
    globals: BTreeMap<&'static str, Value>,
    warnings: Vec<Warning>,
}

impl Session {
    pub(super) async fn set(
        &mut self,
        assignments: Vec<Assignment>,
        running: &Running,
    ) -> Result<Reply, Failure> {
        let mut draft = self.draft();
        for assignment in assignments {
            match assignment {
                Assignment::Variable { scope, name, value } => {
                    let value = match value {
                        SetValue::Default => None,
                        // A bare word is a value of the variable, such as `ON`.
                        SetValue::Word(word) => Some(Value::Text(word)),
                        value => Some(self.resolve(&mut draft, value, running).await?),
                    };
                    draft.assign(scope, &name, value)?;
                }
                Assignment::User { name, value } => {
                    let value = self.resolve(&mut draft, value, running).await?;
                    draft.assign_user(&name, value)?;
                }
                Assignment::Names { charset, collation } => {
                    draft.names(charset.as_deref(), collation.as_deref())?;
                }
                Assignment::CharacterSet(charset) => draft.character_set(charset.as_deref())?,
            }
        }
        Ok(self.commit(draft))
    }

    /// `SET [scope] TRANSACTION`.
    pub(super) fn set_transaction(
        &mut self,
        scope: Option<Scope>,
        modes: &[TransactionMode],
    ) -> Result<Reply, Failure> {
        let mut draft = self.draft();
        for mode in modes {
            let (name, value) = match mode {
                TransactionMode::ReadUncommitted => ("transaction_isolation", "READ-UNCOMMITTED"),
                TransactionMode::ReadCommitted => ("transaction_isolation", "READ-COMMITTED"),
                TransactionMode::RepeatableRead => ("transaction_isolation", "REPEATABLE-READ"),
                TransactionMode::Serializable => ("transaction_isolation", "SERIALIZABLE"),
                TransactionMode::ReadOnly => ("transaction_read_only", "ON"),
                TransactionMode::ReadWrite => ("transaction_read_only", "OFF"),
                TransactionMode::ConsistentSnapshot => continue,
            };
            if *mode == TransactionMode::ReadOnly {
                draft.warnings.push(read_only_warning());
            }
            // Without a scope it is for the next transaction only, and every statement is one.
            if let Some(scope) = scope {
                draft.assign(scope, name, Some(value.into()))?;
            }
        }
        Ok(self.commit(draft))
    }

    fn draft(&self) -> Draft {
        Draft {
            values: Arc::clone(&self.values),
            user_values: Arc::clone(&self.user_values),
            defaults: self.sessions.globals(),
            globals: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn commit(&mut self, draft: Draft) -> Reply {
        self.values = draft.values;
        self.user_values = draft.user_values;
        if !draft.globals.is_empty() {
            self.sessions.set_globals(&draft.globals);
        }
        let mut reply = Reply::done();
        reply.warnings = draft.warnings;
        reply
    }

    async fn resolve(
        &self,
        draft: &mut Draft,
        value: SetValue,
        running: &Running,
    ) -> Result<Value, Failure> {
        let expression = match value {
            SetValue::Null => return Ok(Value::Null),
            SetValue::String(text) => return Ok(Value::Text(text)),
            SetValue::User(name) => return Ok(draft.user(&name)),
            SetValue::Variable { scope, name } => return Ok(draft.read(scope, &name)),
            SetValue::Number(text) => match number(&text) {
                Some(value) => return Ok(value),
                None => text,
            },
            SetValue::Word(text) => match text.to_ascii_lowercase().as_str() {
                "true" => return Ok(Value::Int(1)),
                "false" => return Ok(Value::Int(0)),
                _ => text,
            },
            SetValue::Default => {
                return Err(Failure::new(1064, "42000", "a user variable has no default"));
            }
            SetValue::Expression(text) => text,
        };
        self.evaluate(draft, &expression, running).await
    }

    /// The value of an expression, as a query gives it.
    async fn evaluate(
        &self,
        draft: &Draft,
        expression: &str,
        running: &Running,
    ) -> Result<Value, Failure> {
        let backend = self.sessions.backend();
        let scope = self.scope(&draft.values, &draft.user_values);
        let answer = backend.select(self.context(running), scope, format!("SELECT {expression}"));
        let answer = running.wait(Effect::None, answer).await?;
        match answer.reply.body {
            Body::Rows(rows) if rows.columns.len() == 1 => Ok(rows
                .rows
                .into_iter()
                .next()
                .and_then(|mut row| row.pop())
                .unwrap_or(Value::Null)),
            _ => Err(Failure::new(1241, "21000", "Operand should contain 1 column(s)")),
        }
    }
}

impl Draft {
    /// `None` is the default: the frontend's value for a session, the product's for a frontend.
    fn assign(&mut self, scope: Scope, name: &str, value: Option<Value>) -> Result<(), Failure> {
        let Some(found) = variable(name) else {
            self.warn(UNKNOWN_SYSTEM_VARIABLE, format!("Unknown system variable '{name}'"));
            return Ok(());
        };
        check_access(found, scope)?;
        let global = scope == Scope::Global;
        let value = match value {
            Some(value) => {
                let (value, warning) = found.accept(&value)?;
                self.warnings.extend(warning);
                value
            }
            None if global => found.default(),
            None => self.defaults.get(found.name).cloned().unwrap_or(Value::Null),
        };
        if found.name == "time_zone"
            && let Value::Text(zone) = &value
            && !zone.starts_with(['+', '-'])
            && !UTC.iter().any(|utc| utc.eq_ignore_ascii_case(zone))
        {
            self.warn(NOT_SUPPORTED_YET, format!("time zone '{zone}' is unknown, UTC is used"));
        }
        let names = ALIASES.iter().find(|names| names.contains(&found.name));
        for name in names.map_or(&[found.name][..], |names| &names[..]) {
            if global {
                self.globals.insert(name, value.clone());
            } else {
                Arc::make_mut(&mut self.values).insert((*name).to_owned(), value.clone());
            }
        }
        Ok(())
    }

    fn assign_user(&mut self, name: &str, value: Value) -> Result<(), Failure> {
        let name = name.to_lowercase();
        if self.user_values.len() >= USER_VARIABLES_MAX && !self.user_values.contains_key(&name) {
            let reason = format!("a session has at most {USER_VARIABLES_MAX} user variables");
            return Err(Failure::new(1041, "HY000", reason));
        }
        Arc::make_mut(&mut self.user_values).insert(name, value);
        Ok(())
    }

    fn names(&mut self, set: Option<&str>, collated: Option<&str>) -> Result<(), Failure> {
        let set = self.charset_or_default(set);
        let set = charset(&set)?;
        let collated = match collated {
            Some(name) => collation(name)?,
            None => collation(set.collation)?,
        };
        // `utf8` is a name of `utf8mb3`, and its collations go with both.
        if collated.charset.trim_end_matches("mb3") != set.name.trim_end_matches("mb3") {
            let reason = format!(
                "COLLATION '{}' is not valid for CHARACTER SET '{}'",
                collated.name, set.name
            );
            return Err(Failure::new(1253, "42000", reason));
        }
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.store(name, set.name.into());
        }
        self.store("collation_connection", collated.name.into());
        self.warnings.extend(set.warning());
        Ok(())
    }

    /// `SET CHARACTER SET`: the connection gets the database's set, as in MySQL.
    fn character_set(&mut self, set: Option<&str>) -> Result<(), Failure> {
        let set = self.charset_or_default(set);
        let set = charset(&set)?;
        self.store("character_set_client", set.name.into());
        self.store("character_set_results", set.name.into());
        for kind in ["character_set", "collation"] {
            let database = self.values.get(&format!("{kind}_database")).cloned();
            let name = format!("{kind}_connection");
            Arc::make_mut(&mut self.values).insert(name, database.unwrap_or(Value::Null));
        }
        self.warnings.extend(set.warning());
        Ok(())
    }

    fn charset_or_default(&self, set: Option<&str>) -> String {
        match (set, self.defaults.get("character_set_client")) {
            (Some(set), _) => set.to_owned(),
            (None, Some(Value::Text(set))) => set.clone(),
            _ => "utf8mb4".to_owned(),
        }
    }

    fn store(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.values).insert(name.to_owned(), value);
    }

    fn user(&self, name: &str) -> Value {
        self.user_values.get(&name.to_lowercase()).cloned().unwrap_or(Value::Null)
    }

    fn read(&mut self, scope: Scope, name: &str) -> Value {
        let values = if scope == Scope::Session { &self.values } else { &self.defaults };
        match values.get(&name.to_ascii_lowercase()) {
            Some(value) => value.clone(),
            None => {
                self.warn(UNKNOWN_SYSTEM_VARIABLE, format!("Unknown system variable '{name}'"));
                Value::Null
            }
        }
    }

    fn warn(&mut self, code: u16, message: String) {
        self.warnings.push(Warning { code, message });
    }
}

pub(super) fn read_only_warning() -> Warning {
    let message = "read-only transactions are accepted and not enforced".to_owned();
    Warning { code: NOT_SUPPORTED_YET, message }
}

fn check_access(variable: &Variable, scope: Scope) -> Result<(), Failure> {
    let name = variable.name;
    if matches!(scope, Scope::Persist | Scope::PersistOnly) {
        return Err(unsupported("SET PERSIST"));
    }
    match (variable.access, scope) {
        (Access::Fixed, _) => {
            Err(Failure::new(1238, "HY000", format!("Variable '{name}' is a read only variable")))
        }
        (Access::Session, Scope::Global) => {
            let reason = "is a SESSION variable and can't be used with SET GLOBAL";
            Err(Failure::new(1228, "HY000", format!("Variable '{name}' {reason}")))
        }
        (Access::Global, Scope::Session) => {
            let reason = "is a GLOBAL variable and should be set with SET GLOBAL";
            Err(Failure::new(1229, "HY000", format!("Variable '{name}' {reason}")))
        }
        _ => Ok(()),
    }
}

/// A plain number; `None` when it is written in another way, such as `0x1f`.
fn number(text: &str) -> Option<Value> {
    if let Ok(value) = text.parse() {
        return Some(Value::Int(value));
    }
    if let Ok(value) = text.parse() {
        return Some(Value::UInt(value));
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Value::Double)
}
