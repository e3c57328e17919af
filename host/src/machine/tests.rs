//! The machine with real modules over both kinds of state.
#![allow(clippy::unwrap_used)]

mod activation;
mod alterations;
mod changes;
mod determinism;
mod epochs;
mod explain;
mod faults;
mod frontends;
mod guests;
mod hostile;
mod installation;
mod lifecycle;
mod migration;
mod milestones;
mod ready;
mod replay;
mod requests;
mod support;
mod swaps;
mod views;
