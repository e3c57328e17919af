//! How a call of a module ends, when it does not end well.
//!
//! Three ways: the module refused (an answer), the host ended it for a reason that is the same on
//! every frontend (a [`Rejection`]), or this frontend could not run it (a [`Fault`]). The cut is
//! made by type and errs to the side of the fault: an error that nobody foresaw may have happened
//! here only, and recording it as an outcome would split the cluster, while a fault merely stops
//! one frontend until the cause is gone.

use std::str::Utf8Error;

use quorate_wire::Failure;
use wasmtime::{Trap, WasmBacktrace};

use crate::types::{Rejection, ViewError};

/// Functions of a backtrace that are told, and bytes of each name: the rest is left out.
const FUNCTIONS_MAX: usize = 12;
const FUNCTION_BYTES_MAX: usize = 120;

/// This frontend could not run the module: storage error, no instance free, damaged artefact, an
/// error of unknown cause. Never an outcome: whoever applies must stop and may try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl From<ViewError> for Fault {
    fn from(error: ViewError) -> Self {
        Self(error.to_string())
    }
}

/// Why a read-only call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The module refused.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The module trapped, went over a limit or gave bytes that cannot be read.
    #[error("the module aborted: {0}")]
    Trap(String),
    /// The time was up, while it ran or while it waited to.
    #[error("the time limit of the statement was reached")]
    Deadline,
    /// This frontend could not run it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ReadError {
    /// What the client is told.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Failure(failure) => failure.clone(),
            Self::Trap(_) | Self::Fault(_) => Failure::new(1105, "HY000", self.to_string()),
            // MySQL: ER_QUERY_TIMEOUT.
            Self::Deadline => Failure::new(3024, "HY000", self.to_string()),
        }
    }
}

/// What an import raises to end the call that made it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// Over a limit of the interface.
    #[error("over the limit of {0}")]
    Limit(&'static str),
    /// Something that this call may not do, or bytes that are not what they should be.
    #[error("{0}")]
    Breach(&'static str),
    /// A read-only call's time is up.
    #[error("deadline")]
    Deadline,
    /// Not the module's doing.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<ViewError> for Halt {
    fn from(error: ViewError) -> Self {
        Self::Fault(error.into())
    }
}

/// Why a call was ended, for people. Local: what is replicated is the [`Rejection`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// What happened.
    pub reason: String,
    /// The module's functions that were running, the innermost first, as its name section has
    /// them.
    functions: Vec<String>,
}

impl Why {
    /// Something that did not happen inside of a function.
    pub fn new(reason: &str) -> Self {
        Self { reason: reason.to_owned(), functions: Vec::new() }
    }

    fn of(error: &wasmtime::Error) -> Self {
        let functions = error.downcast_ref::<WasmBacktrace>().map(functions).unwrap_or_default();
        Self { reason: error.root_cause().to_string(), functions }
    }

    /// The functions, in one line.
    pub fn within(&self) -> String {
        self.functions.join(" < ")
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)?;
        if self.functions.is_empty() { Ok(()) } else { write!(f, " in {}", self.within()) }
    }
}

/// The names of a backtrace, those that follow themselves once. The engine spells them as their
/// author did only where it prints a whole backtrace, a line for each: address, module and, after
/// `!`, the function.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let text = backtrace.to_string();
    let frames = text.lines().filter_map(|line| line.split_once(" - "));
    let names = frames.map(|(_, rest)| rest.split_once('!').map_or(rest, |(_, name)| name));
    let mut told: Vec<(String, u32)> = Vec::new();
    for mut name in names.map(without_hashes) {
        // A generic name can be longer than what it tells.
        name.truncate(name.floor_char_boundary(FUNCTION_BYTES_MAX));
        match told.last_mut() {
            Some((last, times)) if *last == name => *times += 1,
            _ => told.push((name, 1)),
        }
    }
    let name = |(name, times)| if times == 1 { name } else { format!("{name} ({times} times)") };
    told.into_iter().take(FUNCTIONS_MAX).map(name).collect()
}

/// A name of Rust without the hashes that a compiler puts behind it, or behind a crate.
fn without_hashes(name: &str) -> String {
    const DIGITS: usize = 16;
    let is_hash = |hash: &str| hash.len() == DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let name = name.trim();
    let plain = name.rsplit_once("::h").filter(|(_, hash)| is_hash(hash));
    let mut name = plain.map_or(name, |(plain, _)| plain).to_owned();
    while let Some(at) = name.find('[')
        && name[at + 1..].split_once(']').is_some_and(|(hash, _)| is_hash(hash))
    {
        name.replace_range(at..=at + 1 + DIGITS, "");
    }
    name
}

/// How a call ended that gave no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Rejected(Rejection, Why),
    Deadline,
    Fault(Fault),
}

impl From<wasmtime::Error> for Ending {
    fn from(error: wasmtime::Error) -> Self {
        let why = || Why::of(&error);
        match error.downcast_ref::<Halt>() {
            Some(Halt::Limit(_)) => return Self::Rejected(Rejection::Limit, why()),
            Some(Halt::Breach(_)) => return Self::Rejected(Rejection::Aborted, why()),
            Some(Halt::Deadline) => return Self::Deadline,
            Some(Halt::Fault(fault)) => return Self::Fault(fault.clone()),
            None => {}
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::Rejected(Rejection::OutOfFuel, why()),
            Some(trap) if is_guests(*trap) => Self::Rejected(Rejection::Aborted, why()),
            None if breaks_the_abi(&error) => Self::Rejected(Rejection::Aborted, why()),
            _ => Self::Fault(Fault(format!("{error:#}"))),
        }
    }
}

/// The traps that code of a module can bring about under our settings. Any other means that the
/// host did something wrong, for example entered an instance that had trapped.
fn is_guests(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::StackOverflow
            | Trap::MemoryOutOfBounds
            | Trap::TableOutOfBounds
            | Trap::IndirectCallToNull
            | Trap::BadSignature
            | Trap::IntegerOverflow
            | Trap::IntegerDivisionByZero
            | Trap::BadConversionToInteger
            | Trap::UnreachableCodeReached
            | Trap::NullReference
            | Trap::CannotLeaveComponent
            | Trap::InvalidChar
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer
    )
}

/// A guest that hands over bad pointers, lengths, tags or text breaks the canonical ABI, alike on
/// every frontend. The engine has no type for most of these errors, only the texts below (of the
/// pinned release; a test provokes some). Were they faults, one broken module would stop every
/// frontend for good.
fn breaks_the_abi(error: &wasmtime::Error) -> bool {
    const TEXTS: [&str; 17] = [
        "list pointer/length out of bounds",
        "list pointer is not aligned",
        "string pointer/length out of bounds",
        "string pointer not aligned",
        "return pointer not aligned",
        "realloc return: ",
        "pointer not aligned",
        "pointer out of bounds",
        "pointer size overflow",
        "invalid option discriminant",
        "invalid expected discriminant",
        "unexpected discriminant",
        "unknown handle index",
        "index ",
        "cannot allocate another handle",
        "cannot lend resource",
        "cannot remove owned resource while borrowed",
    ];
    let cause = error.root_cause().to_string();
    error.is::<Utf8Error>()
        || error.is::<std::char::DecodeUtf16Error>()
        || TEXTS.iter().any(|text| cause.starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_unknown_cause_is_a_fault() {
        let error = wasmtime::Error::msg("mmap failed").context("instantiate");
        assert!(matches!(Ending::from(error), Ending::Fault(_)));
        let error = wasmtime::Error::from(Trap::CannotEnterComponent);
        assert!(matches!(Ending::from(error), Ending::Fault(_)));
    }

    #[test]
    fn a_storage_error_stays_a_fault_under_any_context() {
        let halt = Halt::from(ViewError("disk".into()));
        let error = wasmtime::Error::from(halt).context("while calling").context("apply");
        assert_eq!(Ending::from(error), Ending::Fault(Fault("read the state: disk".into())));
    }

    #[test]
    fn a_name_is_told_without_its_hashes() {
        assert_eq!(without_hashes("a::b::h0123456789abcdef "), "a::b");
        assert_eq!(
            without_hashes("std[0123456789abcdef]::a::<core[0123456789abcdef]::b>"),
            "std::a::<core::b>"
        );
        assert_eq!(without_hashes("a::hash::<[u8]>"), "a::hash::<[u8]>");
    }

    #[test]
    fn traps_and_limits_are_the_modules() {
        let ends = |error: wasmtime::Error| match Ending::from(error) {
            Ending::Rejected(rejection, _) => Some(rejection),
            _ => None,
        };
        assert_eq!(ends(Trap::UnreachableCodeReached.into()), Some(Rejection::Aborted));
        assert_eq!(ends(Trap::OutOfFuel.into()), Some(Rejection::OutOfFuel));
        assert_eq!(ends(Halt::Limit("a key").into()), Some(Rejection::Limit));
        assert_eq!(ends(Halt::Breach("a write").into()), Some(Rejection::Aborted));
    }
}
