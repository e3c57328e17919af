//! Moving the state to another schema.
//!
//! Schema 1 is the first; nothing comes before it. Versions 1.0.0 and 2.0.0 of the module share it,
//! so a swap between them, in either direction, moves nothing.

use quorate_guest::Failure;

/// The schema of the stored state.
pub const SCHEMA: u32 = 1;

/// Moves the state from `from` to [`SCHEMA`].
///
/// # Errors
/// Every schema but [`SCHEMA`]: this version knows no other.
pub fn migrate(from: u32) -> Result<Option<Vec<u8>>, Failure> {
    match from {
        SCHEMA => Ok(None),
        other => {
            let message =
                format!("the catalog has schema {SCHEMA} and cannot migrate from {other}");
            Err(Failure::new(1105, "HY000", message))
        }
    }
}
