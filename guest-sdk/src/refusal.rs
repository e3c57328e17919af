//! Refusals: a MySQL error number and its SQLSTATE, given once and used by name.

use quorate_wire::Failure;

/// An error number with its SQLSTATE. A client sees both, and drivers choose their exceptions by
/// them.
///
/// ```
/// # use quorate_guest::{Refusal, refusal};
/// /// No MySQL error fits: numbers from 5000 on are a module's own.
/// const OVERDRAWN: Refusal = Refusal::new(5001, "22000");
///
/// let failure = OVERDRAWN.because("account 7 has 12 cents");
/// assert_eq!((failure.code, failure.sqlstate.as_str()), (5001, "22000"));
/// assert_eq!(refusal::SYNTAX.because("expected GET").code, 1064);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    code: u16,
    sqlstate: &'static str,
}

impl Refusal {
    /// A refusal of a number and a SQLSTATE. As a constant, one that has not the form of a SQLSTATE
    /// does not compile.
    ///
    /// # Panics
    /// When the code is 0 or the SQLSTATE is not five upper-case letters and digits.
    pub const fn new(code: u16, sqlstate: &'static str) -> Self {
        assert!(code > 0, "0 is no error");
        let bytes = sqlstate.as_bytes();
        assert!(bytes.len() == 5, "a SQLSTATE has five characters");
        let mut at = 0;
        while at < bytes.len() {
            let fits = bytes[at].is_ascii_uppercase() || bytes[at].is_ascii_digit();
            assert!(fits, "a SQLSTATE has upper-case letters and digits");
            at += 1;
        }
        Self { code, sqlstate }
    }

    /// The failure that a client is told, with the reason for a person.
    pub fn because(self, reason: impl Into<String>) -> Failure {
        Failure::new(self.code, self.sqlstate, reason)
    }

    /// Whether a failure is of this kind.
    pub fn is(self, failure: &Failure) -> bool {
        failure.code == self.code && failure.sqlstate == self.sqlstate
    }
}

/// The statement is none that the module understands. MySQL: `ER_PARSE_ERROR`.
pub const SYNTAX: Refusal = Refusal::new(1064, "42000");
/// What is to be made is there already. MySQL: `ER_DUP_ENTRY`.
pub const DUPLICATE: Refusal = Refusal::new(1062, "23000");
/// What is named is not there. MySQL: `ER_KEY_NOT_FOUND`.
pub const NOT_FOUND: Refusal = Refusal::new(1032, "HY000");
/// A value is too long. MySQL: `ER_DATA_TOO_LONG`.
pub const TOO_LONG: Refusal = Refusal::new(1406, "22001");
/// A number is beyond its range. MySQL: `ER_DATA_OUT_OF_RANGE`.
pub const OUT_OF_RANGE: Refusal = Refusal::new(1690, "22003");
/// Who asks may not. MySQL: `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
pub const DENIED: Refusal = Refusal::new(1227, "42000");
/// Bytes that are no request of this module. MySQL: `ER_MALFORMED_PACKET`.
pub const MALFORMED: Refusal = Refusal::new(1835, "HY000");
/// Anything else. MySQL: `ER_UNKNOWN_ERROR`.
pub const OTHER: Refusal = Refusal::new(1105, "HY000");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "five characters")]
    fn a_sqlstate_of_another_length_is_a_mistake() {
        let _ = Refusal::new(1, "4200");
    }

    #[test]
    #[should_panic(expected = "upper-case")]
    fn a_sqlstate_of_other_characters_is_a_mistake() {
        let _ = Refusal::new(1, "42s01");
    }

    #[test]
    fn a_failure_is_of_the_kind_that_made_it() {
        let failure = DUPLICATE.because("twice");
        assert!(DUPLICATE.is(&failure) && !NOT_FOUND.is(&failure));
        assert_eq!(failure.to_string(), "twice (error 1062, SQLSTATE 23000)");
    }
}
