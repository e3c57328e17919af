//! What a client is told, with MySQL's codes, and SQLite's errors in those terms.

use quorate_wire::Failure;

pub(super) fn syntax(detail: &str) -> Failure {
    Failure::new(1064, "42000", format!("syntax error: {detail}"))
}

pub(super) fn unsupported(what: &str) -> Failure {
    Failure::new(1235, "42000", format!("{what} is not supported"))
}

/// The wording that StarRocks' own clients look for.
pub(super) fn unknown_table(schema: &str, name: &str) -> Failure {
    Failure::new(5502, "42602", format!("Unknown table '{schema}.{name}'"))
}

pub(super) fn unknown_catalog(name: &str) -> Failure {
    Failure::new(1064, "42000", format!("Unknown catalog '{name}'"))
}

pub(super) fn no_database() -> Failure {
    Failure::new(1046, "3D000", "No database selected")
}

pub(super) fn unknown_function(name: &str) -> Failure {
    Failure::new(1305, "42000", format!("FUNCTION {name} does not exist"))
}

pub(super) fn argument_count(name: &str) -> Failure {
    let message = format!("Incorrect parameter count in the call to native function '{name}'");
    Failure::new(1582, "42000", message)
}

pub(super) fn bad_argument(function: &str, why: &str) -> Failure {
    Failure::new(1210, "HY000", format!("Incorrect arguments to {function}: {why}"))
}

pub(super) fn cancelled() -> Failure {
    Failure::new(1317, "70100", "Query execution was interrupted")
}

pub(super) fn late() -> Failure {
    let message = "Query execution was interrupted, maximum statement execution time exceeded";
    Failure::new(3024, "HY000", message)
}

pub(super) fn memory(max: usize) -> Failure {
    Failure::new(1041, "HY000", format!("query needs more than its {max} bytes of memory"))
}

pub(super) fn rows(max: usize) -> Failure {
    Failure::new(1104, "42000", format!("query has more than {max} rows; add a LIMIT"))
}

pub(super) fn ragged(schema: &str, name: &str) -> Failure {
    let message = format!("relation '{schema}.{name}' gave a row that does not fit its columns");
    Failure::new(1105, "HY000", message)
}

/// Prefixes of SQLite's messages and what MySQL says instead; `{}` is the rest of the message.
const TRANSLATIONS: [(&str, u16, &str, &str); 9] = [
    ("no such column: ", 1054, "42S22", "Unknown column '{}' in 'field list'"),
    ("ambiguous column name: ", 1052, "23000", "Column '{}' in field list is ambiguous"),
    ("no such table: ", 5502, "42602", "Unknown table '{}'"),
    (
        "wrong number of arguments to function ",
        1582,
        "42000",
        "Incorrect parameter count in the call to native function '{}'",
    ),
    ("misuse of aggregate", 1111, "HY000", "Invalid use of group function"),
    (
        "SELECTs to the left and right",
        1222,
        "21000",
        "The used SELECT statements have a different number of columns",
    ),
    ("sub-select returns", 1241, "21000", "Operand should contain 1 column(s)"),
    ("row value misused", 1241, "21000", "Operand should contain 1 column(s)"),
    ("string or blob too big", 1041, "HY000", "a value of the query is too large"),
];

/// An error that SQLite found itself.
pub(super) fn from_sqlite(error: &rusqlite::Error) -> Failure {
    let message = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    for (prefix, code, sqlstate, text) in TRANSLATIONS {
        if let Some(rest) = message.strip_prefix(prefix) {
            let name = rest.trim_end_matches("()").replace('`', "");
            return Failure::new(code, sqlstate, text.replace("{}", &name));
        }
    }
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::DiskFull | Code::SystemIoFailure | Code::CannotOpen) => {
            let message = format!("no temporary file for intermediate results: {message}");
            Failure::new(1021, "HY000", message)
        }
        Some(Code::OutOfMemory) => Failure::new(1037, "HY001", "out of memory"),
        Some(Code::OperationInterrupted) => cancelled(),
        _ => Failure::new(1064, "42000", message),
    }
}
