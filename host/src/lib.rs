//! Quorate: a replicated state machine whose rules are a WebAssembly module.
//!
//! Modules are listed in layer order; imports point up this list only. `ARCHITECTURE.md` tells the
//! life of a statement through them.

#![warn(missing_docs)]

pub mod types;

pub mod config;

pub mod proto;

pub mod storage;

pub mod runtime;

pub mod machine;

pub mod rescue;

pub mod raft;

pub mod cluster;

pub mod query;

pub mod session;

pub mod grpc;
pub mod http;
pub mod mysql;

pub mod server;

pub mod cli;
