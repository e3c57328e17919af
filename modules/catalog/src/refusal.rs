//! Refusals, with the codes and words of MySQL and StarRocks, which clients match on.

use quorate_guest::Failure;

/// A semantic mistake that MySQL has no code of its own for; StarRocks sends 1064 then.
pub fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(1064, "42000", message)
}

/// Understood, but not offered.
pub fn unsupported(what: &str) -> Failure {
    Failure::new(1235, "42000", format!("This version of Quorate doesn't yet support '{what}'"))
}

/// The object changed between evaluation and application; the same statement may work now.
pub fn stale(name: &str) -> Failure {
    let message = format!("'{name}' was replaced while the statement ran; try again");
    Failure::new(1412, "HY000", message)
}

/// No database was named and none is selected.
pub fn no_database() -> Failure {
    Failure::new(1046, "3D000", "No database selected")
}

/// Another catalog than the internal one.
pub fn unknown_catalog(name: &str) -> Failure {
    Failure::new(1049, "42000", format!("Unknown catalog '{name}'"))
}

/// No such database.
pub fn unknown_database(name: &str) -> Failure {
    Failure::new(1049, "42000", format!("Unknown database '{name}'"))
}

/// A system database cannot be changed.
pub fn read_only(user: &str, database: &str) -> Failure {
    let message = format!("Access denied for user '{user}'@'%' to database '{database}'");
    Failure::new(1044, "42000", message)
}

/// The database exists.
pub fn database_exists(name: &str) -> Failure {
    Failure::new(1007, "HY000", format!("Can't create database '{name}'; database exists"))
}

/// The database to drop does not exist.
pub fn no_database_to_drop(name: &str) -> Failure {
    Failure::new(1008, "HY000", format!("Can't drop database '{name}'; database doesn't exist"))
}

/// The table or view exists.
pub fn table_exists(name: &str) -> Failure {
    Failure::new(1050, "42S01", format!("Table '{name}' already exists"))
}

/// The table to drop does not exist.
pub fn unknown_table(name: &str) -> Failure {
    Failure::new(1051, "42S02", format!("Unknown table '{name}'"))
}

/// The table to read or change does not exist.
pub fn no_table(name: &str) -> Failure {
    Failure::new(1146, "42S02", format!("Table '{name}' doesn't exist"))
}

/// A view where a table is wanted, or the other way round.
pub fn wrong_object(name: &str, wanted: &str) -> Failure {
    Failure::new(1347, "HY000", format!("'{name}' is not {wanted}"))
}

/// Two columns of one name.
pub fn duplicate_column(name: &str) -> Failure {
    Failure::new(1060, "42S21", format!("Duplicate column name '{name}'"))
}

/// No such column.
pub fn unknown_column(column: &str, place: &str) -> Failure {
    Failure::new(1054, "42S22", format!("Unknown column '{column}' in '{place}'"))
}

/// A key names a column that is not there.
pub fn unknown_key_column(name: &str) -> Failure {
    Failure::new(1072, "42000", format!("Key column '{name}' doesn't exist in table"))
}

/// Two indexes or rollups of one name.
pub fn duplicate_index(name: &str) -> Failure {
    Failure::new(1061, "42000", format!("Duplicate key name '{name}'"))
}

/// What is to be dropped is not there.
pub fn nothing_to_drop(name: &str) -> Failure {
    Failure::new(1091, "42000", format!("Can't DROP '{name}'; check that column/key exists"))
}

/// The last column stays.
pub fn last_column() -> Failure {
    let message = "You can't delete all columns with ALTER TABLE; use DROP TABLE instead";
    Failure::new(1090, "42000", message)
}

/// The default does not fit the column.
pub fn bad_default(column: &str) -> Failure {
    Failure::new(1067, "42000", format!("Invalid default value for '{column}'"))
}

/// Two partitions of one name.
pub fn duplicate_partition(name: &str) -> Failure {
    Failure::new(1517, "HY000", format!("Duplicate partition name {name}"))
}

/// No such partition.
pub fn unknown_partition(partition: &str, table: &str) -> Failure {
    Failure::new(1735, "HY000", format!("Unknown partition '{partition}' in table '{table}'"))
}

/// Partitions of a table that has none.
pub fn not_partitioned(table: &str) -> Failure {
    Failure::new(1505, "HY000", format!("Table '{table}' is not partitioned"))
}
