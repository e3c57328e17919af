//! How a call of a module ends, when it does not end well.
//!
//! Three ways: the module refused (an answer), the host ended it for a reason that is the same on
//! every frontend (a [`Rejection`]), or this frontend could not run it (a [`Fault`]). The cut is
//! made by type and errs to the side of the fault: an error that nobody foresaw may have happened
//! here only, and recording it as an outcome would split the cluster, while a fault merely stops
//! one frontend until the cause is gone.

use std::str::Utf8Error;

use quorate_wire::Failure;
use wasmtime::Trap;

use crate::types::{Rejection, ViewError};

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

/// How a call ended that gave no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Rejected(Rejection, String),
    Deadline,
    Fault(Fault),
}

impl From<wasmtime::Error> for Ending {
    fn from(error: wasmtime::Error) -> Self {
        let told = || format!("{error:#}");
        match error.downcast_ref::<Halt>() {
            Some(Halt::Limit(_)) => return Self::Rejected(Rejection::Limit, told()),
            Some(Halt::Breach(_)) => return Self::Rejected(Rejection::Aborted, told()),
            Some(Halt::Deadline) => return Self::Deadline,
            Some(Halt::Fault(fault)) => return Self::Fault(fault.clone()),
            None => {}
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::Rejected(Rejection::OutOfFuel, told()),
            Some(trap) if is_guests(*trap) => Self::Rejected(Rejection::Aborted, told()),
            None if breaks_the_abi(&error) => Self::Rejected(Rejection::Aborted, told()),
            _ => Self::Fault(Fault(told())),
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
