//! Quorate: a replicated state machine whose rules are a WebAssembly module.
//!
//! Modules are listed in layer order; imports point up this list only. `ARCHITECTURE.md` tells the
//! life of a statement through them.

#![warn(missing_docs)]

pub mod types;
pub mod storage;
